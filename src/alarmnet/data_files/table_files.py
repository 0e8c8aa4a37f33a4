"""Table files of one format, opened and read in batches."""

import codecs
import os
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import pyarrow as pa

from alarmnet._shared.atomic import open_regular
from alarmnet._shared.phrases import quoted
from alarmnet._shared.spelling import near_names
from alarmnet._shared.warn import warn
from alarmnet.data_files.batch import Batch, rebatched
from alarmnet.data_files.cells import TYPES, ColumnKind, decimal_is
from alarmnet.data_files.column_names import check_same
from alarmnet.data_files.csv_file import CsvFile
from alarmnet.data_files.json_lines import JsonLines
from alarmnet.data_files.missing import MissingWords
from alarmnet.data_files.parquet import ParquetFile, ParquetTable
from alarmnet.data_files.reading import Reading
from alarmnet.data_files.text import decompressing, open_text
from alarmnet.data_files.text_table import TextFile, TextTable
from alarmnet.data_files.zeek_log import MARK, ZeekLog
from alarmnet.errors import InputError

_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
_TEXT_ENDINGS = ("", ".csv", ".tsv", ".txt", ".log", *_JSON_ENDINGS)
_PACKED_ENDINGS = (".gz", ".zip")


def _did_you_mean(name: str, there: Sequence[str]) -> str:
    close = get_close_matches(name, there, n=1, cutoff=0.7)
    return f"; did you mean {close[0]!r}?" if close else ""


def _text_file(path: Path, ending: str, reading: Reading) -> TextFile:
    with open_text(path) as stream, decompressing(path):
        start = stream.read(64).removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"{") or (start and ending in _JSON_ENDINGS):
        return JsonLines(path)
    return ZeekLog(path) if start.startswith(MARK) else CsvFile(path, reading)


def _open_file(path: Path, reading: Reading) -> TextFile | ParquetFile:
    with open_regular(path) as stream:
        head = stream.read(4)
    if head == b"PAR1":
        return ParquetFile(path)
    ending = (path.with_suffix("") if path.suffix.lower() in _PACKED_ENDINGS else path).suffix.lower()
    if ending == ".parquet":
        raise InputError(
            f"{path} is not a complete Parquet file: it does not begin as one; write or copy it again",
            code="truncated_file",
        )
    if ending not in _TEXT_ENDINGS and path.suffix.lower() != ".zip":
        raise InputError(
            f"{path} has a format that is not read; CSV (.csv, .tsv, .txt), JSON lines (.jsonl, .ndjson) "
            "and Zeek logs (.log), each also as .gz and .zip, and Parquet (.parquet) are",
            code="unknown_format",
        )
    return _text_file(path, ending, reading)


def _share_decimal_sign(files: Sequence[TextFile | ParquetFile]) -> None:
    """Files of one table have one decimal sign: the comma if any of them has it. Warn where it may be one."""
    spaced = [file for file in files if isinstance(file, CsvFile) and file.separator != ","]
    if any(file.decimal == "," for file in spaced):
        for file in spaced:
            file.decimal = ","
    elif doubtful := next((file for file in spaced if file.doubtful), None):
        warn(
            f"{doubtful.path}: numbers such as {doubtful.doubtful} are read with a decimal point. If points "
            f"separate thousands, say {decimal_is(',')}; if not, {decimal_is('.')}"
        )


def _check_kinds(kinds: Mapping[str, ColumnKind]) -> None:
    for name, kind in kinds.items():
        if kind not in TYPES:
            raise InputError(
                f"column {name!r}: the kind {kind!r} is none of {', '.join(TYPES)}",
                column=name,
                code="invalid_parameter",
            )


class TableFiles:
    r"""CSV, JSON lines, Zeek and Parquet files with the same columns, read in batches of bounded size.

    Use it wherever a table may be larger than memory. The format is told by the first bytes; text files may be
    gzipped, or alone in a zip archive. Parquet columns keep their types (several files: the common one). A column
    of text files becomes

    - ``"number"`` (float64) if every cell of it that is not missing is a number (``1e400`` is infinity);
    - ``"datetime"`` (timestamp in UTC) if every such cell is an ISO 8601 date or timestamp;
    - ``"text"`` (string) otherwise.

    Missing in number and datetime columns are the words of `MISSING_WORDS`, and in those of `kinds` also words such
    as ``-``; in a text column only the empty cell is, and what its other cells mean is left to the encoder. Missing
    cells are null.

    Parameters
    ----------
    paths
        One file or several, all text or all Parquet; the order of columns may differ, the first file's counts.
    kinds
        What columns of text files are, for those that are known, such as from training: one of those above, or
        ``"boolean"``, a number (float64) that may be written as true or false, in any case. The others are found
        out by a pass over all files before the first batch.
    reading
        How to read what the files do not tell.
    ids
        Columns in which the further words of `reading` that mean missing are kept.

    Attributes
    ----------
    columns : tuple of str
    n_bytes : int
        On disk.
    delimiter : str or None
        The first file's separator, where that is a CSV file.

    Raises
    ------
    InputError
        Naming the file, the line, column or byte at fault, and what to do; some only while reading.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "flows.csv"
    >>> _ = path.write_text("bytes,service\n10,http\nNA,NA\n")
    >>> TableFiles(path).read().to_pydict()
    {'bytes': [10.0, None], 'service': ['http', 'NA']}
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        kinds: Mapping[str, ColumnKind] | None = None,
        reading: Reading | None = None,
        ids: Sequence[str] = (),
    ) -> None:
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        reading = reading or Reading()
        files = [_open_file(path if isinstance(path, Path) else Path(path), reading) for path in several]
        if not files:
            raise InputError("no files were given; name at least one", code="no_files")
        self._first = files[0]
        _share_decimal_sign(files)
        for file in files[1:]:
            self._check_like_first(file)
        _check_kinds(kinds or {})
        self.columns = tuple(self._first.columns)
        self.n_bytes = sum(file.path.stat().st_size for file in files)
        self.delimiter = self._first.separator if isinstance(self._first, CsvFile) else None
        texts = [file for file in files if not isinstance(file, ParquetFile)]
        parquet = [file for file in files if isinstance(file, ParquetFile)]
        missing = MissingWords(reading.missing, apart=ids)
        self._table: TextTable | ParquetTable = (
            TextTable(texts, kinds=kinds or {}, missing=missing)
            if texts
            else ParquetTable(parquet, missing=missing)
        )

    @property
    def is_parquet(self) -> bool:
        """Whether columns can be read one by one at no more cost."""
        return isinstance(self._table, ParquetTable)

    @property
    def n_rows(self) -> int | None:
        """Rows in all files; for CSV None until the files have been read to the end once."""
        return self._table.n_rows

    def batches(
        self,
        *,
        rows: int = 16_384,
        columns: Sequence[str] | None = None,
        on_bad_cell: Literal["refuse", "null"] = "refuse",
    ) -> Iterator[Batch]:
        """Give the rows in order; there is always at least one batch, which is empty where the files are.

        Parameters
        ----------
        rows
            Rows in each batch but the last; what is read does not depend on it.
        columns
            Which columns, in this order; all by default.
        on_bad_cell
            What a cell does that is no number in a number column, or no date in a datetime column:
            ``"refuse"`` raises, ``"null"`` gives null and marks the row in `Batch.bad_rows`.

        Raises
        ------
        InputError
            See the class.
        """
        names = self.columns if columns is None else tuple(columns)
        absent = [name for name in names if name not in self.columns]
        if absent:
            raise InputError(
                f"{self._first.path} has no column {absent[0]!r}; it has {quoted(self.columns)}"
                f"{near_names(absent, self.columns) or _did_you_mean(absent[0], self.columns)}",
                code="missing_column",
                column=absent[0],
            )
        if rows < 1:
            raise InputError(f"rows is {rows}; it must be at least 1", code="invalid_parameter")
        if isinstance(self._table, TextTable):
            return rebatched(self._table.parts(names, refuse=on_bad_cell == "refuse"), rows=rows)
        return rebatched(self._table.parts(names, rows=rows), rows=rows)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Give all rows as one table, for files that fit in memory; see `batches`."""
        return pa.concat_tables(batch.table for batch in self.batches(columns=columns))

    def _check_like_first(self, file: TextFile | ParquetFile) -> None:
        first = self._first
        if isinstance(first, ParquetFile) != isinstance(file, ParquetFile):
            raise InputError(
                f"of {first.path} and {file.path} one is text and one is Parquet; give files of one format",
                code="mixed_files",
            )
        check_same(file.path, file.columns, first_path=first.path, first_names=first.columns)
