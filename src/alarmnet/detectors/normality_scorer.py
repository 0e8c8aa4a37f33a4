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

ALARM, FAR = 0.15, 0.15
"""What the logit of each alarm on inputs, and each number of nearness, counts where trees count 1: networks go on
where trees stop at an edge."""

EARLIER_ALARM, EARLIER_FAR = 0.3, 0.1
"""The same in model files with one forest."""

BEYOND = 3.0
"""How far beyond the most extreme normal rows a row that is like no known anomaly has even odds, were these not
bounded."""

MOST_UNLIKE = -2.0
"""The log odds that a row has at most for being far from normal: what is only new must not outrank what is like
known anomalies."""


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

    With known anomalies, the mean log odds of the forests, of alarms on inputs and the numbers of nearness are
    added, in shares. The odds of rows far beyond the normal ones, and so like nothing known, are added to those
    odds: one of both is enough. Without known anomalies, the forest tells normal rows from points of the box around
    them. The odds are of its votes, of the spread, of the distance to the 5th neighbour and of the reconstruction
    error.

    Model files from before the other forests and the spread have one forest, no bound of the second odds, and one
    sum without known anomalies.

    Parameters
    ----------
    target, nearness
        The networks.
    forests
        Their mean log odds count: one of randomised trees, and, with known anomalies, one of boosted trees.
    alarms
        On what the target reads; none where no anomaly is known.
    spread
        Of the normal rows, where no anomaly is known.
    """

    target: PiecewiseTarget
    vote_mean: Tensor
    vote_deviation: Tensor

    def __init__(
        self,
        target: PiecewiseTarget,
        nearness: Nearness,
        forests: Sequence[Forest],
        alarms: Sequence[DenseAlarmNetwork],
        spread: Spread | None = None,
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.spread = target, nearness, spread
        self.forest, *others = forests  # a model file names it so since before there were others
        self.other_forests = nn.ModuleList(others)
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
        others = sum(name.startswith("other_forests.") and name.endswith(".roots") for name in weights)
        prefixes = ["forest.", *(f"other_forests.{place}." for place in range(others))]
        forests = [Forest.stored(weights, prefix, width) for prefix in prefixes]
        spread = Spread(*rows.shape) if "spread.stored" in weights else None
        return cls(target, Nearness(*rows.shape), forests, alarms, spread)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.odds(batch).logsumexp(1)

    def odds(self, batch: Tensor) -> Tensor:
        """The odds of what `names` has, (B, n): one of them is enough."""
        read = self.read(batch)
        return self.combined(self.nearness(batch, read[:, 0]), self.votes(batch), read[:, 1:])

    @property
    def forests(self) -> list[Forest]:
        """All forests."""
        return [self.forest, *self.other_forests]

    def votes(self, batch: Tensor) -> Tensor:
        """The mean log odds of the forests, (B,)."""
        return torch.stack([forest(batch) for forest in self.forests]).mean(0)

    def read(self, batch: Tensor) -> Tensor:
        """What needs the whole row: reconstruction losses, then alarms' logits or the spread, (B, n)."""
        inputs = self.target.inputs(batch)
        losses = self.target.network.row_losses(inputs)
        parts = [losses[:, None], *(alarm(inputs)[:, None] for alarm in self.alarms)]
        if self.spread is not None:
            parts.append(self.spread(self.nearness.scaled(batch)))
        return torch.cat(parts, dim=1)

    def combined(self, near: Tensor, votes: Tensor, read: Tensor) -> Tensor:
        """The odds (B, n) of what nearness (B, 3), the forests (B,), and alarms or the spread (B, n) say."""
        if self.alarms:
            far = near.sum(1)
            unlike = far - self.nearness.extreme - BEYOND
            if self.other_forests:
                like_known, unlike = votes + ALARM * read.sum(1) + FAR * far, unlike.clamp(max=MOST_UNLIKE)
            else:
                like_known = votes + EARLIER_ALARM * read.sum(1) + EARLIER_FAR * far
            return torch.stack([like_known, unlike], dim=1)
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
