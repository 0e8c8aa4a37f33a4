"""Standard input, queries of databases, folders and patterns as files on this machine."""

import glob
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from alarmnet._shared.standard_streams import STANDARD
from alarmnet.data_files import picture
from alarmnet.data_files.batch import rebatched
from alarmnet.data_files.databases import Database, database_at, queried
from alarmnet.errors import InputError

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())

_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".log")
_TABLE_ENDINGS = (*_ENDINGS, *(end + packed for end in _ENDINGS for packed in (".gz", ".zip")), ".parquet")
_ARROW_STREAM = b"\xff\xff\xff\xff"
_ROWS_AT_ONCE = 1 << 16


class NamedCopy(_Path):
    """The path of a copy, which sentences call by what it is a copy of."""

    shown: str | None = None

    def __format__(self, form: str) -> str:
        return format(self.shown or str(self), form)

    def __reduce__(self) -> Any:
        return _named, (str(self), self.shown)


def _named(path: str | Path, shown: str | None) -> NamedCopy:
    copy = NamedCopy(path)
    copy.shown = shown
    return copy


def write_copy(path: Path, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
    """Write Arrow batches of any size to a Parquet file, some at a time."""
    tables = chain([schema.empty_table()], (pa.Table.from_batches([batch]) for batch in batches))
    parts = ((table, np.zeros(len(table), dtype=bool)) for table in tables)
    with pyarrow.parquet.ParquetWriter(path, schema) as writer:
        for batch in rebatched(parts, rows=_ROWS_AT_ONCE):
            writer.write_table(batch.table)


def _standard_input(folder: Path) -> Path:
    """Copy standard input; an Arrow stream becomes a Parquet file."""
    copy = _named(folder / "standard-input", "standard input")
    with copy.open("wb") as stream:
        shutil.copyfileobj(sys.stdin.buffer, stream)
    with copy.open("rb") as stream:
        if stream.read(4) != _ARROW_STREAM:
            return copy
    table = _named(folder / "standard-input.parquet", copy.shown)
    try:
        with pa.OSFile(str(copy)) as raw, pa.ipc.open_stream(raw) as batches:
            write_copy(table, batches.schema, batches)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{copy} is no whole Arrow stream: {error}", code="truncated_file") from error
    copy.unlink()
    return table


def _rows_of(database: Database, query: str, copy: Path) -> Path:
    table = _named(copy, f"the query on {database.shown}")
    with queried(database, query) as (schema, batches):
        write_copy(table, schema, batches)
    return table


def place_of(text: str | os.PathLike[str]) -> str | Path:
    """Give the address of a database as it is, and everything else as a path."""
    return text if isinstance(text, str) and "://" in text else Path(text)


def _check_query(
    places: Sequence[str | Path], databases: Sequence[Database | None], query: str | None
) -> None:
    if [*map(str, places)].count(STANDARD) > 1:
        raise InputError("standard input (-) is named twice; it can be read once", code="options")
    found = next(filter(None, databases), None)
    if found and not query:
        raise InputError(
            f"{found.shown} is a database; say what to read with --query SQL, or Reading(query=...)",
            code="options",
        )
    if query and not all(databases):
        raise InputError(
            f"{places[databases.index(None)]} is not a database, and --query is only for databases",
            code="options",
        )


def _files_of(folder: Path) -> list[Path]:
    """Give the tables in a folder and its sub-folders, in order and not hidden; none if it holds a picture."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        seen = [name for name in names if not name.startswith((".", "_"))]
        if any(name.lower().endswith(picture.ENDINGS) for name in seen):
            return []
        found += [Path(place) / name for name in seen if name.lower().endswith(_TABLE_ENDINGS)]
    return sorted(found)


def _matches(pattern: Path) -> list[Path]:
    found = sorted(path for path in map(Path, glob.glob(str(pattern), recursive=True)) if path.is_file())  # noqa: PTH207
    if not found:
        raise InputError(f"{pattern}: no file matches this pattern", code="missing_file")
    return found


@contextmanager
def local_files(places: Sequence[str | Path], query: str | None = None) -> Iterator[list[Path]]:
    """Give the files that places stand for, while the block runs.

    ``-`` is standard input: CSV, JSON lines, Zeek, Parquet or an Arrow stream. It is copied to a temporary file,
    since tables are read more than once. A folder without pictures stands for the tables in it, and a pattern for
    the files that it matches, both in the order of their paths. An address or a file of a database stands for the
    rows of `query`, which are copied to a temporary Parquet file.

    Raises
    ------
    InputError
        A pattern matches nothing, standard input is named twice, or its Arrow stream is not whole; a database has
        no query, or refuses it.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("b.csv", "a.csv"):
    ...     _ = (folder / name).write_text("x")
    >>> with local_files([folder]) as files:
    ...     [path.name for path in files]
    ['a.csv', 'b.csv']
    """
    databases = [database_at(place) for place in places]
    _check_query(places, databases, query)
    with tempfile.TemporaryDirectory(prefix="alarmnet-") as name:
        found: list[Path] = []
        for number, (place, database) in enumerate(zip(map(Path, places), databases, strict=True)):
            if database and query:
                found.append(_rows_of(database, query, Path(name) / f"{number}.parquet"))
            elif str(place) == STANDARD:
                found.append(_standard_input(Path(name)))
            elif place.is_dir():
                found += _files_of(place) or [place]
            elif glob.has_magic(str(place)) and not place.exists():
                found += _matches(place)
            else:
                found.append(place)
        yield found
