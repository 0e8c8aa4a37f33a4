"""Digests of rows: the same cells have the same digest, from a CSV file and from a Parquet file."""

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.containers import decoded, is_date_type, is_number_type
from alarmnet.preprocessing.cells import value_of

Bytes = NDArray[np.uint8]

SIZE = 16
"""Bytes of a digest."""


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=SIZE).digest()


def _numbers(values: NDArray[Any]) -> Bytes:
    """Numbers of eight bytes (N,) as bytes (N, 8)."""
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _column(cells: pa.Array) -> Bytes:
    """A column as bytes (N, width): numbers and times as they are, anything else as a digest of its text."""
    kind = cells.type
    if pa.types.is_boolean(kind):
        cells, kind = cells.cast(pa.int8()), pa.int8()
    if is_number_type(kind):
        numbers = cells.to_numpy(zero_copy_only=False).astype(np.float64) + 0.0
        return _numbers(np.where(np.isnan(numbers), np.nan, numbers))
    if is_date_type(kind):
        return _numbers(cells.to_numpy(zero_copy_only=False).astype("M8[us]").astype(np.int64))
    encoded = cells.dictionary_encode()
    texts = [_digest(str(value_of(cell)).encode(errors="surrogatepass")) for cell in encoded.dictionary]
    table = np.frombuffer(b"".join([*texts, bytes(SIZE)]), np.uint8).reshape(-1, SIZE)
    return np.asarray(table[encoded.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)])


def row_digests(X: Any) -> list[str]:
    """Give a digest for each row of an Arrow table, whatever the order of its columns, or for each image.

    >>> row_digests(pa.table({"a": [1.0, None], "b": ["x", "y"]}))[0]
    '...'
    >>> row_digests(pa.table({"b": ["x"], "a": [1]})) == row_digests(pa.table({"a": [1.0], "b": ["x"]}))
    True
    """
    if not isinstance(X, pa.Table):
        return [_digest(np.ascontiguousarray(image).tobytes()).hex() for image in X]
    names = sorted(X.column_names)
    head = _digest("\0".join(names).encode(errors="surrogatepass"))
    columns = [_column(decoded(X[name])) for name in names]
    rows: Iterable[Bytes] = np.concatenate(columns, axis=1) if len(X) else ()
    return [_digest(head + row.tobytes()).hex() for row in rows]
