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
from alarmnet.networks.targets.piecewise import PiecewiseTarget

ALARM = 0.3
"""What the logit of each alarm on inputs counts beside the forest's: networks go on where trees stop at an edge."""

FAR = 0.1
"""What each number of nearness counts beside the forest's logit."""

BEYOND = 3.0
"""How far beyond the most extreme normal rows a row that is like no known anomaly has even odds."""


class NormalityScorer(Scorer):
    """A target, what it finds far from normal, and alarms on that and on the inputs.

    With known anomalies, the log odds of a forest and of alarms on inputs are added, and some of the numbers of
    nearness. The odds of rows far beyond the normal ones, and so like nothing known, are added to those odds: one
    of both is enough. Without known anomalies, the forest tells normal rows from points of the box around them, and
    its log odds count as one number of nearness more.

    Parameters
    ----------
    target, nearness, forest
        The networks.
    alarms
        On what the target reads; none where no anomaly is known.
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
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.forest = target, nearness, forest
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
        return cls(target, Nearness(*rows.shape), forest, alarms)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.odds(batch).logsumexp(1)

    def odds(self, batch: Tensor) -> Tensor:
        """The odds of being like known anomalies, where any are known, and of being far from normal (B, 2 or 1)."""
        losses, heard = self.from_networks(batch)
        return self.combined(self.nearness(batch, losses).sum(1), self.forest(batch), heard)

    def from_networks(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Reconstruction losses, and what alarms on inputs say together: (B,) each."""
        inputs = self.target.inputs(batch)
        losses = self.target.network.row_losses(inputs)
        heard = [alarm(inputs) for alarm in self.alarms]
        return losses, torch.stack(heard).sum(0) if heard else torch.zeros_like(losses)

    def combined(self, far: Tensor, votes: Tensor, heard: Tensor) -> Tensor:
        """The odds (B, 2 or 1) of what nearness, the forest and alarms say (B,)."""
        if not self.alarms:
            return (far + (votes - self.vote_mean) / self.vote_deviation)[:, None]
        like_known = votes + ALARM * heard + FAR * far
        return torch.stack([like_known, far - self.nearness.extreme - BEYOND], dim=1)

    @property
    def names(self) -> list[str]:
        """Of the odds, in order."""
        return ["likeness to known anomalies", "distance"] if self.alarms else ["distance"]
