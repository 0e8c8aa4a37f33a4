"""Methods compared on rows with labels: the folds, and what a method finds in one of them."""

import copy
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from alarmnet.baselines import BASELINES, Baseline
from alarmnet.detectors import DETECTORS, BaseDetector
from alarmnet.errors import InputError
from alarmnet.preprocessing.rows import Index, take

METHODS: dict[str, type[BaseDetector | Baseline]] = {**DETECTORS, **BASELINES}
"""All that can be compared, by name."""

Floats = NDArray[np.float64]


def methods_for(*, images: bool) -> list[str]:
    """Names of all that read images, or tables."""
    return [name for name, kind in METHODS.items() if images or getattr(kind, "reads_tables", True)]


@dataclass(frozen=True)
class FoldResult:
    """What a method found in one fold, and how long fitting and scoring took."""

    average_precision: float
    roc_auc: float
    seconds: float


def folds_of(labels: Floats, *, folds: int, seed: int) -> list[tuple[Index, Index]]:
    """Row numbers to learn from and to judge by, a pair a fold.

    Each fold is judged by its share of the known anomalies and of the rows labelled normal; rows that nobody looked
    at (NaN) are learned from in every fold and judge none.

    Raises
    ------
    InputError
        There are fewer anomalies, or fewer normal rows, than folds.

    Examples
    --------
    >>> labels = np.array([1.0, 0.0, 0.0, np.nan, 1.0])
    >>> [judged.tolist() for _, judged in folds_of(labels, folds=2, seed=0)]
    [[1, 4], [0, 2]]
    """
    for kind, value in (("known anomalies", 1), ("rows labelled normal", 0)):
        if (count := int((labels == value).sum())) < folds:
            remedy = f"take {count} folds, or label more" if count > 1 else "label more"
            raise InputError(
                f"{folds} folds need {folds} {kind} or more, one to judge each by; there are {count}: {remedy}",
                code="too_few_for_folds",
            )
    known, unlabelled = np.flatnonzero(~np.isnan(labels)), np.flatnonzero(np.isnan(labels))
    splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(known, labels[known])
    return [(np.sort(np.append(known[learned], unlabelled)), known[judged]) for learned, judged in splits]


def keep_columns(model: BaseDetector | Baseline, kept: Sequence[str]) -> None:
    """Have an unfitted method learn from columns that its encoder would leave out (`TableEncoder`'s ``keep``)."""
    if kept:
        model.encoder = copy.deepcopy(model.encoder or model._default_of("encoder"))
        model.encoder.keep = kept


def judge(
    model: BaseDetector | Baseline, X: Any, labels: Floats, *, learned: Index, judged: Index
) -> FoldResult:
    """Fit a method on some rows of a table or of images, and score others."""
    rows, unseen = take(X, learned), take(X, judged)
    start = time.perf_counter()
    scores = model.fit(rows, labels[learned]).decision_function(unseen)
    seconds = time.perf_counter() - start
    anomalous = labels[judged] == 1
    return FoldResult(
        float(average_precision_score(anomalous, scores)), float(roc_auc_score(anomalous, scores)), seconds
    )
