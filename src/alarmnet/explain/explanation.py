"""What an explanation says: arrays for programs and plots, words for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A column, its value, what normal rows have there, and what it adds to the logit."""

    column: str
    value: str
    normal: str
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns whose effects cannot be told apart.

    `"together"`: each does little without the others. `"either"`: one of them is enough, so that resetting one
    changes little.
    """

    columns: tuple[str, ...]
    acts: Literal["together", "either"]
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A column in which a row differs from another one, and both values."""

    column: str
    value: str
    other: str


@dataclass(frozen=True, kw_only=True)
class Similar:
    """A row that is like the explained one.

    `row` is a known anomaly's number in the training table, None for a normal row. `alike` is between 0 and 1: 1
    where it agrees in every column that matters here. `differs` has the columns that differ most first.
    """

    row: int | None
    alike: float
    differs: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Columns to set to a normal row's values so that there is no alarm; `score` is then 0 or less."""

    changes: tuple[Difference, ...]
    score: float


@dataclass(frozen=True, kw_only=True)
class RowExplanation:
    """Why one row scored as it did.

    Attributes
    ----------
    row
        Its number in what was given.
    score
        What `decision_function` gives: above 0 is an alarm.
    alarm
        Whether it raises an alarm.
    spoke
        Which alarm network added most.
    reference
        The mean score of the normal rows that it is compared with, from which contributions count.
    reasons
        The columns that contribute most, largest first; none of images.
    groups
        Columns whose effects cannot be told apart.
    normal
        The most similar normal row; None for images.
    known
        The known anomalies that are most like it in what matters here; empty where there are none, None where the
        model keeps none.
    counterfactual
        What to change so that there is no alarm; None where there is none, and for images.
    sentence
        The same in words.
    """

    row: int
    score: float
    alarm: bool
    spoke: str
    reference: float
    reasons: tuple[Reason, ...]
    groups: tuple[Group, ...]
    normal: Similar | None
    known: tuple[Similar, ...] | None
    counterfactual: Counterfactual | None
    sentence: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, eq=False)
class Explanation:
    """Why rows scored as they did: arrays as `shap` has them, and a `RowExplanation` a row.

    Attributes
    ----------
    names
        The input columns (C,); empty for images.
    values
        Contributions in logits: (N, C), or heat maps of images (N, H, W). They add up to `logits` - `base_value`.
    base_value
        The references' mean logit (N,). The references of a row of a table are the four calibration rows most
        similar to it and six that represent all calibration rows; none of these raises an alarm.
    logits
        The rows' logits (N,).
    threshold
        The logit above which a row raises an alarm.
    data
        The rows' cells (N, C), as they came; for images their pixels (N, C, H, W).
    rows
        What to say of each row.

    Examples
    --------
    >>> import shap  # doctest: +SKIP
    >>> found = detector.explain(table, rows=[812])  # doctest: +SKIP
    >>> shap.plots.waterfall(  # doctest: +SKIP
    ...     shap.Explanation(found.values, found.base_value, found.data, feature_names=found.names)[0]
    ... )
    """

    names: tuple[str, ...]
    values: Floats
    base_value: Floats
    logits: Floats
    threshold: float
    data: NDArray[Any]
    rows: tuple[RowExplanation, ...]

    def __len__(self) -> int:
        return len(self.rows)


def spoken(columns: Sequence[str]) -> str:
    """Names in a sentence.

    >>> spoken(["a", "b", "c"])
    'a, b and c'
    """
    *first, last = columns or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last
