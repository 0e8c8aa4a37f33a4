"""Patterns: groups of rows with the same reasons for their scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alarmnet.explain.explanation import Explanation, spoken
from alarmnet.explain.words import cell_text

EXPLAINED = 0.7
"""The least share of the raising contributions that a pattern's columns make up."""
MOST_COLUMNS = 3


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Rows whose scores come from the same columns.

    `places` are positions in the explanation, highest score first. `columns` has the strongest column first. `said`
    names the columns and their common values.
    """

    columns: tuple[str, ...]
    places: tuple[int, ...]
    said: str


def patterns_of(explanation: Explanation) -> list[Pattern]:
    """Group rows by the columns that raise their scores; the pattern of the highest row is first."""
    found: dict[frozenset[int], list[int]] = {}
    for place in np.argsort(-explanation.logits, kind="stable"):
        found.setdefault(frozenset(_leading(explanation.values[place])), []).append(int(place))
    return [_pattern(explanation, columns, places) for columns, places in found.items()]


def _leading(values: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """The fewest columns that make up most of the raising contributions."""
    order = np.argsort(-values, kind="stable")[:MOST_COLUMNS]
    raising = np.maximum(values, 0)
    shares = np.cumsum(raising[order]) / max(float(raising.sum()), 1e-12)
    count = int(np.argmax(shares >= EXPLAINED)) + 1 if (shares >= EXPLAINED).any() else len(order)
    return [int(column) for column in order[:count] if values[column] > 0]


def _pattern(explanation: Explanation, columns: frozenset[int], places: Sequence[int]) -> Pattern:
    means = {column: float(explanation.values[list(places), column].mean()) for column in columns}
    names = [explanation.names[column] for column in sorted(columns, key=lambda column: -means[column])]
    values = {name: _values(explanation, places, name) for name in names}
    said = spoken(
        [f"{cell_text(name)} = {value}" if value else cell_text(name) for name, value in values.items()]
    )
    return Pattern(
        columns=tuple(names), places=tuple(places), said=said if names else "no column in particular"
    )


def _values(explanation: Explanation, places: Sequence[int], name: str) -> str:
    """The one value that all rows have in a column, in words; "" if they differ."""
    texts = {
        reason.value
        for place in places
        for reason in explanation.rows[place].reasons
        if reason.column == name
    }
    return texts.pop() if len(texts) == 1 else ""
