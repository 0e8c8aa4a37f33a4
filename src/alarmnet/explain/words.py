"""Cells and encoded numbers in the words of the user's table: units, dates, names of categories."""

import datetime
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet.preprocessing.cells import value_of
from alarmnet.preprocessing.scales import Scale, scale_from_dict

Matrix = NDArray[np.float32]

TAIL = 0.01
"""The share of normal rows on either side that a normal range leaves out."""
FEW = 0.2
"""Below this share, the words give the share of normal rows that are at least as extreme as a number."""
HOUR = 1 / 24
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST = 60
MOST_READ = 2_000
"""The most characters of a cell that are read: cells may have millions."""
MISSING = "missing"


def number_text(value: float) -> str:
    """A number for a sentence.

    >>> [number_text(value) for value in (12_000_000.0, 0.123456, 3.0, 1e-7)]
    ['12,000,000', '0.1235', '3', '1e-07']
    """
    if value == round(value) and abs(value) < 1e15:
        return f"{round(value):,}"
    size = abs(value)
    if not 1e-4 <= size < 1e15:
        return f"{value:.3g}"
    text = f"{value:,.{max(0, 3 - math.floor(math.log10(size)))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share_text(share: float) -> str:
    """A share of rows, in percent."""
    return "none" if not share else f"{100 * share:.2g}%" if share < 0.995 else f"{100 * share:.3g}%"


def cell_text(cell: Any) -> str:
    """A cell as the user wrote it, on one line."""
    value = value_of(cell)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return MISSING if math.isnan(value) else number_text(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if value is None or str(value) in {"NaT", "<NA>", "nan"}:
        return MISSING
    text = str(value)
    head = text[:MOST_READ]
    shown = " ".join(head.split()) or "(empty)"
    if len(shown) > LONGEST or len(head) < len(text):
        shown = shown[: LONGEST - 1] + "\u2026"
    if shown.isprintable():
        return shown
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


@dataclass(frozen=True)
class ColumnWords:
    """One input column: `learned` as `TableEncoder.to_dict` has it, and its encoded normal values (N, parts)."""

    learned: Mapping[str, Any]
    normal: Matrix

    def of(self, encoded: Matrix) -> str:
        """The cell that encoded numbers (parts,) stand for, in words."""
        kind = self.learned["kind"]
        if kind == "category":
            return self._category(int(np.argmax(encoded))) if encoded.any() else "a new category"
        if self._lacks(encoded):
            return MISSING
        return self._time(encoded) if kind == "datetime" else self._number(self._unscaled(float(encoded[0])))

    def share(self, encoded: Matrix) -> float:
        """The share of normal rows that are like a value, from its encoded numbers (parts,).

        They are at least as extreme as a number, on its side, have the same category, lack the cell too, or are
        within an hour of a time of day.
        """
        kind = self.learned["kind"]
        if kind == "category":
            return float((self.normal[:, int(np.argmax(encoded))] > 0.5).mean()) if encoded.any() else 0.0
        if self._lacks(encoded):
            return float((self.normal[:, -1] > 0.5).mean())
        if kind == "datetime":
            return self._at_this_hour(encoded)
        return self._tail(float(encoded[0]))[0]

    def usual(self, encoded: Matrix) -> str:
        """The values of normal rows in this column, in words, to follow a value's encoded numbers (parts,)."""
        kind, share = self.learned["kind"], self.share(encoded)
        if kind == "category" and not encoded.any():
            return "no normal row has it"
        if kind == "category" or self.learned.get("boolean") or self._lacks(encoded):
            return f"{share_text(share)} of normal rows"
        if kind == "datetime":
            return f"{share_text(share)} of normal rows at this hour"
        if not len(self._present):
            return "no normal row has a value"
        _, side = self._tail(float(encoded[0]))
        tail = f", {share_text(share)} as {side} or {side}er" if 0 < share < FEW else ""
        return f"normal rows: {self.range}{tail}"

    @functools.cached_property
    def range(self) -> str:
        """The range of the values of normal rows in this column, without the lowest and the highest 1 %."""
        low, high = np.quantile(self._present[:, 0], [TAIL, 1 - TAIL], method="nearest")
        ends = [self._number(self._unscaled(float(end))) for end in (low, high)]
        return ends[0] if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"

    def _lacks(self, encoded: Matrix) -> bool:
        """Whether the encoded numbers stand for a missing number or time."""
        return bool(self.learned["missing"] and encoded[-1] > 0.5)

    def _tail(self, encoded: float) -> tuple[float, str]:
        """The share of normal rows that are at least as extreme as a number, and on which side."""
        rows, numbers = len(self.normal), self._present[:, 0]
        above, below = (float(of.sum()) / rows for of in (numbers >= encoded, numbers <= encoded))
        return min((above, "high"), (below, "low"))

    @functools.cached_property
    def _present(self) -> Matrix:
        """The normal rows that have a number or a time; others are encoded as the median, or as midnight."""
        return self.normal[self.normal[:, -1] <= 0.5] if self.learned["missing"] else self.normal

    def _category(self, part: int) -> str:
        kept = self.learned["kept"]
        if part < len(kept):
            return cell_text(kept[part])
        return "a rare category" if self.learned["rare"] and part == len(kept) else MISSING

    def _unscaled(self, encoded: float) -> float:
        """The number that is encoded so: the whole one, if its encoding is the same."""
        value = self._about(encoded)
        again = self._scale(np.rint([value])).astype(np.float32)
        return float(np.rint(value)) if again == np.float32(encoded) else value

    @functools.cached_property
    def _scale(self) -> Scale:
        return scale_from_dict(self.learned["scale"])

    def _about(self, encoded: float) -> float:
        scale = self.learned["scale"]
        if "shift" in scale:
            return encoded * float(scale["scale"]) + float(scale["shift"])
        knots, positions, spread = scale["knots"], scale["positions"], float(scale["spread"])
        if scale["normal"]:
            from scipy.special import ndtr, ndtri

            edge = float(ndtri(1 - 1e-7))
            beyond, encoded = max(abs(encoded) - edge, 0.0), float(ndtr(encoded))
        else:
            beyond = max(-encoded, encoded - 1, 0.0)
        inside = float(np.interp(encoded, positions, knots))
        # the logarithm of the distance is bounded, since a hostile file may give any value
        return inside + math.copysign(spread * math.expm1(min(beyond, 80.0)), encoded - 0.5)

    def _number(self, value: float) -> str:
        learned = self.learned
        if learned.get("boolean"):
            return "true" if value > 0.5 else "false"
        if learned["kind"] == "duration":
            return str(datetime.timedelta(seconds=round(min(max(value, -1e12), 1e12))))
        text = number_text(value)
        form = learned.get("form")
        if not form:
            return text
        text, unit = text.replace(",", form["thousands"] or ","), form["unit"]
        return f"{unit}{text}" if len(unit) == 1 and unit != "%" else f"{text} {unit}".strip()

    def _time(self, encoded: Matrix) -> str:
        minutes = round(_turn(encoded[:2]) * 24 * 60) % (24 * 60)
        clock = f"{minutes // 60:02}:{minutes % 60:02}"
        dated = len(encoded) >= 4
        return f"{DAYS[round(_turn(encoded[2:4]) * 7) % 7]} {clock}" if dated else clock

    def _at_this_hour(self, encoded: Matrix) -> float:
        """The share of normal rows that are within an hour of a time of day."""
        turns = np.arctan2(*(self._present[:, :2].T - 0.5)) / (2 * np.pi)
        apart = np.abs(turns - _turn(encoded[:2])) % 1
        return float((np.minimum(apart, 1 - apart) <= HOUR).sum()) / len(self.normal)


def _turn(waves: Matrix) -> float:
    """Sine and cosine, moved into [0, 1], as a share of a turn."""
    return float(np.arctan2(waves[0] - 0.5, waves[1] - 0.5) / (2 * np.pi)) % 1


def words_of(encoder: Any, normal: Matrix) -> list[ColumnWords]:
    """The words of every encoded column, in the order of `source_columns_`; `normal` are encoded rows (N, F)."""
    learned: Sequence[Any] = [column for column in encoder.to_dict()["columns"] if column]
    widths = [len([*group]) for _, group in itertools.groupby(encoder.source_columns_)]
    starts = [0, *itertools.accumulate(widths)]
    return [
        ColumnWords(column, normal[:, start : start + width])
        for column, start, width in zip(learned, starts, widths, strict=False)
    ]
