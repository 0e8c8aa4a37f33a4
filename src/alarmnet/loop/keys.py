"""The key of a row in a store of answers: its id, or a digest of its cells, the same for every container."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.containers import TRUTHS, decoded, is_date_type, is_number_type, is_text_type
from alarmnet._shared.missing_words import MISSING_WORDS
from alarmnet._shared.phrases import quoted
from alarmnet.errors import InputError
from alarmnet.loop.answers import MOST_BYTES, is_storable
from alarmnet.preprocessing.cells import value_of
from alarmnet.preprocessing.frames import as_array, read_frame

Bytes = NDArray[np.uint8]

SIZE = 16
"""Bytes of a digest, and of each cell that is digested. A missing cell is zeros."""

_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)


def row_digests(X: Any) -> list[str]:
    """Give a digest of each row of a table, whatever holds it, or of each image.

    Columns count by their names, in any order (without names x0, x1, ...); numbers by their value in double
    precision; true and false, in any case, as 1 and 0; times in UTC to the microsecond; anything else by its text.
    What is missing is the same in every column. Rows with the same cells have the same digest.

    Parameters
    ----------
    X
        A frame, a 2-D array, or images (N, H, W) or (N, C, H, W).

    Examples
    --------
    >>> of_arrow = row_digests(pa.table({"amount": [1, None], "kind": ["a", "b"]}))
    >>> of_array = row_digests(pa.table({"kind": ["a", "b"], "amount": [1.0, np.nan]}))
    >>> of_arrow == of_array, len(of_arrow[0])
    (True, 32)
    """
    if getattr(X, "ndim", 2) > 2:
        return [_digest(np.ascontiguousarray(image).tobytes()).hex() for image in as_array(X)]
    frame = read_frame(X)
    order = sorted(range(len(frame.raw)), key=frame.label)
    head = _digest("\0".join(frame.label(index) for index in order).encode(errors="surrogatepass"))
    cells = np.zeros((frame.rows, len(order), SIZE), dtype=np.uint8)
    for place, index in enumerate(order):
        cells[:, place] = _column(frame.column(index))
    return [_digest(head + row.tobytes()).hex() for row in cells]


def numbered(digests: Iterable[str]) -> list[str]:
    """Give digests that differ: the second of equal rows is called ``DIGEST#2``, and so on.

    >>> numbered(["a", "b", "a"])
    ['a', 'b', 'a#2']
    """
    seen: Counter[str] = Counter()
    keys = []
    for digest in digests:
        seen[digest] += 1
        keys.append(digest if seen[digest] == 1 else f"{digest}#{seen[digest]}")
    return keys


def digest_of(key: str) -> str:
    """Give the digest of a key that `numbered` gave.

    >>> digest_of("a#2")
    'a'
    """
    return key.partition("#")[0]


def keys_from_ids(ids: Iterable[Any]) -> list[str]:
    """Give the keys of rows from their ids; a whole number is the same as an integer, as a float and as text.

    Raises
    ------
    InputError
        An id is missing, or two rows have the same one.

    Examples
    --------
    >>> keys_from_ids([17.0, "payment 3"])
    ['17', 'payment 3']
    """
    keys = [id_key(value) for value in ids]
    again = [key for key, count in Counter(keys).items() if count > 1 or not key]
    if again:
        count = keys.count(again[0])
        fault = f"{quoted(again[:1])} names {count:,} rows" if again[0] else f"{count:,} rows have none"
        raise InputError(
            f"ids have to differ and none may be missing, but {fault}; leave the id column out, or name another.",
            code="row_ids",
        )
    return keys


def id_key(value: Any) -> str:
    """Give the key of one id: its text, or a digest of it where no database can hold it; "" is a missing id."""
    value = value_of(value)
    if value is None or value != value:
        return ""
    whole = isinstance(value, float | np.floating) and float(value).is_integer()
    text = str(int(value) if whole else value)
    return text if is_storable(text, MOST_BYTES) else _digest(text.encode(errors="surrogatepass")).hex()


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=SIZE).digest()


def _column(column: Any) -> Bytes:
    """A column as bytes (N, SIZE)."""
    if isinstance(column, np.ndarray) and column.dtype.kind != "O":
        return _numbers(column.astype(np.float64))
    if isinstance(column, np.ndarray):
        return _stacked([_cell(cell) for cell in column])
    column = decoded(column)
    kind = column.type
    if pa.types.is_null(kind):
        return np.zeros((len(column), SIZE), dtype=np.uint8)
    if pa.types.is_boolean(kind):
        column = column.cast(pa.int8())
    if is_number_type(kind) or pa.types.is_decimal(kind):
        return _numbers(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if is_date_type(kind) or pa.types.is_duration(kind):
        return _times(column)
    if pa.types.is_nested(kind) or pa.types.is_binary(kind):
        return _stacked([_cell(str(value_of(cell))) for cell in column])
    encoded = column.dictionary_encode()
    table = _stacked([*(_cell(value_of(cell)) for cell in encoded.dictionary), bytes(SIZE)])
    places: NDArray[np.int32] = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
    return table[places]


def _stacked(cells: Sequence[bytes]) -> Bytes:
    return np.frombuffer(b"".join(cells), np.uint8).reshape(-1, SIZE)


def _eight_bytes(values: NDArray[Any], missing: NDArray[np.bool_], mark: bytes) -> Bytes:
    """Values of eight bytes (N,), each with a mark for its type, as bytes (N, SIZE)."""
    cells = np.zeros((len(values), SIZE), dtype=np.uint8)
    cells[:, :8] = (
        np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).view(np.uint8).reshape(-1, 8)
    )
    cells[:, 8] = mark[0]
    cells[missing] = 0
    return cells


def _numbers(values: NDArray[np.float64]) -> Bytes:
    return _eight_bytes(values + 0.0, np.isnan(values), b"n")  # -0.0 is 0.0


def _times(column: pa.Array) -> Bytes:
    duration = pa.types.is_duration(column.type)
    kind = pa.duration("us") if duration else pa.timestamp("us", tz=getattr(column.type, "tz", None))
    steps = column.cast(kind, safe=False).cast(pa.int64())
    missing = steps.is_null().to_numpy(zero_copy_only=False)
    return _eight_bytes(steps.fill_null(0).to_numpy(), missing, b"d" if duration else b"t")


def _cell(cell: Any) -> bytes:
    """One cell, as it would be in a column of its own type."""
    if not isinstance(cell, str):
        with suppress(pa.ArrowException, OverflowError):
            column = pa.array([cell], from_pandas=True)
            if not (is_text_type(column.type) or pa.types.is_nested(column.type)):
                return _column(column).tobytes()
        cell = str(cell)
    text = TRUTHS.get(cell.lower(), cell)
    if text in MISSING_WORDS:
        return bytes(SIZE)
    if _NUMBER.fullmatch(text):
        return _numbers(np.array([float(text)])).tobytes()
    return _digest(text.encode(errors="surrogatepass"))
