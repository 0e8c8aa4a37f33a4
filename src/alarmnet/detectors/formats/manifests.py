"""Manifests and arrays of older model files, brought to today's form."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

QUANTILES = ("knots", "positions")
"""Of a column's scale. A manifest has room for those of some 800 columns, so they are kept as arrays, one a name
for all columns, and the manifest says how many each has."""


def quantile_scales(encoder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the scales of a stored encoder's columns that hold `QUANTILES`, to be changed in place."""
    scales = (column.get("scale", {}) for column in encoder.get("columns", ()) if column)
    return [scale for scale in scales if scale.get("form") == "quantile"]


def upgraded(manifest: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    """Bring what a file of any age holds to today's form.

    Files of format 1 hold quantiles in the manifest. Files that are older than the places and bounds of alarms say
    nothing of them: all alarms began at the first number, and none was bounded. Before format 4 every calibration
    row counted as normal.
    """
    made: dict[str, NDArray[Any]] = {}
    scales = quantile_scales(manifest["encoder"])
    for name in QUANTILES:
        if f"encoder.{name}" not in arrays and scales:
            made[f"encoder.{name}"] = np.concatenate([np.asarray(scale[name], float) for scale in scales])
            for scale in scales:
                scale[name] = len(scale[name])
    if "alarm.shares" in arrays and "alarm.starts" not in arrays:
        count = len(arrays["alarm.shares"])
        made |= {"alarm.starts": np.zeros(count, np.int64), "alarm.bounded": np.zeros(count, np.float32)}
    if "calibration.weights" not in arrays:
        made["calibration.weights"] = np.ones(len(arrays["calibration.scores"]))
    return manifest, {**arrays, **made}
