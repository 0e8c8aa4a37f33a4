"""The default score of A3 for tables without known anomalies, and with them in model files before format 7."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.detectors.likeness_scorer import BEYOND, MOST_UNLIKE
from alarmnet.detectors.table_scorer import TableScorer, stored_shape
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.alarms import DenseAlarmNetwork, stored_alarm
from alarmnet.networks.forests import Forest
from alarmnet.networks.nearness import Nearness
from alarmnet.networks.rotated_forest import RotatedForest
from alarmnet.networks.spread import Spread, Whitening
from alarmnet.networks.tails import Tails
from alarmnet.networks.targets.masked import MaskedNetwork
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.trees import Trees

FORESTS, ROTATED, ALARM, FAR = 0.8, 0.4, 0.15, 0.15
"""With known anomalies: the weights of the mean log odds of the two forests on columns, of the log odds of the
forest on rotated columns, of each alarm's logit on inputs and of each measure of nearness."""

EARLIER_ALARM, EARLIER_FAR = 0.3, 0.1
"""The weights of alarms and nearness in model files with one forest."""

UNUSUAL, ENOUGH = 2.0, 400
"""Without known anomalies: the log odds of a measure one standard deviation above normal rows, and how many stored
rows that takes. Few rows do not show how far a measure reaches among normal rows, so one high measure says less."""

UNLABELLED_ODDS = [
    "distance to neighbours",
    "reconstruction error",
    "place in the box around normal rows",
    "distance from the centre",
    "distance to neighbours along all directions",
    "tails of the columns",
]
"""Names of the odds without known anomalies; model files before format 8 have no tails."""

ERROR, PREDICTION_ERROR = UNLABELLED_ODDS[1], "prediction error"
"""The name of the error of a target that reconstructs what it reads, and of one that predicts masked columns."""


class NormalityScorer(TableScorer):
    """A target, and measures of the distance from normal.

    A forest separates normal rows from points of the box around them. The score adds the odds of its votes, of the
    spread, of the tails, of the distance to the 5th neighbour and of the target's error: how badly it predicts the
    columns from each other or, in model files before format 17, reconstructs what it reads. If all normal rows are
    labelled so, the score also adds the odds of the distance to the nearest row.

    Model files before format 7 hold this scorer with known anomalies too. The score then adds two odds. The first
    are a weighted sum of the forests' mean log odds, the logits of alarms on inputs and the measures of nearness;
    the second are the bounded odds of the distance from normal. The oldest of these files have one forest, no
    bound, and one sum without known anomalies.

    Parameters
    ----------
    target, nearness
        The networks.
    forests
        A forest of randomised trees, and, with known anomalies, a forest of boosted trees.
    alarms
        Alarms on the target's inputs; empty without known anomalies.
    spread
        The spread of the normal rows, without known anomalies.
    rotated
        A forest of randomised trees on rotated columns, with known anomalies.
    tails
        The tails of the columns, without known anomalies; None in model files before format 8.

    Attributes
    ----------
    unusual
        The log odds of a measure one standard deviation above normal rows: `UNUSUAL`, and less with fewer stored
        rows than `ENOUGH`, but not in model files before format 14.
    """

    nearness: Nearness
    vote_mean: Tensor
    vote_deviation: Tensor
    unusual: Tensor

    def __init__(
        self,
        target: PiecewiseTarget,
        nearness: Nearness,
        forests: Sequence[Trees],
        alarms: Sequence[DenseAlarmNetwork],
        spread: Spread | None = None,
        rotated: RotatedForest | None = None,
        tails: Tails | None = None,
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.spread, self.rotated = target, nearness, spread, rotated
        self.tails = tails
        self.forest, *others = forests  # its name in model files, from when it was the only forest
        self.other_forests = nn.ModuleList(others)
        self.alarms = nn.ModuleList(alarms)
        self.register_buffer("vote_mean", torch.zeros(()))
        self.register_buffer("vote_deviation", torch.ones(()))
        self.register_buffer("unusual", torch.tensor(UNUSUAL * min(1.0, len(nearness.stored) / ENOUGH)))

    @classmethod
    def stored(
        cls, target: PiecewiseTarget, width: int, weights: Mapping[str, NDArray[Any]]
    ) -> "NormalityScorer":
        """For rows of so many numbers, as a model file's weights say; without these."""
        shape = stored_shape(weights, width)
        alarms = [
            stored_alarm(None, weights, f"alarms.{place}.")
            for place in range(len(DEFAULT_ALARMS["inputs"]))
            if f"alarms.{place}.output.weight" in weights
        ]
        others = sum(name.startswith("other_forests.") and name.endswith(".roots") for name in weights)
        prefixes = ["forest.", *(f"other_forests.{place}." for place in range(others))]
        forests = [Forest.stored(weights, prefix, width) for prefix in prefixes]
        few = "nearness.few_neighbours" in weights
        directions = len(weights.get("spread.whitening", ()))
        if directions not in (0, 1, width):
            raise ValueError("the spread has other columns")
        spread = Spread(*shape, few=few, directions=directions) if directions else None
        rotated = None
        if "rotated.forest.roots" in weights:
            rotated = RotatedForest(Whitening(width), Forest.stored(weights, "rotated.forest.", width))
        tails = Tails(width) if "tails.mean" in weights else None
        scorer = cls(target, Nearness(*shape, few=few), forests, alarms, spread, rotated, tails)
        if "unusual" not in weights:
            scorer.register_buffer("unusual", torch.tensor(UNUSUAL), persistent=False)
        return scorer

    @property
    def forests(self) -> list[Trees]:
        """All forests."""
        return [self.forest, *self.other_forests]

    def said_by_target(self, inputs: Tensor, first: Tensor | None = None) -> Tensor:
        """Its loss."""
        return self.target.network.row_losses(inputs, first)[:, None]

    def read_of(self, batch: Tensor, said: Tensor, logits: Sequence[Tensor]) -> Tensor:
        """The target's loss, then the spread and the tails, or what known anomalies taught.

        The latter is the sum of the alarms' logits, and the log odds of trees on rotated columns, in their shares.
        """
        parts = [said]
        if logits:
            share = ALARM if self.other_forests else EARLIER_ALARM
            parts.append(share * torch.stack([*logits], dim=1).sum(1, keepdim=True))
        if self.rotated is not None:
            parts.append(ROTATED * self.rotated(self.nearness.scaled(batch))[:, None])
        if self.spread is not None:
            parts.append(self.spread(self.nearness.scaled(batch)))
        if self.tails is not None:
            parts.append(self.tails(self.nearness.scaled(batch)))
        return torch.cat(parts, dim=1)

    def odds_of(self, distances: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The log odds that `names` names."""
        return self.combined(self.nearness.measured(distances, read[:, 0]), votes, read[:, 1:])

    def combined(self, near: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The odds (B, n) of what nearness (B, 3), the forests (B,), and `read` without losses (B, n) say."""
        if self.alarms:
            far = near.sum(1)
            unlike = far - self.nearness.extreme - BEYOND
            if self.other_forests:
                trees = votes if self.rotated is None else FORESTS * votes
                return torch.stack([trees + read.sum(1) + FAR * far, unlike.clamp(max=MOST_UNLIKE)], dim=1)
            return torch.stack([votes + read.sum(1) + EARLIER_FAR * far, unlike], dim=1)
        votes = ((votes - self.vote_mean) / self.vote_deviation)[:, None]
        if self.spread is None:
            return near.sum(1, keepdim=True) + votes
        nearest = near[:, : 1 + self.nearness.few]
        return self.unusual * torch.cat([nearest, near[:, 2:], votes, read], dim=1)

    @property
    def names(self) -> list[str]:
        """The names of the odds, in order."""
        if self.alarms:
            return ["likeness to known anomalies", "distance"]
        if self.spread is None:
            return ["distance"]
        measures = UNLABELLED_ODDS if self.tails is not None else UNLABELLED_ODDS[:-1]
        if isinstance(self.target.network, MaskedNetwork):
            measures = [PREDICTION_ERROR if name == ERROR else name for name in measures]
        return ["distance to the nearest row"] * self.nearness.few + measures
