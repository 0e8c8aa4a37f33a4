"""Plain numbers of a few rows, encoded for all columns at once.

For a single row, the calls for each column take longer than the computing.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.containers import is_number_type
from alarmnet._shared.validation import EXACT_INTEGER_LIMIT
from alarmnet.preprocessing.cells import Float32s
from alarmnet.preprocessing.columns import Column, NumberColumn
from alarmnet.preprocessing.frames import Frame
from alarmnet.preprocessing.scales import LinearScale, linearly

FEW = 64
"""The most rows encoded this way: with more, the calls for a column pay off, and a copy of all numbers is large."""


def _plain(column: Any) -> NDArray[Any] | None:
    """A column (as `Frame.column` gives it) as NumPy's numbers, None if it holds anything else."""
    if isinstance(column, np.ndarray):
        return column if column.dtype.kind in "iuf" and column.dtype.itemsize <= 8 else None
    if is_number_type(column.type) and not pa.types.is_boolean(column.type):
        return np.asarray(column.to_numpy(zero_copy_only=False))
    return None


class NumberBlock:
    """The columns of numbers on a linear scale: what each learned, as one array a value.

    Parameters
    ----------
    columns
        The place of each column in the table, what it learned, and the first of its output columns.
    """

    def __init__(self, columns: Iterable[tuple[int, Column, int]]) -> None:
        chosen = [
            (place, column, column.scale, start)
            for place, column, start in columns
            if isinstance(column, NumberColumn)
            and isinstance(column.scale, LinearScale)
            and column.kind == "number"
            and not (column.form or column.boolean)
        ]
        self._places = [place for place, _, _, _ in chosen]
        self._starts = np.array([start for _, _, _, start in chosen], dtype=np.intp)
        self._indicated = np.array([column.missing for _, column, _, _ in chosen], dtype=bool)
        learned = [(column.median, scale.shift, scale.scale) for _, column, scale, _ in chosen]
        self._learned = np.array(learned, dtype=np.float64).reshape(-1, 3)

    def write(self, frame: Frame, output: Float32s) -> frozenset[int]:
        """Encode into ``output`` (N, F), which holds zeros, to the bits of `NumberColumn.write`.

        Returns
        -------
        The places of the encoded columns. None is encoded where a number may have to be refused or warned of.
        """
        read = [_plain(frame.column(place)) for place in self._places]
        held = np.array([numbers is not None for numbers in read], dtype=bool)
        values = np.array([numbers for numbers in read if numbers is not None], dtype=np.float64)
        with np.errstate(invalid="ignore"):
            if not len(values) or (np.abs(values) >= EXACT_INTEGER_LIMIT).any():
                return frozenset()
        median, shift, scale = self._learned[held].T[:, :, None]
        missing = np.isnan(values)
        starts, indicated = self._starts[held], self._indicated[held]
        # -0.0 + 0.0 is 0.0, as when a column is read alone
        output[:, starts] = linearly(np.where(missing, median, values + 0.0), shift, scale).T
        output[:, starts[indicated] + 1] = missing[indicated].T
        return frozenset(place for place, is_held in zip(self._places, held, strict=True) if is_held)
