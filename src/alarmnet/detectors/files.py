"""A fitted detector as a manifest and arrays, and back (`persistence` makes a file of them)."""

import math
import platform
import reprlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from alarmnet.errors import InputError, ModelFileError
from alarmnet.preprocessing import ImageScaler, encoder_from_dict
from alarmnet.recipes import from_json, to_json
from alarmnet.targets import ExternalTarget, Target

if TYPE_CHECKING:
    from alarmnet.detectors.base import BaseDetector

KIND = "alarmnet detector"
LEARNED = ("seed_", "alarm_rate_", "label_counts_", "history_", "calibration_is_labelled_", "notes_")
"""Fitted attributes that a manifest holds as they are."""
HERE = {"device": "auto", "verbose": False, "checkpoint": None}
"""Parameters that belong to the machine and the terminal, not to the model."""
POSITIVE = ("running_var", "deviation")
"""Endings of arrays that are divided by, or by the root of."""
QUANTILES = ("knots", "positions")
"""Of a column's scale. A manifest has room for those of some 800 columns, so they are kept as arrays, one a name
for all columns, and the manifest says how many each has. Files of format 1 hold them in the manifest."""
LONGEST_REASON = 500
"""Letters of an error that are told: a hostile file can make it as long as itself."""
LARGEST_LABEL = 4096
"""Bytes of a class's label, which every prediction repeats."""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _quantile_scales(encoder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The scales of an encoder's columns that hold `QUANTILES`, to be changed in place."""
    scales = (column.get("scale", {}) for column in encoder.get("columns", ()) if column)
    return [scale for scale in scales if scale.get("form") == "quantile"]


def manifest_of(detector: "BaseDetector") -> dict[str, Any]:
    """What a model file says in JSON: versions, parameters, encoder, labels, threshold, history."""
    parameters = detector.get_params(deep=False) | HERE
    encoder = detector.encoder_.to_dict()
    for scale in _quantile_scales(encoder):
        scale.update({name: len(scale[name]) for name in QUANTILES})
    return {
        "kind": KIND,
        "method": detector.method,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("alarmnet", "torch", "numpy", "scikit-learn")},
        },
        "parameters": {name: to_json(_plain(value)) for name, value in parameters.items()},
        "encoder": encoder,
        "classes": [_plain(label) for label in detector.classes_],
        "learned": {name: getattr(detector, name) for name in LEARNED},
    }


def arrays_of(detector: "BaseDetector") -> dict[str, NDArray[Any]]:
    """What a model file holds as arrays: weights, the encoder's quantiles, rows and scores that calibrate."""
    arrays: dict[str, NDArray[Any]] = {
        "calibration.rows": detector._calibration_matrix,
        "calibration.scores": detector.calibration_scores_,
    }
    if scales := _quantile_scales(detector.encoder_.to_dict()):
        arrays |= {f"encoder.{name}": np.concatenate([scale[name] for scale in scales]) for name in QUANTILES}
    for network_name, network in detector._networks().items():
        for name, tensor in network.state_dict().items():
            arrays[f"{network_name}.{name}"] = tensor.cpu().numpy()
    return arrays


def _generator_not_in_file(_batch: torch.Tensor) -> torch.Tensor:
    raise InputError(
        "the model was trained with a generator function, which no file holds: set it again before refitting, "
        "detector.generator = function"
    )


@contextmanager
def _as_model_file_errors(path: object) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
        raise ModelFileError(f"{path} does not hold a detector that can be made again ({reason})") from error


def restore(
    path: object,
    manifest: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    detectors: Mapping[str, Callable[..., "BaseDetector"]],
    target: Target | None,
) -> "BaseDetector":
    """Make the detector again; nothing is made but what `detectors` and `recipes.RECIPES` name."""
    if manifest.get("kind") != KIND:
        raise ModelFileError(
            f"{path} is an alarmnet file, but holds {reprlib.repr(manifest.get('kind'))}: no detector"
        )
    bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise ModelFileError(f"{path} holds numbers that are not finite, in {bad[0]!r}")
    with _as_model_file_errors(path):
        parameters = {name: from_json(value) for name, value in manifest["parameters"].items()} | HERE
        own_target = manifest["parameters"].get("target", None) == {"given": ExternalTarget.__name__}
    if own_target and target is None:
        raise InputError(
            f"{path} was trained with a target network of the user's own, which no file holds: give it "
            "again, load(path, target=ExternalTarget(module, layers=...))"
        )
    with _as_model_file_errors(path):
        if own_target:
            parameters["target"] = target
        if "given" in (manifest["parameters"]["generator"] or ()):
            parameters["generator"] = _generator_not_in_file
        detector = detectors[manifest["method"]](**parameters)
        detector._check_shared_parameters()
        detector._check_parameters()
        _restore_quantiles(manifest["encoder"], arrays)
        detector.encoder_ = encoder_from_dict(manifest["encoder"])
        _restore_learned(detector, manifest, arrays)
        _restore_networks(detector, arrays)
    return detector


def _restore_quantiles(encoder: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put quantiles back where an encoder's scales have them, in place."""
    for name in QUANTILES:
        start, stored = 0, arrays.get(f"encoder.{name}")
        if stored is None:
            continue
        for scale in _quantile_scales(encoder):
            end = start + scale[name]
            scale[name] = stored[start:end].tolist()
            start = end
        if start != len(stored):
            raise ValueError(f"the encoder's {name} are {len(stored)}, not the {start} that its columns have")


def _classes(labels: list[Any]) -> NDArray[Any]:
    classes = np.array(labels)
    if classes.shape != (2,) or classes.dtype.kind not in "biufU" or classes[0] == classes[1]:
        raise ValueError("classes are not two labels")
    if classes.itemsize > LARGEST_LABEL:
        raise ValueError("the labels of the classes are too long")
    return classes


def _check_learned(detector: "BaseDetector") -> None:
    if type(detector.seed_) is not int or detector.seed_ < 0:
        raise ValueError(f"seed_ is {detector.seed_!r}")
    if type(detector.calibration_is_labelled_) is not bool or not isinstance(detector.notes_, dict):
        raise ValueError("what was learned is of another type")
    if not all(type(count) is int for count in detector.label_counts_.values()):
        raise ValueError("label counts are not whole numbers")
    for checks in detector.history_.values():
        for check in checks:
            if not {"step", "loss"} <= check.keys() or not all(map(math.isfinite, check.values())):
                raise ValueError("the history is damaged")


def _restore_learned(
    detector: "BaseDetector", manifest: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> None:
    detector._set_input_names()
    detector.classes_ = _classes(manifest["classes"])
    for name in LEARNED:
        setattr(detector, name, manifest["learned"][name])
    _check_learned(detector)
    scores = arrays["calibration.scores"]
    if scores.ndim != 1 or not len(scores) or scores.dtype != np.float64 or (np.diff(scores) < 0).any():
        raise ValueError("calibration scores are not in order")
    detector.calibration_scores_ = scores
    detector._calibration_matrix = arrays["calibration.rows"]
    detector._set_threshold()


def _restore_networks(detector: "BaseDetector", arrays: Mapping[str, NDArray[Any]]) -> None:
    encoder = detector.encoder_
    shape = encoder.shape_ if isinstance(encoder, ImageScaler) else (len(encoder.output_names_),)
    rows = detector._calibration_matrix
    if rows.shape != (len(detector.calibration_scores_), *shape) or rows.dtype != np.float32:
        raise ValueError("calibration rows do not fit the encoder")
    detector._build(shape, arrays)
    for network_name, network in detector._networks().items():
        prefix = f"{network_name}."
        weights = {
            name.removeprefix(prefix): torch.from_numpy(array.copy())
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        for name, built in network.state_dict().items():
            if name in weights and weights[name].dtype != built.dtype:
                raise ValueError(f"{prefix}{name} holds {weights[name].dtype}, not {built.dtype}")
            if name.endswith(POSITIVE) and name in weights and not (weights[name] > 0).all():
                raise ValueError(f"{prefix}{name} holds numbers that are not positive")
        network.load_state_dict(weights, assign=True)
        network.requires_grad_(False).eval()
