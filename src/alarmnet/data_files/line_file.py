"""Text files with one record a line, as tables of strings: JSON lines and Zeek's logs."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa

_ROWS_AT_ONCE, _LETTERS_AT_ONCE = 16_384, 8 << 20

Record = tuple[int, Sequence[str | None]]
"""The number of a line, counted from 1, and its cells in the order of the columns."""


class LineFile(ABC):
    """A file whose lines are records: its columns, and its rows as tables of strings, as `CsvFile` has them."""

    decimal = ""
    path: Path
    columns: Sequence[str]
    unusable: Mapping[str, str]
    """Columns whose cells are no plain values, and what the cells are."""

    @abstractmethod
    def records(self) -> Iterator[Record]:
        """Give the records in order, and refuse what is none."""

    def blocks(self) -> Iterator[pa.Table]:
        """Give the rows in tables of bounded size, every column as strings."""
        rows: list[Sequence[str | None]] = []
        letters = 0
        for _, cells in self.records():
            rows.append(cells)
            letters += sum(len(cell) for cell in cells if cell)
            if len(rows) == _ROWS_AT_ONCE or letters > _LETTERS_AT_ONCE:
                yield self._table(rows)
                rows, letters = [], 0
        yield self._table(rows)

    def place(self, row: int) -> str:
        """Give the line that a row, counted from 0, stands on."""
        return next((f"line {line}" for line, _ in islice(self.records(), row, None)), f"row {row}")

    def _table(self, rows: Sequence[Sequence[str | None]]) -> pa.Table:
        cells = zip(*rows, strict=True) if rows else ([] for _ in self.columns)
        return pa.table([pa.array(column, pa.string()) for column in cells], names=list(self.columns))
