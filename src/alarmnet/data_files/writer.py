"""Tables written to one file, CSV, gzipped CSV or Parquet, or to standard output."""

import gzip
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from alarmnet._shared.atomic import atomic_path
from alarmnet._shared.standard_streams import STANDARD
from alarmnet.errors import InputError


@contextmanager
def _open_writer(draft: Path, name: str, schema: pa.Schema) -> Iterator[Any]:
    with ExitStack() as opened:
        stream: Any = opened.enter_context(draft.open("wb"))
        if name.endswith(".gz"):
            stream = opened.enter_context(gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0))
        kind = pyarrow.parquet.ParquetWriter if name.endswith(".parquet") else pyarrow.csv.CSVWriter
        yield opened.enter_context(kind(stream, schema))


@contextmanager
def _refusing(final: Path) -> Iterator[None]:
    try:
        yield
    except pa.ArrowException as error:
        raise InputError(f"{final} could not be written: {error}", code="unwritable") from error


def _write(writer: Any, final: Path, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    for table in tables:
        if table.schema != schema:
            raise InputError(
                f"{final}: a table to write has other columns or types than the first", code="columns_differ"
            )
        # before pyarrow 24, an empty chunk writes the header of a CSV file once more
        filled = [batch for batch in table.to_batches() if len(batch)]
        writer.write_table(pa.Table.from_batches(filled, schema))


def refuse_input(out: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write to a file that is read."""
    if out.exists() and any(given.exists() and out.samefile(given) for given in inputs):
        raise InputError(f"{out} is an input too; write to another file", code="output_is_input")


def write_table(
    path: str | os.PathLike[str],
    batches: Iterable[pa.Table],
    *,
    standard: Literal["csv", "arrow"] = "csv",
) -> None:
    """Write tables one after the other to a CSV, gzipped CSV or Parquet file, as the ending says.

    Memory holds one of them at a time. Nothing stands under ``path`` before everything is written.

    Parameters
    ----------
    path
        Ends in ``.csv``, ``.csv.gz`` or ``.parquet``; ``-`` is standard output, which gets each table at once.
    batches
        At least one table; all have the columns of the first. A table without rows gives a file without rows.
    standard
        What standard output gets: CSV, or an Arrow IPC stream.

    Raises
    ------
    InputError
        For another ending, no table at all, tables that differ, and where the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "scores.csv"
    >>> write_table(path, [pa.table({"score": [0.5]}), pa.table({"score": [0.25]})])
    >>> path.read_text().split()
    ['"score"', '0.5', '0.25']
    """
    final = Path(path)
    name = final.name.lower()
    if name != STANDARD and not name.endswith((".csv", ".csv.gz", ".parquet")):
        raise InputError(
            f"{final}: give a name that ends in .csv, .csv.gz or .parquet", code="unknown_format"
        )
    tables = iter(batches)
    first = next(tables, None)
    if first is None:
        raise InputError(
            f"{final}: there is not a table to write; give at least one, which may be empty", code="no_table"
        )
    tables = chain([first], tables)
    if name == STANDARD:
        kind = pyarrow.csv.CSVWriter if standard == "csv" else pa.ipc.new_stream
        with _refusing(final), kind(sys.stdout.buffer, first.schema) as writer:
            _write(writer, final, first.schema, tables)
        sys.stdout.flush()
        return
    with atomic_path(final) as draft, _refusing(final), _open_writer(draft, name, first.schema) as writer:
        _write(writer, final, first.schema, tables)
