"""The golden model files of tests/golden, with their rows and the scores of the rows when the files were made."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

FOLDER = Path(__file__).parents[1] / "tests" / "golden"
NAMES = (
    "a3-format-1",
    "conv-a3-format-1",
    "a3-images-format-1",
    "a3-pieces-format-1",
    "a3-three-alarms-format-1",
    "conv-a3-inputs-format-1",
    "conv-a3-format-2",
    "a3-format-3",
    "conv-a3-inputs-format-3",
    "a3-format-4",
    "conv-a3-inputs-format-4",
    "a3-format-5",
    "a3-images-format-5",
    "a3-images-format-6",
    "conv-a3-images-format-6",
    "a3-format-7",
    "a3-format-8",
    "a3-unlabelled-format-8",
    "a3-format-9",
    "a3-format-10",
    "a3-format-11",
    "a3-format-12",
    "a3-format-13",
    "a3-format-14",
    "a3-unlabelled-format-14",
    "a3-format-15",
    "a3-format-16",
    "a3-unlabelled-format-17",
)


@dataclass(frozen=True)
class Golden:
    """A model file, rows (N, ...) and their logits (N,), the threshold, and the predictions (N,)."""

    path: Path
    rows: Any
    logits: list[float]
    threshold: float
    predictions: list[int]


def golden(name: str) -> Golden:
    """One of `NAMES`."""
    stored = json.loads((FOLDER / f"{name}.json").read_text())
    if "images" in stored:
        rows: Any = np.array(stored.pop("images"), dtype=np.uint8)
    else:
        rows = pd.DataFrame(stored.pop("columns"))
        if "when" in rows:
            rows["when"] = pd.to_datetime(rows["when"])
    return Golden(FOLDER / f"{name}.alarmnet", rows, **stored)
