"""Rows of tables, or images, as commands pass them on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Part:
    """Some rows: `X` (B, ...) as detectors take it, which of them are usable (B,), and ids or row numbers (B,)."""

    X: Any
    usable: Bools
    ids: pa.ChunkedArray
    first_row: int


def row_numbers(first_row: int, count: int) -> pa.ChunkedArray:
    """Number rows from the first of them.

    >>> row_numbers(5, 2).to_pylist()
    [5, 6]
    """
    return pa.chunked_array([first_row + np.arange(count, dtype=np.int64)])
