"""The default score of A3 for tables with known anomalies: likeness to these, or distance from normal."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.detectors.table_scorer import TableScorer, stored_shape
from alarmnet.networks.alarms import DenseAlarmNetwork, stored_alarm
from alarmnet.networks.contrast import FEWEST, MEASURES, Contrast
from alarmnet.networks.forests import Forest
from alarmnet.networks.kernel_alarm import KernelAlarm, kept_of
from alarmnet.networks.nearness import Neighbours
from alarmnet.networks.quadratic_alarm import QuadraticAlarm
from alarmnet.networks.spread import Whitening
from alarmnet.networks.surprise import Surprise, compared
from alarmnet.networks.symmetric_trees import SymmetricForest
from alarmnet.networks.tails import Tails
from alarmnet.networks.targets.dense import DenseAutoencoderNetwork
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.trees import Trees

FORESTS = {2: (0.35, 0.6), 3: (0.3, 0.55)}
"""By the number of forests on columns: the weights of the log odds of each of these, and of the joint forest. Model
files before format 9 have two."""

ALARM, FAR = 0.15, 0.15
"""The weights of each alarm's logit, and of each distance. They extrapolate where trees stop at an edge."""

KERNEL, BOTH = 0.5, 0.65
"""The weight of the kernel alarm's log odds on its own, in model files of format 14, and the weight of each of both
kernel alarms'."""

BEYOND = 3.0
"""The distance beyond the 99.9th percentile of normal rows at which the odds of distance would be even without
their bound."""

MOST_UNLIKE = -2.0
"""The bound of the log odds of distance: a row that is only new must not outrank rows like known anomalies."""

RAISED, HALFWAY = 2.0, 20
"""The most by which the log odds of distance are raised, and with how many known anomalies by half of that. The
more anomalies are known, the higher are the odds of rows like them, so new rows still do not outrank these."""


class LikenessScorer(TableScorer):
    """Adds two odds; either is enough.

    The first are the odds of likeness to known anomalies: a weighted sum of the log odds of four forests, the
    logits of alarms on inputs, the log odds of two kernel alarms, and the distances to the 5th and the 50th nearest
    stored normal row. Three forests read the columns, as one kernel alarm does. The joint forest also reads the
    principal directions of the normal rows, the target's reconstruction error, the distances, the contrast with
    known anomalies, and the tails of the columns; the other kernel alarm, which is quadratic, reads the last three
    with the columns. The second are the bounded odds of the distance from normal: of the sum of both distances, the
    tails, the reconstruction error, and the distance between activations of the target's narrowest layer.

    Parameters
    ----------
    target, nearness, whitening, contrast, tails
        The networks; `whitening` gives the directions, None for very wide tables. `contrast` is None with few known
        anomalies and in model files before format 13, `tails` in those before format 8.
    kernel
        The kernel alarm; None in model files before format 14.
    surprise
        How much rows surprise the target; None in model files before format 16, whose joint forest reads the
        activations themselves, and whose odds of distance do without the target.
    alarms
        On the target's inputs: a linear one, and in model files before format 10 one with a hidden layer.
    forests
        Those on columns: one of randomised trees, one of boosted trees, and one of symmetric trees. The first and
        the last read categories in order, but not in model files before format 11. The last is not in model files
        before format 9.

    Attributes
    ----------
    joint
        The joint forest. It is boosted on what the other parts read, so it is set last.
    least
        The bound of what the alarms on inputs add: the least that they add for a stored row. However far from these
        a row is, a linear alarm cannot outweigh what else speaks for an anomaly. Model files before format 13 have
        no bound.
    quadratic
        The quadratic alarm; None in model files before format 15. It learns from what the other parts measure, so
        it is set late too.
    raised
        What is added to the log odds of distance, as `raised_by` says; 0 in model files before format 16.
    """

    nearness: Neighbours
    joint: Trees
    least: Tensor
    raised: Tensor
    quadratic: QuadraticAlarm | None

    def __init__(
        self,
        target: PiecewiseTarget,
        nearness: Neighbours,
        whitening: Whitening | None,
        contrast: Contrast | None,
        tails: Tails | None,
        kernel: KernelAlarm | None,
        surprise: Surprise | None,
        alarms: Sequence[DenseAlarmNetwork],
        forests: Sequence[Trees],
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.whitening = target, nearness, whitening
        self.contrast, self.tails, self.kernel, self.surprise = contrast, tails, kernel, surprise
        self.quadratic = None
        self.register_buffer("least", torch.tensor(-torch.inf))
        self.register_buffer("raised", torch.zeros(()))
        self.alarms = nn.ModuleList(alarms)
        self.on_columns = nn.ModuleList(forests)

    @classmethod
    def stored(
        cls, target: PiecewiseTarget, width: int, weights: Mapping[str, NDArray[Any]]
    ) -> "LikenessScorer":
        """For rows of so many numbers, as a model file's weights say; without these."""
        shape = stored_shape(weights, width)
        count = 2 if "alarms.1.output.weight" in weights else 1
        alarms = [stored_alarm(None, weights, f"alarms.{place}.") for place in range(count)]
        forests: list[Trees] = [Forest.stored(weights, f"on_columns.{place}.", width) for place in range(2)]
        if "on_columns.2.leaf_values" in weights:
            forests.append(SymmetricForest.stored(weights, "on_columns.2.", width))
        whitening = Whitening(width) if "whitening.centre" in weights else None
        tails = Tails(width) if "tails.mean" in weights else None
        contrast = _stored_contrast(weights, width) if "contrast.known" in weights else None
        kernel = _stored_kernel(weights, *shape) if "kernel.known" in weights else None
        surprise = Surprise() if "surprise.mean" in weights else None
        scorer = cls(
            target, Neighbours(*shape), whitening, contrast, tails, kernel, surprise, alarms, forests
        )
        scorer.register_buffer("least", scorer.least, persistent="least" in weights)
        scorer.register_buffer("raised", scorer.raised, persistent=surprise is not None)
        if "quadratic.measures" in weights:
            scorer.quadratic = _stored_quadratic(weights, *shape, scorer.measures)
        joint = Forest if "joint.values" in weights else SymmetricForest  # format 8 and before have nodes
        scorer.joint = joint.stored(weights, "joint.", scorer.joint_width)
        return scorer

    @property
    def known(self) -> Tensor | None:
        """Those of the contrast."""
        return None if self.contrast is None else self.contrast.known

    @property
    def joint_width(self) -> int:
        """How many numbers the joint forest reads of a row."""
        said = 1
        if self.surprise is None:  # then it reads the target's narrowest layer
            network = cast(DenseAutoencoderNetwork, self.target.network)
            said = cast(nn.Linear, network.hidden[network.down - 2]).out_features
        return self._columns + said + self.measures

    @property
    def _columns(self) -> int:
        """How many columns and principal directions there are."""
        return self.nearness.stored.shape[1] * (1 if self.whitening is None else 2)

    @property
    def measures(self) -> int:
        """How many of these, the last, measure the whole row: the contrast, the tails and the distances."""
        contrast = 0 if self.contrast is None else MEASURES
        return contrast + (self.tails is not None) + len(self.nearness.neighbours)

    @property
    def forests(self) -> list[Trees]:
        """Those on columns."""
        return cast(list[Trees], [*self.on_columns])

    @property
    def names(self) -> list[str]:
        """The names of the odds, in order."""
        return ["likeness to known anomalies", "distance"]

    def said_by_target(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """The activations of its narrowest layer and, for the surprise, its reconstruction loss."""
        network = self.target.network
        return (network.code if self.surprise is None else network.code_and_losses)(inputs, first)

    def read_of(self, batch: Tensor, said: Tensor, logits: Sequence[Tensor]) -> Tensor:
        """What all alarms add to the log odds, the distance between activations, and what the joint forest reads.

        The distances to stored rows are not among the latter.
        """
        scaled = self.nearness.scaled(batch)
        alarms = (ALARM * torch.stack([*logits], dim=1).sum(1)).clamp(min=self.least)
        if self.kernel is not None:
            alarms = alarms + (KERNEL if self.quadratic is None else BOTH) * self.kernel(scaled)
        parts = [alarms[:, None], batch]
        if self.surprise is not None:
            distance, said = self.surprise(said).split(1, dim=1)
            parts.insert(1, distance)
        if self.whitening is not None:
            parts.append(self.whitening.white(scaled))
        parts.append(said)
        if self.contrast is not None:
            parts.append(self.contrast(batch))
        if self.tails is not None:
            parts.append(self.tails(scaled))
        return torch.cat(parts, dim=1)

    def read_of_learned(self, rows: Tensor, *, known: bool) -> Tensor:
        """As `read`, of all known anomalies or stored rows in their order: none is compared with itself."""
        read = self.read(rows)
        if self.surprise is not None and not known:
            read[:, 1] = self.surprise.own(self.said_by_target(self.target.inputs(rows)))[:, 0]
        if self.contrast is not None:
            read[:, -1 - MEASURES : -1] = self.contrast.own(rows, known=known)
        return read

    def hand_on_stored(self) -> None:
        """Give the stored rows to the tails, the contrast, the surprise and both kernel alarms."""
        super().hand_on_stored()
        if self.surprise is not None:
            self.compare_activations(self.surprise)
        if self.kernel is not None:
            self.kernel.compare(self.nearness.stored)
        if self.quadratic is not None:
            self.quadratic.compare(self.nearness.stored)
        if self.contrast is not None:
            self.contrast.compare(self.nearness.as_they_were)

    @torch.no_grad()
    def compare_activations(self, surprise: Surprise) -> None:
        """Give the surprise the activations of the stored rows that it compares with."""
        rows = self.nearness.as_they_were
        surprise.compare(self.target.network.code(self.target.inputs(rows[compared(len(rows))])))

    def joined(self, near: Tensor, read: Tensor) -> Tensor:
        """What the joint forest reads, of measured distances (B, n) and `read` (B, n)."""
        return torch.cat([read[:, 1 if self.surprise is None else 2 :], near], dim=1).float()

    def measured(self, joined: Tensor) -> tuple[Tensor, Tensor]:
        """What the quadratic alarm reads, of what the joint forest reads (B, n): columns and measures."""
        width = self.nearness.stored.shape[1]
        return self.nearness.scaled(joined[:, :width]), joined[:, -self.measures :]

    def strangeness(self, near: Tensor, read: Tensor) -> Tensor:
        """How far rows are from normal (B,), by measured distances (B, n) and `read` (B, n)."""
        far = near[:, 1:].sum(1)
        if self.tails is not None:
            far = far + read[:, -1]
        return far if self.surprise is None else far + read[:, 1] + read[:, 2 + self._columns]

    def odds_of(self, distances: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The log odds of likeness and of distance."""
        near = self.nearness.measured(distances)
        each, joint = FORESTS[len(self.on_columns)]
        joined = self.joined(near, read)
        trees = each * len(self.on_columns) * votes + joint * self.joint(joined)
        likeness = trees + read[:, 0] + FAR * near[:, 1:].sum(1)
        if self.quadratic is not None:
            likeness = likeness + BOTH * self.quadratic(*self.measured(joined))
        unlike = self.strangeness(near, read) - self.nearness.extreme - BEYOND
        return torch.stack([likeness, unlike.clamp(max=MOST_UNLIKE) + self.raised], dim=1)


def raised_by(known: int) -> float:
    """By how much so many known anomalies raise the log odds of distance.

    >>> raised_by(20)
    1.0
    """
    return RAISED * known / (known + HALFWAY)


def _stored_contrast(weights: Mapping[str, NDArray[Any]], width: int) -> Contrast:
    """The contrast with a model file's known anomalies, which have `width` numbers; without these."""
    known = weights["contrast.known"]
    if known.ndim != 2 or known.shape[1] != width or len(known) < FEWEST or "least" not in weights:
        raise ValueError("the known anomalies are too few, have other columns, or lack their bound")
    return Contrast(torch.zeros(known.shape), torch.zeros(1, width))


def _stored_kernel(weights: Mapping[str, NDArray[Any]], rows: int, width: int) -> KernelAlarm:
    """The kernel alarm of a model file with so many stored rows of `width` numbers; without its weights."""
    known = weights["kernel.known"]
    if known.ndim != 2 or known.shape[1] != width or not len(known) or not weights["kernel.spread"] > 0:
        raise ValueError("the kernel alarm's known anomalies have other columns, or its kernels no width")
    return KernelAlarm(kept_of(rows), len(known), width)


def _stored_quadratic(
    weights: Mapping[str, NDArray[Any]], rows: int, columns: int, measures: int
) -> QuadraticAlarm:
    """The quadratic alarm of a model file with so many stored rows, columns and measures; without its weights."""
    known = weights["quadratic.alarm.known"]
    if known.ndim != 2 or not len(known) or not weights["quadratic.alarm.spread"] > 0:
        raise ValueError("the quadratic alarm has no known anomalies, or its kernel no scale")
    return QuadraticAlarm(kept_of(rows), len(known), columns, measures)
