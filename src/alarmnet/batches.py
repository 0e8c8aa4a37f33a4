"""Table files as Arrow data in batches of bounded size, and results written the same way.

A CSV file is refused, rather than guessed at, for: no header, a header that repeats a name or stands again
between the rows, rows of unequal length, a quote that is never closed, text that is not UTF-8, NUL bytes, a
line longer than 8 MiB. Blank lines are skipped. The separator (comma, semicolon or tab) is the one that the
header has most of.
"""

import codecs
import csv
import gzip
import io
import os
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import reduce
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from alarmnet._atomic import atomic_path, open_regular
from alarmnet.errors import InputError

ColumnKind = Literal["number", "text", "datetime"]

MISSING_WORDS = ("", "NaN", "nan", "NA", "null", "None", "N/A")
"""What is missing in a number or datetime column of a CSV file; in a text column only the empty cell is."""

_FORMATS = "CSV (.csv, .tsv, .txt, each also as .gz) and Parquet (.parquet)"
_TEXT_ENDINGS = ("", ".csv", ".tsv", ".txt")
_SEPARATORS = ",;\t"
_BLOCK_BYTES = 8 << 20
_HEADER_BYTES = 1 << 20
# It begins a row that no file can hold, since NUL bytes are refused: added to each file, only an open quote
# can swallow it.
_END_CELL = "\0"

_MISSING = pa.array(MISSING_WORDS)
_TYPES = {"number": pa.float64(), "datetime": pa.timestamp("us"), "text": pa.string()}
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity|nan(\([a-z0-9_]*\))?))$"
_DECIMAL_COMMA = r"^[+-]?\d[\d.]*,\d+$"
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DATE = (
    r"(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_DATETIME = rf"^{_DATE}([ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d+)?)?)?{_ZONE}?)?$"
_PATTERNS = {"number": _NUMBER, "datetime": _DATETIME}


@dataclass(frozen=True)
class Batch:
    """Some rows of table files.

    Attributes
    ----------
    table
        The rows.
    first_row
        The number of the first of them, counted from 0 over all files.
    bad_rows
        Shape (rows,), bool: True where a number or datetime column held a cell that is neither. Such a cell
        is null in ``table``.
    """

    table: pa.Table
    first_row: int
    bad_rows: np.ndarray


# --- cells of CSV files ---


def _parse_times(cells: pa.Array) -> pa.Array:
    """Timestamps in UTC without a zone; a cell that names no zone is taken as UTC."""
    cells = pc.replace_substring_regex(cells, r"(\.\d{6})\d+", r"\1")
    zoned = pc.match_substring_regex(cells, rf"[ T].*{_ZONE}$")
    local = pc.if_else(zoned, None, cells).cast(pa.timestamp("us"))
    absolute = pc.if_else(zoned, cells, None).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(local, absolute)


def _parse_numbers(cells: pa.Array) -> pa.Array:
    numbers = cells.cast(pa.float64())
    return pc.if_else(pc.is_nan(numbers), None, numbers)


_PARSERS = {"number": _parse_numbers, "datetime": _parse_times}


def _without_missing(cells: pa.Array, kind: ColumnKind | str) -> pa.Array:
    if kind == "text":
        return pc.if_else(pc.equal(cells, ""), None, cells)
    return pc.if_else(pc.is_in(cells, _MISSING), None, cells)


def _parse(cells: pa.Array, kind: ColumnKind | str) -> tuple[pa.Array, pa.Array | None]:
    """Give the values, and which cells are no such value (None: all are); those are null."""
    present = _without_missing(cells, kind)
    if kind == "text":
        return present, None
    try:
        return _PARSERS[kind](present), None
    except pa.ArrowInvalid:
        present = _without_missing(pc.ascii_trim_whitespace(cells), kind)
        good = pc.match_substring_regex(present, _PATTERNS[kind])
        return _PARSERS[kind](pc.if_else(good, present, None)), pc.fill_null(pc.invert(good), False)


def _are_missing(cells: pa.Array) -> bool:
    return bool(_without_missing(pc.ascii_trim_whitespace(cells), "number").null_count == len(cells))


def _can_be(cells: pa.Array, kind: str) -> bool:
    if kind == "decimal comma":
        present = _without_missing(pc.ascii_trim_whitespace(cells), "number")
        fits = pc.match_substring_regex(present, f"{_NUMBER}|{_DECIMAL_COMMA}")
        return pc.all(fits).as_py() is not False
    _, bad = _parse(cells, kind)
    return bad is None or not pc.any(bad).as_py()


def _remaining_kinds(cells: pa.Array, kinds: Sequence[str]) -> list[str]:
    """Give those of the kinds that the cells do not rule out."""
    if "number" in kinds and _can_be(cells, "number"):  # the usual case, and the fast one
        return [kind for kind in kinds if kind != "datetime" or _are_missing(cells)]
    return [kind for kind in kinds if kind != "number" and _can_be(cells, kind)]


# --- one CSV file ---


@contextmanager
def _decompressing(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError as error:
        raise InputError(
            f"{path} is cut short: its compressed data does not end; copy it again", code="truncated_file"
        ) from error
    except (OSError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}", code="unreadable") from error


@contextmanager
def _open_text(path: Path) -> Iterator[BinaryIO]:
    with open_regular(path) as stream:
        with _decompressing(path):
            is_gzip = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
        if not is_gzip:
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield cast(BinaryIO, unpacked)


class _CheckedText:
    """A stream for pyarrow that refuses what is not UTF-8 text and adds the end row after the last byte."""

    closed = False  # pyarrow asks for it, and for close() and readable()

    def __init__(self, path: Path, stream: BinaryIO, *, end_row: bytes) -> None:
        self._path = path
        self._stream = stream
        self._end_row = end_row
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self.quotes = 0

    def read(self, size: int) -> bytes:
        with _decompressing(self._path):
            chunk = self._stream.read(size)
        self._check(chunk)
        self._bytes += len(chunk)
        self.quotes += chunk.count(b'"')
        if not chunk:
            chunk, self._end_row = self._end_row, b""
        return chunk

    def _check(self, chunk: bytes) -> None:
        nul = chunk.find(b"\0")
        if nul >= 0:
            raise InputError(
                f"{self._path} holds a NUL byte at byte {self._bytes + nul}, so it is not UTF-8 text; "
                "convert it to UTF-8",
                code="nul_byte",
            )
        before = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self._path} is not UTF-8 at byte {self._bytes - before + error.start} "
                f"(0x{error.object[error.start]:02X}); convert it to UTF-8, "
                "for example with: iconv -f LATIN1 -t UTF-8",
                code="bad_encoding",
            ) from error

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True


def _records(path: Path, separator: str, *, strict: bool) -> Iterator[tuple[int, list[str]]]:
    """Go through a file slowly, giving each record and the line it begins on: only for words about errors."""
    with _open_text(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
        reader = csv.reader(text, delimiter=separator, strict=strict)
        line = 1
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1


def _split_header(path: Path, text: str) -> tuple[str, list[str]]:
    """Give the separator and the column names."""
    unquoted = re.sub(r'"[^"]*"', "", text).splitlines()
    first_line = unquoted[0] if unquoted else ""
    separator = max(_SEPARATORS, key=first_line.count)  # max gives the first of equals
    try:
        return separator, next(
            csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), []
        )
    except csv.Error as error:
        raise InputError(f"{path}: the header cannot be read: {error}", code="no_header") from error


def _check_header(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise InputError(
            f"{path} begins with an empty line; the first line must name the columns", code="no_header"
        )
    if all(re.match(_NUMBER, name.strip()) for name in names):
        raise InputError(
            f"{path} has no header: its first line holds numbers only ({', '.join(names[:5])}); "
            "put a line with the column names before it",
            code="no_header",
        )
    _check_unique(path, names)


def _check_unique(path: Path, names: Sequence[str]) -> None:
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        raise InputError(
            f"{path} names columns more than once: {', '.join(map(repr, doubled[:5]))}; "
            "every column needs a name of its own (is the first line a header?)",
            code="duplicate_columns",
        )


def _read_head(path: Path) -> str:
    with _open_text(path) as stream, _decompressing(path):
        head = stream.read(_HEADER_BYTES)
    if not head:
        raise InputError(f"{path} is empty; it needs a line with the column names", code="empty_file")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError(
            f"{path} is UTF-16 text; convert it to UTF-8, for example with: iconv -f UTF-16 -t UTF-8",
            code="bad_encoding",
        )
    line_end = head.find(b"\n") + 1 or head.find(b"\r") + 1
    if not line_end and len(head) == _HEADER_BYTES:
        raise InputError(f"{path}: the first line is longer than 1 MiB, so it is no header", code="long_line")
    _CheckedText(path, io.BytesIO(head), end_row=b"").read(line_end or len(head))
    return head.decode("utf-8-sig", errors="ignore")


class _CsvFile:
    """One CSV file: its columns, and its rows as tables of strings."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.separator, self.columns = _split_header(path, _read_head(path))
        _check_header(path, self.columns)

    def blocks(self) -> Iterator[pa.Table]:
        """Give the rows as they come, every column as strings, and refuse what is no table."""
        end_row = "\n" + _END_CELL + self.separator * (len(self.columns) - 1) + "\n"
        row = 0
        ended = False
        with _open_text(self.path) as stream:
            text = _CheckedText(self.path, stream, end_row=end_row.encode())
            try:
                with self._open_reader(text) as reader:
                    for batch in reader:
                        table = pa.Table.from_batches([batch])
                        if len(table) and table.column(0)[-1].as_py() == _END_CELL:
                            ended = True
                            table = table.slice(0, len(table) - 1)
                        self._refuse_repeated_header(table, row)
                        yield table
                        row += len(table)
            except pa.ArrowInvalid as error:
                raise self._in_our_words(str(error), row) from error
        if not ended:
            raise self._open_quote(row - 1)
        if text.quotes % 2:
            self._refuse_text_after_quotes()

    def place(self, row: int) -> str:
        """Give the line that a row, counted from 0, begins on."""
        with suppress(csv.Error):  # Python's reader does not read very long cells
            for number, (line, _) in enumerate(_records(self.path, self.separator, strict=False), start=-1):
                if number == row:
                    return f"line {line}"
        return f"row {row} (counted from 0)"

    def _open_reader(self, text: _CheckedText) -> pyarrow.csv.CSVStreamingReader:
        return pyarrow.csv.open_csv(
            text,
            read_options=pyarrow.csv.ReadOptions(
                block_size=_BLOCK_BYTES, column_names=self.columns, skip_rows_after_names=1
            ),
            parse_options=pyarrow.csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()), check_utf8=False
            ),
        )

    def _refuse_repeated_header(self, table: pa.Table, row: int) -> None:
        repeats = pc.equal(table.column(0), self.columns[0])
        if not pc.any(repeats).as_py():
            return
        same = (pc.equal(table.column(i), name) for i, name in enumerate(self.columns))
        found = np.flatnonzero(reduce(pc.and_, same).to_numpy())
        if len(found):
            raise InputError(
                f"{self.path} {self.place(row + int(found[0]))} repeats the header; remove that line "
                "(were files joined with their headers?)",
                code="repeated_header",
                rows=(row + found).tolist(),
            )

    def _in_our_words(self, problem: str, row: int) -> InputError:
        ragged = re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", problem)
        if ragged and _END_CELL not in problem:
            record, expected, found = map(int, ragged.groups())
            return InputError(
                f"{self.path} {self.place(record - 2)} has {found} cells where the header names "
                f"{expected} columns; correct that line (a cell that holds {self.separator!r} needs quotes)",
                code="ragged_row",
                rows=[record - 2],
            )
        if ragged:
            return self._open_quote(int(ragged.group(1)) - 2)
        if "straddling" in problem:
            return InputError(
                f"{self.path}: after {self.place(row - 1)} comes a line longer than 8 MiB, or a quote "
                "that is never closed; correct the file",
                code="long_line",
            )
        return InputError(f"{self.path} cannot be read as CSV: {problem}", code="unreadable")

    def _open_quote(self, row: int) -> InputError:
        return InputError(
            f"{self.path} {self.place(row)} opens a quote that is not closed where its cell ends; close it",
            code="unclosed_quote",
            rows=[row],
        )

    def _refuse_text_after_quotes(self) -> None:
        """Find the open quote that a later quote closed: an odd number of quotes can also be harmless."""
        row = -2
        try:
            for row, _ in enumerate(_records(self.path, self.separator, strict=True), start=-1):  # noqa: B007
                pass
        except csv.Error as error:
            raise self._open_quote(row + 1) from error


# --- one Parquet file ---


def _is_usable(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_usable(kind.value_type)
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    is_number = pa.types.is_primitive(kind) or pa.types.is_decimal(kind)
    return bool(is_text or is_number or pa.types.is_null(kind))


@contextmanager
def _decoding(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} is not a complete Parquet file: {error}; write or copy it again", code="truncated_file"
        ) from error


class _ParquetFile:
    """One Parquet file: its columns, and its rows with the types it has."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            schema = file.schema_arrow
            self.n_rows = file.metadata.num_rows
        _check_unique(path, schema.names)
        # pandas stores an index without a name under such names, and hides it again when it reads the file
        self.schema = pa.schema([f for f in schema if not re.fullmatch(r"__index_level_\d+__", f.name)])
        self.columns = self.schema.names

    @contextmanager
    def _open(self) -> Iterator[pyarrow.parquet.ParquetFile]:
        with (
            open_regular(self.path) as stream,
            _decoding(self.path),
            pyarrow.parquet.ParquetFile(stream, buffer_size=_HEADER_BYTES) as file,
        ):
            yield file

    def tables(self, columns: Sequence[str], *, rows: int) -> Iterator[pa.Table]:
        with self._open() as file:
            for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
                yield pa.Table.from_batches([batch]).select(columns)


# --- all files ---


def _open_file(path: Path) -> _CsvFile | _ParquetFile:
    with open_regular(path) as stream:
        head = stream.read(4)
    if head == b"PAR1":
        return _ParquetFile(path)
    ending = (path.with_suffix("") if path.suffix.lower() == ".gz" else path).suffix.lower()
    if ending == ".parquet":
        raise InputError(
            f"{path} is not a complete Parquet file: it does not begin as one; write or copy it again",
            code="truncated_file",
        )
    if ending not in _TEXT_ENDINGS:
        raise InputError(f"{path} has a format that is not read; {_FORMATS} are", code="unknown_format")
    return _CsvFile(path)


def _check_same_columns(first: _CsvFile | _ParquetFile, other: _CsvFile | _ParquetFile) -> None:
    if type(first) is not type(other):
        raise InputError(f"{first.path} and {other.path} are CSV and Parquet; give files of one format")
    absent = [name for name in first.columns if name not in other.columns]
    added = [name for name in other.columns if name not in first.columns]
    if absent or added:
        differences = [f"lacks {absent}" if absent else "", f"also has {added}" if added else ""]
        raise InputError(
            f"{other.path} has other columns than {first.path}: it {' and '.join(filter(None, differences))}",
            code="columns_differ",
        )


def _common_schema(files: Sequence[_ParquetFile]) -> pa.Schema:
    schema = files[0].schema
    for file in files[1:]:
        try:
            schema = pa.unify_schemas([schema, file.schema], promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
            raise InputError(
                f"{file.path} has other types than {files[0].path}: {error}; write both with the same types",
                code="columns_differ",
            ) from error
    return schema


def _rebatched(parts: Iterable[tuple[pa.Table, np.ndarray]], rows: int) -> Iterator[Batch]:
    """Cut or join tables into batches of exactly ``rows`` rows, but for the last; there is always one."""
    tables: list[pa.Table] = []
    masks: list[np.ndarray] = []
    first_row = held = 0
    for table, mask in parts:
        tables.append(table)
        masks.append(mask)
        held += len(table)
        if held < rows:
            continue
        joined, bad_rows = pa.concat_tables(tables), np.concatenate(masks)
        for start in range(0, held - rows + 1, rows):
            yield Batch(joined.slice(start, rows), first_row, bad_rows[start : start + rows])
            first_row += rows
        left = held % rows
        tables, masks, held = [joined.slice(held - left)], [bad_rows[held - left :].copy()], left
    if held or first_row == 0:
        yield Batch(pa.concat_tables(tables), first_row, np.concatenate(masks))


def _decimal_comma(where: str, cell: str, name: str, *, rows: Sequence[int]) -> InputError:
    with_point = cell.replace(".", "").replace(",", ".")
    return InputError(
        f"{where} has a comma in a number; write {with_point} instead of {cell}, and no thousands separators "
        "(or say that the column is text)",
        code="decimal_comma",
        column=name,
        rows=rows,
    )


class TableFiles:
    r"""CSV, gzipped CSV and Parquet files with the same columns, read in batches of bounded size.

    Use it wherever a table may be larger than memory. The format is told by the first bytes. Parquet columns
    keep their types (several files: the common one). A CSV column becomes

    - ``"number"`` (float64) if every cell of it that is not missing is a number (``1e400`` is infinity);
    - ``"datetime"`` (timestamp in UTC) if every such cell is an ISO 8601 date or timestamp;
    - ``"text"`` (string) otherwise.

    Missing in number and datetime columns are the words of `MISSING_WORDS`; in a text column only the empty
    cell is, so that ``NA`` can be a category. Missing cells are null.

    Parameters
    ----------
    paths
        One file or several, all CSV or all Parquet; the order of columns may differ, the first file's counts.
    kinds
        What CSV columns are, for those that are known, such as from training. The others are found out by a
        pass over all files before the first batch.

    Attributes
    ----------
    columns : tuple of str
    n_bytes : int
        On disk.
    delimiter : str or None
        The first file's separator; None for Parquet.

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
    ) -> None:
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        self._files = [_open_file(Path(path)) for path in several]
        if not self._files:
            raise InputError("no files were given; name at least one")
        for file in self._files[1:]:
            _check_same_columns(self._files[0], file)
        self._kinds: dict[str, ColumnKind] = dict(kinds or {})
        for name, kind in self._kinds.items():
            if kind not in _TYPES:
                raise InputError(
                    f"column {name!r}: the kind {kind!r} is none of {', '.join(_TYPES)}", column=name
                )
        self._csv = [file for file in self._files if isinstance(file, _CsvFile)]
        self._parquet = [file for file in self._files if isinstance(file, _ParquetFile)]
        self._schema = _common_schema(self._parquet) if self._parquet else None
        self._csv_rows: int | None = None
        self.columns = tuple(self._files[0].columns)
        self.n_bytes = sum(file.path.stat().st_size for file in self._files)
        self.delimiter = self._csv[0].separator if self._csv else None

    @property
    def n_rows(self) -> int | None:
        """Rows in all files; for CSV None until the files have been read to the end once."""
        return sum(file.n_rows for file in self._parquet) if self._parquet else self._csv_rows

    def batches(
        self,
        *,
        rows: int = 65_536,
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
                f"{self._files[0].path} has no column {absent[0]!r}; it has {', '.join(self.columns)}",
                code="missing_column",
                column=absent[0],
            )
        if rows < 1:
            raise InputError(f"rows is {rows}; it must be at least 1")
        if self._schema is not None:
            return _rebatched(self._parquet_parts(names, self._schema, rows=rows), rows)
        return _rebatched(self._csv_parts(names, refuse=on_bad_cell == "refuse"), rows)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Give all rows as one table, for files that fit in memory; see `batches`."""
        return pa.concat_tables(batch.table for batch in self.batches(columns=columns))

    def _parquet_parts(
        self, names: Sequence[str], common: pa.Schema, *, rows: int
    ) -> Iterator[tuple[pa.Table, np.ndarray]]:
        schema = pa.schema([common.field(name) for name in names])
        for field in schema:
            if not _is_usable(field.type):
                raise InputError(
                    f"{self._files[0].path}: column {field.name!r} holds {field.type}, which cannot be used; "
                    "leave it out or turn it into numbers, text or dates",
                    code="column_type",
                    column=field.name,
                )
        yield schema.empty_table(), np.zeros(0, dtype=bool)
        for file in self._parquet:
            for table in file.tables(names, rows=rows):
                try:
                    typed = table.cast(schema)
                except pa.ArrowInvalid as error:
                    raise InputError(
                        f"{file.path}: {error}; write all files with the same types", code="columns_differ"
                    ) from error
                yield typed, np.zeros(len(table), dtype=bool)

    def _csv_parts(self, names: Sequence[str], *, refuse: bool) -> Iterator[tuple[pa.Table, np.ndarray]]:
        self._infer([name for name in names if name not in self._kinds])
        schema = pa.schema([(name, _TYPES[self._kinds[name]]) for name in names])
        yield schema.empty_table(), np.zeros(0, dtype=bool)
        row = 0
        for file in self._csv:
            first_row = row
            for block in file.blocks():
                bad_rows = np.zeros(len(block), dtype=bool)
                arrays = []
                for name in names:
                    cells = block.column(name)
                    values, bad = _parse(cells, self._kinds[name])
                    arrays.append(values)
                    if bad is not None:
                        bad_here = bad.to_numpy()
                        if refuse and bad_here.any():
                            self._refuse_cells(file, name, cells, np.flatnonzero(bad_here), row, first_row)
                        bad_rows |= bad_here
                yield pa.table(arrays, schema=schema), bad_rows
                row += len(block)
        self._csv_rows = row

    def _refuse_cells(
        self, file: _CsvFile, name: str, cells: pa.ChunkedArray, bad: np.ndarray, row: int, first_row: int
    ) -> None:
        cell = cells[int(bad[0])].as_py()
        where = f"{file.path} {file.place(row - first_row + int(bad[0]))}, column {name!r}: {cell[:100]!r}"
        rows = (row + bad[:5]).tolist()
        if self._kinds[name] == "datetime":
            message = (
                f"{where} is no ISO 8601 date or timestamp; write it like 2024-01-31 or 2024-01-31T12:00:00Z"
            )
            raise InputError(message, code="bad_cell", column=name, rows=rows)
        if re.match(_DECIMAL_COMMA, cell.strip()):
            raise _decimal_comma(where, cell.strip(), name, rows=rows)
        raise InputError(
            f"{where} is not a number; correct the cell, or leave it empty if it is missing",
            code="bad_cell",
            column=name,
            rows=rows,
        )

    def _infer(self, names: Sequence[str]) -> None:
        """Find out what columns are, from every cell of every file."""
        if not names:
            return
        possible: dict[str, list[str]] = {name: ["number", "datetime", "decimal comma"] for name in names}
        rows = 0
        for file in self._csv:
            for block in file.blocks():
                rows += len(block)
                for name, kinds in possible.items():
                    possible[name] = _remaining_kinds(block.column(name), kinds)
        for name, kinds in possible.items():
            kind = kinds[0] if kinds else "text"
            if kind == "decimal comma":
                raise _decimal_comma(f"{self._csv[0].path}: column {name!r}", "1,5", name, rows=[])
            self._kinds[name] = cast(ColumnKind, kind)
        self._csv_rows = rows


# --- results ---


@contextmanager
def _table_sink(draft: Path, name: str, schema: pa.Schema) -> Iterator[Any]:
    with draft.open("wb") as stream:
        if name.endswith(".parquet"):
            with pyarrow.parquet.ParquetWriter(stream, schema) as writer:
                yield writer
        elif name.endswith(".gz"):
            with (
                gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as packed,
                pyarrow.csv.CSVWriter(packed, schema) as writer,
            ):
                yield writer
        else:
            with pyarrow.csv.CSVWriter(stream, schema) as writer:
                yield writer


def write_table(path: str | os.PathLike[str], batches: Iterable[pa.Table]) -> None:
    """Write tables one after the other to a CSV, gzipped CSV or Parquet file, as the ending says.

    Memory holds one of them at a time. Nothing stands under ``path`` before everything is written.

    Parameters
    ----------
    path
        Ends in ``.csv``, ``.csv.gz`` or ``.parquet``.
    batches
        At least one table; all have the columns of the first. A table without rows gives a file without rows.

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
    if not name.endswith((".csv", ".csv.gz", ".parquet")):
        raise InputError(
            f"{final}: give a name that ends in .csv, .csv.gz or .parquet", code="unknown_format"
        )
    tables = iter(batches)
    first = next(tables, None)
    if first is None:
        raise InputError(f"{final}: there is no table to write; give at least one, which may be empty")
    with atomic_path(final) as draft:
        try:
            with _table_sink(draft, name, first.schema) as writer:
                for table in chain([first], tables):
                    if table.schema != first.schema:
                        raise InputError(
                            f"{final}: a table to write has other columns or types than the first"
                        )
                    writer.write_table(table)
        except pa.ArrowException as error:
            raise InputError(f"{final} could not be written: {error}", code="unwritable") from error
