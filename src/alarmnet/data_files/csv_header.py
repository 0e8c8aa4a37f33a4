"""The header of a CSV file: which separator and decimal sign it uses, and the column names."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from alarmnet.data_files.cells import NUMBER
from alarmnet.data_files.column_names import check_unique
from alarmnet.data_files.encodings import refuse_wide
from alarmnet.data_files.reading import Reading
from alarmnet.data_files.text import CheckedText, decompressing, open_text
from alarmnet.errors import InputError

_SEPARATORS = ",;\t"
_RARE_SEPARATORS = "|^"
_MOST_BYTES, _MOST_RECORDS = 1 << 20, 1000
_LOOKED_AT = 1 << 16
_FEWEST_LINES = 2
_LIBSVM = r"[+-]?\d+(\.\d*)?(\s+(qid:)?\d+:[^\s:]+)+\s*(#.*)?"
_SURE_COMMA, _SURE_POINT = (rf"[+-]?\d*\{mark}(\d{{1,2}}|\d{{4,}})" for mark in ",.")
"""Numbers whose decimal sign cannot be a separator of thousands."""
_DOUBTFUL = r"[+-]?[1-9]\d{0,2}(\.\d{3})+"
"""A number whose points may be a decimal sign, or separate thousands."""


@dataclass(frozen=True)
class Header:
    """What separates a file's cells, its decimal sign, its columns, and whether either mark is an unusual guess.

    `doubtful` is a number with points, if nothing shows whether they are decimal signs or separate thousands.
    """

    separator: str
    decimal: str
    columns: list[str]
    said: str | None = None
    doubtful: str = ""


def _read_head(path: Path) -> str:
    with open_text(path) as stream, decompressing(path):
        head = stream.read(_MOST_BYTES)
    if not head:
        raise InputError(f"{path} is empty; it needs a line with the column names", code="empty_file")
    _refuse_other_formats(path, head)
    refuse_wide(path, head)
    line_end = head.find(b"\n") + 1 or head.find(b"\r") + 1
    if not line_end and len(head) == _MOST_BYTES:
        raise InputError(
            f"{path}: the first line is longer than 1 MiB, so it is not a header", code="long_line"
        )
    CheckedText(path, io.BytesIO(head), end_row=b"").read(line_end or len(head))
    return head.decode("utf-8-sig", errors="ignore")


_OTHER_FORMATS = {
    b"PK\x03\x04": "holds a zip archive; unpack it first",
    b"PK\x05\x06": "holds an empty zip archive; give the table itself",
    b"\x1f\x8b": "holds a gzip archive; unpack it first",
    b"BZh": "holds a bzip2 archive; unpack it first",
    b"\xfd7zXZ": "holds an xz archive; unpack it first",
    b"\x28\xb5\x2f\xfd": "holds a Zstandard archive; unpack it first",
    b"PAR1": "holds a Parquet file; unpack it first",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook; save it as CSV",
    b"SQLite format 3": "is an SQLite database; read it with local_files([path], query=SQL)",
    b"<": "begins with '<', as HTML and XML do; save the table as CSV",
    b"[": "begins with '[', as JSON does; write JSON lines, an object on each line",
}


def _refuse_other_formats(path: Path, head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, what in _OTHER_FORMATS.items():
        if start.startswith(mark):
            raise InputError(f"{path} {what}", code="unknown_format")


def _records(text: str, separator: str) -> Iterator[list[str]]:
    """Give the header and the first rows, without a row that is cut off."""
    lines = text if len(text) < _MOST_BYTES // 4 else text[: text.rfind("\n") + 1]
    with suppress(csv.Error):  # reported when the rows are read
        yield from islice(csv.reader(io.StringIO(lines, newline=""), delimiter=separator), _MOST_RECORDS)


def _is_spaced(lines: Sequence[str]) -> bool:
    """Whether all lines have the same number of words, some of them numbers, with one space between words."""
    rows = [line.split(" ") for line in lines]
    numbers = [sum(bool(re.match(NUMBER, cell)) for cell in row) for row in rows[1:]]
    same = {len(row) for row in rows}
    return (
        len(rows) > _FEWEST_LINES
        and len(same) == 1
        and same != {1}
        and min(numbers) > 0
        and all(map(all, rows))
    )


def _separator(path: Path, text: str) -> str:
    first_line = re.split(r"\r\n|\r|\n", re.sub(r'"[^"]*"', "", text), maxsplit=1)[0]
    for marks in (_SEPARATORS, _RARE_SEPARATORS):
        if (found := max(marks, key=first_line.count)) in first_line:  # max gives the first of equals
            return found
    lines = text[:_LOOKED_AT].splitlines()
    if re.fullmatch(_LIBSVM, first_line):
        raise InputError(
            f"{path} is in libsvm's sparse format, which has no column names; read it with "
            "sklearn.datasets.load_svmlight_file, and write it as CSV or Parquet",
            code="unknown_format",
        )
    if len(text) > _LOOKED_AT:
        lines = lines[:-1]
    return " " if _is_spaced(lines) else ","


def _decimal(text: str, separator: str) -> tuple[str, str]:
    """The decimal comma if some numbers certainly have it and none certainly has a point; and what is doubtful."""
    if separator == ",":
        return "", ""
    cells = [cell.strip() for record in islice(_records(text, separator), 1, None) for cell in record]
    if any(re.fullmatch(_SURE_POINT, cell) for cell in cells):
        return "", ""
    if any(re.fullmatch(_SURE_COMMA, cell) for cell in cells):
        return ",", ""
    pointed = [cell for cell in cells if "." in cell and re.match(rf"{NUMBER}|^{_DOUBTFUL}$", cell)]
    doubtful = all(re.fullmatch(_DOUBTFUL, cell) for cell in pointed)
    return "", pointed[0] if pointed and doubtful else ""


def _names(path: Path, text: str, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), [])
    except csv.Error as error:
        raise InputError(f"{path}: the header cannot be read: {error}", code="no_header") from error


def _check(path: Path, names: Sequence[str], *, other_marks: str) -> None:
    if not names:
        raise InputError(
            f"{path} begins with an empty line; the first line must name the columns", code="no_header"
        )
    if names[0].startswith(("#", "sep=")):
        raise InputError(
            f"{path} begins with {names[0][:50]!r}, which is not a header: remove that line; the first line must "
            "name the columns",
            code="no_header",
        )
    if len(names) == 1 and (other := next((mark for mark in other_marks if mark in names[0]), None)):
        raise InputError(
            f"{path} has one column, {names[0][:100]!r}, which seems to be several, separated by {other!r}: say so "
            "with --delimiter, or Reading(delimiter=...)",
            code="no_header",
        )
    if all(re.match(NUMBER, name.strip()) for name in names):
        raise InputError(
            f"{path} has no header: its first line holds numbers only ({', '.join(names[:5])}); "
            "put a line with the column names before it",
            code="no_header",
        )
    check_unique(path, names)


def read_header(path: Path, reading: Reading) -> Header:
    """Give the separator, the decimal sign and the column names, found out where `reading` does not say."""
    text = _read_head(path)
    separator = reading.delimiter or _separator(path, text)
    names = _names(path, text, separator)
    _check(path, names, other_marks=",;\t|\\^" if reading.delimiter else "|\\^")
    decimal, doubtful = (reading.decimal, "") if reading.decimal else _decimal(text, separator)
    guessed = [
        f"the delimiter {separator!r}" if not reading.delimiter and separator not in _SEPARATORS else "",
        f"the decimal sign {decimal!r}" if not reading.decimal and decimal else "",
    ]
    said = f"{path} is read with {' and '.join(filter(None, guessed))}." if any(guessed) else None
    return Header(separator, decimal, names, said, doubtful)
