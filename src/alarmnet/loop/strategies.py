"""Strategies that choose the rows to review next."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alarmnet.loop.learner import Belief

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Ranking:
    """What a strategy may look at.

    Attributes
    ----------
    belief
        What is believed of every row.
    waiting, calibrates
        Which rows wait for an answer, and which calibrate the detector (N,).
    shown
        The rows that were answered, or lent to a reviewer, since the belief was learned.
    generator
        For draws.
    """

    belief: Belief
    waiting: NDArray[np.bool_]
    calibrates: NDArray[np.bool_]
    shown: Sequence[int]
    generator: np.random.Generator


class Strategy(ABC):
    """Orders waiting rows for review."""

    honest: bool = False
    """Whether all waiting rows are equally likely, so that answers estimate the number of remaining anomalies."""

    @abstractmethod
    def order(self, ranking: Ranking, n: int) -> Places:
        """Give the places of up to `n` waiting rows, first to last."""


def _highest(scores: NDArray[np.float64], allowed: NDArray[np.bool_], n: int) -> Places:
    places = np.flatnonzero(allowed)
    return places[np.argsort(-scores[places], kind="stable")[:n]]


@dataclass(frozen=True)
class MostAnomalous(Strategy):
    """The rows most likely to be anomalies."""

    def order(self, ranking: Ranking, n: int) -> Places:
        """Give the highest means."""
        return _highest(ranking.belief.mean, ranking.waiting, n)


@dataclass(frozen=True)
class Varied(Strategy):
    """The default: likely or uncertain rows, each different from those just chosen: every answer is informative.

    It also suits several reviewers at once.
    """

    def order(self, ranking: Ranking, n: int) -> Places:
        """Choose one row after the other."""
        return np.array(ranking.belief.varied(ranking.waiting, n, ranking.shown), dtype=np.intp)


@dataclass(frozen=True)
class AtRandom(Strategy):
    """Random waiting rows, for an unbiased estimate of the remaining anomalies; see `Queue.remaining`."""

    honest = True

    def order(self, ranking: Ranking, n: int) -> Places:
        """Draw rows."""
        places = np.flatnonzero(ranking.waiting)
        return ranking.generator.permutation(places)[:n]


@dataclass(frozen=True)
class HighestCalibration(Strategy):
    """The calibration rows that score highest: an anomaly among them keeps the threshold too high."""

    def order(self, ranking: Ranking, n: int) -> Places:
        """Give the highest means of calibration rows."""
        return _highest(ranking.belief.mean, ranking.waiting & ranking.calibrates, n)
