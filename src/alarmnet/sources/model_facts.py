"""What a model file holds, as facts for people and programs."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from scipy.special import expit

from alarmnet._shared.persistence import read_file
from alarmnet.detectors import BaseDetector, load
from alarmnet.networks.recipes import to_json
from alarmnet.preprocessing import ImageScaler, TableEncoder


def model_facts(path: Path) -> dict[str, Any]:
    """Say what a model was trained on and with, what it reads and when it raises alarms.

    Raises
    ------
    ModelFileError
        The file is damaged, or no model.
    InputError
        It was trained with a target of the user's own, which no file holds.
    """
    detector = load(path)
    manifest, _ = read_file(path)
    return {
        "model": str(path),
        "bytes": path.stat().st_size,
        "method": detector.method,
        "versions": dict(manifest["versions"]),
        "parameters": _changed(detector, manifest["parameters"]),
        "seed": detector.seed_,
        "classes": manifest["classes"],
        "labels": {name: detector.label_counts_[name] for name in ("anomaly", "normal", "unlabelled")},
        "label_column": {name: detector.notes_.get(name) for name in ("label", "anomaly", "normal")},
        "ignored": [*detector.notes_.get("ignored", ())],
        "threshold": detector.threshold_,
        "score_threshold": float(expit(detector.threshold_)),
        **calibration_facts(detector),
        **_input_facts(detector.encoder_, detector.notes_),
    }


def calibration_facts(detector: BaseDetector) -> dict[str, Any]:
    """Say what the alarm rate rests on: how many rows, whether they are labelled, and how clean they seem."""
    share = detector.unclean_share()
    return {
        "alarm_rate": detector.alarm_rate_,
        "alarm_rate_held": detector.alarm_rate_held_,
        "calibration_rows": len(detector.calibration_scores_),
        "calibration_is_labelled": detector.calibration_is_labelled_,
        "calibration_is_reviewed": detector.calibration_is_reviewed_,
        "unclean_share": None if share is None else asdict(share),
        "allows_for_unclean": detector.allows_for_unclean_,
    }


def _changed(detector: BaseDetector, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters that are not as by default, as JSON."""
    usual = {name: to_json(value) for name, value in type(detector)().get_params(deep=False).items()}
    known = {"alarm_rate", "random_state", "device", "verbose", "checkpoint"}  # told apart, or of the machine
    return {name: value for name, value in stored.items() if name not in known and usual.get(name) != value}


def _input_facts(encoder: TableEncoder | ImageScaler, notes: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(encoder, ImageScaler):
        return {
            "image_shape": [*encoder.shape_],
            "resize": notes.get("resize"),
            "columns": [],
            "left_out": {},
        }
    stored = zip(encoder.input_labels_, encoder.to_dict()["columns"], strict=True)
    return {
        "image_shape": None,
        "resize": None,
        "columns": [{"name": name, **_column_facts(column)} for name, column in stored if column],
        "left_out": dict(encoder.left_out_),
    }


def _column_facts(column: Mapping[str, Any]) -> dict[str, Any]:
    """The kind of a column, whether training had missing cells, and what it ranged over."""
    facts = {"kind": column["kind"], "had_missing": column["missing"]}
    if "low" in column:
        facts |= {"low": column["low"], "high": column["high"]}
    if "kept" in column:
        facts |= {"categories": len(column["kept"]) + len(column["rare"]), "examples": column["kept"][:5]}
    return facts
