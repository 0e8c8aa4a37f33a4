"""How well scores tell known anomalies from normal rows, each number with its interval.

Higher scores are more anomalous, everywhere.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet._shared.labels import read_labels
from alarmnet._shared.phrases import counted
from alarmnet._shared.random_streams import numpy_generator
from alarmnet._shared.validation import check_real, check_whole
from alarmnet._shared.warn import by_caller
from alarmnet.errors import InputError

# More levels than this make an interval slower and no more exact: its own error is far wider than one level.
MOST_LEVELS = 2000


@dataclass(frozen=True)
class Estimate:
    """A number and its interval.

    Examples
    --------
    >>> print(Estimate(value=0.5, low=0.4, high=0.625))
    0.500 (0.400 to 0.625)
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found; prints as a short table.

    Attributes
    ----------
    normal, anomalies, unlabelled
        Numbers of rows. Unlabelled rows were left out of every metric.
    average_precision, roc_auc
        How well the scores order the rows; 1 is perfect. Random scores have an average precision of about the
        share of anomalies, and a ROC AUC of 0.5.
    budget
        The number of highest-scored rows that somebody reviews.
    recall_at_budget, precision_at_budget
        Of the rows in the budget: the share of all anomalies that are among them, and the share of them that are
        anomalies.
    alarm_rate, recall
        The shares of normal rows and of anomalies above the threshold; None where no threshold was given.
    confidence
        The confidence of every interval.
    """

    normal: int
    anomalies: int
    unlabelled: int
    average_precision: Estimate
    roc_auc: Estimate
    budget: int
    recall_at_budget: Estimate
    precision_at_budget: Estimate
    alarm_rate: Estimate | None
    recall: Estimate | None
    confidence: float

    def __str__(self) -> str:
        lines = {
            "average precision": self.average_precision,
            "ROC AUC": self.roc_auc,
            f"recall, top {self.budget:,}": self.recall_at_budget,
            f"precision, top {self.budget:,}": self.precision_at_budget,
            "alarms on normal rows": self.alarm_rate,
            "recall at threshold": self.recall,
        }
        width = max(map(len, lines))
        known = f"{counted(self.normal, 'normal row')}, {counted(self.anomalies, 'anomaly', 'anomalies')}"
        return "\n".join(
            [
                f"{known}, {self.unlabelled:,} left out (unlabelled)",
                *(f"{name:<{width}}  {estimate}" for name, estimate in lines.items() if estimate is not None),
                f"in brackets: intervals of {self.confidence:.0%} confidence",
            ]
        )


def proportion(count: int, total: int, *, confidence: float = 0.95) -> Estimate:
    """Give a share with its exact (Clopper-Pearson) interval, which also holds for shares of 0 and 1.

    Examples
    --------
    >>> print(proportion(0, 30))
    0.000 (0.000 to 0.116)
    """
    interval = binomtest(count, total).proportion_ci(confidence_level=confidence)
    return Estimate(value=count / total, low=float(interval.low), high=float(interval.high))


def as_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """Scores (N,) as float64; anything but one finite number a row is refused."""
    if isinstance(scores, np.ma.MaskedArray):
        scores = np.ma.filled(scores.astype(object), np.nan)
    values = np.asarray(scores)
    if values.dtype.kind not in "biuf" and not all(isinstance(value, numbers.Real) for value in values.flat):
        raise InputError(
            f"scores are of type {values.dtype}; every score must be a finite number", code="wrong_type"
        )
    values = values.astype(np.float64)
    if values.ndim != 1:
        raise InputError(f"scores have shape {values.shape}; pass one score a row", code="wrong_shape")
    wrong = np.flatnonzero(~np.isfinite(values))
    if wrong.size:
        raise InputError(
            f"scores hold {values[wrong[0]]} at row {wrong[0]}; every score must be a finite number",
            code="infinite_value",
            rows=wrong[:5].tolist(),
        )
    return values


def check_classes(normal: int, anomalies: int, *, called: str = "y") -> None:
    """Refuse labels of fewer than two classes; the message has what they are `called`."""
    if normal and anomalies:
        return
    if normal:
        found = f"only one class: {counted(normal, 'normal row')} and no anomaly"
    elif anomalies:
        found = f"only one class: {counted(anomalies, 'anomaly', 'anomalies')} and no normal row"
    else:
        found = "no label"
    raise InputError(
        f"{called} holds {found}; these metrics compare labelled anomalies with labelled normal rows",
        code="one_class",
    )


REVERSED_AREA, FEWEST_REVERSED = 0.35, 10
"""A ROC AUC whose whole interval lies below is far from chance, where there are so many rows of both classes."""


def reversed_note(normal: int, anomalies: int, area: Estimate, recall: Estimate | None = None) -> str:
    """Return a warning if the ROC AUC is so low that labels look reversed; otherwise an empty text.

    They are not reversed if most anomalies raise an alarm, by the `recall` at the threshold: normal rows do not.

    Examples
    --------
    >>> reversed_note(900, 100, Estimate(0.2, 0.1, 0.3))[:49]
    'Rows labelled normal score higher than anomalies:'
    >>> reversed_note(900, 5, Estimate(0.2, 0.1, 0.3))
    ''
    """
    if min(normal, anomalies) < FEWEST_REVERSED or area.high >= REVERSED_AREA:
        return ""
    if recall is not None and recall.value > 0.5:
        return ""
    named = by_caller(command="--anomaly", python="anomaly_label")
    return (
        f"Rows labelled normal score higher than anomalies: the ROC AUC is {area.value:.3f}, where random scores "
        f"have 0.5. The labels, of {anomalies:,} anomalies and {normal:,} normal rows, may be reversed, here or in "
        f"training: see which value {named} names. If they are right, fit a new model that learns such anomalies."
    )


def _levels(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows at each score, highest first: (L, 2) counts of normal rows and anomalies.

    Normal rows with no anomaly between them make one level: no metric depends on their order.
    """
    distinct, level = np.unique(-scores, return_inverse=True)
    cells = level * 2 + labels.astype(np.int64)
    counts = np.bincount(cells, minlength=2 * len(distinct)).reshape(-1, 2)
    only_normal = counts[:, 1] == 0
    starts = np.r_[True, ~(only_normal[1:] & only_normal[:-1])]
    return np.add.reduceat(counts, np.flatnonzero(starts))


def _coarse(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Put the same rows in about `MOST_LEVELS` levels with about equally many anomalies in each."""
    anomalies = levels[:, 1]
    if np.count_nonzero(anomalies) <= MOST_LEVELS:
        return levels
    before = np.cumsum(anomalies) - anomalies
    _, starts = np.unique(before * MOST_LEVELS // anomalies.sum(), return_index=True)
    return np.add.reduceat(levels, starts)


def _resample(
    levels: NDArray[np.int64], *, resamples: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Rows drawn anew within each class: (resamples, L, 2)."""
    totals = levels.sum(axis=0)
    drawn = [generator.multinomial(totals[c], levels[:, c] / totals[c], size=resamples) for c in (0, 1)]
    return np.stack(drawn, axis=-1)


def _hits(counts: NDArray[np.int64], *, budget: int) -> NDArray[np.float64]:
    """Anomalies among the `budget` highest-scored rows, (..., L, 2) to (...); equal scores share equally."""
    rows = counts.sum(axis=-1)
    looked_at = np.clip(budget - (np.cumsum(rows, axis=-1) - rows), 0, rows)
    hits: NDArray[np.float64] = (looked_at * counts[..., 1] / np.maximum(rows, 1)).sum(axis=-1)
    return hits


def _average_precision(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    false, true = np.cumsum(counts, axis=-2)[..., 0], np.cumsum(counts[..., 1], axis=-1)
    precision = true / np.maximum(true + false, 1)
    result: NDArray[np.float64] = (precision * counts[..., 1]).sum(axis=-1) / true[..., -1]
    return result


def _roc_auc(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    normal, anomalies = counts[..., 0].astype(np.float64), counts[..., 1].astype(np.float64)
    below = normal.sum(axis=-1, keepdims=True) - np.cumsum(normal, axis=-1) + normal / 2
    result: NDArray[np.float64] = (below * anomalies).sum(axis=-1) / (
        normal.sum(axis=-1) * anomalies.sum(axis=-1)
    )
    return result


def _estimate(value: float, resampled: NDArray[np.float64], confidence: float) -> Estimate:
    low, high = np.quantile(resampled, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(value=value, low=min(value, float(low)), high=max(value, float(high)))


def evaluate(
    y: Any,
    scores: ArrayLike,
    *,
    anomaly_label: object = None,
    budget: int | None = None,
    threshold: float | None = None,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> Evaluation:
    """Measure how well scores tell known anomalies from normal rows.

    A bootstrap gives the intervals; it draws normal rows and anomalies separately. The intervals of the alarm rate
    and of the recall at the threshold are exact binomial intervals.

    Parameters
    ----------
    y
        Labels, shape (N,): 1 or True for anomalies, 0 or False for normal rows. NaN, None or pd.NA marks unlabelled
        rows, which are left out.
    scores
        Scores, shape (N,), such as those of `decision_function`. Higher is more anomalous.
    anomaly_label
        The label of anomalies, or a list of such labels, if it is not 1 or True.
    budget
        The number of highest-scored rows that somebody reviews. None: the number of anomalies.
    threshold
        Scores above the threshold are alarms; for `decision_function` it is 0. None: no alarm rate and no recall.
    confidence
        The confidence of the intervals, between 0 and 1.
    resamples
        How many times the bootstrap draws rows.
    seed
        The bootstrap's seed. The same seed gives the same intervals.

    Raises
    ------
    InputError
        Labels or scores cannot be used, or only one class is labelled.

    Examples
    --------
    >>> print(evaluate([0, 0, 0, 1, None, 1], [0.1, 0.2, 0.8, 0.7, 0.5, 0.9], threshold=0.75))
    3 normal rows, 2 anomalies, 1 left out (unlabelled)
    average precision      0.833 (0.500 to 1.000)
    ROC AUC                0.833 (0.333 to 1.000)
    recall, top 2          0.500 (0.000 to 1.000)
    precision, top 2       0.500 (0.000 to 1.000)
    alarms on normal rows  0.333 (0.008 to 0.906)
    recall at threshold    0.500 (0.013 to 0.987)
    in brackets: intervals of 95% confidence
    """
    values = as_scores(scores)
    labels = read_labels(
        y, rows=len(values), X=scores, anomaly_label=anomaly_label, to_learn=False, called="scores"
    ).values
    known = ~np.isnan(labels)
    labels, values = labels[known], values[known]
    anomalies = int(labels.sum())
    normal = len(labels) - anomalies
    check_classes(normal, anomalies)
    budget = anomalies if budget is None else budget
    check_whole(evaluate, "budget", budget)
    if budget > len(labels):
        raise InputError(
            f"budget={budget!r} must be from 1 to {len(labels)}, the number of labelled rows",
            code="invalid_parameter",
        )
    check_real(evaluate, "confidence", confidence, 0, 1)
    check_whole(evaluate, "resamples", resamples)
    check_whole(evaluate, "seed", seed, 0)
    if threshold is not None:
        check_real(evaluate, "threshold", threshold, -math.inf, open_ends=False)

    levels = _levels(labels, values)
    resampled = _resample(_coarse(levels), resamples=resamples, generator=numpy_generator(seed, "evaluation"))
    hits, resampled_hits = float(_hits(levels, budget=budget)), _hits(resampled, budget=budget)
    precision = average_precision_score(labels, values)
    area = roc_auc_score(labels, values)
    alarms = None if threshold is None else labels[values > threshold]
    return Evaluation(
        normal=normal,
        anomalies=anomalies,
        unlabelled=int(np.count_nonzero(~known)),
        average_precision=_estimate(float(precision), _average_precision(resampled), confidence),
        roc_auc=_estimate(float(area), _roc_auc(resampled), confidence),
        budget=budget,
        recall_at_budget=_estimate(hits / anomalies, resampled_hits / anomalies, confidence),
        precision_at_budget=_estimate(hits / budget, resampled_hits / budget, confidence),
        alarm_rate=None
        if alarms is None
        else proportion(int((alarms == 0).sum()), normal, confidence=confidence),
        recall=None if alarms is None else proportion(int(alarms.sum()), anomalies, confidence=confidence),
        confidence=confidence,
    )
