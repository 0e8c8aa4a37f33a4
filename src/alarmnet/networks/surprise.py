"""Surprise: how far what a target makes of a row is from what it makes of normal rows."""

import torch
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
    Input: activations (B, C) and errors (B,). Output: (B, 2); high is unlike normal rows.

    Examples
    --------
    >>> surprise = Surprise()
    >>> activations = torch.arange(20.0)[:, None]
    >>> surprise.learn(activations, torch.linspace(0.1, 0.2, 20))
    >>> surprise(torch.tensor([[50.0], [10.0]]), torch.tensor([0.15, 0.9])) > 3
    tensor([[ True, False],
            [False,  True]])
    """

    mean: Tensor
    deviation: Tensor
    normal: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(2))
        self.register_buffer("normal", torch.empty(0), persistent=False)

    def learn(self, activations: Tensor, errors: Tensor) -> None:
        """Learn the usual values, those of normal rows (M, C) and (M,)."""
        self.compare(activations[evenly(len(activations), MOST)])
        logarithms = self._logarithms(self._own_distances(activations), errors)
        self.mean, self.deviation = logarithms.mean(0), logarithms.std(0, correction=0).clamp(min=1e-3)

    def compare(self, activations: Tensor) -> None:
        """Compare with these activations of at most `MOST` normal rows; a model file holds the rows."""
        self.normal = activations

    def forward(self, activations: Tensor, errors: Tensor) -> Tensor:
        """Measure rows."""
        return self._measured(self._distances(activations, self.normal), errors)

    def own(self, activations: Tensor, errors: Tensor) -> Tensor:
        """Measure all normal rows in their order: none is compared with itself."""
        return self._measured(self._own_distances(activations), errors)

    def _own_distances(self, activations: Tensor) -> Tensor:
        distances = self._distances(activations, self.normal)
        distances[evenly(len(activations), MOST)] = self._distances(
            self.normal, self.normal, leave_out_itself=True
        )
        return distances

    def _measured(self, distances: Tensor, errors: Tensor) -> Tensor:
        measured: Tensor = (self._logarithms(distances, errors) - self.mean) / self.deviation
        return measured

    @staticmethod
    def _distances(rows: Tensor, others: Tensor, *, leave_out_itself: bool = False) -> Tensor:
        return neighbour_distances(rows, others, (NEIGHBOUR,), leave_out_itself=leave_out_itself)

    @staticmethod
    def _logarithms(distances: Tensor, errors: Tensor) -> Tensor:
        return torch.cat([distances + NEAREST, errors.clamp(min=SMALLEST)[:, None]], dim=1).log()
