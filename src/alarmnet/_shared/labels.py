"""Labels of any container and spelling, as 1, 0 and NaN."""

import numbers
import re
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.utils.validation import column_or_1d

from alarmnet._shared.missing_words import MISSING_WORDS
from alarmnet._shared.spelling import is_near
from alarmnet._shared.warn import warn
from alarmnet.errors import InputError, InputTypeError

NORMAL_WORDS = (
    "normal",
    "benign",
    "good",
    "ok",
    "legitimate",
    "regular",
    "negative",
    "legit",
    "genuine",
    "clean",
    "safe",
    "valid",
    "healthy",
    "pass",
    "passed",
)
"""Labels of normal rows, in any case, if `anomaly_label` is not given."""

LARGEST_LABEL = 4096
"""The most bytes of a label, since every prediction repeats it."""

_PAIRS_OF_TEXT = (("0", "1"), ("0.0", "1.0"))
_NUMBERS = (numbers.Real, Decimal, np.bool_)


@dataclass(frozen=True)
class Labels:
    """Labels as alarmnet reads them.

    `values` (N,) holds 1 for a known anomaly, 0 for normal, NaN for not looked at; `classes` (2,) holds what
    the caller calls normal and anomaly, in this order.
    """

    values: NDArray[np.float64]
    classes: NDArray[Any]

    @property
    def anomalous(self) -> NDArray[np.bool_]:
        """Rows known to be anomalies."""
        return np.asarray(self.values == 1)

    @property
    def normal(self) -> NDArray[np.bool_]:
        """Rows labelled normal."""
        return np.asarray(self.values == 0)

    @property
    def unlabelled(self) -> NDArray[np.bool_]:
        """Rows nobody has looked at."""
        return np.isnan(self.values)

    def counts(self) -> dict[str, int]:
        """How many rows of each kind."""
        kinds = {"normal": self.normal, "anomaly": self.anomalous, "unlabelled": self.unlabelled}
        return {name: int(rows.sum()) for name, rows in kinds.items()}


def _as_array(y: Any) -> NDArray[Any]:
    """Labels of any container as a 1-D array, missing ones as None or NaN."""
    if hasattr(getattr(y, "dtype", None), "pyarrow_dtype"):
        y = y.array.__arrow_array__()  # pandas does not know all of Arrow's types
    if isinstance(y, np.ma.MaskedArray):
        y = y.tolist()  # None where masked
    elif isinstance(y, pa.Array | pa.ChunkedArray):
        y = y.to_pylist()
    elif isinstance(y, Iterable) and not hasattr(y, "__getitem__"):
        y = list(y)
    elif hasattr(y, "to_numpy") and not hasattr(y, "iloc"):
        y = y.to_list() if hasattr(y, "to_list") else y.to_numpy()
    elif hasattr(y, "iloc") and np.any(y.isna()):
        y = np.asarray(y.astype(object))
    if isinstance(y, list | tuple) and any(label is None for label in y):
        y = np.array(y, dtype=object)
    try:
        return np.asarray(column_or_1d(y, warn=True))
    except ValueError as error:
        raise InputError(f"{error}; pass one label a row: 1, 0 or missing", code="labels") from error


def _is_missing(label: object) -> bool:
    return label is None or type(label).__name__ in ("NAType", "NaTType") or label != label


def _missing(labels: NDArray[Any]) -> NDArray[np.bool_]:
    if labels.dtype.kind == "O":
        return np.fromiter((_is_missing(label) for label in labels), dtype=bool, count=len(labels))
    return np.isnan(labels) if labels.dtype.kind == "f" else np.zeros(len(labels), dtype=bool)


def _refuse_other_than_numbers_and_text(labels: NDArray[Any], missing: NDArray[np.bool_]) -> None:
    known = labels[~missing]
    if known.dtype.kind not in "biufU":
        other = [label for label in known if not isinstance(label, str | numbers.Real | Decimal | np.bool_)]
        if other:
            raise InputError(
                f"a label in y is a {type(other[0]).__name__}; labels are numbers, booleans or text",
                code="labels",
            )
    infinite = np.isin(known, (np.inf, -np.inf))
    if infinite.any():
        rows = np.flatnonzero(~missing)[infinite].tolist()
        raise InputError("Input y contains infinity; labels are 1, 0 or missing", code="label", rows=rows)


def _check_index(y: Any, X: Any, called: str) -> None:
    """Refuse labels in another order than their rows, by the indexes of pandas; warn if the indexes differ."""
    if not (hasattr(y, "iloc") and hasattr(X, "iloc")) or y.index.equals(X.index):
        return
    place = int(np.argmax(np.asarray(y.index != X.index)))
    of_rows, of_labels = (index[[place]].tolist()[0] for index in (X.index, y.index))
    differ = f"At position {place}, the index of {called} has {of_rows!r}, and that of y has {of_labels!r}"
    if y.index.value_counts().eq(X.index.value_counts()).all():
        raise InputError(
            f"{called} and y have the same index in different orders. {differ}. Pass y.loc[{called}.index] to "
            f"align y by its index (if no value occurs twice), or y.to_numpy() if y is in the order of {called}",
            code="label_order",
        )
    warn(
        f"the indexes of {called} and y differ; labels are taken by position. {differ}; pass y.to_numpy() if y is "
        f"in the order of {called}",
    )


class LearnedLabels(NamedTuple):
    """What a fitted detector calls anomalies, and its two classes: none if it has several labels of anomalies."""

    anomalies: list[Any]
    classes: list[Any]

    def explain(self, known: NDArray[Any]) -> bool:
        """Whether labels mean what they meant to `fit`. True and False always mean an anomaly and a normal row."""
        labels = set(known.tolist())
        if all(isinstance(label, bool) for label in labels):
            return False
        if labels <= {*self.classes} or not labels.isdisjoint(self.anomalies):
            return True
        texts = [isinstance(label, str) for label in (*labels, *self.anomalies)]
        return all(texts) and not any(labels <= {*pair} for pair in _PAIRS_OF_TEXT)


def read_labels(
    y: Any,
    *,
    rows: int,
    X: Any = None,
    anomaly_label: object = None,
    learned: LearnedLabels | None = None,
    to_learn: bool = True,
    called: str = "X",
) -> Labels:
    """Labels of any container and spelling, as 1, 0 and NaN.

    `anomaly_label` is one label, or a list of them. Without it, what a fitted detector has `learned` as anomalies
    counts where y has labels that it knows, or other text. Otherwise 1 and True are the anomaly; of two other
    labels the one that is not "normal", "benign" or the like is, else the second in sorted order, with a warning
    that says so. What nothing can be learned from is refused, unless the labels are not there `to_learn` from. `X`
    are the labels' rows, so that the indexes of pandas can be compared; messages have what they are `called`.
    `Labels` that were read before count as they are.

    Raises
    ------
    InputError
        Another length than the rows; their index in another order; infinite or continuous labels; three labels
        or more, or a single unknown one, without `anomaly_label`; text where `anomaly_label` names numbers, or the
        reverse; a label that differs from an anomaly's only in its spelling; text that means "missing" in tables.
        To learn from: NaN alone, or no normal row.
    """
    if y is None:
        return Labels(np.full(rows, np.nan), np.array([0, 1]))
    if isinstance(y, Labels):
        y, anomaly_label, learned = y.values, None, None
    labels = _as_array(y)
    if len(labels) != rows:
        raise InputError(
            f"Found input variables with inconsistent numbers of samples: {called} has {rows} rows, y has "
            f"{len(labels)} labels",
            code="length_mismatch",
        )
    _check_index(y, X, called)
    missing = _missing(labels)
    if to_learn and missing.all():
        raise InputError("Input y contains NaN only: no row is labelled; pass y=None", code="no_labels")
    _refuse_other_than_numbers_and_text(labels, missing)
    known = labels[~missing]
    values = np.full(rows, np.nan)
    anomalies, classes = _anomalies_and_classes(known, anomaly_label, learned)
    values[~missing] = np.isin(known, anomalies)
    if to_learn and not (values == 0).any() and not missing.any():
        raise InputError(
            f"no normal rows: only one class, {_shown(anomalies)}, is in y; give rows labelled normal, or "
            "unlabelled ones (NaN)",
            code="one_class",
        )
    return Labels(values, classes)


def _shown(labels: Sequence[object]) -> str:
    return ", ".join(map(repr, labels[:6])) + (", ..." if len(labels) > 6 else "")


def _refuse_near(labels: Sequence[object], anomalies: Sequence[object]) -> None:
    """Refuse labels that would count as normal, but differ from a label of anomalies only in spelling."""
    near = [
        label
        for label in labels
        if label not in anomalies and any(is_near(str(label), str(anomaly)) for anomaly in anomalies)
    ]
    if near:
        raise InputError(
            f"y holds {_shown(near)}, while anomalies are {_shown(anomalies)}: is it the same in "
            "another spelling? Spell it alike, or list all labels of anomalies: "
            f"anomaly_label=[{_shown([*anomalies, *near])}]",
            code="near_label",
        )


def _refuse_missing_words(labels: Sequence[object], anomaly_label: object) -> None:
    """Refuse text that means "missing" in tables and would count as a label here, unless it names anomalies."""
    named = [] if anomaly_label is None else listed(anomaly_label)
    words = [
        label
        for label in labels
        if isinstance(label, str) and label.strip() in MISSING_WORDS and label not in named
    ]
    if words:
        raise InputError(
            f"y holds the text {_shown(words)}, which means missing in tables. Pass None in its place if nobody "
            "has looked at these rows. If it is the label of normal rows, pass False for them and True for "
            "anomalies",
            code="labels",
        )


def _distinct(known: NDArray[Any]) -> NDArray[Any]:
    """The labels that occur, sorted; numbers of any type as numbers, and texts of any type as texts."""
    try:
        found = np.unique(known)
    except TypeError as error:
        kinds = sorted({type(label).__name__ for label in known})
        raise InputError(
            f"labels of several types ({', '.join(kinds)}) in y; use one type", code="labels"
        ) from error
    if found.dtype.kind == "O" and all(isinstance(label, _NUMBERS) for label in found):
        whole = all(isinstance(label, numbers.Integral | np.bool_) for label in found)
        return np.unique(known.astype(int if whole else float))
    if found.dtype.kind == "O" and len(found):
        found = found.astype(str)
    if found.dtype.kind == "U":
        longest = max(map(len, found.tolist()), default=0)
        if longest > LARGEST_LABEL // 4:
            raise InputError(
                f"a label in y has {longest:,} characters; labels have at most {LARGEST_LABEL // 4:,}",
                code="labels",
            )
        found = found.astype(f"U{max(longest, 1)}")
    return found


def listed(labels: object) -> list[Any]:
    """One label, or any list of labels, as a list.

    >>> listed("dos"), listed(np.array(["dos", "probe"])), listed(("dos",))
    (['dos'], ['dos', 'probe'], ['dos'])
    """
    if isinstance(labels, pa.Array | pa.ChunkedArray):
        return list(labels.to_pylist())
    if hasattr(labels, "to_numpy"):
        labels = labels.to_numpy()
    if isinstance(labels, np.ndarray):
        return list(labels.ravel().tolist())
    if isinstance(labels, list | tuple | set | frozenset | range) and len(labels):
        return list(labels)
    if isinstance(labels, Iterable) and not isinstance(labels, str):
        raise InputTypeError(
            "The 'anomaly_label' parameter must be a label or a list of labels. "
            f"Got {reprlib.repr(labels)} instead.",
            code="invalid_parameter",
        )
    return [labels]


def _of_several(found: NDArray[Any], anomaly_label: object, *, shown: str) -> tuple[list[Any], NDArray[Any]]:
    """Anomalies and classes as `anomaly_label` names them."""
    named = listed(anomaly_label)
    anomalies = [label for label in found.tolist() if label in named]
    normal = found[[label not in named for label in found.tolist()]]
    _refuse_near(normal.tolist(), named)
    if len(found) and not any(isinstance(label, str) == (found.dtype.kind == "U") for label in named):
        raise InputError(
            f"no label in y equals {_shown(named)}, which anomaly_label names: the labels are {shown}, and no text "
            "equals a number. Name a label that y has. For tools that make numbers of labels, "
            "such as scikit-learn's cross_val_predict, pass True for anomalies in y, and no anomaly_label",
            code="absent_label",
        )
    absent = [label for label in named if label not in anomalies]
    if absent:
        warn(f"no label in y equals {_shown(absent)}, which marks anomalies; the labels are {shown}")
    one_each = len(normal) == 1 == len(named)
    return anomalies, np.array([normal[0], named[0]]) if one_each else np.array([0, 1])


def _means_normal(label: object, other: object) -> bool:
    """Whether a label is a word for normal rows, "no", or the other label after "no", "non" or "not".

    It is not if the other label is a word for normal rows: of "ok" and "not ok", the latter is no such word.
    """
    text, opposite = (re.sub(r"[\W_]+", "", str(each).lower()) for each in (label, other))
    negated = ("no", f"no{opposite}", f"non{opposite}", f"not{opposite}")
    return opposite not in NORMAL_WORDS and text in (*NORMAL_WORDS, *negated)


def _of_two(found: NDArray[Any], known: NDArray[Any]) -> tuple[list[Any], NDArray[Any]]:
    """Take the label that does not mean normal, else the second in sorted order, as the anomaly.

    A warning says which.
    """
    if _means_normal(found[1], found[0]):
        found = found[::-1]
    sides = found.tolist()
    _refuse_near(sides[:1], sides[1:])
    rows = int(np.sum(known == found[1]))
    message = (
        f"labels are {sides[0]!r} and {sides[1]!r}: {sides[1]!r}, of {rows:,} rows, is taken as the anomaly"
    )
    if sides == [-1, 1]:
        message += " (as scikit-learn's classifiers have it; its outlier detectors call anomalies -1)"
    warn(f"{message}; name it with anomaly_label=")
    return sides[1:], found


def learned_labels(detector: Any) -> LearnedLabels | None:
    """What a fitted detector has learned; None if anomalies are 1 or True."""
    named = getattr(detector, "anomaly_label", None)
    classes = np.asarray(getattr(detector, "classes_", (0, 1))).tolist()
    if named is not None:
        return LearnedLabels(listed(named), [] if classes == [0, 1] else classes)
    ones = classes == [0, 1] or tuple(classes) in _PAIRS_OF_TEXT
    return None if ones else LearnedLabels(classes[1:], classes)


def _anomalies_and_classes(
    known: NDArray[Any], anomaly_label: object, learned: LearnedLabels | None
) -> tuple[list[Any], NDArray[Any]]:
    """Which labels are anomalies, and the pair (normal, anomaly) of the caller's labels; 0 and 1 for several."""
    found = _distinct(known)
    if anomaly_label is None and learned is not None and len(known) and learned.explain(known):
        anomaly_label = learned.anomalies
    _refuse_missing_words(found.tolist(), anomaly_label)
    shown = _shown(found.tolist())
    if anomaly_label is not None:
        return _of_several(found, anomaly_label, shown=shown)
    if found.dtype.kind == "f" and (found != np.round(found)).any():
        raise InputError(
            f"Unknown label type: continuous; y holds {shown}; labels are 1, 0 or missing", code="labels"
        )
    if set(found.tolist()) <= {0, 1}:
        return [1], np.array([False, True]) if found.dtype.kind == "b" else np.array([0, 1])
    for normal, anomaly in _PAIRS_OF_TEXT:
        if set(found.tolist()) <= {normal, anomaly}:
            return [anomaly], np.array([normal, anomaly])
    if len(found) > 2:
        raise InputError(
            f"Only binary classification is supported. The labels are {shown}: name the anomalous one with "
            "anomaly_label=",
            code="labels",
        )
    if len(found) == 1:
        raise InputError(
            f"y holds one class only, {shown}, which is neither 0 (normal) nor 1 (anomaly): name the anomalous "
            "label with anomaly_label=",
            code="one_class",
        )
    return _of_two(found, known)
