"""Rows of a table or an encoded matrix: picking them, drawing from them, recognising them."""

import math
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing

from alarmnet.preprocessing.frames import Frame, as_array

Index = NDArray[np.intp]
Keys = NDArray[np.uint64]


def indexable(X: Any) -> Any:
    """Something to take rows from; a tensor on a device comes to the host once."""
    if isinstance(X, pa.RecordBatch):
        return pa.Table.from_batches([X])
    if issparse(X):
        return X.tocsr()
    rows_can_be_taken = isinstance(X, Frame) or (hasattr(X, "__getitem__") and not hasattr(X, "detach"))
    return X if rows_can_be_taken else as_array(X)


def take(X: Any, rows: Index | slice) -> Any:
    """The named rows of a frame, array or list, in their order."""
    if isinstance(X, pa.Table) and isinstance(rows, slice):
        return X.slice(rows.start, rows.stop - rows.start)
    if isinstance(X, pa.Table | Frame):
        return X.take(rows)
    return _safe_indexing(X, rows)


def draw(pool: Index, count: int, generator: np.random.Generator) -> tuple[Index, Index]:
    """`count` rows drawn from the pool, and the rest, each in ascending order."""
    shuffled = generator.permutation(pool)
    return np.sort(shuffled[:count]), np.sort(shuffled[count:])


def row_keys(matrix: NDArray[np.float32]) -> Keys:
    """One hash a row, (N, ...) to (N,): equal rows have equal keys, wherever they stand."""
    words = np.ascontiguousarray(
        matrix.reshape(len(matrix), math.prod(matrix.shape[1:])), dtype=np.float32
    ).view(np.uint32)
    keys = np.full(len(words), 14695981039346656037, dtype=np.uint64)  # FNV-1a, word by word
    for column in range(words.shape[1]):
        keys = (keys ^ words[:, column]) * np.uint64(1099511628211)
        keys ^= keys >> np.uint64(29)
    return keys


def matched_once(keys: Keys, others: Keys) -> NDArray[np.bool_]:
    """Marks the rows that `others` holds too, each of `others` marking one row at most.

    >>> matched_once(np.array([5, 5, 7], np.uint64), np.array([5, 9], np.uint64))
    array([ True, False, False])
    """
    order = np.argsort(keys, kind="stable")
    ordered, wanted = keys[order], np.sort(others)
    occurrence = np.arange(len(keys)) - np.searchsorted(ordered, ordered, side="left")
    held = np.searchsorted(wanted, ordered, side="right") - np.searchsorted(wanted, ordered, side="left")
    marked = np.zeros(len(keys), dtype=bool)
    marked[order] = occurrence < held
    return marked
