"""Surprise: how far what a target makes of a row is from what it makes of normal rows."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet._shared.evenly import evenly
from alarmnet.networks.nearness import NEAREST, neighbour_distances

NEIGHBOUR, MOST = 5, 500
"""The neighbour that is measured, counted from 1, among so many normal rows at most."""

SMALLEST = 1e-9
"""The smallest reconstruction error before taking the logarithm."""


class Surprise(nn.Module):
    """Two measures of how much a row surprises a target.

    These are the logarithms of the distance to the 5th nearest normal row, between the activations of the target's
    narrowest layer, and of the reconstruction error; each in standard deviations above the mean of normal rows.

    Shapes
    ------
    Input: activations and, in the last place, the error (B, C + 1). Output: (B, 2); high is unlike normal rows.

    Examples
    --------
    >>> surprise, said = Surprise(), torch.stack([torch.arange(20.0), torch.linspace(0.1, 0.2, 20)], dim=1)
    >>> surprise.compare(said[:, :1])
    >>> surprise.learn(said)
    >>> surprise(torch.tensor([[50.0, 0.15], [10.0, 0.9]])) > 3
    tensor([[ True, False],
            [False,  True]])
    """

    mean: Tensor
    deviation: Tensor
    centre: Tensor
    normal: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(2))
        self.register_buffer("centre", torch.empty(0), persistent=False)
        self.register_buffer("normal", torch.empty(0), persistent=False)

    def compare(self, activations: Tensor) -> None:
        """Compare with these activations: those of `compared` normal rows, which a model file holds."""
        self.centre = activations.mean(0)  # so that squares of distances are not differences of large numbers
        self.normal = activations - self.centre

    def learn(self, said: Tensor) -> None:
        """Learn the usual values, those of all normal rows in their order (M, C + 1)."""
        logarithms = self._own_logarithms(said)
        self.mean, self.deviation = logarithms.mean(0), logarithms.std(0, correction=0).clamp(min=1e-3)

    def forward(self, said: Tensor) -> Tensor:
        """Measure rows."""
        return self._measured(_logarithms(self._distances(said), said))

    def own(self, said: Tensor) -> Tensor:
        """Measure all normal rows in their order: none is compared with itself."""
        return self._measured(self._own_logarithms(said))

    def _own_logarithms(self, said: Tensor) -> Tensor:
        distances = self._distances(said)
        distances[compared(len(said))] = neighbour_distances(
            self.normal, self.normal, (NEIGHBOUR,), leave_out_itself=True
        )
        return _logarithms(distances, said)

    def _distances(self, said: Tensor) -> Tensor:
        """Distances (B, 1) of rows to their neighbour."""
        activations = said[:, :-1] - self.centre
        return neighbour_distances(activations, self.normal, (NEIGHBOUR,), leave_out_itself=False)

    def _measured(self, logarithms: Tensor) -> Tensor:
        measured: Tensor = (logarithms - self.mean) / self.deviation
        return measured


def compared(rows: int) -> NDArray[np.intp]:
    """The numbers of the normal rows, among so many, that rows are compared with."""
    return evenly(rows, MOST)


def _logarithms(distances: Tensor, said: Tensor) -> Tensor:
    return torch.cat([distances + NEAREST, said[:, -1:].clamp(min=SMALLEST)], dim=1).log()
