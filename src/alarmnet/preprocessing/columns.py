"""What one column teaches, and how its cells become numbers near [0, 1].

A column encoder is a frozen dataclass of JSON-ready values: ``learn`` makes it, ``write`` encodes into the
output, ``to_dict`` and ``column_from_dict`` carry it. Its ``__post_init__`` refuses what ``learn`` could not
have made, since it may come from a file.
"""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np

from alarmnet._shared.containers import TRUTHS
from alarmnet._shared.missing_words import is_missing_beside_numbers
from alarmnet._shared.spelling import as_folded
from alarmnet.data_files import ColumnKind
from alarmnet.preprocessing.cells import Cells, Float32s, as_text, read_cells, with_truths_as_numbers
from alarmnet.preprocessing.number_forms import NumberForm
from alarmnet.preprocessing.scales import (
    SCALINGS,
    Scale,
    Scaling,
    are_numbers,
    require,
    scale_from_dict,
    scale_to_dict,
)
from alarmnet.preprocessing.text_meaning import without_missing_words
from alarmnet.preprocessing.time_forms import (
    FORMS,
    MILLISECONDS_A_DAY,
    TEXT_FORMS,
    UNDATED,
    read_times,
)

MOST_KEPT = 2**16
"""The most categories of a column that get an output column each, whatever the setting."""

ROUNDED = 2.0**-23
"""How far a number that is rounded to 32 bits may lie from itself, as a share of it."""

MOST_IN_ORDER = 12
"""The most encoded numbers of a column whose categories are read in order: the order of more says too little."""


def _state(column: "Column") -> dict[str, Any]:
    """The column's values, without those that are the default: files from before these were there lack them."""
    values = asdict(column)
    return {one.name: values[one.name] for one in fields(column) if values[one.name] is not one.default}


@dataclass(frozen=True)
class NumberColumn:
    """A number or a duration: scaled, the median where missing, an indicator if training had missing ones.

    A `boolean` one held booleans in training, so that the words true and false are numbers in it.
    """

    kind: Literal["number", "duration"]
    missing: bool
    low: float
    high: float
    median: float
    scale: Scale
    boolean: bool = False
    form: NumberForm | None = None

    def __post_init__(self) -> None:
        require(type(self.missing) is bool and are_numbers(self.low, self.high, self.median), "numbers")
        require(self.low <= self.median <= self.high, "training range")
        possible = self.kind == "number" and {self.low, self.high} <= {0.0, 1.0}
        require(self.boolean is False or (self.boolean is True and possible), "booleans")
        require(self.form is None or (self.kind == "number" and not self.boolean), "form of numbers")

    @classmethod
    def learn(
        cls,
        cells: Cells,
        *,
        kind: Literal["number", "duration"],
        scaling: Scaling,
        boolean: bool = False,
        form: NumberForm | None = None,
    ) -> "NumberColumn":
        """Learn from training cells, at least one of them not missing."""
        present = cells.values[~np.isnan(cells.values)]
        return cls(
            kind=kind,
            missing=len(present) < len(cells.values),
            low=float(present.min()),
            high=float(present.max()),
            median=float(np.median(present)),
            scale=SCALINGS[scaling](present),
            boolean=boolean,
            form=form,
        )

    def read(self, column: Any) -> Cells:
        """Read a column (as `Frame.column` gives it) as it was in training."""
        if self.form:
            return self.form.read(column)
        return read_cells(with_truths_as_numbers(column) if self.boolean else column, self.kind)

    @property
    def form_phrase(self) -> str:
        """How cells are written, for a sentence after what they are."""
        return f", {self.form.described()}" if self.form else ""

    @property
    def file_kind(self) -> ColumnKind:
        """What it is in a CSV file."""
        if self.form:
            return "text"
        return "boolean" if self.boolean else "number"

    def output_names(self, label: str) -> list[str]:
        """Names of the output columns."""
        return [label, f"{label} missing"] if self.missing else [label]

    def write(self, cells: Cells, output: Float32s) -> None:
        """Encode (N,) cells into ``output`` (N, 1 or 2), which holds zeros."""
        missing = np.isnan(cells.values)
        output[:, 0] = self.scale(np.where(missing, self.median, cells.values))
        if self.missing:
            output[:, 1] = missing

    def count_outside(self, cells: Cells) -> int:
        """How many cells lie outside the range of the rows learned from, by more than rounding to 32 bits."""
        low, high = self.low - ROUNDED * abs(self.low), self.high + ROUNDED * abs(self.high)
        return int(np.count_nonzero((cells.values < low) | (cells.values > high)))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, for `column_from_dict`."""
        return _state(self) | {"scale": scale_to_dict(self.scale)}

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "NumberColumn":
        """Undo `to_dict`."""
        written = NumberForm(**state["form"]) if "form" in state else None
        return cls(**{**state, "scale": scale_from_dict(state["scale"]), "form": written})


@dataclass(frozen=True)
class CategoryColumn:
    """A category: a column for each that is kept, one for the rest, one for missing, as training had them.

    Those of an `ordered` one are kept in the order that their type gave them.
    """

    kind: Literal["category"]
    missing: bool
    kept: Sequence[str]
    rare: Sequence[str]
    ordered: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kept", list(self.kept))
        object.__setattr__(self, "rare", list(self.rare))
        require(0 < len(self.kept) <= MOST_KEPT, "number of categories")
        texts = itertools.chain(self.kept, self.rare)
        require(type(self.missing) is bool and all(isinstance(text, str) for text in texts), "categories")
        require(all(before < after for before, after in itertools.pairwise(self.rare)), "order of categories")
        kept = set(self.kept)
        require(len(kept) == len(self.kept) and kept.isdisjoint(self.rare), "categories that occur twice")
        require(type(self.ordered) is bool, "order of categories")

    @classmethod
    def learn(
        cls, cells: Cells, *, limit: int, fixed: Sequence[str] | None = None, order: Sequence[str] = ()
    ) -> "CategoryColumn":
        """Keep ``fixed`` in that order, or else the ``limit`` most frequent (ties in the order of text).

        The most frequent are put into the ``order`` of their type, if it has one.
        """
        codes = cells.values
        counts = np.bincount(codes[codes >= 0], minlength=len(cells.texts))
        seen = sorted(
            (-count, text) for count, text in zip(counts.tolist(), cells.texts, strict=True) if count
        )
        ranked = [text for _, text in seen]
        kept = ranked[: min(limit, MOST_KEPT)] if fixed is None else list(fixed)
        rare = sorted(set(ranked) - set(kept))
        ordered = fixed is None and set(kept) <= set(order)
        if ordered:
            kept.sort(key={text: place for place, text in enumerate(order)}.__getitem__)
        return cls(kind="category", missing=bool(np.any(codes < 0)), kept=kept, rare=rare, ordered=ordered)

    def read(self, column: Any) -> Cells:
        """Read a column; words that mean missing are categories only where training had them as such."""
        return without_missing_words(read_cells(column, "category"), known=[*self.kept, *self.rare])

    form_phrase: ClassVar[str] = ""
    file_kind: ClassVar[ColumnKind] = "text"

    def output_names(self, label: str) -> list[str]:
        """Names of the output columns."""
        extra = [f"{label} other"] * bool(self.rare) + [f"{label} missing"] * self.missing
        return [f"{label}={text}" for text in self.kept] + extra

    def places(self, *, in_order: bool) -> list[list[float]]:
        """Give the place of each output column in an order, in (0, 1]: missing, other, then the categories.

        Categories are ``in_order`` as they are, or `ordered` by their type, or else sorted: numbers by their
        value, other texts as text, with the whole numbers in it by their value. With one or two output columns, or
        more than `MOST_IN_ORDER`, each is on its own, with a 1.
        """
        kept = self.kept if in_order or self.ordered else _in_order(self.kept)
        extra = self.missing + bool(self.rare)
        rank = {text: place for place, text in enumerate(kept, extra + 1)}
        ranks = [rank[text] for text in self.kept] + [extra] * bool(self.rare) + [1] * self.missing
        if not 2 < len(ranks) <= MOST_IN_ORDER:
            return [[1.0]] * len(ranks)
        return [[rank / len(ranks) for rank in ranks]]

    def write(self, cells: Cells, output: Float32s) -> None:
        """Encode (N,) cells into ``output`` (N, categories), which holds zeros."""
        position = {text: index for index, text in enumerate(self.kept)}
        other = len(self.kept) if self.rare else -1
        positions = [position.get(text, other) for text in self._as_known(cells.texts)]
        missing = output.shape[1] - 1 if self.missing else -1
        # code -1, a missing cell, reads the last entry
        chosen = np.array([*positions, missing])[cells.values]
        rows = np.flatnonzero(chosen >= 0)
        output[rows, chosen[rows]] = 1.0

    def unseen(self, cells: Cells) -> dict[str, int]:
        """Texts that training did not have, and how many cells hold each."""
        known = {*self.kept, *self.rare}
        counts = np.bincount(cells.values[cells.values >= 0], minlength=len(cells.texts)).tolist()
        read = zip(cells.texts, self._as_known(cells.texts), counts, strict=True)
        return {text: n for text, as_known, n in read if n and as_known not in known}

    def _as_known(self, texts: Sequence[str]) -> list[str]:
        """Texts in the spelling of training, if they are another spelling of exactly one training text."""
        known = {*self.kept, *self.rare}
        if known.issuperset(texts):
            return [*texts]
        numbers = all(_is_plain_number(_whole(text)) or is_missing_beside_numbers(text) for text in known)
        written: dict[str, str] = {}
        for text in known:
            plain = _plainly(text, numbers=numbers)
            written[plain] = text if plain not in written else ""
        return [
            text if text in known else written.get(_plainly(text, numbers=numbers)) or text for text in texts
        ]

    def near_matches(self, texts: Sequence[str]) -> dict[str, str]:
        """Map texts to the known category that differs only in case, spaces or Unicode form."""
        known = {as_folded(text): text for text in (*self.rare, *self.kept)}
        return {text: known[as_folded(text)] for text in texts if as_folded(text) in known}

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, for `column_from_dict`."""
        return _state(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "CategoryColumn":
        """Undo `to_dict`."""
        return cls(**state)


def _in_order(texts: Sequence[str]) -> list[str]:
    if all(map(_is_plain_number, texts)):
        return sorted(texts, key=float)
    return sorted(texts, key=lambda text: (_by_numbers(text), text))


def _by_numbers(text: str) -> list[str | tuple[int, str]]:
    """Its letters, and its whole numbers by their number of digits and these, by turns: as a key to sort by."""
    parts = re.split(r"(\d+)", text)
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in enumerate(parts)]


def _is_plain_number(text: str) -> bool:
    try:
        return as_text(float(text)) == text
    except (OverflowError, ValueError):
        return False


def _plainly(text: str, *, numbers: bool) -> str:
    """True and false in lower case; where categories are numbers, whole ones without ".0"."""
    if text.strip().lower() in TRUTHS:
        return text.strip().lower()
    return _whole(text) if numbers else text


def _whole(text: str) -> str:
    """Without the ".0" of a whole number."""
    return re.sub(r"^([+-]?\d+)\.0+$", r"\1", text)


@dataclass(frozen=True)
class DatetimeColumn:
    """A point in time as time of day and day of week in UTC, each a sine and a cosine moved into [0, 1].

    The date itself is left out: every later row would lie outside the training range. There is no day of week for a
    form without a date, nor for times that span less than a week in training. Missing is 0.5, the middle of both
    circles, and an indicator if some were missing in training.
    """

    kind: Literal["datetime"]
    missing: bool
    form: str | None = None
    weekday: bool = True

    def __post_init__(self) -> None:
        require(type(self.missing) is bool, "missing")
        require(self.form is None or self.form in FORMS, "form of times")
        require(type(self.weekday) is bool, "day of week")

    def read(self, column: Any) -> Cells:
        """Read a column (as `Frame.column` gives it) as it was in training."""
        return read_times(column, self.form)

    @property
    def form_phrase(self) -> str:
        """How cells are written, for a sentence after what they are."""
        return f", {self.form}" if self.form else ""

    @property
    def file_kind(self) -> ColumnKind:
        """What it is in a CSV file."""
        if self.form is None:
            return "datetime"
        return "text" if self.form in TEXT_FORMS else "number"

    @property
    def _parts(self) -> tuple[str, ...]:
        dated = self.weekday and self.form not in UNDATED
        return ("time of day", "day of week") if dated else ("time of day",)

    def output_names(self, label: str) -> list[str]:
        """Names of the output columns."""
        parts = [f"{part} {wave}" for part in self._parts for wave in ("sin", "cos")]
        return [f"{label} {part}" for part in parts + ["missing"] * self.missing]

    def write(self, cells: Cells, output: Float32s) -> None:
        """Encode (N,) cells into ``output`` (N, 2 to 5), which holds zeros."""
        missing = np.isnan(cells.values)
        days, milliseconds = np.divmod(np.where(missing, 0.0, cells.values), MILLISECONDS_A_DAY)
        weekday = (days + 3) % 7  # 1 January 1970 was a Thursday, and Monday is 0
        turns = (milliseconds / MILLISECONDS_A_DAY, weekday / 7)[: len(self._parts)]
        for start, turn in zip((0, 2), turns, strict=False):
            output[:, start] = np.where(missing, 0.5, 0.5 + np.sin(2 * np.pi * turn) / 2)
            output[:, start + 1] = np.where(missing, 0.5, 0.5 + np.cos(2 * np.pi * turn) / 2)
        if self.missing:
            output[:, -1] = missing

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values, for `column_from_dict`."""
        return _state(self)

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> "DatetimeColumn":
        """Undo `to_dict`."""
        return cls(**state)


Column = NumberColumn | CategoryColumn | DatetimeColumn
_COLUMNS: dict[str, type[Column]] = {
    "number": NumberColumn,
    "duration": NumberColumn,
    "category": CategoryColumn,
    "datetime": DatetimeColumn,
}


def column_from_dict(state: Mapping[str, Any]) -> Column:
    """Give the column encoder back from what its ``to_dict`` gave."""
    return _COLUMNS[state["kind"]].from_dict(state)
