"""The header of a CSV file: which separator it uses, and the column names."""

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

from alarmnet.data_files.cells import NUMBER
from alarmnet.data_files.column_names import check_unique
from alarmnet.data_files.encodings import refuse_wide
from alarmnet.data_files.text import CheckedText, decompressing, open_text
from alarmnet.errors import InputError

_SEPARATORS = ",;\t"
_MOST_BYTES = 1 << 20


def _read_head(path: Path) -> str:
    with open_text(path) as stream, decompressing(path):
        head = stream.read(_MOST_BYTES)
    if not head:
        raise InputError(f"{path} is empty; it needs a line with the column names", code="empty_file")
    _refuse_other_formats(path, head)
    refuse_wide(path, head)
    line_end = head.find(b"\n") + 1 or head.find(b"\r") + 1
    if not line_end and len(head) == _MOST_BYTES:
        raise InputError(f"{path}: the first line is longer than 1 MiB, so it is no header", code="long_line")
    CheckedText(path, io.BytesIO(head), end_row=b"").read(line_end or len(head))
    return head.decode("utf-8-sig", errors="ignore")


_OTHER_FORMATS = {
    b"PK\x03\x04": "is an Excel workbook or a zip archive; save it as CSV",
    b"\xd0\xcf\x11\xe0": "is an Excel workbook; save it as CSV",
    b"SQLite format 3": "is an SQLite database; export the table as CSV",
    b"<": "begins with '<', as HTML and XML do; save the table as CSV",
    b"{": "begins with '{', as JSON does; write the table as CSV or Parquet",
    b"[": "begins with '[', as JSON does; write the table as CSV or Parquet",
}


def _refuse_other_formats(path: Path, head: bytes) -> None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    for mark, what in _OTHER_FORMATS.items():
        if start.startswith(mark):
            raise InputError(f"{path} {what}", code="unknown_format")


def _split(path: Path, text: str) -> tuple[str, list[str]]:
    unquoted = re.sub(r'"[^"]*"', "", text).splitlines()
    first_line = unquoted[0] if unquoted else ""
    separator = max(_SEPARATORS, key=first_line.count)  # max gives the first of equals
    try:
        records = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        return separator, next(records, [])
    except csv.Error as error:
        raise InputError(f"{path}: the header cannot be read: {error}", code="no_header") from error


def _check(path: Path, names: Sequence[str]) -> None:
    if not names:
        raise InputError(
            f"{path} begins with an empty line; the first line must name the columns", code="no_header"
        )
    if names[0].startswith(("#", "sep=")):
        raise InputError(
            f"{path} begins with {names[0][:50]!r}, which is no header: remove that line; the first line must "
            "name the columns",
            code="no_header",
        )
    if len(names) == 1 and (other := next((mark for mark in "|\\^" if mark in names[0]), None)):
        raise InputError(
            f"{path} has one column, {names[0][:100]!r}, which seems to be several, separated by {other!r}. "
            "Commas, semicolons and tabs are read: write it with one of these",
            code="no_header",
        )
    if all(re.match(NUMBER, name.strip()) for name in names):
        raise InputError(
            f"{path} has no header: its first line holds numbers only ({', '.join(names[:5])}); "
            "put a line with the column names before it",
            code="no_header",
        )
    check_unique(path, names)


def read_header(path: Path) -> tuple[str, list[str]]:
    """Give the separator and the column names."""
    separator, names = _split(path, _read_head(path))
    _check(path, names)
    return separator, names
