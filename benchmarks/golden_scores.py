"""Scores of detectors on six data sets, recorded to see whether a change moves any bit.

    python -m benchmarks.golden_scores

writes tests/golden/scores.json anew. That is right after a deliberate change of defaults, and after nothing else.
"""

import hashlib
import json
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

from alarmnet import A3Detector, ConvA3Detector
from alarmnet.detectors import BaseDetector

PATH = Path(__file__).parents[1] / "tests" / "golden" / "scores.json"
DETECTORS: dict[str, Callable[..., BaseDetector]] = {
    "a3": A3Detector,
    "a3, reads both": partial(A3Detector, reads="both"),
    "conv-a3": ConvA3Detector,
}
DATA_SETS = ("numbers", "mixed", "unlabelled", "wine", "digits", "digit images")
SHOWN = 20
"""Rows of each data set whose logits are recorded as numbers too."""


def data_set(name: str) -> tuple[Any, NDArray[np.float64] | None]:
    """Rows, and labels with normal, anomalous and unlabelled rows; none for `unlabelled`."""
    generator = np.random.default_rng(0)
    if name == "numbers":
        rows, classes = load_breast_cancer(return_X_y=True)
        return _few_labels(rows[:250], classes[:250] == 0)
    if name == "wine":
        rows, classes = load_wine(return_X_y=True)
        return _few_labels(rows, classes == 2)
    if name in ("digits", "digit images"):
        digits = load_digits()
        return _few_labels(
            digits.images[:200] if "images" in name else digits.data[:200], digits.target[:200] == 8
        )
    rows = pd.DataFrame(
        {
            "amount": generator.lognormal(size=200).round(2),
            "kind": generator.choice(["card", "cash", "wire"], 200, p=[0.7, 0.2, 0.1]),
            "when": pd.Timestamp("2024-03-01") + pd.to_timedelta(generator.integers(0, 10**7, 200), unit="s"),
            "open": generator.random(200) < 0.5,
        }
    )
    rows.loc[::17, "amount"] = np.nan
    anomalous = np.arange(200) % 20 == 3
    rows.loc[anomalous, "amount"] = 50.0
    return (rows, None) if name == "unlabelled" else _few_labels(rows, anomalous)


def _few_labels(rows: Any, anomalous: NDArray[np.bool_]) -> tuple[Any, NDArray[np.float64]]:
    """Every second anomaly is labelled, and of the normal rows two in three."""
    labels = np.where(anomalous, np.nan, 0.0)
    labels[np.flatnonzero(anomalous)[::2]] = 1.0
    labels[np.flatnonzero(~anomalous)[::3]] = np.nan
    return rows, labels


def logits_of(method: str, name: str) -> NDArray[np.float32]:
    """The logits (N,) of a data set's rows after a fit on them with one seed."""
    rows, labels = data_set(name)
    detector = DETECTORS[method](alarm_rate=0.1, random_state=0).fit(rows, labels)
    return detector.logits(rows).astype(np.float32)


def digest(logits: NDArray[np.float32]) -> str:
    """A digest of every bit."""
    return hashlib.sha256(np.ascontiguousarray(logits).data).hexdigest()


def machine() -> dict[str, str]:
    """The facts of the machine that the last bits depend on."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else [platform.processor()]
    model = sorted({" ".join(line.split()) for line in lines if line.startswith(("cpu family", "model"))})
    return {
        "processor": "; ".join(model or lines),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def main() -> None:
    """Record everything."""
    torch.set_num_threads(1)
    scores: dict[str, dict[str, Any]] = {}
    for method in DETECTORS:
        for name in DATA_SETS:
            logits = logits_of(method, name)
            scores[f"{method}, {name}"] = {
                "sha256": digest(logits),
                "logits": [round(float(logit), 4) for logit in logits[:SHOWN]],
            }
    PATH.write_text(json.dumps({"machine": machine(), "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    main()
