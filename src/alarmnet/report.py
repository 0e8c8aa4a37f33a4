"""A fitted detector and data as one page to send on: HTML for people, facts as JSON for programs."""

import datetime
import json
import math
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet import plots
from alarmnet._atomic import atomic_path
from alarmnet._frames import Float32s, read_frame, value_of
from alarmnet._rows import Index, take
from alarmnet._validation import Labels
from alarmnet.errors import InputError
from alarmnet.explain.images import tinted
from alarmnet.explain.reporting import BARS, explained_facts
from alarmnet.metrics import as_labels, evaluate, proportion
from alarmnet.preprocessing import EncodingSummary, UnseenCategories
from alarmnet.thresholds import drift_note

COLUMNS_PER_ROW = 4
LONGEST_TEXT = 48
MOST_EXPLAINED = 200
"""Alarms that a report explains, at most, unless more rows are listed."""
CAPTIONS = {
    "scores": "How many rows have which score",
    "scores_narrow": "How many rows have which score",
    "roc": "ROC curve",
    "precision_recall": "Precision-recall curve",
    "target": "Loss of the target network, which learns what is normal",
    "alarm": "Loss of the alarm network, which reads it",
    "second_alarm": "Loss of the second alarm network, linear, which reads what the target reads",
    "third_alarm": "Loss of the third alarm network, which reads the same with a hidden layer",
    "joint": "Loss of the target and alarm networks, which learn together",
}
PACKAGES = ("alarmnet", "torch", "scikit-learn", "numpy")

Floats = NDArray[np.float64]


class FittedDetector(Protocol):
    """What a report asks of a fitted detector.

    `input_names_` and `column_deviations` are asked of table detectors only, `reconstructions` of image detectors.
    Where it has `explain`, the report says why rows scored; else it lists their most unusual values.
    """

    threshold_: float
    alarm_rate_: float
    alarm_rate_held_: float
    calibration_scores_: Floats
    calibration_is_labelled_: bool
    label_counts_: Mapping[str, int]
    history_: Mapping[str, Sequence[Mapping[str, float]]]
    seed_: int
    encoder_: Any

    @property
    def input_names_(self) -> Sequence[str]:
        """The input columns of `column_deviations`, in order."""

    def decision_function(self, X: Any) -> Floats:
        """Give one score a row, shape (N,): above 0 is an alarm."""

    def p_value(self, X: Any) -> Floats:
        """Give one conformal p-value a row, shape (N,): low is anomalous."""

    def column_deviations(self, X: Any) -> Floats:
        """Give how unusual each cell is, shape (N, columns): 1 is 1 normal row in 10, 2 is 1 in 100."""

    def reconstructions(self, X: Any) -> Float32s:
        """Give encoded images as the target network reconstructs them, (N, C, H, W).

        Raises InputError with the code ``"no_reconstruction"`` where it is no autoencoder.
        """


def _json_value(value: Any) -> bool | int | float | str | None:
    """Give a cell as JSON holds it: NaN, NaT and pandas' NA become None, dates and the like their text."""
    if isinstance(value, np.bool_ | np.number):
        value = value.item()
    elif isinstance(value, pa.Scalar):
        value = str(value_of(value)) if value.is_valid and pa.types.is_temporal(value.type) else value.as_py()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    return None if str(value) in {"NaT", "<NA>"} else str(value)


def _are_images(X: Any) -> bool:
    return getattr(X, "ndim", 2) > 2


def _alarm_share(scores: Floats, *, of: str) -> dict[str, Any]:
    alarms = int((scores > 0).sum())
    return {"of": of, "rows": len(scores), "alarms": alarms, **asdict(proportion(alarms, len(scores)))}


def _observed(scores: Floats, labels: Floats | None) -> dict[str, Any]:
    """Give the share of rows in alarm: of rows labelled normal, or of all rows where none is."""
    if labels is None or not (labels == 0).any():
        return _alarm_share(scores, of="all rows")
    return _alarm_share(scores[labels == 0], of="rows labelled normal")


def _evaluation(scores: Floats, labels: Floats | None) -> dict[str, Any] | None:
    if labels is None or not ((labels == 0).any() and (labels == 1).any()):
        return None
    return asdict(evaluate(labels, scores, threshold=0.0))


def _columns(table: Any, encoder: Any) -> dict[str, list[Any]]:
    """Give the cells of a few rows by the names that the encoder calls its columns."""
    frame = read_frame(table)
    names = encoder.columns_ or [f"x{index}" for index in range(len(frame.raw))]
    if encoder.columns_ and frame.names:
        names = frame.names
    return {name: [_json_value(cell) for cell in frame.column(index)] for index, name in enumerate(names)}


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


def _pairs(detector: FittedDetector, images: Any) -> tuple[Float32s, Float32s | None]:
    """Give a few images on the scale of the encoder, and their reconstructions where the target makes them."""
    encoded: Float32s = detector.encoder_.transform(images)
    try:
        return encoded, detector.reconstructions(images)
    except InputError as error:
        if error.code != "no_reconstruction":
            raise
        return encoded, None


def _highest(
    detector: FittedDetector, rows: Any, chosen: Index, scores: Floats, labels: Floats | None, *, ids: Any
) -> list[dict[str, Any]]:
    """Describe the `chosen` rows, which are `rows` themselves, in this order."""
    p_values = detector.p_value(rows)
    unusual = [[] for _ in chosen] if _are_images(rows) else _unusual(detector, rows)
    meanings = {0.0: "normal", 1.0: "anomaly"}
    return [
        {
            "rank": place + 1,
            "row": int(row),
            "id": None if ids is None else _json_value(ids[row]),
            "score": float(scores[row]),
            "p_value": float(p_values[place]),
            "alarm": bool(scores[row] > 0),
            "label": None if labels is None else meanings.get(float(labels[row])),
            "unusual": unusual[place],
        }
        for place, row in enumerate(chosen)
    ]


def _explained(
    detector: FittedDetector, X: Any, scores: Floats, labels: Floats | None, *, ids: Any, top: int
) -> tuple[list[dict[str, Any]], Floats | None]:
    """Why rows scored, in patterns, of a table; the heat maps of the `top` highest images (top, H, W)."""
    explain = getattr(detector, "explain", None)
    if explain is None:
        return [], None
    count = top if _are_images(X) else max(top, min(int((scores > 0).sum()), MOST_EXPLAINED))
    chosen = np.argsort(-scores, kind="stable")[:count]
    rows = take(X, chosen)
    explanation = explain(rows, columns=BARS)
    if _are_images(X):
        return [], np.asarray(explanation.values)
    described = _highest(detector, rows, chosen, scores, labels, ids=ids)
    return explained_facts(explanation, described), None


def _data(
    detector: FittedDetector, X: Any, labels: Floats | None, *, name: str | None, rows: int
) -> dict[str, Any]:
    counted = Labels(np.full(rows, np.nan) if labels is None else labels, np.array([0, 1]))
    facts = {"name": name, "rows": rows, "labels": counted.counts()}
    if _are_images(X):
        return {**facts, "image_shape": list(X.shape[1:]), "columns": {}, "left_out": {}, "cells": []}
    encoder = detector.encoder_
    return {
        **facts,
        "image_shape": None,
        "columns": dict(Counter(encoder.kinds_.values())),
        "left_out": dict(encoder.left_out_),
        "cells": _cells(encoder.summarize(X), detector.input_names_),
    }


def _cells(summary: EncodingSummary, names: Sequence[str]) -> list[dict[str, Any]]:
    """List the columns with cells that are missing, unseen or outside the training range."""
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


def _hints(facts: Mapping[str, Any]) -> list[str]:
    """Plain sentences on how to read the numbers."""
    rates, observed = facts["alarm_rate"], facts["observed"]
    asked, held = _percent(rates["asked"]), _percent(rates["held"])
    row = "image" if facts["data"]["image_shape"] else "row"
    hints = [
        f"At an alarm rate of {held}, expect about {_count(round(10_000 * rates['held']))} false alarms per "
        f"10,000 normal {row}s.",
        f"A p-value is the share of normal {row}s that would score at least as high: 0.001 means 1 in 1,000.",
    ]
    if rates["held"] > rates["asked"] * 1.0001:
        hints.append(
            f"{_count(rates['calibration_rows'])} calibration {row}s are too few to hold {asked}: {held} is "
            "the smallest rate they can hold."
        )
    if not rates["calibration_is_labelled"]:
        hints.append(
            f"No {row} labelled normal was at hand for calibration, so unlabelled {row}s were taken. The alarm "
            "rate holds only if these are clean; anomalies among them raise the threshold and hide others."
        )
    if observed["of"] == "all rows":
        hints.append(
            f"No {row} here is labelled normal, so the observed rate counts all {row}s: true anomalies raise it."
        )
    elif note := drift_note(
        observed["alarms"],
        observed["rows"],
        calibration_rows=rates["calibration_rows"],
        held=rates["held"],
    ):
        hints.append(f"{note} Consider fitting anew.")
    if facts["evaluation"] is None:
        hints.append(
            f"Without both labelled normal {row}s and labelled anomalies there is no measure here of how many "
            "anomalies are found."
        )
    return hints


def make_report(
    detector: FittedDetector,
    X: Any,
    y: Any = None,
    *,
    ids: Any = None,
    title: str = "Anomaly report",
    data_name: str | None = None,
    top: int = 20,
    date: datetime.date | None = None,
) -> "Report":
    """Score data with a fitted detector and put what was found into a report.

    Parameters
    ----------
    detector
        Fitted; see `FittedDetector`.
    X
        A frame (pandas, polars, pyarrow), a 2-D array, or images (N, C, H, W); scored once.
    y
        Labels, shape (N,): 1 or True anomaly, 0 or False normal, NaN, None or pd.NA not looked at.
    ids
        What to call each row, shape (N,); row numbers, counted from 0, if not given.
    title, data_name
        Words for the head of the page.
    top
        How many of the highest-scored rows to list.
    date
        Printed once; today if not given. The same input and date give the same bytes.

    Raises
    ------
    InputError
        For data, labels or ids that cannot be used.

    Examples
    --------
    >>> make_report(detector, X, y, data_name="Flows of March").save("report.html")  # doctest: +SKIP
    """
    if top < 1:
        raise InputError(f"top={top!r} must be 1 or more, such as 20", code="invalid_parameter")
    scores = np.asarray(detector.decision_function(X), dtype=np.float64)
    labels = None if y is None else as_labels(y, rows=len(scores))
    if ids is not None:
        ids = np.asarray(ids, dtype=object)
        if ids.shape != scores.shape:
            raise InputError(
                f"ids have shape {ids.shape} for {len(scores):,} rows; pass one id a row", code="wrong_shape"
            )
    chosen = np.argsort(-scores, kind="stable")[:top]
    rows = take(X, chosen)
    reasons, heat = _explained(detector, X, scores, labels, ids=ids, top=top)
    facts: dict[str, Any] = {
        "format": 1,
        "title": title,
        "date": (date or datetime.date.today()).isoformat(),
        "data": _data(detector, X, labels, name=data_name, rows=len(scores)),
        "detector": {
            "name": type(detector).__name__,
            "seed": int(detector.seed_),
            "labels": {name: int(count) for name, count in detector.label_counts_.items()},
        },
        "versions": {"Python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "training": {
            network: [{key: _json_value(value) for key, value in check.items()} for check in checks]
            for network, checks in detector.history_.items()
        },
        "alarm_rate": {
            "asked": float(detector.alarm_rate_),
            "held": float(detector.alarm_rate_held_),
            "threshold": float(detector.threshold_),
            "calibration_rows": len(detector.calibration_scores_),
            "calibration_is_labelled": bool(detector.calibration_is_labelled_),
        },
        "alarms": _alarm_share(scores, of="all rows"),
        "observed": _observed(scores, labels),
        "evaluation": _evaluation(scores, labels),
        "highest": _highest(detector, rows, chosen, scores, labels, ids=ids),
        "reasons": reasons,
    }
    facts["hints"] = _hints(facts)
    images, reconstructions = _pairs(detector, rows) if _are_images(X) else (None, None)
    return Report(
        facts=facts, scores=scores, labels=labels, images=images, reconstructions=reconstructions, heat=heat
    )


def _count(value: int) -> str:
    return f"{value:,}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _decimal(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("-", "\u2212")


def _p_value(value: float) -> str:
    return f"{value:.2g}" if value >= 0.0001 else f"{value:.0e}"


def _visible(value: object) -> str:
    """Show a value as one line of text: no line breaks and no characters that cannot be seen."""
    if value is None:
        return "missing"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    shown = " ".join(text.split()) or "(empty)"
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in shown)


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "\u2026"


@dataclass(frozen=True, eq=False)
class Report:
    """What `make_report` found: `facts` for programs, `to_html` and `save` for people.

    Attributes
    ----------
    facts
        Everything the page says, ready for JSON; no NaN, what is missing is None.
    scores
        Shape (N,), what `decision_function` gave: above 0 is an alarm.
    labels
        Shape (N,), 1 anomaly, 0 normal, NaN not looked at; None where none were given.
    images, reconstructions
        The highest-scored images and what the target network makes of them, shape (top, C, H, W), in about
        [0, 1]; None for tables, and where the target is no autoencoder.
    heat
        What each pixel of these images adds to the score, in logits, shape (top, H, W); None for tables.
    """

    facts: dict[str, Any]
    scores: Floats
    labels: Floats | None
    images: Float32s | None = None
    reconstructions: Float32s | None = None
    heat: Floats | None = None

    def to_html(self) -> str:
        """Give one self-contained page: no script, nothing from the network, light and dark, phone and paper.

        Raises
        ------
        MissingExtraError
            If Jinja2 or Matplotlib is not installed.
        """
        plots.require_extra("jinja2")
        from jinja2 import Environment, PackageLoader, StrictUndefined

        environment = Environment(
            loader=PackageLoader("alarmnet"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {
            "count": _count,
            "percent": _percent,
            "decimal": _decimal,
            "p_value": _p_value,
            "visible": _visible,
            "shortened": _shortened,
        }
        page = environment.get_template("report.html.j2")
        made = {"pictures": self._pictures(), "gallery": self._gallery(), "captions": CAPTIONS}
        top = max(len(self.facts["highest"]), 1)
        return page.render(self.facts, top=top, **made) + "\n"

    def to_json(self) -> str:
        """Give the facts as JSON text."""
        return json.dumps(self.facts, indent=2, allow_nan=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Write the page (a path that ends in .html) or the facts (.json), all of the file or nothing.

        Raises
        ------
        InputError
            For another ending, or a path that cannot be written.
        MissingExtraError
            If the page is asked for and Jinja2 or Matplotlib is not installed.
        """
        path = Path(path)
        writers = {".html": self.to_html, ".json": self.to_json}
        if path.suffix not in writers:
            raise InputError(
                f"cannot save a report as {path.name!r}; end the name in .html or .json",
                code="unknown_format",
            )
        content = writers[path.suffix]().encode("utf-8", errors="replace")
        with atomic_path(path) as draft:
            draft.write_bytes(content)

    def _gallery(self) -> list[dict[str, Any]]:
        """The highest-scored images, each a data URI, with what is said of it."""
        if self.images is None:
            return []
        none = [None] * len(self.images)
        made = none if self.reconstructions is None else self.reconstructions
        heat = none if self.heat is None else self.heat
        shown = zip(self.facts["highest"], self.images, made, heat, strict=True)
        return [
            {
                **fact,
                "image": plots.inline_image(image),
                "reconstruction": None if again is None else plots.inline_image(again),
                "heat": None if warm is None else plots.inline_image(tinted(image, warm)),
            }
            for fact, image, again, warm in shown
        ]

    def _pictures(self) -> dict[str, str]:
        """SVG by name; a picture that would say nothing is left out."""
        wide, half = (10.0, 3.6), (4.6, 3.3)
        scores = partial(plots.plot_scores, scores=self.scores, y=self.labels)
        drawn = {"scores": (scores, wide), "scores_narrow": (scores, half)}
        if self.facts["evaluation"]:
            drawn["roc"] = (partial(plots.plot_roc, y=self.labels, scores=self.scores), half)
            drawn["precision_recall"] = (
                partial(plots.plot_precision_recall, y=self.labels, scores=self.scores),
                half,
            )
        for network, checks in self.facts["training"].items():
            if len(checks) > 1:
                drawn[network.replace(" ", "_")] = (partial(plots.plot_training, checks=checks), half)
        return {
            name: plots.inline_svg(draw, name=name, label=CAPTIONS[name], size=size)
            for name, (draw, size) in drawn.items()
        }
