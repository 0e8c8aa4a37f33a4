"""The spread of normal rows along every direction in which they vary, and distances of rows in its units."""

import torch
from torch import Tensor, nn

from alarmnet.networks.nearness import NEAREST, neighbour_distances

NEIGHBOUR, NEAR_NEIGHBOUR = 50, 5
"""The neighbour that is measured: a high number is robust to a few anomalies among the rows, a low one is local."""

LEAST_VARIANCE = 0.01
"""Added to the variance of every direction, in variances of a column, so that no direction has variance 0."""

ROUNDING = 1e-4
"""The relative difference below which distances count as equal."""

STEPS = 10
"""The most times that the central rows are chosen again."""


class Whitening(nn.Module):
    """The principal directions of normal rows, each in its standard deviations.

    Correlated columns share a direction, and a row that breaks a correlation stands out in another direction. Fewer
    rows than columns do not show their directions: along most directions, no row would vary, and every other row
    would be far away. Columns then count on their own.

    The directions are those of the densest share of the rows. Source: the concentration steps of Rousseeuw and Van
    Driessen, "A Fast Algorithm for the Minimum Covariance Determinant Estimator" (1999), section 3, starting from
    the column medians.

    Parameters
    ----------
    width
        Of the rows, F.
    directions
        How many there are: F, or 1 if columns count on their own.

    Shapes
    ------
    `white`: (B, F) to (B, F).
    """

    centre: Tensor
    whitening: Tensor

    def __init__(self, width: int, directions: int | None = None) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("whitening", torch.zeros(directions or width, width))

    def learn(self, rows: Tensor, share: float) -> None:
        """Learn from normal rows (M, F); the densest `share` of them defines the directions."""
        varies = rows.std(0, correction=0) > 1e-6
        directed = show_directions(len(rows), len(varies), share)
        inside = _nearest((rows - rows.median(0).values).square().sum(1), share)
        for _ in range(STEPS):
            self.centre, self.whitening = _distribution(rows[inside], varies, directed=directed)
            again = _nearest(self.white(rows).square().sum(1), share)
            if torch.equal(again, inside):
                break
            inside = again

    def white(self, rows: Tensor) -> Tensor:
        """The coordinates (B, F) of rows (B, F) along the directions; rows are scaled by `StoredRows.scaled`.

        It computes in float64, so that bits do not depend on the batch size.
        """
        if len(self.whitening) < rows.shape[1]:
            return (rows - self.centre) * self.whitening
        return ((rows - self.centre).double() @ self.whitening.double()).to(rows.dtype)


class Spread(Whitening):
    """A robust Gaussian distribution of the normal rows, and distances in its units.

    It gives two measures for each row: the logarithms of the Mahalanobis distance from the centre, and of the
    distance to the 50th nearest stored normal row after scaling every direction to variance 1. Both are in standard
    deviations above the mean of normal rows. Correlated columns count once, and a row that breaks a correlation is
    far away.

    Parameters
    ----------
    rows, width
        Of the stored rows, (M, F).
    few
        Whether the distance goes to the 5th nearest row instead.
    directions
        As in `Whitening`.

    Shapes
    ------
    Input: (B, F), scaled as `StoredRows.scaled` does. Output: (B, 2), higher is farther.
    """

    stored: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, rows: int, width: int, *, few: bool = False, directions: int | None = None) -> None:
        super().__init__(width, directions)
        self.few = few
        self.register_buffer("stored", torch.zeros(rows, width))
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("deviation", torch.ones(2))

    def learn(self, rows: Tensor, share: float) -> None:
        """Learn from normal rows (M, F); the densest `share` of them defines the distribution."""
        super().learn(rows, share)
        self.stored = self.white(rows)
        raw = self._logarithms(self.stored, leave_out_itself=True)
        self.mean, self.deviation = raw.mean(0), raw.std(0, correction=0).clamp(min=1e-3)

    def forward(self, rows: Tensor) -> Tensor:
        """Measure rows."""
        return (self._logarithms(self.white(rows), leave_out_itself=False) - self.mean) / self.deviation

    def _logarithms(self, white: Tensor, *, leave_out_itself: bool) -> Tensor:
        neighbours = [NEAR_NEIGHBOUR if self.few else NEIGHBOUR]
        distances = neighbour_distances(white, self.stored, neighbours, leave_out_itself=leave_out_itself)
        squares = white.square().sum(1, keepdim=True)
        return torch.cat([(squares + LEAST_VARIANCE).log() / 2, (distances + NEAREST).log()], dim=1)


def show_directions(rows: int, width: int, share: float) -> bool:
    """Whether the densest share of so many rows shows the directions of so many columns."""
    return rows * share >= width


def _nearest(squares: Tensor, share: float) -> Tensor:
    """Whether a row is among the share with the smallest squares; equal rows stay together."""
    last = squares.sort().values[int(share * (len(squares) - 1))]
    return squares <= last * (1 + ROUNDING)


def _distribution(rows: Tensor, varies: Tensor, *, directed: bool) -> tuple[Tensor, Tensor]:
    """The centre (F,) of rows, and the matrix (F, F) that scales all directions but fixed columns to variance 1.

    If columns count on their own, the matrix (1, F) leaves out the fixed ones.
    """
    exact = rows.double()
    centre = exact.mean(0)
    if not directed:
        return centre.to(rows.dtype), varies[None].to(rows.dtype)
    covariance = torch.cov(exact.T, correction=0).reshape(len(centre), len(centre))
    variances, directions = torch.linalg.eigh(covariance)
    whitening = directions / (variances.clamp(min=0) + LEAST_VARIANCE).sqrt()
    return centre.to(rows.dtype), (whitening * varies[:, None]).to(rows.dtype)
