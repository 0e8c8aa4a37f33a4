"""Learns from answers: a Gaussian process over several views of the rows, and a random forest."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from alarmnet.loop.views import Matrix, Views

Vector = NDArray[np.float64]

MEAN, BIAS = -0.8, 0.3
"""The expected value of a row before any answer (1: anomaly, -1: normal row), and its variance."""

EMPHASES = (np.full(4, 0.25), *(0.05 + 0.8 * np.eye(4)))
AMPLITUDES = (0.5, 1.5)
NOISES = (0.03, 0.1, 0.3)
PRIORS = (0.0, 0.1, 0.3)
"""The candidates that answers choose from: weights of views, variances of all and of an answer, prior weights."""

MOST_ANSWERS = 600
"""The most answers that the process learns from (the latest). The forest learns from all answers."""

GROWN = 20
"""The number of known anomalies from which the forest has full weight."""

CURIOSITY, SATISFIED = 1.0, 0.8
"""Standard deviations that an uncertain row gains, and by how much less for each `GROWN` anomalies found."""

LATEST, EXPECTED = 5, 0.45
"""The answers that say how often anomalies are found now, and the share that is expected before any answer."""


@dataclass(frozen=True)
class Answers:
    """Which rows were answered, in the order of answers (A,), and whether each is an anomaly (A,)."""

    places: NDArray[np.intp]
    anomalous: NDArray[np.bool_]


def curiosity_after(anomalous: NDArray[np.bool_], *, steady: bool) -> float:
    """Standard deviations that an uncertain row gains after answers (A,), True for anomalies.

    What finds anomalies is repeated, and where nothing is found, rows that say more come first. `steady`
    curiosity depends on the number of found anomalies alone.

    >>> [round(curiosity_after(np.array(found, bool), steady=False), 2) for found in ([], [0] * 5, [1] * 5)]
    [0.3, 0.86, 0.01]
    """
    latest = anomalous[-LATEST:]
    finds = 0.0 if steady else (latest.sum() + EXPECTED) / (len(latest) + 1)
    return float(CURIOSITY * (1 - finds) ** 2 * SATISFIED ** (anomalous.sum() / GROWN))


@dataclass(frozen=True)
class _Choice:
    """How much each view counts, the variance of an answer, and the weight of the prior."""

    views: Vector
    noise: float
    prior: float

    def kernel(self, alike: Matrix) -> Vector:
        """The covariance that views (4, ...) make (...)."""
        return BIAS + np.tensordot(self.views, alike, axes=1)


_CHOICES = [
    _Choice(amplitude * emphasis, noise, prior)
    for emphasis, amplitude, noise, prior in itertools.product(EMPHASES, AMPLITUDES, NOISES, PRIORS)
]


class Belief:
    """The estimate for every row after some answers.

    Parameters
    ----------
    mean, variance
        Of each row (N,); a mean of 1 is an anomaly for sure, -1 a normal row.
    curiosity
        Standard deviations that are added to the mean where rows are chosen to be looked at.
    """

    def __init__(self, views: Views, answers: Answers, choice: _Choice, alike: Matrix) -> None:
        self._views, self._choice = views, choice
        known = choice.kernel(alike)
        expected = MEAN + choice.prior * views.prior
        self.variance = choice.kernel(views.variances)
        self.mean = expected.astype(np.float64)
        self._half = np.zeros((len(expected), 0))
        if len(answers.places):
            covariance = known[answers.places] + choice.noise * np.eye(len(answers.places))
            root = np.linalg.cholesky(covariance)
            self._half = np.linalg.solve(root, known.T).T
            surprise = np.where(answers.anomalous, 1.0, -1.0) - expected[answers.places]
            self.mean = self.mean + self._half @ np.linalg.solve(root, surprise)
            self.variance = self.variance - np.einsum("ij,ij->i", self._half, self._half)
        self._learned = self._half, self.variance
        self.curiosity = curiosity_after(answers.anomalous, steady=views.images)
        self._settled: list[int] = []

    def varied(self, waiting: NDArray[np.bool_], count: int, shown: Sequence[int]) -> list[int]:
        """Choose rows one after the other, as if each row got its expected answer.

        A row that is much like one just chosen, or like one `shown` since the last answers were learned, is no
        longer uncertain then. Source: upper confidence bounds for batches (Desautels, Krause, Burdick, 2014).
        """
        if self._settled != list(shown[: len(self._settled)]):
            self._half, self.variance = self._learned
            self._settled = []
        for place in shown[len(self._settled) :]:
            self._half, self.variance = self._settle(place, self._half, self.variance)
            self._settled.append(place)
        half, variance, waiting = self._half, self.variance, waiting.copy()
        chosen: list[int] = []
        for _ in range(min(count, int(waiting.sum()))):
            if chosen:
                half, variance = self._settle(chosen[-1], half, variance)
            bound = self.mean + self.curiosity * np.sqrt(variance.clip(min=1e-9))
            chosen.append(int(np.where(waiting, bound, -np.inf).argmax()))
            waiting[chosen[-1]] = False
        return chosen

    def _settle(self, place: int, half: Vector, variance: Vector) -> tuple[Vector, Vector]:
        """What is uncertain once a row has the answer that is expected of it."""
        alike = self._choice.kernel(self._views.alike(np.array([place])))[:, 0]
        left = alike - half @ half[place]
        step = left / np.sqrt(max(left[place], 0) + self._choice.noise)
        return np.concatenate([half, step[:, None]], axis=1), variance - step**2


class Learner:
    """Turns answers into a belief about every row; the views of answered rows are kept between calls.

    The Gaussian process starts from how unusual rows are. How much that counts, and each view, is weighed by how
    well it would have foretold the answers (its marginal likelihood). So refusals teach as much as anomalies:
    where unusual rows are refused, the process looks elsewhere. A random forest on the answers is added as
    anomalies are found.
    """

    def __init__(self, rows: Matrix, views: Views, seed: int) -> None:
        self._rows, self._views, self._seed = rows, views, seed
        self._places = np.zeros(0, dtype=np.intp)
        self._alike = np.zeros((views.count, len(rows), 0), dtype=np.float32)

    def learn(self, answers: Answers) -> Belief:
        """Believe what the answers say."""
        latest = Answers(answers.places[-MOST_ANSWERS:], answers.anomalous[-MOST_ANSWERS:])
        alike = self._alike_to(latest.places)
        belief = Belief(self._views, latest, self._weighed(latest, alike), alike)
        found = int(answers.anomalous.sum())
        if 0 < found < len(answers.places):
            belief.mean = belief.mean + min(1.0, found / GROWN) * (2 * self._voted(answers) - 1)
        return belief

    def _alike_to(self, places: NDArray[np.intp]) -> Matrix:
        new = np.setdiff1d(places, self._places)
        if len(new):
            self._alike = np.concatenate([self._alike, self._views.alike(new)], axis=2)
            self._places = np.concatenate([self._places, new])
        order = np.argsort(self._places)
        kept = order[np.searchsorted(self._places, places, sorter=order)]
        self._alike, self._places = self._alike[:, :, kept], self._places[kept]
        return self._alike

    def _weighed(self, answers: Answers, alike: Matrix) -> _Choice:
        """The mean of all choices, weighed by how likely each makes the answers."""
        known = alike[:, answers.places]
        verdicts = np.where(answers.anomalous, 1.0, -1.0)
        likely = np.zeros(len(_CHOICES))
        for place, choice in enumerate(_CHOICES):
            covariance = choice.kernel(known) + choice.noise * np.eye(len(verdicts))
            root = np.linalg.cholesky(covariance)
            surprise = verdicts - MEAN - choice.prior * self._views.prior[answers.places]
            whitened = np.linalg.solve(root, surprise)
            likely[place] = -0.5 * whitened @ whitened - np.log(np.diag(root)).sum()
        weights = np.exp(likely - likely.max())
        weights /= weights.sum()
        noise = np.exp(weights @ np.log([choice.noise for choice in _CHOICES]))
        views = weights @ np.stack([choice.views for choice in _CHOICES])
        return _Choice(views, float(noise), float(weights @ [choice.prior for choice in _CHOICES]))

    def _voted(self, answers: Answers) -> Vector:
        """The share of a forest's votes for anomaly (N,)."""
        forest = RandomForestClassifier(class_weight="balanced_subsample", random_state=self._seed)
        forest.fit(self._rows[answers.places], answers.anomalous)
        return np.asarray(forest.predict_proba(self._rows)[:, 1])
