"""Tables and images as the float32 arrays that networks read.

`TableEncoder` turns a table of numbers, text, dates and durations into a matrix, `ImageScaler` turns images
into values in [0, 1]. Both carry everything they learned as JSON-ready values; `encoder_from_dict` gives
either back.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from alarmnet._columns import (
    CategoryColumn,
    Column,
    DatetimeColumn,
    NumberColumn,
    Scaling,
    column_from_dict,
)
from alarmnet._frames import (
    Cells,
    Float32s,
    Frame,
    Kind,
    as_text,
    check_rows,
    has_inexact_integers,
    kind_of,
    quoted,
    read_cells,
    read_frame,
    refuse_bad_cells,
)
from alarmnet._images import ImageScaler
from alarmnet._validation import check_choice, check_whole, warn_of_inexact_integers
from alarmnet.errors import AlarmnetWarning, InputError, InputTypeError
from alarmnet.row_store import TensorRows

__all__ = ["EncodingSummary", "ImageScaler", "TableEncoder", "UnseenCategories", "encoder_from_dict"]

OnExtra = Literal["refuse", "ignore"]

IDENTIFIER_ROWS = 20
MOST_STORED_COLUMNS = 50_000
MOST_LETTERS = 2**24
"""In the names of output columns, which repeat a stored column's name for each category."""


@dataclass(frozen=True)
class UnseenCategories:
    """Categories of one column that training did not have.

    ``count`` is a number of cells, ``examples`` are the five most frequent texts, and ``near_matches`` maps
    texts to the known category they differ from only in case, spaces or Unicode form.
    """

    count: int
    examples: tuple[str, ...]
    near_matches: Mapping[str, str]


@dataclass(frozen=True)
class EncodingSummary:
    """What stands out in a table that is about to be encoded; columns without a finding are not listed.

    ``missing`` and ``outside`` count cells by column (``outside``: numbers beyond the training range),
    ``unseen`` tells of new categories, ``newly_missing`` names the columns that have missing cells and had
    none in training.
    """

    rows: int
    missing: Mapping[str, int]
    unseen: Mapping[str, UnseenCategories]
    outside: Mapping[str, int]
    newly_missing: tuple[str, ...]


def _good_cells(column: Any, *, kind: Kind, label: str) -> Cells:
    cells = read_cells(column, kind)
    refuse_bad_cells(cells, column, kind=kind, label=label)
    return cells


def _warn_of_identifiers(labels: Sequence[str]) -> None:
    if labels:
        warnings.warn(
            f"Left out, since each row has a text of its own: {quoted(labels)}. "
            "From Python, a column named in the encoder's categories= is kept.",
            AlarmnetWarning,
            stacklevel=3,
        )


def _describe_unseen(found: Mapping[str, int], column: CategoryColumn) -> UnseenCategories:
    ranked = sorted(found, key=lambda text: (-found[text], text))
    return UnseenCategories(
        count=sum(found.values()), examples=tuple(ranked[:5]), near_matches=column.near_matches(ranked)
    )


class TableEncoder(BaseEstimator):  # type: ignore[misc]
    """A mixed table as a float32 matrix, every column of it comparable.

    Use it before a network that wants numbers near [0, 1]: numbers and durations (in seconds) are scaled,
    missing ones become the training median, with an indicator column if training had missing ones. Categories
    become one column each. A date and time becomes sine and cosine of its time of day and of its day of week
    in UTC, moved into [0, 1]; the date itself is not used, since every later row would lie outside the
    training range. Text of which every cell reads as a number counts as numbers; a column of category type
    never does.

    Encoded columns lie in [0, 1] for rows like the training rows, so that the distance of two encoded rows
    treats every column alike. Beyond the training range ``"quantile"`` leaves [0, 1] by the log of the
    distance, ``"minmax"`` linearly. ``"standard"`` and ``"quantile-normal"`` scale numbers to standard
    deviations instead.

    Parameters
    ----------
    scaling
        How numbers are scaled: ``"quantile"`` (the share of training rows below), ``"minmax"`` (training
        minimum and maximum to 0 and 1, as in the A3 paper; values are held within a million), ``"standard"``
        (mean 0, deviation 1), ``"quantile-normal"`` (the quantile as that of a normal distribution).
    max_categories
        How many categories of a column get a column each; the others share one named "other".
    categories
        Column name (``"x0"`` and so on for arrays) to its categories, in the order wanted; such a column is a
        category whatever its type, and its other values share "other" if training had any.
    on_extra
        ``"refuse"`` columns that training did not have, or ``"ignore"`` them.

    Attributes
    ----------
    columns_
        Names of the input columns in order, None if they had none.
    kinds_
        Input column to ``"number"``, ``"category"``, ``"datetime"`` or ``"duration"``.
    left_out_
        Input column to the reason why it is not encoded.
    output_names_
        Names of the F output columns, such as ``"service=http"``, ``"bytes"``, ``"bytes missing"``.
    source_columns_
        The input column that each output column came from.
    constant_columns_
        Numeric columns with one value only.
    n_features_in_, feature_names_in_
        As in scikit-learn; the second only if all columns had string names.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"bytes": [0, 10, None], "service": ["http", "dns", "http"]})
    >>> encoder = TableEncoder(scaling="minmax").fit(table)
    >>> encoder.output_names_
    ('bytes', 'bytes missing', 'service=http', 'service=dns')
    >>> encoder.transform(table)
    array([[0. , 0. , 1. , 0. ],
           [1. , 0. , 0. , 1. ],
           [0.5, 1. , 1. , 0. ]], dtype=float32)
    """

    feature_names_in_: NDArray[np.object_]

    def __init__(
        self,
        *,
        scaling: Scaling = "quantile",
        max_categories: int = 128,
        categories: Mapping[str, Sequence[object]] | None = None,
        on_extra: OnExtra = "refuse",
    ) -> None:
        self.scaling = scaling
        self.max_categories = max_categories
        self.categories = categories
        self.on_extra = on_extra

    def fit(self, X: Any) -> Self:
        """Learn from a table of N rows, at least two.

        Raises
        ------
        InputError
            For parameters out of range, and for cells or columns that cannot be used; names them.
        InputTypeError
            For a column that mixes types or holds a type that is none of the four kinds.
        """
        self._check_parameters()
        frame = read_frame(X)
        check_rows(frame.rows, at_least=2, shape=(frame.rows, len(frame.raw)))
        labels = [frame.label(index) for index in range(len(frame.raw))]
        if not labels:
            raise InputError(
                f"Found array with 0 feature(s) (shape=({frame.rows}, 0)) while a minimum of 1 is required.",
                code="no_columns",
            )
        self._check_fixed(labels)
        inexact, plan = [], {}
        for index, label in enumerate(labels):
            column = frame.column(index)
            inexact += [label] * has_inexact_integers(column)
            if learned := self._learn(column, label):
                plan[label] = learned
        self._set_learned(frame.names, labels, plan)
        if inexact:
            warn_of_inexact_integers(quoted(inexact))
        _warn_of_identifiers([*self.left_out_])
        return self

    def transform(self, X: Any) -> Float32s:
        """Encode a table of N rows as a new float32 array (N, F), always finite.

        Columns with names are aligned by them.

        Raises
        ------
        InputError
            For columns that are missing, extra or of another number than in training, and for cells that
            `invalid_rows` marks; names them.
        """
        frame = self._aligned(X)
        output = np.zeros((frame.rows, len(self.output_names_)), dtype=np.float32)
        inexact, start = [], 0
        for index, label, learned in self._encoded_columns():
            column = frame.column(index)
            inexact += [label] * has_inexact_integers(column)
            stop = start + len(learned.output_names(label))
            learned.write(_good_cells(column, kind=learned.kind, label=label), output[:, start:stop])
            start = stop
        if inexact:
            warn_of_inexact_integers(quoted(inexact))
        return output

    def store(self, X: Any, device: torch.device) -> TensorRows:
        """Encode a table as `transform` does, and keep the rows on a device."""
        return TensorRows(torch.from_numpy(self.transform(X)).to(device))

    def fit_transform(self, X: Any) -> Float32s:
        """`fit`, then `transform` of the same table."""
        return self.fit(X).transform(X)

    def invalid_rows(self, X: Any) -> NDArray[np.bool_]:
        """Mark the rows (N,) that `transform` would refuse for their cells.

        These are infinity, numbers beyond float32, and cells that are not of their column's kind.
        """
        frame = self._aligned(X)
        invalid = np.zeros(frame.rows, dtype=bool)
        for index, _, column in self._encoded_columns():
            cells = read_cells(frame.column(index), column.kind)
            invalid |= cells.invalid
        return invalid

    def summarize(self, X: Any) -> EncodingSummary:
        """Count what stands out in a table: missing cells, new categories, numbers beyond training."""
        frame = self._aligned(X)
        missing: dict[str, int] = {}
        unseen: dict[str, UnseenCategories] = {}
        outside: dict[str, int] = {}
        newly_missing = []
        for index, label, column in self._encoded_columns():
            cells = read_cells(frame.column(index), column.kind)
            missing[label] = int(np.count_nonzero(cells.missing))
            if missing[label] and not column.missing:
                newly_missing.append(label)
            if isinstance(column, NumberColumn):
                outside[label] = column.count_outside(cells)
            if isinstance(column, CategoryColumn) and (found := column.unseen(cells)):
                unseen[label] = _describe_unseen(found, column)
        return EncodingSummary(
            rows=frame.rows,
            missing={label: count for label, count in missing.items() if count},
            unseen=unseen,
            outside={label: count for label, count in outside.items() if count},
            newly_missing=tuple(newly_missing),
        )

    def to_dict(self) -> dict[str, Any]:
        """Give everything learned as JSON-ready values, for `from_dict`."""
        self._check_fitted()
        fixed = self._fixed_categories()
        return {
            "kind": "table",
            "scaling": self.scaling,
            "max_categories": int(self.max_categories),
            "categories": None if self.categories is None else {name: [*fixed[name]] for name in fixed},
            "on_extra": self.on_extra,
            "names": None if self.columns_ is None else [*self.columns_],
            "columns": [
                self._plan[label].to_dict() if label in self._plan else None for label in self._labels
            ],
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Undo `to_dict`; raises ValueError, KeyError or TypeError if the state is damaged."""
        encoder = cls(
            **{name: state[name] for name in ("scaling", "max_categories", "categories", "on_extra")}
        )
        encoder._check_parameters()
        stored, names = state["columns"], state["names"]
        if len(stored) > MOST_STORED_COLUMNS:
            raise ValueError("too many columns are stored")
        labels = [f"x{index}" for index in range(len(stored))] if names is None else list(names)
        if len(set(labels)) != len(stored) or not all(isinstance(label, str) for label in labels):
            raise ValueError("the stored column names do not fit the stored columns")
        plan = {
            label: column_from_dict(column) for label, column in zip(labels, stored, strict=True) if column
        }
        categories = {
            label: len(column.kept) for label, column in plan.items() if isinstance(column, CategoryColumn)
        }
        if sum(len(label) * count for label, count in categories.items()) > MOST_LETTERS:
            raise ValueError("the stored column names are too long")
        encoder._set_learned(None if names is None else tuple(names), labels, plan)
        return encoder

    def _check_parameters(self) -> None:
        if not isinstance(self.categories, Mapping | None):
            raise InputTypeError(
                "The 'categories' parameter of TableEncoder must map column names to lists of categories. "
                f"Got {self.categories!r} instead.",
                code="invalid_parameter",
            )
        check_choice(self, "scaling", self.scaling, get_args(Scaling))
        check_choice(self, "on_extra", self.on_extra, get_args(OnExtra))
        check_whole(self, "max_categories", self.max_categories)
        for name, texts in self._fixed_categories().items():
            if not texts or len(set(texts)) < len(texts):
                raise InputError(
                    f"The 'categories' parameter of TableEncoder must list different categories. "
                    f"Got {texts!r} for column {name!r} instead.",
                    code="invalid_parameter",
                    column=name,
                )

    def _fixed_categories(self) -> dict[str, tuple[str, ...]]:
        return {
            name: tuple(as_text(value) for value in values)
            for name, values in (self.categories or {}).items()
        }

    def _check_fixed(self, labels: Sequence[str]) -> None:
        unknown = sorted(set(self._fixed_categories()) - set(labels))
        if unknown:
            raise InputError(
                f"The 'categories' parameter of TableEncoder names columns that X does not have: "
                f"{quoted(unknown)}. X has {quoted(labels)}.",
                code="unknown_column",
                column=unknown[0],
            )

    def _learn(self, column: Any, label: str) -> Column | None:
        """Learn one column; None leaves it out."""
        fixed = self._fixed_categories().get(label)
        kind: Kind = "category" if fixed else kind_of(column, label)
        cells = _good_cells(column, kind=kind, label=label)
        present = int(np.count_nonzero(~cells.missing))
        if not present:
            raise InputError(
                f"Column {label!r} has no value in any of the {len(column)} training rows. Drop the column.",
                code="empty_column",
                column=label,
            )
        if kind == "category":
            if not fixed and IDENTIFIER_ROWS < present == len(cells.texts):
                return None
            return CategoryColumn.learn(cells, limit=self.max_categories, fixed=fixed)
        if kind == "datetime":
            return DatetimeColumn(kind=kind, missing=present < len(column))
        return NumberColumn.learn(cells, kind=kind, scaling=self.scaling)

    def _set_learned(
        self, names: tuple[str, ...] | None, labels: Sequence[str], plan: Mapping[str, Column]
    ) -> None:
        if not plan:
            raise InputError(
                "No column is left to encode: in every one each row has a text of its own.",
                code="no_columns",
            )
        self._labels, self._known, self._plan = list(labels), frozenset(labels), dict(plan)
        outputs = {label: column.output_names(label) for label, column in plan.items()}
        self.columns_ = names
        self.n_features_in_ = len(labels)
        self.kinds_: dict[str, Kind] = {label: column.kind for label, column in plan.items()}
        self.left_out_ = {label: "a text of its own in every row" for label in labels if label not in plan}
        self.output_names_ = tuple(name for group in outputs.values() for name in group)
        self.source_columns_ = tuple(label for label, group in outputs.items() for _ in group)
        self.constant_columns_ = tuple(
            label
            for label, column in plan.items()
            if isinstance(column, NumberColumn) and column.low == column.high
        )
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _encoded_columns(self) -> Iterator[tuple[int, str, Column]]:
        return ((i, label, self._plan[label]) for i, label in enumerate(self._labels) if label in self._plan)

    def _check_fitted(self) -> None:
        if not hasattr(self, "_plan"):
            raise NotFittedError("This TableEncoder is not fitted yet: call fit first.")

    def _aligned(self, X: Any) -> Frame:
        """Give a table to encode, its columns in the order of training."""
        self._check_fitted()
        frame = read_frame(X)
        check_rows(frame.rows, at_least=1, shape=(frame.rows, len(frame.raw)))
        if self.columns_ is not None and frame.names is not None:
            return frame.select(self._matching(frame.names))
        if frame.names is not None:
            self._warn_of_names("X has feature names, but TableEncoder was fitted without feature names")
        elif self.columns_ is not None:
            self._warn_of_names(
                "X does not have valid feature names, but TableEncoder was fitted with feature names"
            )
        if len(frame.raw) != self.n_features_in_:
            raise InputError(
                f"X has {len(frame.raw)} features, but TableEncoder is expecting {self.n_features_in_} "
                "features as input.",
                code="column_count",
            )
        return frame

    @staticmethod
    def _warn_of_names(sentence: str) -> None:
        warnings.warn(sentence, AlarmnetWarning, stacklevel=4)

    def _matching(self, names: tuple[str, ...]) -> list[int]:
        """Give the positions in ``names`` of the training columns."""
        position = {name: index for index, name in enumerate(names)}
        missing = [name for name in self._labels if name not in position]
        extra = [name for name in names if name not in self._known]
        problem = "The feature names should match those that were passed during fit.\n"
        if missing:
            raise InputError(
                f"{problem}Feature names seen at fit time, yet now missing: {quoted(missing)}. "
                "Add these columns.",
                code="missing_columns",
                column=missing[0],
            )
        if extra and self.on_extra == "refuse":
            raise InputError(
                f"{problem}Feature names unseen at fit time: {quoted(extra)}. Drop these columns, or train with "
                "TableEncoder(on_extra='ignore').",
                code="extra_columns",
                column=extra[0],
            )
        return [position[name] for name in self._labels]


ENCODERS: dict[str, type[TableEncoder | ImageScaler]] = {"table": TableEncoder, "images": ImageScaler}


def encoder_from_dict(state: Mapping[str, Any]) -> TableEncoder | ImageScaler:
    """Give the encoder back from what its ``to_dict`` gave, whichever of the two it was.

    Raises ValueError, KeyError or TypeError if the state is damaged.

    Examples
    --------
    >>> encoder = TableEncoder().fit([[0.0], [1.0]])
    >>> encoder_from_dict(encoder.to_dict()).transform([[1.0]])
    array([[1.]], dtype=float32)
    """
    return ENCODERS[state["kind"]].from_dict(state)
