"""Rows of tables, cut and joined into batches of one size."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Batch:
    """Some rows of table files.

    Attributes
    ----------
    table
        The rows.
    first_row
        The number of the first of them, counted from 0 over all files.
    bad_rows
        Shape (rows,), bool: True where a number or datetime column held a cell that is neither. Such a cell
        is null in ``table``.
    """

    table: pa.Table
    first_row: int
    bad_rows: np.ndarray


def rebatched(parts: Iterable[tuple[pa.Table, np.ndarray]], *, rows: int) -> Iterator[Batch]:
    """Cut or join tables and their bad rows into batches of ``rows`` rows, the last aside; there is always one."""
    tables: list[pa.Table] = []
    masks: list[np.ndarray] = []
    first_row = held = 0
    for table, mask in parts:
        tables.append(table)
        masks.append(mask)
        held += len(table)
        if held < rows:
            continue
        joined, bad_rows = pa.concat_tables(tables), np.concatenate(masks)
        for start in range(0, held - rows + 1, rows):
            yield Batch(joined.slice(start, rows), first_row, bad_rows[start : start + rows])
            first_row += rows
        left = held % rows
        tables, masks, held = [joined.slice(held - left)], [bad_rows[held - left :].copy()], left
    if held or first_row == 0:
        yield Batch(pa.concat_tables(tables), first_row, np.concatenate(masks))
