"""Further words that mean missing, left out of tables."""

import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal

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
        if not self.words:
            return table
        apart = {*self.apart}
        columns = [
            cells if name in apart else self._left_out(cells)
            for name, cells in zip(table.column_names, table.columns, strict=True)
        ]
        return pa.Table.from_arrays(columns, schema=table.schema)

    def _left_out(self, cells: pa.ChunkedArray) -> pa.ChunkedArray:
        kind = cells.type
        if pa.types.is_dictionary(kind):
            return pa.chunked_array([self._without_categories(chunk) for chunk in cells.chunks], kind)
        if is_text_type(kind):
            words = pa.array([word.strip() for word in self.words], pa.large_string())
            texts = cells.cast(pa.large_string())  # views lack functions
            trimmed = pc.utf8_trim_whitespace(texts)
            found = pc.is_in(trimmed, words)
            if numbers := "|".join(map(_spellings, filter(math.isfinite, self._numbers()))):
                found = pc.or_(found, pc.match_substring_regex(trimmed, f"^({numbers})$"))
            return pc.if_else(found, pa.scalar(None, texts.type), texts).cast(kind)
        if (is_number_type(kind) and not pa.types.is_boolean(kind)) or pa.types.is_decimal(kind):
            found = pc.is_in(cells.cast(pa.float64(), safe=False), pa.array(self._numbers(), pa.float64()))
        else:
            return cells
        return pc.if_else(found, pa.scalar(None, kind), cells)

    def _without_categories(self, cells: pa.DictionaryArray) -> pa.DictionaryArray:
        categories = self._left_out(pa.chunked_array([cells.dictionary])).combine_chunks()
        found = categories.is_null().take(cells.indices)
        indices = pc.if_else(found, pa.scalar(None, cells.indices.type), cells.indices)
        return pa.DictionaryArray.from_arrays(indices, cells.dictionary, ordered=cells.type.ordered)

    def _numbers(self) -> list[float]:
        numbers = []
        for word in self.words:
            with suppress(ValueError):
                numbers.append(float(word))
        return numbers


def _spellings(number: float) -> str:
    """A regular expression of the ways to write a number without an exponent: -999, -999.0."""
    whole, _, fraction = f"{abs(Decimal(repr(number))):f}".partition(".")
    fraction = fraction.rstrip("0")
    sign = "-" if number < 0 else r"\+?"
    return f"{sign}0*{whole}" + (rf"\.{fraction}0*" if fraction else r"(\.0*)?")
