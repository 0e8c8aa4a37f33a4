"""The rows most like a row: columns compared by rank, so that a few odd columns do not decide."""

import numpy as np
import torch
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Index = NDArray[np.intp]


class Likeness:
    """How unlike rows are, in ranks among normal rows: each column counts between 0 and 1.

    Parameters
    ----------
    normal
        Encoded normal rows (N, F).
    places
        The column of each encoded number, (F,).
    """

    def __init__(self, normal: Matrix, places: Index) -> None:
        self._sorted = np.sort(normal, axis=0)
        # parts of one column, such as its categories, share its weight; two categories differ in two parts
        counts = np.bincount(places)[places]
        self._weights = np.where(counts > 1, 0.5, 1.0)

    def ranks(self, rows: Matrix) -> Matrix:
        """Rows (B, F) as weighted ranks (B, F), between 0 and 1."""
        ranks = np.empty(rows.shape, dtype=np.float32)
        for feature, usual in enumerate(self._sorted.T):
            values = rows[:, feature]
            below = np.searchsorted(usual, values, side="left")
            ranks[:, feature] = (below + np.searchsorted(usual, values, side="right")) / (2 * len(usual))
            if self._weights[feature] < 1:
                ranks[:, feature] = values
        return ranks * self._weights.astype(np.float32)

    @staticmethod
    def nearest(ranks: Matrix, others: Matrix, count: int) -> Index:
        """The `count` rows most like each row (B, count), by the ranks of both; a few rows repeat."""
        distances = torch.cdist(torch.from_numpy(ranks), torch.from_numpy(others), p=1.0).numpy()
        found = np.argsort(distances, axis=1, kind="stable")[:, :count]
        return np.pad(found, [(0, 0), (0, count - found.shape[1])], mode="wrap")


def representative(ranks: Matrix, count: int) -> Index:
    """The numbers of so many rows (count,) that together have the most usual values in every column.

    Each row is the one that brings the energy distance between the rows chosen so far and all rows (N, F) lowest:
    herding (Welling, 2009). Few rows repeat.

    >>> representative(np.arange(5, dtype=np.float32)[:, None], 3)
    array([2, 1, 4])
    """
    rows = torch.from_numpy(ranks)
    apart = torch.cdist(rows, rows, p=1.0).numpy().astype(np.float64)
    usual, to_chosen = apart.mean(axis=1), np.zeros(len(apart))
    chosen: list[int] = []
    for place in range(count):
        unlike = usual - to_chosen / (place + 1)
        unlike[chosen[: len(apart) - 1]] = np.inf
        chosen.append(int(unlike.argmin()))
        to_chosen += apart[chosen[-1]]
    return np.array(chosen, dtype=np.intp)
