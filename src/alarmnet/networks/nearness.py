"""Nearness: distances to stored normal rows, and the target's errors."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

NEIGHBOURS, FEW_NEIGHBOURS = (5, 50), (1, 5)
"""The neighbours that are measured: few find local anomalies, many are robust to a few anomalies among the rows."""

MOST_STORED = 2_000
"""The most normal rows that a model keeps."""

NEAREST = 1e-3
"""Added to distances before taking the logarithm, because equal rows have the distance 0."""

MANY = 16
"""From so many neighbours on, NumPy finds them faster than PyTorch."""


class StoredRows(nn.Module):
    """Normal rows, and the usual values of measures of the distance from them.

    Distances are between inputs in standard deviations of normal rows; inputs with only two values are not scaled.

    Parameters
    ----------
    rows, width
        Of the stored rows, (M, F).
    neighbours
        The neighbours whose distance is measured, counted from 1.
    measures
        How many measures there are.

    Attributes
    ----------
    extreme
        A strangeness that hardly any normal row exceeds; with known anomalies.
    """

    stored: Tensor
    centre: Tensor
    scale: Tensor
    mean: Tensor
    deviation: Tensor
    extreme: Tensor

    def __init__(self, rows: int, width: int, neighbours: tuple[int, ...], measures: int) -> None:
        super().__init__()
        self.neighbours = neighbours
        self.register_buffer("stored", torch.zeros(rows, width))
        self.register_buffer("centre", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        self.register_buffer("mean", torch.zeros(measures))
        self.register_buffer("deviation", torch.ones(measures))
        self.register_buffer("extreme", torch.zeros(()))

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows (B, F) on the scale of `stored`."""
        return (rows - self.centre) * self.scale

    @property
    def as_they_were(self) -> Tensor:
        """The stored rows before scaling, (M, F)."""
        return self.stored / self.scale + self.centre

    def distances(self, rows: Tensor) -> Tensor:
        """Distances (B, n) of rows (B, F) to the neighbours."""
        return neighbour_distances(self.scaled(rows), self.stored, self.neighbours, leave_out_itself=False)

    def own_distances(self) -> Tensor:
        """Distances (M, n) of the stored rows to the neighbours; no row is its own neighbour."""
        return neighbour_distances(self.stored, self.stored, self.neighbours, leave_out_itself=True)

    def _store(self, rows: Tensor) -> None:
        """Store normal rows (M, F)."""
        two_values = ((rows == rows.amin(0)) | (rows == rows.amax(0))).all(0)
        spread = rows.std(0, correction=0)
        self.scale = torch.where(two_values | (spread < 1e-6), 1, 1 / spread.clamp(min=1e-6))
        self.centre = rows.mean(0)  # so that squares of distances are not differences of large numbers
        self.stored = self.scaled(rows)

    def _learn_usual(self, raw: Tensor) -> None:
        """Learn the usual values of the measures (M, n) of stored rows."""
        self.mean, self.deviation = raw.mean(0), raw.std(0, correction=0).clamp(min=1e-3)


class Nearness(StoredRows):
    """Three measures of a row's distance from the normal rows.

    These are the logarithms of the distances to the 5th and the 50th nearest stored normal row, and of the target's
    error, each in standard deviations above the mean of normal rows.

    Parameters
    ----------
    rows, width
        Of the stored rows, (M, F).
    few
        Whether distances go to the nearest and the 5th nearest row instead.
    """

    def __init__(self, rows: int, width: int, *, few: bool = False) -> None:
        super().__init__(rows, width, FEW_NEIGHBOURS if few else NEIGHBOURS, len(NEIGHBOURS) + 1)
        self.few = few
        if few:  # this name in a model file says so
            self.register_buffer("few_neighbours", torch.ones(()))

    def learn(self, stored: Tensor, losses: Tensor) -> None:
        """Store normal rows (M, F), and learn the usual values of the measures; `losses` are the rows' (M,)."""
        self._store(stored)
        self._learn_usual(_with_losses(self.own_distances(), losses))

    def measured(self, distances: Tensor, losses: Tensor) -> Tensor:
        """The three measures from distances (B, 2) to the neighbours and the target's losses (B,)."""
        return (_with_losses(distances, losses) - self.mean) / self.deviation


class Neighbours(StoredRows):
    """The logarithms of the distances to the nearest, the 5th and the 50th nearest stored normal row.

    Each is in standard deviations above the mean of normal rows.

    Parameters
    ----------
    rows, width
        Of the stored rows, (M, F).
    """

    def __init__(self, rows: int, width: int) -> None:
        super().__init__(rows, width, (1, *NEIGHBOURS), 1 + len(NEIGHBOURS))

    def learn(self, stored: Tensor) -> None:
        """Store normal rows (M, F), and learn the usual values of the distances."""
        self._store(stored)
        self._learn_usual(_logarithms(self.own_distances()))

    def measured(self, distances: Tensor) -> Tensor:
        """The three measures from distances (B, 3)."""
        return (_logarithms(distances) - self.mean) / self.deviation


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
    chosen = _smallest(near, places)
    return torch.stack(
        [torch.linalg.vector_norm(rows - stored[neighbour], dim=1) for neighbour in chosen.T], dim=1
    )


def _smallest(values: Tensor, places: Sequence[int]) -> Tensor:
    """Where (B, n) the values (B, M) are that stand at these places if each row is sorted.

    On the CPU, NumPy finds a far one faster than PyTorch. Of equal values, the first comes first there.
    """
    most = max(places) + 1
    if values.device.type != "cpu" or values.dtype != torch.float32 or most < MANY:
        return values.topk(most, dim=1, largest=False).indices[:, places]
    numbers = values.numpy(force=True)
    least = np.sort(np.partition(numbers, most - 1, axis=1)[:, :most], axis=1)
    found = np.empty((len(numbers), len(places)), dtype=np.int64)
    for at, place in enumerate(places):
        wanted = least[:, place, None]
        equal, earlier = numbers == wanted, (least[:, :place] == wanted).sum(axis=1)
        found[:, at] = equal.argmax(axis=1)
        for row in np.flatnonzero(earlier):
            found[row, at] = np.flatnonzero(equal[row])[earlier[row]]
    return torch.from_numpy(found)


def _logarithms(distances: Tensor) -> Tensor:
    return (distances + NEAREST).log()


def _with_losses(distances: Tensor, losses: Tensor) -> Tensor:
    return torch.cat([_logarithms(distances), losses.clamp(min=1e-9).log()[:, None]], dim=1)
