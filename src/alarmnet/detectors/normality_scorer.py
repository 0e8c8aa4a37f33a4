"""How A3 scores tables by default: how far the target finds a row from normal, and what known anomalies taught."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.detectors.scorer import Scorer
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.alarms import DenseAlarmNetwork, stored_alarm
from alarmnet.networks.forests import Forest
from alarmnet.networks.nearness import Nearness
from alarmnet.networks.spread import Spread
from alarmnet.networks.targets.piecewise import PiecewiseTarget

ALARM = 0.3
"""What the logit of each alarm on inputs counts beside the forest's: networks go on where trees stop at an edge."""

FAR = 0.1
"""What each number of nearness counts beside the forest's logit."""

BEYOND = 3.0
"""How far beyond the most extreme normal rows a row that is like no known anomaly has even odds."""


UNUSUAL = 2.0
"""Log odds, without known anomalies, of a number one standard deviation above normal rows."""

UNLABELLED_ODDS = [
    "distance to neighbours",
    "reconstruction error",
    "place in the box around normal rows",
    "distance from the centre",
    "distance to neighbours along all directions",
]
"""Names of the odds without known anomalies."""


class NormalityScorer(Scorer):
    """A target, what it finds far from normal, and alarms on that and on the inputs.

    With known anomalies, the log odds of a forest and of alarms on inputs are added, and some of the numbers of
    nearness. The odds of rows far beyond the normal ones, and so like nothing known, are added to those odds: one
    of both is enough. Without known anomalies, the forest tells normal rows from points of the box around them. The
    odds are of its votes, of the spread, of the distance to the 5th neighbour and of the reconstruction error.

    Parameters
    ----------
    target, nearness, forest
        The networks.
    alarms
        On what the target reads; none where no anomaly is known.
    spread
        Of the normal rows, where no anomaly is known. Model files from before it have none.
    """

    target: PiecewiseTarget
    vote_mean: Tensor
    vote_deviation: Tensor

    def __init__(
        self,
        target: PiecewiseTarget,
        nearness: Nearness,
        forest: Forest,
        alarms: Sequence[DenseAlarmNetwork],
        spread: Spread | None = None,
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.forest, self.spread = target, nearness, forest, spread
        self.alarms = nn.ModuleList(alarms)
        self.register_buffer("vote_mean", torch.zeros(()))
        self.register_buffer("vote_deviation", torch.ones(()))

    @classmethod
    def stored(
        cls, target: PiecewiseTarget, width: int, weights: Mapping[str, NDArray[Any]]
    ) -> "NormalityScorer":
        """For rows of so many numbers, as a model file's weights say; without these."""
        rows = weights["nearness.stored"]
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise ValueError("the stored rows have other columns")
        alarms = [
            stored_alarm(None, weights, f"alarms.{place}.")
            for place in range(len(DEFAULT_ALARMS["inputs"]))
            if f"alarms.{place}.output.weight" in weights
        ]
        forest = Forest.stored(weights, "forest.", width)
        spread = Spread(*rows.shape) if "spread.stored" in weights else None
        return cls(target, Nearness(*rows.shape), forest, alarms, spread)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.odds(batch).logsumexp(1)

    def odds(self, batch: Tensor) -> Tensor:
        """The odds of what `names` has, (B, n): one of them is enough."""
        read = self.read(batch)
        return self.combined(self.nearness(batch, read[:, 0]), self.forest(batch), read[:, 1:])

    def read(self, batch: Tensor) -> Tensor:
        """What needs the whole row: reconstruction losses, then alarms' logits or the spread, (B, n)."""
        inputs = self.target.inputs(batch)
        losses = self.target.network.row_losses(inputs)
        parts = [losses[:, None], *(alarm(inputs)[:, None] for alarm in self.alarms)]
        if self.spread is not None:
            parts.append(self.spread(self.nearness.scaled(batch)))
        return torch.cat(parts, dim=1)

    def combined(self, near: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The odds (B, n) of what nearness (B, 3), the forest (B,), and alarms or the spread (B, n) say."""
        if self.alarms:
            far = near.sum(1)
            like_known = votes + ALARM * read.sum(1) + FAR * far
            return torch.stack([like_known, far - self.nearness.extreme - BEYOND], dim=1)
        votes = ((votes - self.vote_mean) / self.vote_deviation)[:, None]
        if self.spread is None:
            return near.sum(1, keepdim=True) + votes
        return UNUSUAL * torch.cat([near[:, :1], near[:, 2:], votes, read], dim=1)

    @property
    def names(self) -> list[str]:
        """Of the odds, in order."""
        if self.alarms:
            return ["likeness to known anomalies", "distance"]
        return ["distance"] if self.spread is None else UNLABELLED_ODDS
