"""One CSV file: its rows as strings, and the line on which a row begins."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import reduce
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from alarmnet._shared.warn import warn
from alarmnet.data_files.csv_header import read_header
from alarmnet.data_files.lending import csv_batches
from alarmnet.data_files.reading import Reading
from alarmnet.data_files.text import CheckedText, open_text
from alarmnet.errors import InputError

_BLOCK_BYTES = 8 << 20
# The first cell of a row that is added to each file. No file can hold the row, since NUL bytes are refused: if
# the row is missing in the end, an open quote has swallowed it.
_END_CELL = "\0"


class CsvFile:
    """One CSV file: its columns, and its rows as tables of strings."""

    unusable: ClassVar[Mapping[str, str]] = {}

    def __init__(self, path: Path, reading: Reading) -> None:
        self.path = path
        header = read_header(path, reading)
        self.separator, self.decimal, self.columns = header.separator, header.decimal, header.columns
        self.doubtful = header.doubtful
        if header.said:
            warn(header.said)

    def blocks(self) -> Iterator[pa.Table]:
        """Give the rows as they come, every column as strings, and refuse what is not a table."""
        end_row = "\n" + _END_CELL + self.separator * (len(self.columns) - 1) + "\n"
        row = 0
        ended = False
        with open_text(self.path) as stream:
            text = CheckedText(self.path, stream, end_row=end_row.encode())
            try:
                for batch in csv_batches(text.read, **self._options()):
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
            for number, line in self._lines(strict=False):
                if number == row:
                    return f"line {line}"
        return f"row {row} (counted from 0)"

    def _lines(self, *, strict: bool) -> Iterator[tuple[int, int]]:
        """Go through the file slowly, giving each row and the line it begins on: only for error messages."""
        with open_text(self.path) as stream:
            text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
            records = csv.reader(text, delimiter=self.separator, strict=strict)
            row, line = -1, 1  # the header is no row
            for record in records:
                if record:
                    yield row, line
                    row += 1
                line = records.line_num + 1

    def _options(self) -> dict[str, Any]:
        return {
            "read_options": pyarrow.csv.ReadOptions(
                use_threads=False,  # with threads, pyarrow's errors do not name the row
                block_size=_BLOCK_BYTES,
                column_names=self.columns,
                skip_rows_after_names=1,
            ),
            "parse_options": pyarrow.csv.ParseOptions(delimiter=self.separator, newlines_in_values=True),
            "convert_options": pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(self.columns, pa.string()), check_utf8=False
            ),
        }

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
        if ragged:
            record, expected, found = map(int, ragged.groups())
            bad_row = record - 2  # counted from 0, after the header
            if _END_CELL in problem or (found < expected and self._first_open_quote() == bad_row):
                return self._open_quote(bad_row)
            return InputError(
                f"{self.path} {self.place(bad_row)} has {found} cells where the header names "
                f"{expected} columns; correct that line (a cell that holds {self.separator!r} needs quotes)",
                code="ragged_row",
                rows=[bad_row],
            )
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
        if (row := self._first_open_quote()) is not None:
            raise self._open_quote(row)

    def _first_open_quote(self) -> int | None:
        """The first row with a quote that is not closed where its cell ends."""
        row = -2
        try:
            for row, _ in self._lines(strict=True):  # noqa: B007
                pass
        except csv.Error:
            return row + 1
        return None
