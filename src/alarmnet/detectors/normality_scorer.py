"""How A3's defaults score tables: by how far the target finds a row from normal, and what known anomalies taught."""

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet.alarms import DenseAlarmNetwork, stored_alarm
from alarmnet.detectors.scorer import Scorer
from alarmnet.forests import Forest
from alarmnet.nearness import NUMBERS, Nearness
from alarmnet.targets import TargetNetwork

LINEAR = 0.3
"""What the linear alarm's logit counts beside the forest's: it says in which direction anomalies lie."""

FAR = 0.1
"""What each number of nearness counts beside the forest's logit: it orders rows unlike all that is known."""


class NormalityScorer(Scorer):
    """A target, what it finds far from normal, and alarms on that and on the inputs.

    With known anomalies, a forest reads the inputs and their nearness; its log odds, a linear alarm's and the
    nearness are added. Without, a forest tells normal rows from points of the box around them; its log odds count
    as one number of nearness more, and all are added.

    Parameters
    ----------
    target, nearness, forest
        The networks.
    linear
        The alarm on what the target reads; None where no anomaly is known.
    """

    vote_mean: Tensor
    vote_deviation: Tensor

    def __init__(
        self, target: TargetNetwork, nearness: Nearness, forest: Forest, linear: DenseAlarmNetwork | None
    ) -> None:
        super().__init__()
        self.target, self.nearness, self.forest, self.linear = target, nearness, forest, linear
        self.register_buffer("vote_mean", torch.zeros(()))
        self.register_buffer("vote_deviation", torch.ones(()))

    @classmethod
    def stored(
        cls, target: TargetNetwork, width: int, weights: Mapping[str, NDArray[Any]]
    ) -> "NormalityScorer":
        """For rows of so many numbers, as a model file's weights say; without these."""
        rows = weights["nearness.stored"]
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise ValueError("the stored rows have other columns")
        linear = stored_alarm(None, weights, "linear.") if "linear.output.weight" in weights else None
        nearness = Nearness(*rows.shape)
        forest = Forest.stored(weights, "forest.", width + (0 if linear is None else NUMBERS))
        return cls(target, nearness, forest, linear)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        far = self.nearness(batch, self.target.row_losses(batch))
        if self.linear is None:
            votes = (self.forest(batch) - self.vote_mean) / self.vote_deviation
            return far.sum(1) + votes  # type: ignore[no-any-return]
        known = self.forest(torch.cat([batch, far], dim=1)) + LINEAR * self.linear(self.target.inputs(batch))
        return known + FAR * far.sum(1)  # type: ignore[no-any-return]
