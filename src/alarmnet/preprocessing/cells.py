"""One column's cells as numbers, durations, times or categories.

Nothing is refused here: cells of another kind than expected are marked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alarmnet._shared.containers import (
    TRUTHS,
    decoded,
    is_date_type,
    is_number_type,
    is_text_type,
    truths_as_numbers,
    wrong_type,
)
from alarmnet._shared.missing_words import is_missing_beside_numbers
from alarmnet._shared.spelling import is_encodable
from alarmnet._shared.validation import EXACT_INTEGER_LIMIT

Kind = Literal["number", "duration", "datetime", "category"]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Float32s = NDArray[np.float32]

FLOAT32_LIMIT = float(np.finfo(np.float32).max)


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
        with np.errstate(invalid="ignore"):
            beyond: Bools = np.abs(self.values) > FLOAT32_LIMIT  # true for infinity, false for NaN
        return self.unreadable | beyond


def is_text(column: Any) -> bool:
    """Whether a column holds text alone, of category type or not."""
    return not isinstance(column, np.ndarray) and is_text_type(
        column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    )


def _is_empty(value: object) -> bool:
    return value is None or type(value).__name__ in {"NAType", "NaTType"}


def kind_of(column: Any, label: str) -> Kind:
    """Say what a training column's type holds; what text means is found out from its cells (`text_meaning.py`)."""
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
    except Exception:  # any kind of error in the type's conversion
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
    """Cells none of which is of the expected kind; empty cells are still missing."""
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
    codes: NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
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
    """Count the units of times or durations, NaN for missing ones."""
    of_one = np.ones(1, f"m8[{np.datetime_data(times.dtype)[0]}]") / np.ones(1, f"m8[{unit}]")
    rough = times.astype(np.int64) * of_one
    long = np.abs(rough) >= 2.0**62  # may be more units than 64 bits can count
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
    return isinstance(cell, str) and is_encodable(cell)


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
