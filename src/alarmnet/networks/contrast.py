"""Contrast: how near rows are to known anomalies, compared with normal rows."""

import torch
from torch import Tensor, nn

from alarmnet._shared.evenly import evenly
from alarmnet.networks.nearness import NEAREST, neighbour_distances

OF_KNOWN, OF_NORMAL = (1, 3, 5), (1, 5)
"""The neighbours that are measured, counted from 1."""

MOST_KNOWN, MOST_NORMAL = 2_000, 500
"""The most known anomalies and normal rows that rows are compared with."""

FEWEST = 10
"""The default score needs so many known anomalies: among fewer, the 5th nearest is nearly the farthest."""

COMPARED = ((0, 0), (0, 1), (1, 1), (2, 1))
"""Which distance to known anomalies is compared with which distance to normal rows."""

MEASURES = len(OF_KNOWN) + len(COMPARED)


class Contrast(nn.Module):
    """Measures of likeness to known anomalies, for trees to ask about.

    These are the logarithms of the distances to the nearest, the 3rd and the 5th nearest known anomaly, and how
    much longer some of them are than those to the nearest and the 5th nearest normal row. Distances are between
    encoded rows as they are. The measures help where anomalies are local: in small regions of their own.

    Parameters
    ----------
    known, normal
        Encoded rows to compare with, (K, F) and (M, F).

    Shapes
    ------
    Input: (B, F). Output: (B, `MEASURES`).

    Examples
    --------
    >>> contrast = Contrast(torch.tensor([[1.0], [1.1]]), torch.tensor([[0.0], [0.2], [0.3]]))
    >>> contrast(torch.tensor([[1.05], [0.1]]))[:, 3] < 0  # nearer to known anomalies than to normal rows
    tensor([ True, False])
    """

    known: Tensor
    normal: Tensor

    def __init__(self, known: Tensor, normal: Tensor) -> None:
        super().__init__()
        self.register_buffer("known", known[evenly(len(known), MOST_KNOWN)])
        self.register_buffer("normal", torch.empty(0), persistent=False)
        self.compare(normal)

    def compare(self, normal: Tensor) -> None:
        """Compare with these normal rows (M, F); a model file holds them elsewhere."""
        self.normal = normal[evenly(len(normal), MOST_NORMAL)]

    def forward(self, rows: Tensor) -> Tensor:
        """Measure rows."""
        return _measures(_near(rows, self.known, OF_KNOWN), _near(rows, self.normal, OF_NORMAL))

    def own(self, rows: Tensor, *, known: bool) -> Tensor:
        """Measure all known anomalies, or all normal rows, in their order: none is compared with itself."""
        others, neighbours, most = (
            (self.known, OF_KNOWN, MOST_KNOWN) if known else (self.normal, OF_NORMAL, MOST_NORMAL)
        )
        near = _near(rows, others, neighbours)
        kept = evenly(len(rows), most)
        near[kept] = _near(rows[kept], others, neighbours, leave_out_itself=True)
        if known:
            return _measures(near, _near(rows, self.normal, OF_NORMAL))
        return _measures(_near(rows, self.known, OF_KNOWN), near)


def _near(
    rows: Tensor, others: Tensor, neighbours: tuple[int, ...], *, leave_out_itself: bool = False
) -> Tensor:
    """Log distances (B, n) to neighbours among others, as `neighbour_distances` leaves out a row itself."""
    places = [max(1, min(place, len(others) - 1)) for place in neighbours]
    return (neighbour_distances(rows, others, places, leave_out_itself=leave_out_itself) + NEAREST).log()


def _measures(known: Tensor, normal: Tensor) -> Tensor:
    return torch.cat([known, *(known[:, [k]] - normal[:, [n]] for k, n in COMPARED)], dim=1)
