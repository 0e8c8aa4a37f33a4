"""What a model looks at over a whole table."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from alarmnet._shared.evenly import evenly
from alarmnet._shared.random_streams import numpy_generator
from alarmnet._shared.validation import check_real, check_whole
from alarmnet.errors import InputError
from alarmnet.explain.model import Scored
from alarmnet.explain.tables import TableExplainer
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.rows import indexable, take

ROWS = 1000
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Importance:
    """How much a column moves scores: the mean size of its contributions in logits, with an interval."""

    column: str
    value: float
    low: float
    high: float


def global_importance(
    detector: Any, X: Any, *, rows: int = ROWS, confidence: float = 0.95, seed: int = 0
) -> list[Importance]:
    """Measure what a fitted detector looks at over a table, most important column first.

    Parameters
    ----------
    detector
        A fitted detector of tables.
    X
        Rows of its columns: give the alarms alone to learn what raises these.
    rows
        How many rows are explained at most, evenly spaced.
    confidence
        Of the intervals, which are bootstrapped over rows.
    seed
        Of the bootstrap.

    Examples
    --------
    >>> global_importance(detector, table)[0].column  # doctest: +SKIP
    'Bytes out'
    """
    check_real(global_importance, "confidence", confidence, 0, 1)
    check_whole(global_importance, "rows", rows)
    check_whole(global_importance, "seed", seed, 0)
    scored: Scored = detector.scored_encoded()
    if scored.normal.ndim > 2:
        raise InputError("images have no columns to compare", code="wrong_kind_of_data")
    explainer = TableExplainer(scored)
    encoded = scored.encoder.transform(take(indexable(X), evenly(row_count(X), rows)))
    sizes = np.abs(explainer.values(encoded)[0])  # (rows, columns)
    draws = numpy_generator(seed, "importance").integers(len(sizes), size=(RESAMPLES, len(sizes)))
    counts = np.stack([np.bincount(draw, minlength=len(sizes)) for draw in draws]) / len(sizes)
    tail = (1 - confidence) / 2
    low, high = np.quantile(counts @ sizes, [tail, 1 - tail], axis=0)
    means = sizes.mean(axis=0)
    return [
        Importance(
            column=explainer.names[column],
            value=float(means[column]),
            low=float(low[column]),
            high=float(high[column]),
        )
        for column in np.argsort(-means, kind="stable")
    ]
