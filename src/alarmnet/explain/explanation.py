"""Explanations: arrays for programs and plots, words for people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """A column, its value, the values of normal rows, and the contribution to the logit."""

    column: str
    value: str
    normal: str
    contribution: float


@dataclass(frozen=True, kw_only=True)
class Group:
    """Columns whose effects cannot be separated.

    `"together"`: each has little effect without the others. `"either"`: one of them is enough, so that resetting
    only one has little effect.
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
    """A row that is similar to the explained row.

    `row` is a known anomaly's number in the table given to `fit`, or to `refit_alarm` after one; None for a normal
    row, and for a known anomaly of an earlier table (`refit_alarm(..., keep_known=True)`). `alike` is the
    similarity from 0 to 1; 1 means equal in every column that matters here. `differs` has the columns with the
    largest difference first.
    """

    row: int | None
    alike: float
    differs: tuple[Difference, ...]


@dataclass(frozen=True, kw_only=True)
class Counterfactual:
    """Columns that, set to a normal row's values, stop the alarm; `score`, the margin, is then 0 or less."""

    changes: tuple[Difference, ...]
    score: float


@dataclass(frozen=True, kw_only=True)
class RowExplanation:
    """The explanation of one row's score.

    Attributes
    ----------
    row
        The row's number in the given data.
    score
        The margin, as `decision_function` gives it: above 0 is an alarm.
    alarm
        Whether the row raises an alarm.
    spoke
        The part of the score with the highest odds: an alarm network, or, by default on tables, "likeness to known
        anomalies", "distance", or without known anomalies one of the measures of distance.
    reference
        The mean margin of the normal rows that the row is compared with; contributions are added to it.
    reasons
        The columns that contribute most, largest first; empty for images.
    groups
        Columns whose effects cannot be separated.
    normal
        The most similar normal row; None for images.
    known
        The most similar known anomalies; empty if there are none, None if the model keeps none.
    counterfactual
        A change that stops the alarm; None if there is no alarm or no such change, and for images.
    sentence
        The explanation in words.
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
    """Explanations of rows' scores: arrays as in `shap`, and a `RowExplanation` for each row.

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
        The rows' cells (N, C), unchanged; for images their pixels, as they came.
    rows
        The explanation of each row.

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
