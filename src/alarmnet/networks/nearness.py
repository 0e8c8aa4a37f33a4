"""Nearness: distances to stored normal rows, and reconstruction errors."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

NEIGHBOURS, FEW_NEIGHBOURS = (5, 50), (1, 5)
"""The neighbours that are measured: few find local anomalies, many are robust to a few anomalies among the rows."""

MOST_STORED = 2_000
"""The most normal rows that a model keeps."""

EXTREME = 0.999
"""The share of normal rows whose sum of the three measures is at most `extreme`."""

NEAREST = 1e-3
"""Added to distances before taking the logarithm, because equal rows have the distance 0."""


class Nearness(nn.Module):
    """Three measures of a row's distance from the normal rows.

    These are the logarithms of the distances to the 5th and the 50th nearest stored normal row, and of the target's
    reconstruction error, each in standard deviations above the mean of normal rows. Distances are between inputs in
    standard deviations of normal rows; inputs with only two values are not scaled.

    Parameters
    ----------
    rows, width
        Of the stored rows, (M, F).
    few
        Whether distances go to the nearest and the 5th nearest row instead.

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

    def __init__(self, rows: int, width: int, *, few: bool = False) -> None:
        super().__init__()
        self.few = few
        if few:  # this name in a model file says so
            self.register_buffer("few_neighbours", torch.ones(()))
        self.register_buffer("stored", torch.zeros(rows, width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("mean", torch.zeros(len(NEIGHBOURS) + 1))
        self.register_buffer("deviation", torch.ones(len(NEIGHBOURS) + 1))
        self.register_buffer("extreme", torch.zeros(()))

    def learn(self, stored: Tensor, losses: Tensor) -> None:
        """Store normal rows (M, F), and learn the usual values of the measures; `losses` are the rows' (M,)."""
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
        """Rows (B, F) on the scale of `stored`."""
        return (rows - self.centre) * self.scale

    def measured(self, distances: Tensor, losses: Tensor) -> Tensor:
        """The three measures from distances (B, 2) to the neighbours and reconstruction losses (B,)."""
        return (_logarithms(distances, losses) - self.mean) / self.deviation

    @property
    def neighbours(self) -> tuple[int, int]:
        """The measured neighbours, counted from 1."""
        return FEW_NEIGHBOURS if self.few else NEIGHBOURS

    def _distances(self, rows: Tensor, *, leave_out_itself: bool) -> Tensor:
        """Distances to the neighbours (B, 2)."""
        return neighbour_distances(rows, self.stored, self.neighbours, leave_out_itself=leave_out_itself)


def neighbour_places(neighbours: Sequence[int], most: int) -> list[int]:
    """The places of neighbours, counted from 0, among at most `most`.

    >>> neighbour_places([5, 50], 20)
    [4, 19]
    """
    return [min(count, most) - 1 for count in neighbours]


def neighbour_distances(
    rows: Tensor, stored: Tensor, neighbours: Sequence[int], *, leave_out_itself: bool
) -> Tensor:
    """Distances (B, n) of rows (B, F) to n of their neighbours among stored rows (M, F).

    Neighbours are counted from 1; if there are too few, the last one is measured. If `rows` are the stored
    rows, `leave_out_itself` excludes each row from its own neighbours.
    """
    leave_out_itself = leave_out_itself and len(stored) > 1
    places = neighbour_places(neighbours, len(stored) - leave_out_itself)
    near = (stored * stored).sum(1) - 2 * rows @ stored.T  # without the row's own square
    if leave_out_itself:
        near.fill_diagonal_(torch.inf)
    _, chosen = near.topk(max(places) + 1, dim=1, largest=False)
    return torch.stack(
        [torch.linalg.vector_norm(rows - stored[chosen[:, place]], dim=1) for place in places], dim=1
    )


def _logarithms(distances: Tensor, losses: Tensor) -> Tensor:
    return torch.cat([(distances + NEAREST).log(), losses.clamp(min=1e-9).log()[:, None]], dim=1)
