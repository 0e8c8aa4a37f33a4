"""A column of any library and type as a NumPy array of numbers, one plain Arrow array, or an object array.

Chunks are joined. Forms that only save memory (runs, views, dictionaries of dates) are undone, so that equal
values are read as equal bits. A dictionary of text or numbers stays a dictionary: its values are categories.
"""

import datetime
from contextlib import suppress
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alarmnet.errors import InputError, InputTypeError

TRUTHS = {"false": "0", "true": "1"}
"""Booleans in text, in any case, and their values in a column that was learned from booleans."""

Rows = NDArray[np.intp]

_UNITS = {"ms": "ms", "generic": "us", "us": "us", "ns": "ns", "ps": "ns", "fs": "ns", "as": "ns"}
"""Units of NumPy's times to Arrow's; those not named become seconds."""


def is_text_type(kind: pa.DataType) -> bool:
    """Whether a type is one of Arrow's for text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_number_type(kind: pa.DataType) -> bool:
    """Whether a type is of integers, floats or booleans."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def is_date_type(kind: pa.DataType) -> bool:
    """Whether a type is of dates, with or without a time of day."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def truths_as_numbers(texts: Any) -> Any:
    """Text with the words true and false, in any case, written as 1 and 0."""
    words = pc.utf8_lower(pc.utf8_trim_whitespace(texts))
    for word, number in TRUTHS.items():
        texts = pc.if_else(pc.equal(words, word), pa.scalar(number, texts.type), texts)
    return texts


def read_column(raw: Any, rows: Rows | None, *, label: str) -> Any:
    """The named rows (all, if None) of what a table gave as a column.

    Raises
    ------
    InputTypeError
        For a column that nothing can be made of.
    """
    try:
        return _canonical(raw if rows is None else _taken(raw, rows))
    except InputError:
        raise
    except Exception as error:  # libraries raise any kind of error
        kind = getattr(raw.to_native() if isinstance(raw, nw.Series) else raw, "dtype", type(raw).__name__)
        raise wrong_type(f"Column {label!r} holds {kind}, which cannot be read ({error}).", label) from error


def categories_in_order(raw: Any) -> tuple[Any, ...]:
    """The categories of a column of an ordered type, in their order; of other columns none.

    Ordered types are an ordered `Categorical` of pandas, an `Enum` of polars, and an ordered dictionary of Arrow,
    if all chunks have the same dictionary.
    """
    if isinstance(raw, nw.Series):
        if isinstance(raw.dtype, nw.Enum):
            return tuple(raw.dtype.categories)
        raw = raw.to_native()
    kind = getattr(raw, "type", None)
    if not isinstance(kind, pa.DictionaryType) or not kind.ordered:
        return ()
    chunks = raw.chunks if isinstance(raw, pa.ChunkedArray) else [raw]
    orders = {tuple(chunk.dictionary.to_pylist()) for chunk in chunks} - {()}
    return orders.pop() if len(orders) == 1 else ()


def wrong_type(fault: str, label: str) -> InputTypeError:
    """Make the error for a column of a type that is not read."""
    return InputTypeError(
        f"{fault} Pass numbers, text, dates or durations, or drop the column.",
        code="wrong_type",
        column=label,
    )


def _taken(raw: Any, rows: Rows) -> Any:
    try:
        return raw.take(pa.array(rows)) if isinstance(raw, pa.Array | pa.ChunkedArray) else raw[rows]
    except pa.ArrowNotImplementedError:  # pyarrow cannot pick rows from runs
        return _canonical(raw).take(pa.array(rows))


def _canonical(raw: Any) -> Any:
    native = raw.to_native() if isinstance(raw, nw.Series) else raw
    if isinstance(native, pa.Array | pa.ChunkedArray):
        return plain(native)
    if isinstance(raw, nw.Series):
        return _from_series(raw)
    kind = raw.dtype.kind
    if kind in "biufc":
        return raw
    if kind in "mM":
        return pa.array(raw.astype(f"{kind}8[{_UNITS.get(np.datetime_data(raw.dtype)[0], 's')}]"))
    return _from_objects((raw.astype(str) if kind == "S" else raw).astype(object))


def _from_series(series: nw.Series[Any]) -> Any:
    native = series.to_native()
    dtype = getattr(native, "dtype", None)
    if isinstance(dtype, np.dtype):
        return _canonical(native.to_numpy())
    if str(dtype).startswith("Sparse"):
        raise InputTypeError(
            f"Column {series.name!r} is sparse, but dense data is required: use .sparse.to_dense().",
            code="sparse",
            column=str(series.name),
        )
    if str(dtype) != "Object":  # polars would give Arrow the addresses of objects
        with suppress(pa.ArrowException):
            return plain(series.to_arrow())
    return _from_objects(np.array([*series.to_list(), None], dtype=object)[:-1])


def _from_objects(cells: NDArray[Any]) -> Any:
    if any(map(_is_coarse_duration, cells)):
        finer = [cell.to_pytimedelta() if _is_coarse_duration(cell) else cell for cell in cells]
        cells = np.array([*finer, None], dtype=object)[:-1]
    try:
        return plain(pa.array(cells, from_pandas=True))
    except (pa.ArrowException, OverflowError, TypeError, UnicodeEncodeError):
        return cells


def _is_coarse_duration(cell: Any) -> bool:
    """Whether a cell is a pandas Timedelta in seconds to microseconds, which pyarrow 21 and older read as 0."""
    return isinstance(cell, datetime.timedelta) and getattr(cell, "unit", "ns") != "ns"


def decoded(column: Any) -> pa.Array:
    """An Arrow array in one piece of a plain type; a dictionary becomes its values."""
    column = plain(column)
    return column.dictionary.take(column.indices) if pa.types.is_dictionary(column.type) else column


def plain(column: Any) -> pa.Array:
    """An Arrow array in one piece, of a plain type or a dictionary of one."""
    if isinstance(column, pa.ChunkedArray):
        return _joined(column)
    kind = column.type
    if pa.types.is_string_view(kind):
        return column.cast(pa.large_string())
    if pa.types.is_time(kind):
        return column.cast(pa.string())  # text in a form that the time reader knows
    if pa.types.is_run_end_encoded(kind):
        places = np.arange(column.offset, column.offset + len(column))
        runs = np.searchsorted(column.run_ends.to_numpy(), places, side="right")
        return plain(column.values).take(pa.array(runs))
    if pa.types.is_dictionary(kind):
        values = decoded(column.dictionary)
        is_time = pa.types.is_time(kind.value_type)
        return values.take(column.indices) if is_time else _as_categories(column.indices, values)
    name = getattr(kind, "extension_name", None)
    if name == "arrow.bool8":
        return column.storage.cast(pa.bool_())
    return plain(column.storage) if name == "arrow.json" else column


def _joined(chunks: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_string(chunks.type) and chunks.num_chunks > 1:
        chunks = chunks.cast(pa.large_string())  # joined, they may exceed the offsets of string
    pieces = chunks.chunks or [pa.nulls(0, chunks.type)]
    if len(pieces) == 1:
        return plain(pieces[0])
    if pa.types.is_dictionary(chunks.type):  # each chunk may have its own dictionary
        values = pa.concat_arrays([decoded(piece) for piece in pieces])
        if pa.types.is_time(chunks.type.value_type):
            return values
        return _as_categories(pa.array(np.arange(len(values))), values)
    return pa.concat_arrays([plain(piece) for piece in pieces])


def _as_categories(indices: pa.Array, values: pa.Array) -> pa.Array:
    """A dictionary if its values can be categories; otherwise, such as for dates, the plain values."""
    kind = values.type
    categories = (
        is_text_type(kind) or is_number_type(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind)
    )
    return pa.DictionaryArray.from_arrays(indices, values) if categories else values.take(indices)
