"""Makes a report from a detector and data."""

import datetime
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.labels import learned_labels, read_labels
from alarmnet._shared.validation import check_whole
from alarmnet.detectors.recognition import Recognised, SeenRows
from alarmnet.errors import InputError, InputTypeError
from alarmnet.explain.reporting import BARS, explained_facts
from alarmnet.preprocessing.cells import Float32s
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.rows import indexable, take
from alarmnet.report.facts import (
    alarm_share,
    are_images,
    data_facts,
    evaluation_facts,
    highest_facts,
    json_value,
    observed_facts,
)
from alarmnet.report.fitted_detector import FittedDetector, Floats
from alarmnet.report.hints import hints_on
from alarmnet.report.page import Report

MOST_EXPLAINED = 200
"""Alarms that a report explains, at most, unless more rows are listed."""

MOST_CELLS = 60_000
"""The most cells of these alarms: a row takes longer to explain in a wide table."""

PACKAGES = ("alarmnet", "torch", "scikit-learn", "numpy")


def _pairs(detector: FittedDetector, images: Any) -> tuple[Float32s, Float32s | None]:
    """Give a few images on the scale of the encoder, and their reconstructions if the target makes any."""
    encoded: Float32s = detector.encoder_.transform(images)
    try:
        return encoded, detector.reconstructions(images)
    except InputError as error:
        if error.code != "no_reconstruction":
            raise
        return encoded, None


def _explained(
    detector: FittedDetector, X: Any, scores: Floats, labels: Floats | None, *, ids: Any, top: int
) -> tuple[list[dict[str, Any]], Floats | None]:
    """Reasons for the scores of a table's rows, in patterns; or heat maps of the `top` images (top, H, W)."""
    explain = getattr(detector, "explain", None)
    if explain is None:
        return [], None
    count = top
    if not are_images(X):
        most = min(MOST_EXPLAINED, MOST_CELLS // len(detector.input_names_))
        count = max(top, min(int((scores > 0).sum()), most))
    chosen = np.argsort(-scores, kind="stable")[:count]
    rows = take(X, chosen)
    explanation = explain(rows, columns=BARS)
    if are_images(X):
        return [], np.asarray(explanation.values)
    described = highest_facts(detector, rows, chosen, scores, labels, ids=ids)
    return explained_facts(explanation, described), None


@dataclass(frozen=True)
class _Seen:
    """Signs that the data is training data, and which of its rows calibrate the model then (N,)."""

    recognised: Recognised
    held_out: NDArray[np.bool_]


def _seen(detector: FittedDetector, X: Any) -> _Seen:
    if not hasattr(detector, "fitted_state"):
        return _Seen(Recognised(0, 0), np.zeros(0, dtype=bool))
    rows = SeenRows(detector.fitted_state())
    calibrates = rows.add(X)
    return _Seen(rows.recognised, calibrates & bool(rows.recognised.note()))


def make_report(
    detector: FittedDetector,
    X: Any,
    y: Any = None,
    *,
    anomaly_label: object = None,
    ids: Any = None,
    title: str = "Anomaly report",
    data_name: str | None = None,
    top: int = 20,
    date: datetime.date | None = None,
    looked: Mapping[str, Any] | None = None,
) -> Report:
    """Score data with a fitted detector and report the alarms, their reasons and the measured quality.

    Parameters
    ----------
    detector
        Fitted; see `FittedDetector`.
    X
        A frame (pandas, polars, pyarrow), a 2-D array, or images (N, H, W), (N, C, H, W) or (N, H, W, C);
        scored once.
    y
        Labels, shape (N,): the labels that the detector has learned, or 1 or True anomaly, 0 or False normal. NaN,
        None or pd.NA: unlabelled.
    anomaly_label
        The label, or a list of labels, of anomalies, if the labels are others.
    ids
        The name of each row, shape (N,). By default, rows have numbers, counted from 0.
    title, data_name
        The title of the page, and the name of the data below it.
    top
        The number of highest-scored rows to list.
    date
        The date on the page; by default today. The same input and date give the same bytes.
    looked
        The facts of `alarmnet triage` about reviewers' answers, ready for JSON. They add a section to the page. The
        labels are then of rows that were chosen, so no alarm rate and no quality is measured on them.

    Raises
    ------
    InputError
        For data, labels or ids that cannot be used.

    Examples
    --------
    >>> make_report(detector, X, y, data_name="Flows of March").save("report.html")  # doctest: +SKIP
    """
    if lacking := [name for name in ("unclean_share", "decision_function") if not hasattr(detector, name)]:
        raise InputTypeError(
            f"The 'detector' parameter of make_report must be a fitted detector, such as A3Detector. Got "
            f"{type(detector).__name__} instead, which has no {lacking[0]}.",
            code="invalid_parameter",
        )
    check_whole(make_report, "top", top)
    X = indexable(X)
    if not row_count(X):
        raise InputError(
            f"{data_name or 'X'} has no rows, and a report is about at least one; give the rows to report on",
            code="too_few_rows",
        )
    scores = np.asarray(detector.decision_function(X), dtype=np.float64)
    labels = None
    if y is not None:
        labels = read_labels(
            y,
            rows=len(scores),
            X=X,
            anomaly_label=anomaly_label,
            learned=learned_labels(detector),
            to_learn=False,
        ).values
    if ids is not None:
        ids = np.asarray(ids, dtype=object)
        if ids.shape != scores.shape:
            raise InputError(
                f"ids have shape {ids.shape} for {len(scores):,} rows; pass one id a row", code="wrong_shape"
            )
    chosen = np.argsort(-scores, kind="stable")[:top]
    rows = take(X, chosen)
    share = detector.unclean_share()
    seen = _seen(detector, X)
    reasons, heat = _explained(detector, X, scores, labels, ids=ids, top=top)
    facts: dict[str, Any] = {
        "format": 1,
        "title": title,
        "date": (date or datetime.date.today()).isoformat(),
        "data": data_facts(detector, X, labels, name=data_name, rows=len(scores), held_out=seen.held_out),
        "detector": {
            "name": type(detector).__name__,
            "seed": int(detector.seed_),
            "labels": {name: int(count) for name, count in detector.label_counts_.items()},
        },
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "training": {
            network: [{key: json_value(value) for key, value in check.items()} for check in checks]
            for network, checks in detector.history_.items()
        },
        "alarm_rate": {
            "asked": float(detector.alarm_rate_),
            "held": float(detector.alarm_rate_held_),
            "threshold": float(detector.threshold_),
            "calibration_rows": len(detector.calibration_scores_),
            "calibration_is_labelled": bool(detector.calibration_is_labelled_),
            "calibration_is_reviewed": bool(getattr(detector, "calibration_is_reviewed_", False)),
            "unclean_share": None if share is None else asdict(share),
            "allows_for_unclean": bool(detector.allows_for_unclean_),
        },
        "alarms": alarm_share(scores, of="all rows"),
        "observed": None if looked else observed_facts(scores, labels),
        "evaluation": None if looked else evaluation_facts(scores, labels),
        "highest": highest_facts(detector, rows, chosen, scores, labels, ids=ids),
        "reasons": reasons,
        "looked": None if looked is None else dict(looked),
        "training_rows": asdict(seen.recognised),
    }
    facts["hints"] = hints_on(facts)
    images, reconstructions = _pairs(detector, rows) if are_images(X) else (None, None)
    return Report(
        facts=facts, scores=scores, labels=labels, images=images, reconstructions=reconstructions, heat=heat
    )
