"""The facts of a report, ready for JSON."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.labels import Labels
from alarmnet.metrics import evaluate, proportion
from alarmnet.preprocessing import EncodingSummary, UnseenCategories
from alarmnet.preprocessing.cells import value_of
from alarmnet.preprocessing.frames import read_frame
from alarmnet.preprocessing.rows import Index, take
from alarmnet.report.fitted_detector import FittedDetector, Floats

COLUMNS_PER_ROW = 4


def json_value(value: Any) -> bool | int | float | str | None:
    """Give a cell as a JSON value: NaN, NaT and pandas' NA become None, dates and other types their text."""
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    elif isinstance(value, pa.Scalar):
        value = str(value_of(value)) if value.is_valid and pa.types.is_temporal(value.type) else value.as_py()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return None if str(value) in {"NaT", "<NA>"} else str(value)


def are_images(X: Any) -> bool:
    """Whether the data are images, not a table."""
    return getattr(X, "ndim", 2) > 2


def alarm_share(scores: Floats, *, of: str) -> dict[str, Any]:
    """Give the share of rows in alarm, with its interval."""
    alarms = int((scores > 0).sum())
    return {"of": of, "rows": len(scores), "alarms": alarms, **asdict(proportion(alarms, len(scores)))}


def observed_facts(scores: Floats, labels: Floats | None) -> dict[str, Any]:
    """Give the share of rows in alarm: of rows labelled normal, or of all rows if none is labelled normal."""
    if labels is None or not (labels == 0).any():
        return alarm_share(scores, of="all rows")
    return alarm_share(scores[labels == 0], of="rows labelled normal")


def evaluation_facts(scores: Floats, labels: Floats | None) -> dict[str, Any] | None:
    """Measure how well the scores separate anomalies from normal rows, if both are labelled."""
    if labels is None or not ((labels == 0).any() and (labels == 1).any()):
        return None
    return asdict(evaluate(labels, scores, threshold=0.0))


def _columns(table: Any, encoder: Any) -> dict[str, list[Any]]:
    """Give the cells of a few rows by the names that the encoder calls its columns."""
    frame = read_frame(table)
    names = frame.names if encoder.columns_ and frame.names else encoder.input_labels_
    return {name: [json_value(cell) for cell in frame.column(index)] for index, name in enumerate(names)}


def _unusual(detector: FittedDetector, table: Any) -> list[list[dict[str, Any]]]:
    """Give the most unusual cells of each row of a small table, most unusual first."""
    names, columns = detector.input_names_, _columns(table, detector.encoder_)
    deviations = detector.column_deviations(table)
    furthest = np.argsort(-deviations, axis=1, kind="stable")[:, :COLUMNS_PER_ROW]
    return [
        [
            {
                "column": names[column],
                "value": columns[names[column]][row],
                "deviation": float(deviations[row, column]),
            }
            for column in chosen
        ]
        for row, chosen in enumerate(furthest)
    ]


def highest_facts(
    detector: FittedDetector, rows: Any, chosen: Index, scores: Floats, labels: Floats | None, *, ids: Any
) -> list[dict[str, Any]]:
    """Describe the rows numbered `chosen`, whose data are `rows`, in this order."""
    p_values = detector.p_value(rows)
    unusual = [[] for _ in chosen] if are_images(rows) else _unusual(detector, rows)
    meanings = {0.0: "normal", 1.0: "anomaly"}
    return [
        {
            "rank": place + 1,
            "row": int(row),
            "id": None if ids is None else json_value(ids[row]),
            "score": float(scores[row]),
            "p_value": float(p_values[place]),
            "alarm": bool(scores[row] > 0),
            "label": None if labels is None else meanings.get(float(labels[row])),
            "unusual": unusual[place],
        }
        for place, row in enumerate(chosen)
    ]


def data_facts(
    detector: FittedDetector,
    X: Any,
    labels: Floats | None,
    *,
    name: str | None,
    rows: int,
    held_out: NDArray[np.bool_],
) -> dict[str, Any]:
    """Describe the data: rows, labels, and columns or the shape of images.

    Ranges and categories were learned without the rows that were `held_out` to calibrate, so these are not compared
    with them.
    """
    counted = Labels(np.full(rows, np.nan) if labels is None else labels, np.array([0, 1]))
    facts = {"name": name, "rows": rows, "labels": counted.counts()}
    if are_images(X):
        return {
            **facts,
            "image_shape": list(detector.encoder_.shape_[-(X.ndim - 1) :]),
            "columns": {},
            "left_out": {},
            "cells": [],
        }
    encoder = detector.encoder_
    return {
        **facts,
        "image_shape": None,
        "columns": dict(Counter(encoder.kinds_.values())),
        "left_out": dict(encoder.left_out_),
        "cells": _cells(_summary(encoder, X, held_out), detector.input_names_),
        "held_out": int(held_out.sum()),
    }


def _summary(encoder: Any, X: Any, held_out: NDArray[np.bool_]) -> EncodingSummary:
    found: EncodingSummary = encoder.summarize(X)
    if not held_out.any() or held_out.all():
        return found
    others = encoder.summarize(take(X, np.flatnonzero(~held_out)))
    return replace(found, unseen=others.unseen, outside=others.outside, newly_missing=others.newly_missing)


def _cells(summary: EncodingSummary, names: Sequence[str]) -> list[dict[str, Any]]:
    """List the columns with cells that are missing, unseen or outside the range of the rows learned from."""
    found = {*summary.missing, *summary.unseen, *summary.outside}
    nothing = UnseenCategories(count=0, examples=(), near_matches={})
    unseen = {name: summary.unseen.get(name, nothing) for name in names}
    return [
        {
            "column": name,
            "missing": summary.missing.get(name, 0),
            "newly_missing": name in summary.newly_missing,
            "outside": summary.outside.get(name, 0),
            "unseen": unseen[name].count,
            "unseen_examples": list(unseen[name].examples),
            "near_matches": dict(unseen[name].near_matches),
        }
        for name in names
        if name in found
    ]
