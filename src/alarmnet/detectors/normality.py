"""How the alarms that read how far rows are from normal are trained."""

import math

import torch
from torch import Tensor

from alarmnet._shared.random_streams import SEED_LIMIT, numpy_generator
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.forests import Forest, around, boosted, bootstrapped, grown
from alarmnet.networks.nearness import MOST_STORED, Nearness
from alarmnet.networks.spread import Spread
from alarmnet.networks.targets.piecewise import PiecewiseTarget

POOL = 10_000
"""Normal rows that trees are grown on, at most."""

NORMAL_ROWS, DOUBTED_ROWS = 256, 64
"""Normal rows that a tree sees: fewer where nobody has looked at some, so that few trees see a hidden anomaly."""

CONSIDERED = ("sqrt", 0.7)
"""Numbers of a row that trees consider for a cut, by turns: few find what many columns say, most what few say."""

TRUSTED = 0.75
"""The share of normal rows that decides their spread where nobody has looked at some; else all do."""

SMALLEST_LEAF = 8
"""Rows of a leaf where a forest tells normal rows from a box around them, at least."""

MARGIN = 0.1
"""How far that box reaches beyond the rows, as a share of its sides."""


class NormalityTraining:
    """Stores normal rows, measures how far rows are from them, and trains the alarms that read it.

    Parameters
    ----------
    target
        The trained target.
    training
        What alarms learn from.
    """

    def __init__(self, target: PiecewiseTarget, training: AlarmTraining) -> None:
        self._target, self._training, self._data = target, training, training.data
        numbers = torch.cat([self._data.normal, self._data.validation_normal]).sort().values
        self._normal = numbers[:: math.ceil(len(numbers) / POOL)]
        self._stored = numbers[:: math.ceil(len(numbers) / MOST_STORED)]
        self._seed = int(numpy_generator(training.seed, "forest").integers(SEED_LIMIT))

    @torch.no_grad()
    def without_known(self) -> NormalityScorer:
        """Learn the spread of normal rows, and grow a forest that tells them from points of the box around them."""
        rows = self._data.rows.take(self._stored)
        matrix = rows.numpy(force=True)
        forest = grown(
            matrix,
            around(matrix, min(NORMAL_ROWS, len(matrix)), margin=MARGIN),
            considered=["sqrt"],
            normal_rows=NORMAL_ROWS,
            smallest_leaf=SMALLEST_LEAF,
            seed=self._seed,
        )
        nearness = self._nearness(rows)
        spread = Spread(*rows.shape).to(rows.device)
        spread.learn(nearness.stored, TRUSTED if self._doubted() else 1.0)
        scorer = NormalityScorer(self._target, nearness, [forest.to(rows.device)], [], spread)
        votes = scorer.votes(rows)
        scorer.vote_mean, scorer.vote_deviation = votes.mean(), votes.std(correction=0).clamp(min=1e-3)
        return scorer

    def with_known(self, history: dict[str, list[dict[str, float]]]) -> NormalityScorer:
        """Grow forests and train alarms on inputs, whose losses go into `history`."""
        alarms = []
        for spec in DEFAULT_ALARMS["inputs"]:
            alarm, history[spec.name] = self._training.train(spec, self._target.inputs)
            alarms.append(alarm)
        rows = self._data.rows.take(self._stored)
        forests = [forest.to(rows.device) for forest in self._forests()]
        return NormalityScorer(self._target, self._nearness(rows), forests, alarms)

    def _forests(self) -> list[Forest]:
        """Trees that tell known anomalies from normal rows: randomised ones, and boosted ones."""
        known = torch.cat([self._data.known, self._data.validation_known])
        normal = self._data.rows.take(self._normal).numpy(force=True)
        anomalies = bootstrapped(self._data.rows.take(known).numpy(force=True))
        normal_rows = DOUBTED_ROWS if self._doubted() else NORMAL_ROWS
        return [
            grown(normal, anomalies, considered=CONSIDERED, normal_rows=normal_rows, seed=self._seed),
            boosted(normal, anomalies, normal_rows=normal_rows, seed=self._seed),
        ]

    def _doubted(self) -> bool:
        """Whether nobody has looked at some of the normal rows."""
        return bool(self._data.unlabelled[self._normal].any())

    def _nearness(self, rows: Tensor) -> Nearness:
        nearness = Nearness(*rows.shape).to(rows.device)
        with torch.no_grad():
            nearness.learn(rows, self._data.errors_of(self._target, self._stored))
        return nearness
