"""The categories that a user lists for columns."""

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import numpy as np
import pyarrow as pa

from alarmnet._shared.phrases import quoted
from alarmnet._shared.warn import warn
from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.cells import Cells, as_text
from alarmnet.preprocessing.columns import MOST_KEPT, CategoryColumn


def given_categories(categories: object) -> dict[str, tuple[str, ...]]:
    """Read the `categories` parameter of a `TableEncoder`: column name to different texts, in the user's order."""
    if not isinstance(categories, Mapping | None):
        raise InputTypeError(
            "The 'categories' parameter of TableEncoder must map column names to lists of categories. "
            f"Got {categories!r} instead.",
            code="invalid_parameter",
        )
    return {name: _texts(name, values) for name, values in (categories or {}).items()}


def _texts(name: str, values: Any) -> tuple[str, ...]:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        values = values.to_pylist()
    if isinstance(values, str | Set | Mapping | Iterator) or not isinstance(values, Iterable):
        raise InputTypeError(
            "The 'categories' parameter of TableEncoder must map column names to lists of categories, in their "
            f"order. Got {values!r} for column {name!r} instead.",
            code="invalid_parameter",
            column=name,
        )
    texts = tuple(as_text(value) for value in values)
    if not texts or len(set(texts)) < len(texts) or any(value is None for value in values):
        raise InputError(
            f"The 'categories' parameter of TableEncoder must list different categories. "
            f"Got {texts!r} for column {name!r} instead.",
            code="invalid_parameter",
            column=name,
        )
    if len(texts) > MOST_KEPT:
        raise InputError(
            f"The 'categories' parameter of TableEncoder may list {MOST_KEPT:,} categories for a column. "
            f"Got {len(texts):,} for column {name!r} instead.",
            code="invalid_parameter",
            column=name,
        )
    return texts


def check_listed(column: CategoryColumn, cells: Cells, label: str) -> None:
    """Refuse a list of categories of which none is in the column; warn of spellings that differ from the list's.

    `column` has learned from the `cells`, with the list.
    """
    seen = {cells.texts[code] for code in np.unique(cells.values[cells.values >= 0])}
    near = {text: like for text, like in column.near_matches(column.rare).items() if text != like}
    if seen.isdisjoint(column.kept):
        raise InputError(
            f"The 'categories' parameter of TableEncoder lists {quoted(column.kept)} for column {label!r}, but the "
            f"training rows hold none of these. They hold {quoted(sorted(seen))}.",
            code="invalid_parameter",
            column=label,
        )
    if near:
        said = "; ".join(f"{text!r} (listed as {like!r})" for text, like in near.items())
        warn(
            f"Column {label!r} holds categories in another spelling than its list: {said}. They count as other."
        )
