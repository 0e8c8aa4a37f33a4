"""Further words that mean missing, left out of tables."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from alarmnet._shared.containers import is_number_type, is_text_type


@dataclass(frozen=True)
class MissingWords:
    """Words that mean missing in every column but those of `apart`; a number means each number that equals it."""

    words: Sequence[str]
    apart: Sequence[str] = ()

    def left_out(self, table: pa.Table) -> pa.Table:
        """Give the table without cells that hold one of the words."""
        for place, name in enumerate(table.column_names if self.words else ()):
            if name not in self.apart:
                table = table.set_column(place, table.field(place), self._left_out(table[name]))
        return table

    def _left_out(self, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = cells.type
        if is_text_type(kind):
            found = pc.is_in(pc.utf8_trim_whitespace(cells), pa.array(self.words, kind))
        elif (is_number_type(kind) and not pa.types.is_boolean(kind)) or pa.types.is_decimal(kind):
            found = pc.is_in(cells.cast(pa.float64(), safe=False), pa.array(self._numbers(), pa.float64()))
        else:
            return cells
        return pc.if_else(found, pa.scalar(None, kind), cells)

    def _numbers(self) -> list[float]:
        numbers = []
        for word in self.words:
            with suppress(ValueError):
                numbers.append(float(word))
        return numbers
