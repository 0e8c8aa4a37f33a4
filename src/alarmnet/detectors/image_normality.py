"""The default score of A3 for images without known anomalies: the distance of their edges from normal ones."""

from collections.abc import Mapping
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.scorer import Scorer
from alarmnet.networks.nearness import MOST_STORED
from alarmnet.networks.oriented_gradients import EdgeDistance, oriented_gradients
from alarmnet.networks.targets import TargetNetwork

UNUSUAL = 2.0
"""Log odds of an image whose distance is one standard deviation above that of normal images."""


class ImageNormalityScorer(Scorer):
    """A target, and the distance of oriented gradients to those of normal images.

    Parameters
    ----------
    target
        It gives reconstructions, and a refit with known anomalies trains alarms on its activations.
    edges
        The distance.
    """

    def __init__(self, target: TargetNetwork, edges: EdgeDistance) -> None:
        super().__init__()
        self.target, self.edges = target, edges

    @classmethod
    def stored(
        cls, target: TargetNetwork, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]
    ) -> Self:
        """For images of a shape (C, H, W), as a model file's weights say; without these."""
        rows = weights["edges.stored"]
        width = oriented_gradients(torch.zeros((1, *shape), device="cpu")).shape[1]
        if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
            raise ValueError("the stored gradients are of other images")
        return cls(target, EdgeDistance(*rows.shape, few="edges.few_neighbours" in weights))

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        found: Tensor = self.edges(batch)
        return UNUSUAL * found


@torch.no_grad()
def image_normality(target: TargetNetwork, data: TrainingData) -> ImageNormalityScorer:
    """Store the oriented gradients of normal images."""
    stored = data.all_normal(MOST_STORED)
    gradients = torch.cat([oriented_gradients(block) for block in data.rows.blocks(stored)])
    doubted = bool(data.unlabelled[stored].any())
    edges = EdgeDistance(*gradients.shape, few=not doubted).to(data.rows.device)
    edges.learn(gradients)
    return ImageNormalityScorer(target, edges)
