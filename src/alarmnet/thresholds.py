"""Scores to alarms: a threshold that holds an alarm rate, and p-values, by split-conformal calibration."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincinv

from alarmnet.errors import AlarmnetWarning

Scores = NDArray[np.float64]

CHANCE = 0.01
"""Of rows like those of calibration, so many evaluations at most are said to differ."""


@dataclass(frozen=True)
class Threshold:
    """Alarm where the score is above `value`; at most `held` of exchangeable normal rows then raise one."""

    value: float
    held: float


def conformal_threshold(calibration: Scores, rate: float) -> Threshold:
    """The lowest threshold that keeps alarms on normal rows at or below `rate`, on average over draws.

    With n held-out normal scores and k = floor(rate * (n + 1)), a fresh normal score exceeds the k-th largest
    of them with probability at most k / (n + 1). Where n is too small for the rate, the largest score is taken
    and a warning says what is held instead.

    Parameters
    ----------
    calibration
        Scores of normal rows that served nothing else, sorted ascending; higher is more anomalous.

    Examples
    --------
    >>> conformal_threshold(np.arange(99.0), 0.05)
    Threshold(value=94.0, held=0.05)
    """
    n = len(calibration)
    k = min(math.floor(rate * (n + 1) * (1 + 1e-12)), n)
    if k < 1:
        warnings.warn(
            f"{n} calibration rows cannot hold an alarm rate of {rate:g}: the smallest they can hold is "
            f"{1 / (n + 1):.2g}, and the threshold is their largest score; give more normal rows or a higher "
            "alarm_rate",
            AlarmnetWarning,
            stacklevel=3,
        )
        k = 1
    return Threshold(float(calibration[n - k]), k / (n + 1))


def conformal_p_values(calibration: Scores, scores: Scores) -> Scores:
    """The share of normal rows that would score as high: low is anomalous, in [1 / (n + 1), 1].

    >>> conformal_p_values(np.array([1.0, 2.0, 3.0]), np.array([2.5, 9.0, 0.0]))
    array([0.5 , 0.25, 1.  ])
    """
    n = len(calibration)
    at_least = n - np.searchsorted(calibration, scores, side="left")
    return (1.0 + at_least) / (n + 1)


def chance_of_alarms(alarms: int, rows: int, *, calibration_rows: int, held: float) -> float:
    """How likely so many alarms or more are among normal rows that differ in nothing from those of calibration.

    The threshold is the k-th largest of n calibration scores, k = held * (n + 1), so a fresh row exceeds it with a
    probability that is itself drawn, from Beta(k, n + 1 - k): alarms are beta-binomial.

    Examples
    --------
    >>> [round(chance_of_alarms(alarms, 1000, calibration_rows=400, held=20 / 401), 3) for alarms in (50, 80, 100)]
    [0.484, 0.019, 0.001]
    """
    if not alarms:
        return 1.0
    n = calibration_rows
    k = max(1, round(held * (n + 1)))
    exceeding = betaincinv(k, n + 1 - k, (np.arange(10_000) + 0.5) / 10_000)
    return float(betainc(alarms, rows - alarms + 1, exceeding).mean())


def drift_note(
    alarms: int, rows: int, *, calibration_rows: int, held: float, what: str = "row"
) -> str | None:
    """Say that normal rows raise more alarms than the rate allows; None where that may be chance.

    Of data that does not differ, at most one set in a hundred is said to.

    Examples
    --------
    >>> drift_note(100, 1000, calibration_rows=400, held=20 / 401)
    'Normal rows raise more alarms (10%) than the rate allows (4.99%): this data may differ from the training data'
    """
    if chance_of_alarms(alarms, rows, calibration_rows=calibration_rows, held=held) >= CHANCE:
        return None
    return (
        f"Normal {what}s raise more alarms ({100 * alarms / rows:.3g}%) than the rate allows ({100 * held:.3g}%): "
        "this data may differ from the training data"
    )
