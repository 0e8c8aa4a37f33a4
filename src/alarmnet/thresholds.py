"""Scores to alarms: a threshold that holds an alarm rate, and p-values, by split-conformal calibration."""

import math
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alarmnet.errors import AlarmnetWarning

Scores = NDArray[np.float64]


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
