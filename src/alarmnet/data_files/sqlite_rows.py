"""Rows of SQLite as Arrow batches. A column of SQLite may hold values of several types."""

import sqlite3
from collections.abc import Iterator, Sequence
from tempfile import TemporaryFile
from types import NoneType
from typing import Any

import pyarrow as pa

_RANKS = {NoneType: 0, int: 1, float: 2, str: 3, bytes: 4}
_TYPES = (pa.int64(), pa.int64(), pa.float64(), pa.string(), pa.binary())
"""By rank: a column has the type of its highest value, which every lower value can be written as."""

_ROWS_AT_ONCE = 1 << 12


def _raised(value: Any, rank: int) -> Any:
    """Give a value in the type of a rank; numbers among text keep every digit."""
    if value is None or _RANKS[type(value)] == rank:
        return value
    if rank == _RANKS[float]:
        return float(value)
    text = value if isinstance(value, str) else repr(value).removesuffix(".0")
    return text if rank == _RANKS[str] else text.encode()


def _column(values: Sequence[Any], rank: int) -> pa.Array:
    """Cells of a column in the type of a rank."""
    of_one_type = _kinds(values) <= {rank}
    return pa.array(values if of_one_type else [_raised(value, rank) for value in values], _TYPES[rank])


def _kinds(values: Sequence[Any]) -> set[int]:
    """Give the ranks of the values that are there."""
    return {_RANKS[kind] for kind in set(map(type, values))} - {0}


def batches_of(cursor: sqlite3.Cursor) -> Iterator[pa.RecordBatch]:
    """Give the rows of a query in batches of the same columns.

    All rows are read, into a temporary file, before the types of the columns are known.
    """
    names = [column[0] for column in cursor.description or ()]
    ranks, count = [0] * len(names), 0
    with TemporaryFile() as spool:
        while rows := cursor.fetchmany(_ROWS_AT_ONCE):
            columns = [*zip(*rows, strict=True)]
            found = [max(_kinds(column), default=0) for column in columns]
            batch = pa.record_batch([*map(_column, columns, found)], names=names)
            with pa.ipc.new_stream(spool, batch.schema) as stream:
                stream.write_batch(batch)
            ranks, count = [*map(max, ranks, found)], count + 1
        spool.seek(0)
        for _ in range(count):
            for batch in pa.ipc.open_stream(spool):
                columns = [
                    column if column.type == _TYPES[rank] else _column(column.to_pylist(), rank)
                    for column, rank in zip(batch.columns, ranks, strict=True)
                ]
                yield pa.record_batch(columns, names=names)
