"""Thresholds that hold a false-alarm rate, and p-values: both by split-conformal calibration."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import betabinom

from alarmnet._shared.phrases import counted
from alarmnet._shared.warn import warn

Scores = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROUNDING = 2.0**-15
"""Scores of a row differ by less than this share of 1 + |score| between processors; a tenth of it was measured."""


def _rounding(scores: Scores) -> Scores:
    return np.asarray(ROUNDING * (1 + np.abs(scores)))


def _levels(calibration: Scores) -> Scores:
    """For each calibration score (N,), the level above which another score is higher on any processor.

    Another processor may round sums differently, so that a row equal to a calibration row scores a little higher
    or lower. So a level lies above its score by more than rounding. Scores that rounding cannot tell apart share
    the level of the highest of them.
    """
    margin = _rounding(calibration)
    last_of_group = np.append(np.diff(calibration) > margin[1:] + margin[:-1], True)
    tops = np.flatnonzero(last_of_group)
    return np.asarray((calibration + margin)[tops[np.searchsorted(tops, np.arange(len(calibration)))]])


@dataclass(frozen=True)
class Threshold:
    """Alarm where the score is above `value`; at most `held` of exchangeable normal rows then raise one."""

    value: float
    held: float


def _masses(calibration: Scores, weights: Scores | None) -> Scores:
    """The normal rows among the calibration rows from each one upwards, and 0 after the highest (N + 1,)."""
    weights = np.ones(len(calibration)) if weights is None else weights
    return np.append(np.cumsum(weights[::-1])[::-1], 0.0)


def conformal_threshold(
    calibration: Scores, rate: float, weights: Scores | None = None, *, quiet: bool = False
) -> Threshold:
    """The lowest threshold that keeps alarms on normal rows at or below `rate`, on average over draws.

    With n held-out normal scores and k = floor(rate * (n + 1)), a fresh normal score exceeds the k-th largest of
    them with probability at most k / (n + 1). If n is too small for the rate, the threshold is the largest score,
    and a warning gives the rate of that threshold, unless `quiet`. The threshold is above that score by
    `ROUNDING`, so that rows that equal it raise no alarm on any processor. With weights, a row counts for its
    weight, and the rate is an estimate.

    Parameters
    ----------
    calibration
        Scores of the calibration set, sorted ascending; higher is more anomalous.
    rate
        The requested false-alarm rate, in (0, 1).
    weights
        The probability that each row is normal (N,), in [0, 1]; None: 1 for all rows.

    Examples
    --------
    >>> threshold = conformal_threshold(np.arange(99.0), 0.05)
    >>> 94 < threshold.value < 94.01, threshold.held
    (True, 0.05)
    """
    masses = _masses(calibration, weights)
    everything = masses[0] + 1
    if rate * everything * (1 + 1e-12) < 1 and not quiet:
        rows = counted(round(masses[0]), "calibration row is", "calibration rows are")
        warn(
            f"{rows} too few for an alarm rate of {rate:g}: the smallest possible rate is {1 / everything:.2g}, "
            "and the threshold is the largest calibration score; give more normal rows or a higher alarm rate"
        )
    allowed = max(rate * everything * (1 + 1e-12), 1.0)
    lowest = int(np.argmax(1 + masses[1:] <= allowed))
    return Threshold(float(_levels(calibration)[lowest]), float((1 + masses[lowest + 1]) / everything))


def conformal_p_values(calibration: Scores, scores: Scores, weights: Scores | None = None) -> Scores:
    """The share of normal rows that would score at least as high: low is anomalous, in [1 / (n + 1), 1].

    It is at most the rate that a threshold holds exactly where the score lies above that threshold. Weights are
    those of `conformal_threshold`.

    >>> conformal_p_values(np.array([1.0, 2.0, 3.0]), np.array([2.5, 9.0, 0.0]))
    array([0.5 , 0.25, 1.  ])
    """
    masses = _masses(calibration, weights)
    at_least = masses[np.searchsorted(_levels(calibration), scores, side="left")]
    return np.asarray((1.0 + at_least) / (1.0 + masses[0]))


DRIFT_LEVEL = 0.01
"""The highest probability of a drift note for data that is like the training data."""


def drift_note(alarms: int, rows: int, *, calibration_rows: int, held: float, normal: bool = True) -> str:
    """Return a warning if rows raise more alarms than chance explains for normal rows; otherwise an empty text.

    With `normal=False`, the rows need not be normal, and the warning says so.

    The threshold is random too, because the calibration rows are. If k of n calibration rows score above the
    threshold, the number of alarms among m similar new rows is beta-binomial with parameters m, k and n + 1 - k.

    Examples
    --------
    >>> drift_note(80, 1000, calibration_rows=400, held=20 / 401)
    ''
    >>> drift_note(150, 1000, calibration_rows=400, held=20 / 401)[:48]
    'Normal rows raise more alarms than chance explai'
    """
    above = round(held * (calibration_rows + 1))
    chance = betabinom.sf(alarms - 1, rows, above, calibration_rows + 1 - above)
    if chance >= DRIFT_LEVEL:
        return ""
    shares = f"{alarms / rows:.2%}, at a calibrated rate of {held:.2%}"
    if not normal:
        return (
            f"More rows raise an alarm than chance explains for normal rows: {shares}. They may be anomalies, or "
            "this data may differ from the training data: review some of them."
        )
    return (
        f"Normal rows raise more alarms than chance explains: {shares}. This data may differ from the training "
        "data, or include unlabelled anomalies."
    )


def highest(scores: Scores, count: int) -> Bools:
    """Mark the `count` highest scores (N,), never NaN; of scores that rounding cannot tell apart, the earliest.

    >>> highest(np.array([1.0, 3.0, np.nan, 2.0, 2.0 + 1e-9]), 2)
    array([False,  True, False,  True, False])
    """
    present = ~np.isnan(scores)
    if count >= np.count_nonzero(present):
        return present
    last = np.partition(scores[present], -count)[-count]
    margin = _rounding(last)
    marked = np.asarray(scores > last + margin)
    level = np.flatnonzero(np.abs(scores - last) <= margin)
    marked[level[: count - np.count_nonzero(marked)]] = True
    return marked
