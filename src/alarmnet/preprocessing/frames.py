"""Any table (array, frame, list of lists) as columns.

Every container is reduced to two forms, so that equal values are read as equal bits: numeric NumPy columns
stay as they are, everything else becomes Arrow. Only an object column that Arrow refuses, because it mixes
types, is read cell by cell.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import narwhals as nw
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import _num_samples

from alarmnet._shared.containers import categories_in_order, read_column
from alarmnet._shared.phrases import quoted
from alarmnet._shared.warn import warn
from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.cells import as_text

MOST_MADE_DENSE = 2**30
"""The most numbers of a sparse matrix that are encoded at once: 4 GiB of float32."""


class _Selected(Sequence[Any]):
    """Some of the columns, none of which is read before it is asked for."""

    def __init__(self, raw: Sequence[Any], indices: Sequence[int]) -> None:
        self._raw = raw
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: Any) -> Any:
        return self._raw[self._indices[index]]


class _SparseColumns(Sequence[Any]):
    """The columns of a sparse matrix, each of them made dense when it is asked for."""

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix

    def __len__(self) -> int:
        return int(self._matrix.shape[1])

    def __getitem__(self, index: Any) -> Any:
        start, stop = self._matrix.indptr[index], self._matrix.indptr[index + 1]
        column = np.zeros(self._matrix.shape[0], dtype=self._matrix.dtype)
        column[self._matrix.indices[start:stop]] = self._matrix.data[start:stop]
        return column


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

    def categories(self, index: int) -> tuple[str, ...]:
        """Give the categories of a column of an ordered type, in their order; of other columns none."""
        return tuple(as_text(value) for value in categories_in_order(self.raw[index]))

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
        return _from_sparse(X)
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
    given = list(native_names)
    names = _string_names(given)
    frame = nw.from_native(X, eager_only=True)
    if nw.dependencies.is_pandas_dataframe(X):
        raw = [_pandas_column(frame.get_column, *named) for named in X.items()]
        if names is None:
            raw = [raw[place] for place in _places(given)]
        return Frame(names=names, rows=len(X), raw=raw)
    return Frame(names=names, rows=frame.shape[0], raw=list(frame.iter_columns()))


def _pandas_column(wrapped: Callable[[Any], Any], name: Any, series: Any) -> Any:
    """A column that is NumPy's or Arrow's already is given as it is: wrapping takes longer than reading a row."""
    kind = series.dtype
    if isinstance(kind, np.dtype):
        return series.to_numpy()
    in_arrow = hasattr(kind, "pyarrow_dtype") or getattr(kind, "storage", None) == "pyarrow"
    return pa.array(series.array) if in_arrow else wrapped(name)


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


def _places(names: list[Any]) -> Sequence[int]:
    """Where the columns named 0, 1, ... stand; of other names that are not text, the columns as they stand."""
    numbers, place = range(len(names)), {name: index for index, name in enumerate(names)}
    if place.keys() == set(numbers):
        return [place[number] for number in numbers]
    warn(
        f"The columns of X are named {quoted(names)}. Only names of text, and the numbers from 0 on, "
        "are matched with those of training, so these columns are taken by position. To have them matched by name, "
        "for training and for scoring: X.columns = X.columns.astype(str).",
    )
    return numbers


def _from_sparse(X: Any) -> Frame:
    if X.ndim != 2:
        raise InputError(
            f"Expected 2D array, got a sparse array of {X.ndim} dimensions instead.", code="not_2d"
        )
    rows, columns = X.shape
    if rows * columns > MOST_MADE_DENSE:
        raise InputError(
            f"X is a sparse matrix of {rows:,} rows and {columns:,} columns. Networks read dense rows, and these "
            f"would be {rows * columns:,} numbers; {MOST_MADE_DENSE:,} are read at most. Lower the number of "
            "columns, such as by scikit-learn's TruncatedSVD, or give fewer rows.",
            code="too_large",
        )
    matrix = X.tocsc()
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return Frame(names=None, rows=rows, raw=_SparseColumns(matrix))


def is_list_of_arrays(X: Any) -> bool:
    """Whether a list or tuple holds arrays or tensors of two dimensions or more, such as images."""
    return isinstance(X, list | tuple) and bool(len(X)) and getattr(X[0], "ndim", 0) > 1


def stacked(images: Sequence[Any]) -> NDArray[Any]:
    """Make one array of a list of images."""
    arrays = [as_array(image) for image in images]
    shapes = [array.shape for array in arrays]
    if other := next((place for place, shape in enumerate(shapes) if shape != shapes[0]), None):
        raise InputError(
            f"X is a list of images of different shapes: {shapes[0]} first, and {shapes[other]} in image {other}. "
            "Resize or crop them to one shape.",
            code="image_shape",
        )
    return np.stack(arrays)


def _from_array(X: Any) -> Frame:
    if is_list_of_arrays(X):
        raise InputError(
            f"X is a {type(X).__name__} of {len(X):,} arrays, the first of shape {tuple(X[0].shape)}. Pass images "
            "as one array of shape (N, H, W), (N, C, H, W) or (N, H, W, C), such as numpy.stack(X), and tables as "
            "one frame or 2-D array.",
            code="not_2d",
        )
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
        return read_frame(X).rows  # refuses other input, and says what it is


def as_array(X: Any) -> NDArray[Any]:
    """Make a NumPy array of what was passed; a tensor on a device is copied to the host."""
    if hasattr(X, "detach"):
        X = _on_host(X)
    try:
        values = np.asarray(X)
        # NumPy turns None and NaN in a list with text into the words "None" and "nan"
        text_from_list = values.dtype.kind in "US" and not hasattr(X, "dtype")
        return np.array(X, dtype=object) if text_from_list else values
    except ValueError as error:
        raise InputError(
            f"X cannot be read as a table, since its rows differ in length: {error}", code="ragged"
        ) from error


def check_rows(rows: int, *, at_least: int, shape: tuple[int, ...]) -> None:
    """Refuse fewer rows than needed, in the words of scikit-learn."""
    if rows < at_least:
        raise InputError(
            f"Found array with {rows} sample(s) (shape={shape}) while a minimum of {at_least} is required.",
            code="too_few_rows",
        )
