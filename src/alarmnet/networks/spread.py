"""How far rows lie outside the spread of the normal ones, along every direction in which these vary."""

import torch
from torch import Tensor, nn

from alarmnet.networks.nearness import NEAREST, neighbour_distances

NEIGHBOUR = 50
"""Which neighbour is measured: many are not misled by a few anomalies among the rows."""

LEAST_VARIANCE = 0.01
"""Added to the variance of every direction, in variances of a column: no direction is taken as fixed."""

ROUNDING = 1e-4
"""Distances that differ by so small a share count as the same."""

STEPS = 10
"""Times that the rows inside are chosen anew, at most."""


class Spread(nn.Module):
    """A Gaussian distribution of the normal rows that most of them decide, and distances in its units.

    It gives two numbers a row: the logarithms of the Mahalanobis distance from the centre, and of the distance to
    the 50th nearest stored normal row once every direction has variance 1. Both are in standard deviations above
    the mean of normal rows. Columns that move together count once, and a row that breaks such a relation is far.

    The distribution is that of a share of the rows, those that lie most closely together. Source: the concentration
    steps of Rousseeuw and Van Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator" (1999),
    section 3, from the column medians.

    Shapes
    ------
    Input: (B, F), scaled as `Nearness.scaled` does. Output: (B, 2), higher is farther.
    """

    stored: Tensor
    centre: Tensor
    whitening: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: int, width: int) -> None:
        super().__init__()
        self.register_buffer("stored", torch.zeros(rows, width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("whitening", torch.zeros(width, width))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(2))

    def learn(self, rows: Tensor, share: float) -> None:
        """Learn from normal rows (M, F), of which a share decides the distribution."""
        varies = rows.std(0, correction=0) > 1e-6
        inside = _nearest((rows - rows.median(0).values).square().sum(1), share)
        for _ in range(STEPS):
            self.centre, self.whitening = _distribution(rows[inside], varies)
            again = _nearest(self._white(rows).square().sum(1), share)
            if torch.equal(again, inside):
                break
            inside = again
        self.stored = self._white(rows)
        raw = self._logarithms(self.stored, leave_out_itself=True)
        self.mean, self.deviation = raw.mean(0), raw.std(0, correction=0).clamp(min=1e-3)

    def forward(self, rows: Tensor) -> Tensor:
        """Measure rows."""
        return (self._logarithms(self._white(rows), leave_out_itself=False) - self.mean) / self.deviation

    def _white(self, rows: Tensor) -> Tensor:
        return (rows - self.centre) @ self.whitening

    def _logarithms(self, white: Tensor, *, leave_out_itself: bool) -> Tensor:
        places = [min(NEIGHBOUR, len(self.stored) - (leave_out_itself and len(self.stored) > 1)) - 1]
        distances = neighbour_distances(white, self.stored, places, leave_out_itself=leave_out_itself)
        squares = white.square().sum(1, keepdim=True)
        return torch.cat([(squares + LEAST_VARIANCE).log() / 2, (distances + NEAREST).log()], dim=1)


def _nearest(squares: Tensor, share: float) -> Tensor:
    """Whether a row is among the share with the smallest squares; equal ones stay together."""
    last = squares.sort().values[int(share * (len(squares) - 1))]
    return squares <= last * (1 + ROUNDING)


def _distribution(rows: Tensor, varies: Tensor) -> tuple[Tensor, Tensor]:
    """The centre (F,) of rows, and what makes the variance of every direction 1 (F, F), without fixed columns."""
    exact = rows.double()
    centre = exact.mean(0)
    covariance = torch.cov(exact.T, correction=0).reshape(len(centre), len(centre))
    variances, directions = torch.linalg.eigh(covariance)
    whitening = directions / (variances.clamp(min=0) + LEAST_VARIANCE).sqrt()
    return centre.to(rows.dtype), (whitening * varies[:, None]).to(rows.dtype)
