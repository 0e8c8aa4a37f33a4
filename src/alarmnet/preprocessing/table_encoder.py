"""A mixed table as a float32 matrix."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from alarmnet._shared.phrases import quoted
from alarmnet._shared.spelling import near_names
from alarmnet._shared.validation import check_choice, check_whole, warn_of_inexact_integers
from alarmnet._shared.warn import warn
from alarmnet.data_files import ColumnKind
from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.bad_cells import refuse_bad_cells
from alarmnet.preprocessing.cells import Cells, Float32s, Kind, has_inexact_integers
from alarmnet.preprocessing.columns import CategoryColumn, Column, NumberColumn, column_from_dict
from alarmnet.preprocessing.feature_names import refuse_other_names
from alarmnet.preprocessing.frames import Frame, check_rows, read_frame
from alarmnet.preprocessing.given_categories import given_categories
from alarmnet.preprocessing.learning import learn_column
from alarmnet.preprocessing.left_out import REASONS, Reason, names_index, said_of_left_out
from alarmnet.preprocessing.number_block import FEW, NumberBlock
from alarmnet.preprocessing.row_store import TensorRows
from alarmnet.preprocessing.scales import Scaling
from alarmnet.preprocessing.summary import EncodingSummary, summary_of

OnExtra = Literal["refuse", "ignore"]

MOST_STORED_COLUMNS = 50_000
MOST_LETTERS = 2**24
"""The most letters in the names of output columns, which repeat a stored column's name for each category."""


def _good_cells(column: Any, learned: Column, label: str) -> Cells:
    cells = learned.read(column)
    refuse_bad_cells(cells, column, kind=learned.kind, label=label, form=learned.form_phrase)
    return cells


class TableEncoder(BaseEstimator):  # type: ignore[misc]
    """Encodes a mixed table as a float32 matrix with comparable columns.

    Use it before a network that needs numbers near [0, 1].

    - Numbers and durations (in seconds) are scaled. Missing numbers become the training median, with an indicator
      column if training had missing numbers.
    - Each category becomes a column.
    - A date and time becomes sine and cosine of its time of day and of its day of week in UTC, shifted into [0, 1].
      The date itself is not used, because every later row would be outside the training range. Times that span
      less than a week have no day of week; those of less than a day are left out.
    - Text is read as numbers or times if every cell has one of their usual forms; a column of category type is not.
    - Words such as NA are missing.
    - Clocks, counters and identifiers are left out, unless ``keep`` names them.

    Encoded columns are in [0, 1] for rows like the training rows, so that the distance of two encoded rows
    treats every column alike. Beyond the training range, ``"quantile"`` leaves [0, 1] by the log of the
    distance, and ``"minmax"`` linearly. ``"standard"`` and ``"quantile-normal"`` scale numbers to standard
    deviations instead.

    Parameters
    ----------
    scaling
        How numbers are scaled: ``"quantile"`` (the share of training rows below), ``"minmax"`` (training
        minimum and maximum to 0 and 1, as in the A3 paper; values are held within a million), ``"standard"``
        (mean 0, deviation 1), ``"quantile-normal"`` (the quantile as that of a normal distribution).
    max_categories
        The number of categories that get a column each; all others share one column named "other".
    categories
        Column name (``"x0"`` and so on for arrays) to its categories, in the order of the output columns. Such a
        column is a category whatever its type, and its other values share "other" if training had any. If the
        categories have an order (small, medium, large), list them in this order: `A3Detector` learns from it, if
        the column has at most twelve encoded numbers. Without a list, the order is that of the column's type (an
        ordered `Categorical`, polars' `Enum`, an ordered dictionary of Arrow), or that of numbers or text.
    on_extra
        ``"refuse"`` columns that training did not have, or ``"ignore"`` them.
    keep
        Columns to keep without conversion, although they look like a clock, a counter or an identifier (which are
        left out), or like seconds since 1970 (which are read as times). In such columns, words such as NA are
        categories instead of missing.

    Attributes
    ----------
    columns_
        Names of the input columns in order, None if they had none.
    input_labels_
        The same; x0, x1 and so on if they had none.
    kinds_
        Input column to ``"number"``, ``"category"``, ``"datetime"`` or ``"duration"``.
    left_out_
        Input column to the reason why it is not encoded.
    output_names_
        Names of the F output columns, such as ``"service=http"``, ``"bytes"``, ``"bytes missing"``.
    file_kinds_
        Input column to what it is in a CSV file: ``"number"``, ``"boolean"`` (a number, or true or false),
        ``"datetime"`` (ISO 8601) or ``"text"``.
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
        keep: Sequence[str] = (),
    ) -> None:
        self.scaling = scaling
        self.max_categories = max_categories
        self.categories = categories
        self.on_extra = on_extra
        self.keep = keep

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn from a table of N rows, at least two; `y` is ignored.

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
        self._check_named(labels)
        inexact, plan, order = [], {}, frame.order
        left_out: dict[str, Reason] = {}
        for index, label in enumerate(labels):
            learned = self._learn(frame, index, order)
            if isinstance(learned, str):
                left_out[label] = learned
                continue
            plan[label] = learned
            inexact += [label] * (learned.kind != "datetime" and has_inexact_integers(frame.column(index)))
        self._set_learned(frame.names, labels, plan, left_out)
        if inexact:
            warn_of_inexact_integers(quoted(inexact))
        for sentence in said_of_left_out(left_out):
            warn(sentence)
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
        done = self._numbers.write(frame, output) if frame.rows <= FEW else ()
        inexact = []
        for index, label, learned in self._encoded_columns():
            if index in done:
                continue
            column = frame.column(index)
            inexact += [label] * (learned.kind != "datetime" and has_inexact_integers(column))
            learned.write(_good_cells(column, learned, label), output[:, self._outputs[label]])
        if inexact:
            warn_of_inexact_integers(quoted(inexact))
        return output

    def store(self, X: Any, device: torch.device) -> TensorRows:
        """Encode a table as `transform` does, and keep the rows on a device."""
        return TensorRows(torch.from_numpy(self.transform(X)).to(device))

    def fit_transform(self, X: Any, y: object = None) -> Float32s:
        """`fit`, then `transform` of the same table; `y` is ignored."""
        return self.fit(X).transform(X)

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """`output_names_` where scikit-learn asks for them; `input_features` is ignored."""
        self._check_fitted()
        return np.array(self.output_names_, dtype=object)

    def invalid_rows(self, X: Any) -> NDArray[np.bool_]:
        """Mark the rows (N,) that `transform` would refuse for their cells.

        These are infinity, numbers beyond float32, and cells that are not of their column's kind.
        """
        frame = self._aligned(X)
        invalid = np.zeros(frame.rows, dtype=bool)
        for index, _, column in self._encoded_columns():
            cells = column.read(frame.column(index))
            invalid |= cells.invalid
        return invalid

    def summarize(self, X: Any) -> EncodingSummary:
        """Count what stands out in a table: missing cells, new categories, numbers beyond training."""
        frame = self._aligned(X)
        columns = {label: (index, column) for index, label, column in self._encoded_columns()}
        return summary_of(frame, columns, left_out=self.left_out_)

    def category_places(self) -> list[list[float]]:
        """For each number that trees read: the places in (0, 1] of those it replaces, or a 1 if it stays."""
        self._check_fitted()
        given, groups = given_categories(self.categories), []
        for label, column in self._plan.items():
            if isinstance(column, CategoryColumn):
                groups += column.places(in_order=label in given)
            else:
                groups += [[1.0]] * len(column.output_names(label))
        return groups

    def to_dict(self) -> dict[str, Any]:
        """Give everything learned as JSON-ready values, for `from_dict`."""
        self._check_fitted()
        fixed = given_categories(self.categories)
        return {
            "kind": "table",
            "scaling": self.scaling,
            "max_categories": int(self.max_categories),
            "categories": None if self.categories is None else {name: [*fixed[name]] for name in fixed},
            "on_extra": self.on_extra,
            "names": None if self.columns_ is None else [*self.columns_],
            "columns": [
                self._plan[label].to_dict() if label in self._plan else None for label in self.input_labels_
            ],
            **({"keep": [*self.keep]} if self.keep else {}),
            **({"left_out": dict(self._left_out)} if set(self._left_out.values()) - {"texts"} else {}),
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any]) -> Self:
        """Undo `to_dict`; raises ValueError, KeyError or TypeError if the state is damaged."""
        encoder = cls(
            **{name: state[name] for name in ("scaling", "max_categories", "categories", "on_extra")},
            keep=state.get("keep", ()),
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
        left_out = {label: "texts" for label in labels if label not in plan} | state.get("left_out", {})
        if not set(left_out).isdisjoint(plan) or not {*left_out, *encoder.keep} <= set(labels):
            raise ValueError("the stored columns that were left out, or kept, do not fit the stored columns")
        if not all(reason in REASONS for reason in left_out.values()):
            raise ValueError("a stored column is left out for no known reason")
        encoder._set_learned(None if names is None else tuple(names), labels, plan, left_out)
        return encoder

    def _check_parameters(self) -> None:
        check_choice(self, "scaling", self.scaling, get_args(Scaling))
        check_choice(self, "on_extra", self.on_extra, get_args(OnExtra))
        check_whole(self, "max_categories", self.max_categories)
        if isinstance(self.keep, str | None) or not all(isinstance(name, str) for name in self.keep):
            raise InputTypeError(
                f"The 'keep' parameter of TableEncoder must be a list of column names. Got {self.keep!r} instead.",
                code="invalid_parameter",
            )
        given_categories(self.categories)

    def _check_named(self, labels: Sequence[str]) -> None:
        for parameter, named in (("categories", given_categories(self.categories)), ("keep", self.keep)):
            if unknown := sorted(set(named) - set(labels)):
                raise InputError(
                    f"The {parameter!r} parameter of TableEncoder names columns that X does not have: "
                    f"{quoted(unknown)}. X has {quoted(labels)}{near_names(unknown, labels)}.",
                    code="unknown_column",
                    column=unknown[0],
                )

    def _learn(self, frame: Frame, index: int, order: NDArray[np.intp] | None) -> Column | Reason:
        label = frame.label(index)
        fixed = given_categories(self.categories).get(label)
        return learn_column(
            frame,
            index,
            order,
            scaling=self.scaling,
            max_categories=self.max_categories,
            fixed=fixed,
            kept=label in self.keep or fixed is not None,
        )

    def _set_learned(
        self,
        names: tuple[str, ...] | None,
        labels: Sequence[str],
        plan: Mapping[str, Column],
        left_out: Mapping[str, Reason],
    ) -> None:
        if not plan:
            raise InputError(
                " ".join(["No column is left to learn from.", *said_of_left_out(left_out)]),
                code="no_columns",
            )
        self._left_out = dict(left_out)
        self.input_labels_, self._known, self._plan = list(labels), frozenset(labels), dict(plan)
        outputs = {label: column.output_names(label) for label, column in plan.items()}
        stops = itertools.accumulate(map(len, outputs.values()))
        self._outputs = {
            label: slice(stop - len(outputs[label]), stop) for label, stop in zip(plan, stops, strict=True)
        }
        self._numbers = NumberBlock(
            (index, column, self._outputs[label].start) for index, label, column in self._encoded_columns()
        )
        self.columns_ = names
        self.n_features_in_ = len(labels)
        self.kinds_: dict[str, Kind] = {label: column.kind for label, column in plan.items()}
        self.file_kinds_: dict[str, ColumnKind] = {label: column.file_kind for label, column in plan.items()}
        self.left_out_ = {label: REASONS[reason] for label, reason in left_out.items()}
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
        return (
            (i, label, self._plan[label]) for i, label in enumerate(self.input_labels_) if label in self._plan
        )

    def _check_fitted(self) -> None:
        if not hasattr(self, "_plan"):
            raise NotFittedError("This TableEncoder is not fitted yet: call fit first.")

    def _aligned(self, X: Any) -> Frame:
        """Give a table to encode, its columns in the order of training."""
        self._check_fitted()
        frame = read_frame(X)
        check_rows(frame.rows, at_least=1, shape=(frame.rows, len(frame.raw)))
        if self.columns_ is not None and frame.names is not None:
            extra = [
                name for name in frame.names if name not in self._known and not self.left_out_as_index(name)
            ]
            position = {name: index for index, name in enumerate(frame.names)}
            refuse_other_names(
                position.keys(), needed=self._plan, extra=extra, ignored=self.on_extra == "ignore"
            )
            # a column that was left out is never read
            return frame.select([position.get(name, 0) for name in self.input_labels_])
        if frame.names is not None:
            warn("X has feature names, but TableEncoder was fitted without feature names")
        elif self.columns_ is not None:
            warn("X does not have valid feature names, but TableEncoder was fitted with feature names")
        if len(frame.raw) != self.n_features_in_:
            raise InputError(
                f"X has {len(frame.raw)} features, but TableEncoder is expecting {self.n_features_in_} "
                "features as input.",
                code="column_count",
            )
        return frame

    def left_out_as_index(self, name: str) -> bool:
        """Whether a column numbers the rows, as one that training left out did under this or another such name."""
        return names_index(name) and any(names_index(label) for label in self.left_out_)
