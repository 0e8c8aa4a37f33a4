"""Any table (array, frame, list of lists) as columns, and any column as numbers or categories.

Every container is reduced to two forms, so that equal values are read as equal bits: numeric NumPy columns
stay as they are, everything else becomes Arrow. Only an object column that Arrow refuses, because it mixes
types, is read cell by cell.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples

from alarmnet._shared.containers import (
    TRUTHS,
    decoded,
    is_date_type,
    is_number_type,
    is_text_type,
    read_column,
    truths_as_numbers,
    wrong_type,
)
from alarmnet._shared.missing_words import is_missing_beside_numbers
from alarmnet._shared.validation import EXACT_INTEGER_LIMIT
from alarmnet.errors import InputError, InputTypeError

Kind = Literal["number", "duration", "datetime", "category"]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]

FLOAT32_LIMIT = float(np.finfo(np.float32).max)

_HELD = {
    "number": "numbers",
    "duration": "durations",
    "datetime": "dates and times",
    "category": "categories: text, or one type of number",
}


@dataclass(frozen=True)
class Cells:
    """One column as it was read.

    ``values`` (N,) are float64 with NaN where missing: numbers, seconds of a duration, or milliseconds since
    1970 in UTC. For categories they are codes into ``texts``, -1 where missing. ``unreadable`` (N,) marks the
    cells that are none of it.
    """

    values: NDArray[Any]
    unreadable: Bools
    texts: tuple[str, ...] = ()

    @property
    def missing(self) -> Bools:
        """Which cells are empty, (N,)."""
        empty = np.isnan(self.values) if self.values.dtype.kind == "f" else self.values < 0
        return empty & ~self.unreadable

    @property
    def infinite(self) -> Bools:
        """Which numbers are infinite, (N,)."""
        infinite: Bools = np.isinf(self.values)
        return infinite

    @property
    def too_large(self) -> Bools:
        """Which numbers are finite and do not fit float32, (N,)."""
        with np.errstate(invalid="ignore"):
            too_large: Bools = np.abs(self.values) > FLOAT32_LIMIT
        return too_large & ~self.infinite

    @property
    def invalid(self) -> Bools:
        """Cells that are refused: no number, infinite, or beyond float32."""
        return self.unreadable | self.infinite | self.too_large


class _Selected(Sequence[Any]):
    """Some of the columns, none of which is read before it is asked for."""

    def __init__(self, raw: Sequence[Any], indices: Sequence[int]) -> None:
        self._raw = raw
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        return self._raw[self._indices[index]]


@dataclass(frozen=True)
class Frame:
    """A table as columns: names (None where the input had none), what gives each column, and which rows of it."""

    names: tuple[str, ...] | None
    rows: int
    raw: Sequence[Any]
    taken: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return self.rows

    def label(self, index: int) -> str:
        """Give what messages and learned attributes call a column: its name, else x0, x1, ..."""
        return f"x{index}" if self.names is None else self.names[index]

    def column(self, index: int) -> Any:
        """One column: a NumPy array of numbers, an Arrow array, or an object array of mixed types."""
        column = read_column(self.raw[index], self.taken, label=self.label(index))
        if isinstance(column, np.ndarray) and column.dtype.kind == "c":
            raise InputTypeError(
                f"Complex data not supported: column {self.label(index)!r} is complex. "
                "Pass real and imaginary parts as two columns.",
                code="complex",
                column=self.label(index),
            )
        return column

    def whole(self, index: int) -> Any:
        """One column with the rows that were not taken too: how cells are written shows in all of them."""
        return replace(self, taken=None).column(index)

    @property
    def order(self) -> NDArray[np.intp] | None:
        """How to put the rows into the order that the table had; None where they are in it."""
        if self.taken is None or bool(np.all(self.taken[1:] >= self.taken[:-1])):
            return None
        return np.argsort(self.taken, kind="stable")

    def select(self, indices: Sequence[int]) -> "Frame":
        """Give the same rows with the columns at ``indices``, in that order."""
        names = None if self.names is None else tuple(self.names[index] for index in indices)
        return replace(self, names=names, raw=_Selected(self.raw, indices))

    def take(self, rows: NDArray[np.intp] | slice) -> "Frame":
        """Give the named rows, which are copied a column at a time, when it is read."""
        taken = (np.arange(self.rows) if self.taken is None else self.taken)[rows]
        return replace(self, rows=len(taken), taken=taken)


def read_frame(X: Any) -> Frame:
    """Any table as a `Frame`; cells are looked at only when a column is read."""
    if isinstance(X, Frame):
        return X
    if issparse(X):
        raise InputTypeError(
            f"Sparse data was passed ({type(X).__name__}), but dense data is required: use X.toarray().",
            code="sparse",
        )
    if isinstance(X, np.ma.MaskedArray):
        raise InputTypeError("X is a masked array; pass X.astype(float).filled(np.nan).", code="masked")
    if isinstance(X, pa.RecordBatch):
        X = pa.Table.from_batches([X])
    if isinstance(X, pa.RecordBatchReader):
        raise InputTypeError("X is a RecordBatchReader; pass X.read_all().", code="lazy")
    if nw.dependencies.is_into_dataframe(X):
        return _from_dataframe(X)
    if hasattr(X, "collect"):
        raise InputTypeError(f"X is lazy ({type(X).__name__}); pass X.collect().", code="lazy")
    return _from_array(X)


def _from_dataframe(X: Any) -> Frame:
    native_names = X.column_names if hasattr(X, "column_names") else X.columns
    if getattr(native_names, "nlevels", 1) > 1:
        raise InputError(
            f"X has MultiIndex columns of {native_names.nlevels} levels, but one name a column is expected: "
            "X.columns = ['_'.join(map(str, name)) for name in X.columns].",
            code="multi_index",
        )
    names = _string_names(list(native_names))
    frame = nw.from_native(X, eager_only=True)
    return Frame(names=names, rows=frame.shape[0], raw=list(frame.iter_columns()))


def _string_names(names: list[Any]) -> tuple[str, ...] | None:
    duplicates = [str(name) for name, count in Counter(names).items() if count > 1]
    if duplicates:
        raise InputError(
            f"Column names must be unique, but these occur more than once: {quoted(duplicates)}. "
            "Rename or drop them.",
            code="duplicate_columns",
            column=duplicates[0],
        )
    types = sorted({type(name).__qualname__ for name in names})
    if len(types) > 1 and "str" in types:
        raise InputTypeError(
            "Feature names are only supported if all input features have string names, but your input has "
            f"{types} as feature name / column name types. Convert them: X.columns = X.columns.astype(str).",
            code="mixed_names",
        )
    return tuple(names) if types == ["str"] else None


def quoted(names: Sequence[object], *, limit: int = 10) -> str:
    """Names for a sentence, the first ten of them.

    >>> quoted(["a", "b"])
    "'a', 'b'"
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more


def _from_array(X: Any) -> Frame:
    values = as_array(X)
    if values.ndim == 0 or values.dtype.names:
        kind = "NumPy array of structures" if values.dtype.names else type(X).__name__
        raise InputTypeError(
            f"Expected 2D array, got {values.ndim}D array instead: X is a {kind}. Pass a pandas, polars or pyarrow "
            "table, or a 2-D array.",
            code="not_2d",
        )
    if values.ndim != 2:
        raise InputError(
            f"Expected 2D array, got {values.ndim}D array instead (shape={values.shape}). Reshape your data "
            "either using array.reshape(-1, 1) if your data has a single feature or array.reshape(1, -1) if "
            "it contains a single sample.",
            code="not_2d",
        )
    return Frame(names=None, rows=values.shape[0], raw=list(values.T))


def _on_host(tensor: Any) -> Any:
    layout = str(tensor.layout).removeprefix("torch.")
    if layout != "strided":
        raise InputTypeError(
            f"Sparse data was passed (a tensor, {layout}), but dense data is required: use X.to_dense().",
            code="sparse",
        )
    tensor = tensor.detach().cpu()
    return tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor  # which NumPy does not have


def row_count(X: Any) -> int:
    """How many rows a table or images have; refuses what has none."""
    try:
        return int(_num_samples(X))
    except TypeError:
        return read_frame(X).rows  # which says what else it is


def as_array(X: Any) -> NDArray[Any]:
    """Make a NumPy array of what was passed; a tensor on a device is copied to the host."""
    if hasattr(X, "detach"):
        X = _on_host(X)
    try:
        values = np.asarray(X)
        # NumPy turns None and NaN beside text into the words "None" and "nan"
        text_from_list = values.dtype.kind in "US" and not hasattr(X, "dtype")
        return np.array(X, dtype=object) if text_from_list else values
    except ValueError as error:
        raise InputError(
            f"X cannot be read as a table, since its rows differ in length: {error}", code="ragged"
        ) from error


def is_text(column: Any) -> bool:
    """Whether a column holds text alone, of category type or not."""
    return not isinstance(column, np.ndarray) and is_text_type(
        column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    )


def _is_empty(value: object) -> bool:
    return value is None or type(value).__name__ in {"NAType", "NaTType"}


def kind_of(column: Any, label: str) -> Kind:
    """Say what a training column's type holds; what text means is found out from its cells (`_meaning.py`)."""
    if isinstance(column, np.ndarray):
        only_text = column.dtype.kind == "O" and all(
            isinstance(cell, str) or _is_empty(cell) for cell in column
        )
        return "category" if only_text else "number"
    kind = column.type
    if pa.types.is_dictionary(kind):
        return "category"
    if is_text_type(kind):
        return "category"
    if is_number_type(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind):
        return "number"
    if is_date_type(kind):
        return "datetime"
    if pa.types.is_duration(kind):
        return "duration"
    if column.null_count == len(column):
        return "number"
    first = value_of(column[int(np.argmax(column.is_valid()))])
    raise wrong_type(
        f"Column {label!r} holds {kind}, such as {first!r}, but float() argument must be a string or a real "
        "number.",
        label,
    )


def value_of(cell: Any) -> Any:
    """A cell as Python has it; as text where it has no such value, such as for a time after the year 9999."""
    try:
        return cell.as_py() if isinstance(cell, pa.Scalar) else cell
    except Exception:  # whatever the type's conversion leads to
        return pa.repeat(cell, 1).to_string()[1:-1].strip()


def all_numbers(texts: Sequence[str]) -> bool:
    """Whether every one of these texts is a number as files write it."""
    if any("_" in text or not text.isascii() for text in texts):
        return False  # which Python would read
    try:
        np.array(texts, dtype=object).astype(np.float64)
    except ValueError:
        return False
    return True


def to_number(cell: Any) -> float | None:
    """Give the cell as a float, None if it is not a number, as files write it."""
    if _is_empty(cell):
        return float("nan")
    if isinstance(cell, str) and ("_" in cell or not cell.isascii()):  # which Python would read
        return float("nan") if is_missing_beside_numbers(cell) else None
    try:
        return float(cell)
    except OverflowError:
        return float("inf")
    except (TypeError, ValueError):
        return float("nan") if isinstance(cell, str) and is_missing_beside_numbers(cell) else None


def _from_optional(numbers: list[float | None]) -> Cells:
    unreadable = np.array([number is None for number in numbers], dtype=bool)
    return Cells(np.array(numbers, dtype=np.float64), unreadable)


def _readable(values: Any) -> Cells:
    with np.errstate(over="ignore"):  # longdouble beyond float64 becomes infinity, which is refused
        numbers = np.asarray(values).astype(np.float64)
    # -0.0 + 0.0 is 0.0, and equal numbers have to be equal bits
    return Cells(numbers + 0.0, np.zeros(len(numbers), dtype=bool))


def _unreadable(column: Any) -> Cells:
    """No cell is of the kind expected; empty ones are still missing."""
    if isinstance(column, np.ndarray):
        filled = ~_read_numbers(column).missing
    else:
        filled = column.is_valid().to_numpy(zero_copy_only=False)
    return Cells(np.full(len(column), np.nan), filled)


def read_texts(column: Any, parse: Callable[[str], float | None]) -> Cells:
    """Read a text column by a function of one cell: NaN where it is missing, None where it is unreadable."""
    encoded = decoded(column).cast(pa.large_string()).dictionary_encode()
    texts = encoded.dictionary.to_pylist()
    if parse is to_number and all_numbers(texts):  # the usual case, and the fast one
        distinct = _readable(np.array(texts, dtype=object))
    else:
        distinct = _from_optional([parse(text) for text in texts])
    codes = _codes(encoded)
    # code -1, a missing cell, reads the last entry
    return Cells(
        np.append(distinct.values, np.nan)[codes] + 0.0, np.append(distinct.unreadable, False)[codes]
    )


def _codes(encoded: Any) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
    return codes


def _read_numbers(column: Any) -> Cells:
    if isinstance(column, np.ndarray):
        mixed = column.dtype.kind == "O"
        return _from_optional([to_number(cell) for cell in column]) if mixed else _readable(column)
    column = decoded(column)
    if is_text_type(column.type):
        return read_texts(column, to_number)
    if pa.types.is_decimal(column.type):
        # by way of text, since Arrow's own conversion of decimals is not correctly rounded
        column = column.cast(pa.string()).cast(pa.float64())
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if is_number_type(column.type):
        return _readable(column.to_numpy(zero_copy_only=False))
    return _unreadable(column)


def _counted(times: NDArray[Any], unit: str) -> Floats:
    """Count the units of times or durations, NaN where there is none."""
    of_one = np.ones(1, f"m8[{np.datetime_data(times.dtype)[0]}]") / np.ones(1, f"m8[{unit}]")
    rough = times.astype(np.int64) * of_one
    long = np.abs(rough) >= 2.0**62  # more of these units than 64 bits count
    exact = (
        np.where(long, np.zeros_like(times), times).astype(f"{times.dtype.kind}8[{unit}]").astype(np.int64)
    )
    return np.where(np.isnat(times), np.nan, np.where(long, rough, exact))


def _read_datetimes(column: Any) -> Cells:
    if isinstance(column, np.ndarray) or not is_date_type(column.type):
        return _unreadable(column)
    return _readable(_counted(column.to_numpy(zero_copy_only=False), "ms"))


def _read_durations(column: Any) -> Cells:
    if isinstance(column, np.ndarray) or not pa.types.is_duration(column.type):
        return _unreadable(column)
    return _readable(_counted(column.to_numpy(zero_copy_only=False), "us") / 1e6)


def as_text(value: object) -> str:
    """Write a category as text; whole numbers are written alike whatever their type.

    >>> as_text(80.0), as_text(80), as_text("80"), as_text(True)
    ('80', '80', '80', 'True')
    """
    if isinstance(value, float | np.floating) and value.is_integer():
        return str(int(value))
    return str(value)


def _storable(cell: object) -> bool:
    return isinstance(cell, str) and cell == cell.encode(errors="ignore").decode()


def _read_categories(column: Any) -> Cells:
    if isinstance(column, np.ndarray) and column.dtype.kind == "O":
        texts = pa.array([cell if _storable(cell) else None for cell in column], type=pa.large_string())
        unreadable = np.array([not _storable(cell) and not _is_missing(cell) for cell in column], dtype=bool)
        return _encoded(texts, unreadable)
    if not isinstance(column, np.ndarray):
        column = decoded(column)
        if is_text_type(column.type):
            return _encoded(column.cast(pa.large_string()), np.zeros(len(column), dtype=bool))
        if pa.types.is_integer(column.type) or pa.types.is_boolean(column.type):
            return _encoded(column, np.zeros(len(column), dtype=bool))
    elif column.dtype.kind in "biu":
        return _encoded(
            pa.array(column.astype(column.dtype.newbyteorder("="))), np.zeros(len(column), dtype=bool)
        )
    numbers = _read_numbers(column)
    return _encoded(pa.array(numbers.values, from_pandas=True), numbers.unreadable)


def _is_missing(cell: object) -> bool:
    return _is_empty(cell) or (not getattr(cell, "ndim", 0) and bool(cell != cell))


def _encoded(column: Any, unreadable: Bools) -> Cells:
    encoded = column.dictionary_encode()
    texts = tuple(as_text(value) for value in encoded.dictionary.to_pylist())
    return Cells(_codes(encoded), unreadable, texts)


_READERS: dict[Kind, Callable[[Any], Cells]] = {
    "number": _read_numbers,
    "duration": _read_durations,
    "datetime": _read_datetimes,
    "category": _read_categories,
}


def is_boolean(column: Any) -> bool:
    """Whether a column (as `Frame.column` gives it) is of booleans."""
    return bool(
        column.dtype.kind == "b" if isinstance(column, np.ndarray) else pa.types.is_boolean(column.type)
    )


def with_truths_as_numbers(column: Any) -> Any:
    """The column with the words true and false, in any case, as the numbers they are."""
    if isinstance(column, np.ndarray):
        if column.dtype.kind != "O":
            return column
        cells = [TRUTHS.get(cell.strip().lower(), cell) if isinstance(cell, str) else cell for cell in column]
        return np.array([*cells, None], dtype=object)[:-1]
    column = decoded(column)
    return truths_as_numbers(column) if is_text_type(column.type) else column


def read_cells(column: Any, kind: Kind) -> Cells:
    """Read a column (as `Frame.column` gives it) as one kind; never refuses, always copies."""
    return _READERS[kind](column)


def refuse_bad_cells(cells: Cells, column: Any, *, kind: Kind, label: str, form: str = "") -> None:
    """Raise for cells that are infinite, beyond float32, or not of the column's kind and form."""
    if cells.unreadable.any():
        raise _wrong_type(cells, column, held=_HELD[kind], form=form, label=label)
    if kind not in ("number", "duration"):
        return
    for mask, code, fault, remedy in (
        (cells.infinite, "infinite_value", "contains infinity", "Make them missing (NaN) or finite."),
        (
            cells.too_large,
            "beyond_float32",
            "holds values outside the float32 range (3.4e38)",
            "Rescale them.",
        ),
    ):
        if mask.any():
            rows = np.flatnonzero(mask)
            raise InputError(
                f"Input X {fault}: column {label!r}, {rows_phrase(rows)}. {remedy}",
                code=code,
                column=label,
                rows=rows[:5].tolist(),
            )


def check_rows(rows: int, *, at_least: int, shape: tuple[int, ...]) -> None:
    """Refuse fewer rows than needed, in the words of scikit-learn."""
    if rows < at_least:
        raise InputError(
            f"Found array with {rows} sample(s) (shape={shape}) while a minimum of {at_least} is required.",
            code="too_few_rows",
        )


def rows_phrase(rows: NDArray[np.int64], *, what: str = "row") -> str:
    """Row numbers for a sentence, the first five of them.

    >>> rows_phrase(np.arange(7))
    'rows 0, 1, 2, 3, 4 and 2 more'
    """
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{what}{'s' * (len(rows) > 1)} {', '.join(str(row) for row in rows[:5])}{more}"


def _wrong_type(cells: Cells, column: Any, *, held: str, form: str, label: str) -> InputTypeError:
    rows = np.flatnonzero(cells.unreadable)
    cell = column[int(rows[0])]
    value = value_of(cell)
    comma = isinstance(value, str) and all_numbers([value.replace(",", ".")])
    whole = "Write the whole column in one way." if form else "Give the whole column one type."
    remedy = "Write a decimal point instead of the comma." if comma else whole
    phrase = (
        "" if form or held != _HELD["number"] else " (float() argument must be a string or a real number)"
    )
    return InputTypeError(
        f"Column {label!r} is read as {held}{form}, but {rows_phrase(rows)} cannot be: "
        f"the first is {value!r} ({type(value).__name__}). {remedy}{phrase}",
        code="wrong_type",
        column=label,
        rows=rows[:5].tolist(),
    )


def has_inexact_integers(column: Any) -> bool:
    """Whether an integer column goes beyond 2**53, where float64 no longer tells neighbours apart."""
    if isinstance(column, np.ndarray) and column.dtype.kind == "O":
        return any(isinstance(cell, int) and abs(cell) > EXACT_INTEGER_LIMIT for cell in column)
    if isinstance(column, np.ndarray):
        whole = column.dtype.kind in "iu" and len(column) > 0
        low, high = (int(column.min()), int(column.max())) if whole else (0, 0)
    else:
        whole = pa.types.is_integer(column.type)
        extremes = pc.min_max(column).as_py() if whole else {}
        low, high = extremes.get("min") or 0, extremes.get("max") or 0
    return max(-low, high) > EXACT_INTEGER_LIMIT
