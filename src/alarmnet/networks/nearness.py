"""How far a target network finds rows from normal: distances to stored normal rows, and reconstruction errors."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

NEIGHBOURS = (5, 50)
"""Few neighbours find anomalies that are local; many are not misled by a few anomalies among the rows."""

MOST_STORED = 2_000
"""Normal rows that a model keeps, at most."""

EXTREME = 0.999
"""The share of normal rows whose numbers together are at most `extreme`."""

NEAREST = 1e-3
"""Added to distances before their logarithm is taken, since equal rows have none."""


class Nearness(nn.Module):
    """What a target's first and last layer say of how far a row is from the normal ones.

    It gives three numbers a row: the logarithms of the distances to the 5th and the 50th nearest stored normal row,
    and of the reconstruction error, each in standard deviations above the mean of normal rows. Distances are taken
    between inputs in standard deviations of normal rows; inputs of two values count as they are.

    Shapes
    ------
    Input: rows (B, F), and their reconstruction losses (B,). Output: (B, 3), higher is farther.
    """

    stored: Tensor
    centre: Tensor
    scale: Tensor
    mean: Tensor
    deviation: Tensor
    extreme: Tensor

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.register_buffer("stored", torch.zeros(rows, width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("mean", torch.zeros(len(NEIGHBOURS) + 1))
        self.register_buffer("deviation", torch.ones(len(NEIGHBOURS) + 1))
        self.register_buffer("extreme", torch.zeros(()))

    def learn(self, stored: Tensor, losses: Tensor) -> None:
        """Keep normal rows (M, F), whose losses are (M,), and what is usual among them."""
        two_values = ((stored == stored.amin(0)) | (stored == stored.amax(0))).all(0)
        spread = stored.std(0, correction=0)
        self.scale = torch.where(two_values | (spread < 1e-6), 1, 1 / spread.clamp(min=1e-6))
        self.centre = stored.mean(0)  # so that squares of distances are not differences of large numbers
        self.stored = self.scaled(stored)
        raw = _logarithms(self._distances(self.stored, leave_out_itself=True), losses)
        self.mean, self.deviation = raw.mean(0), raw.std(0, correction=0).clamp(min=1e-3)
        self.extreme = ((raw - self.mean) / self.deviation).sum(1).quantile(EXTREME)

    def forward(self, rows: Tensor, losses: Tensor) -> Tensor:
        """Measure rows."""
        return self.measured(self._distances(self.scaled(rows), leave_out_itself=False), losses)

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows (B, F) as `stored` has them."""
        return (rows - self.centre) * self.scale

    def measured(self, distances: Tensor, losses: Tensor) -> Tensor:
        """The three numbers of rows whose distances (B, 2) to the neighbours, and losses (B,), are known."""
        return (_logarithms(distances, losses) - self.mean) / self.deviation

    def places(self, most: int) -> list[int]:
        """Which of so many neighbours are measured, counted from 0, nearest first."""
        return [min(count, most) - 1 for count in NEIGHBOURS]

    def _distances(self, rows: Tensor, *, leave_out_itself: bool) -> Tensor:
        """Distances to the neighbours (B, 2)."""
        most = len(self.stored) - (leave_out_itself and len(self.stored) > 1)
        return neighbour_distances(rows, self.stored, self.places(most), leave_out_itself=leave_out_itself)


def neighbour_distances(
    rows: Tensor, stored: Tensor, places: Sequence[int], *, leave_out_itself: bool
) -> Tensor:
    """Distances (B, places) of rows (B, F) to those of their neighbours among stored rows (M, F), counted from 0.

    Where `rows` are the stored rows, each can be left out of its own neighbours; one row alone has no other.
    """
    near = (stored * stored).sum(1) - 2 * rows @ stored.T  # but for a row's own square
    if leave_out_itself and len(stored) > 1:
        near.fill_diagonal_(torch.inf)
    _, chosen = near.topk(max(places) + 1, dim=1, largest=False)
    return torch.stack(
        [torch.linalg.vector_norm(rows - stored[chosen[:, place]], dim=1) for place in places], dim=1
    )


def _logarithms(distances: Tensor, losses: Tensor) -> Tensor:
    return torch.cat([(distances + NEAREST).log(), losses.clamp(min=1e-9).log()[:, None]], dim=1)
