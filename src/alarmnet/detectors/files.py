"""A fitted detector's state as a manifest and arrays, and back (`persistence` makes a file of them)."""

import platform
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import astuple
from importlib.metadata import version
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from alarmnet._shared.persistence import read_file, write_file
from alarmnet.detectors.calibration_rows import CalibrationRows
from alarmnet.detectors.formats import quantile_scales, upgraded
from alarmnet.detectors.formats.manifests import QUANTILES
from alarmnet.detectors.state import FittedState
from alarmnet.errors import InputError, ModelFileError
from alarmnet.networks.recipes import from_json, to_json
from alarmnet.networks.targets import ExternalTarget, Target
from alarmnet.preprocessing import encoder_from_dict

KIND = "alarmnet detector"
HERE = {"device": "auto", "verbose": False, "checkpoint": None}
"""Parameters that belong to the machine and the terminal, not to the model."""
LEARNED = {
    "seed": "seed_",
    "label_counts": "label_counts_",
    "history": "history_",
    "calibration_is_labelled": "calibration_is_labelled_",
    "notes": "notes_",
}
"""Fields of the state that a manifest stores unchanged, by their names in the manifest."""
APART = ("calibration.", "encoder.")
"""Prefixes of the names of arrays that are not weights."""
KNOWN_ROWS, KNOWN_NUMBERS = "calibration.known_rows", "calibration.known_numbers"
"""Optional arrays; older versions ignore them, since their names begin like those of calibration."""
CALIBRATING = "calibration.numbers", "calibration.answers", "calibration.order"
"""The arrays of the calibration rows; files before format 4 lack them."""
LONGEST_REASON = 500
"""The most characters of an error that are shown: a hostile file can make it as long as the file."""


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def write_state(path: str | PathLike[str], state: FittedState) -> None:
    """Write one file, whole or not at all."""
    write_file(path, _manifest_of(state), arrays_of(state))


def _manifest_of(state: FittedState) -> dict[str, Any]:
    """The manifest of a model file: versions, parameters, encoder, labels, history."""
    encoder = state.encoder.to_dict()
    for scale in quantile_scales(encoder):
        scale.update({name: len(scale[name]) for name in QUANTILES})
    parameters = {name: to_json(_plain(value)) for name, value in {**state.parameters, **HERE}.items()}
    return {
        "kind": KIND,
        "method": state.method,
        "versions": {
            "python": platform.python_version(),
            **{package: version(package) for package in ("alarmnet", "torch", "numpy", "scikit-learn")},
        },
        "parameters": parameters,
        "encoder": encoder,
        "classes": [_plain(label) for label in state.classes],
        "learned": {said: getattr(state, name) for name, said in LEARNED.items()},
    }


def arrays_of(state: FittedState) -> dict[str, NDArray[Any]]:
    """What a model file holds as arrays: weights, the encoder's quantiles, rows and scores that calibrate."""
    arrays: dict[str, NDArray[Any]] = {
        "calibration.rows": state.calibration_rows,
        "calibration.scores": state.calibration_scores,
        "calibration.weights": state.calibration_weights,
    }
    if state.calibrating is not None:
        arrays |= dict(zip(CALIBRATING, astuple(state.calibrating), strict=True))
    if state.known_rows is not None and state.known_numbers is not None:
        arrays |= {KNOWN_ROWS: state.known_rows, KNOWN_NUMBERS: state.known_numbers}
    if scales := quantile_scales(state.encoder.to_dict()):
        arrays |= {f"encoder.{name}": np.concatenate([scale[name] for scale in scales]) for name in QUANTILES}
    return arrays | dict(state.weights)


def _generator_not_in_file(_batch: torch.Tensor) -> torch.Tensor:
    raise InputError(
        "the model was trained with a generator function, which no file holds: set it again before refitting, "
        "detector.generator = function",
        code="missing_generator",
    )


@contextmanager
def as_model_file_errors(path: object) -> Iterator[None]:
    """Refuse a file from which nothing can be made, whatever goes wrong in the block."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError, ArithmeticError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_REASON]
        raise ModelFileError(f"{path} does not hold a detector that can be made again ({reason})") from error


def read_state(path: str | PathLike[str], *, target: Target | None) -> FittedState:
    """Read what `write_state` wrote; nothing is made but what `recipes.RECIPES` names.

    Raises
    ------
    ModelFileError
        The file holds no detector that can be made again.
    InputError
        It was trained with a target of the user's own, and `target` is None.
    """
    manifest, arrays = read_file(path)
    if manifest.get("kind") != KIND:
        raise ModelFileError(
            f"{path} is an alarmnet file, but holds {reprlib.repr(manifest.get('kind'))}: no detector"
        )
    bad = [name for name, array in arrays.items() if array.dtype.kind == "f" and not np.isfinite(array).all()]
    if bad:
        raise ModelFileError(f"{path} holds numbers that are not finite, in {bad[0]!r}")
    with as_model_file_errors(path):
        parameters = {name: from_json(value) for name, value in manifest["parameters"].items()} | HERE
        written = manifest["parameters"].get("target")
        own_target = isinstance(written, Mapping) and written.get("given") == ExternalTarget.__name__
        layers = written.get("layers") if own_target else None
    if own_target and target is None:
        raise InputError(
            f"{path} was trained with a target network of the user's own, which no file holds: give it "
            f"again, load(path, target=ExternalTarget(module, layers={layers or '...'}))",
            code="missing_target",
        )
    if layers and isinstance(target, ExternalTarget) and [*target.layers] != layers:
        raise InputError(
            f"{path} was trained with other layers of its target network: give these, layers={layers}; got "
            f"layers={[*target.layers]}",
            code="missing_target",
        )
    with as_model_file_errors(path):
        if own_target:
            parameters["target"] = target
        if "given" in (manifest["parameters"].get("generator") or ()):
            parameters["generator"] = _generator_not_in_file
        manifest, complete = upgraded(manifest, arrays)
        _restore_quantiles(manifest["encoder"], complete)
        return FittedState(
            method=manifest["method"],
            parameters=parameters,
            encoder=encoder_from_dict(manifest["encoder"]),
            weights={name: array for name, array in complete.items() if not name.startswith(APART)},
            classes=np.array(manifest["classes"]),
            calibration_rows=complete["calibration.rows"],
            calibration_scores=complete["calibration.scores"],
            calibration_weights=complete["calibration.weights"],
            calibrating=CalibrationRows(*(complete[name] for name in CALIBRATING))
            if CALIBRATING[0] in complete
            else None,
            known_rows=complete.get(KNOWN_ROWS),
            known_numbers=complete.get(KNOWN_NUMBERS),
            **{name: manifest["learned"][said] for name, said in LEARNED.items()},
        )


def _restore_quantiles(encoder: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Put quantiles back into an encoder's scales, in place."""
    for name in QUANTILES:
        start, stored = 0, arrays.get(f"encoder.{name}", np.empty(0))
        for scale in quantile_scales(encoder):
            end = start + scale[name]
            scale[name] = stored[start:end].tolist()
            start = end
        if start != len(stored):
            raise ValueError(f"the encoder's {name} are {len(stored)}, not the {start} that its columns have")
