"""How unusual each column of a row is, compared with normal rows: a report shows it next to a score."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from alarmnet.preprocessing.column_groups import ColumnGroups


class NormalProfile:
    """The held-out normal rows, as a measure of what is usual in each column.

    Parameters
    ----------
    normal
        Encoded normal rows (N, F).
    sources
        The input column each encoded column comes from, F names.

    Examples
    --------
    >>> profile = NormalProfile(np.array([[0.0], [0.1], [0.2]], np.float32), ["bytes"])
    >>> profile.deviations(np.array([[0.1], [5.0]], np.float32)).round(1)
    array([[0. ],
           [1.7]])
    """

    def __init__(self, normal: NDArray[np.float32], sources: Sequence[str]) -> None:
        groups = ColumnGroups.of(sources)
        self.names, self._places = [*groups.names], groups.places
        self._sorted = np.sort(normal, axis=0)

    def deviations(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Encoded rows (B, F) to one number an input column (B, columns): high is unusual.

        The number is -log10 of the share of normal rows that lie at least as far out, on either side; beyond
        every normal row it goes on growing with the distance. The highest of a column's encoded parts counts.
        """
        n = len(self._sorted)
        result = np.zeros((len(matrix), len(self.names)))
        for column, place in enumerate(self._places):
            usual, values = self._sorted[:, column], matrix[:, column].astype(np.float64)
            above = n - np.searchsorted(usual, values, side="left")
            below = np.searchsorted(usual, values, side="right")
            share = np.minimum(1.0, 2 * (np.minimum(above, below) + 1) / (n + 1))
            spread = max(float(usual[-1] - usual[0]), 1e-3)
            beyond = np.maximum(np.maximum(values - usual[-1], usual[0] - values), 0) / spread
            np.maximum(
                result[:, place], np.log1p(beyond) / np.log(10) - np.log10(share), out=result[:, place]
            )
        return result
