"""Results as files, one a training."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

FOLDER = Path(__file__).parent / "results"
FALSE_POSITIVE_RATES = np.linspace(0, 1, 201)
"""Where a stored curve says the true positive rate."""

Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: which method learns which row's data, with how many known anomalies and which seed."""

    table: str
    row: str
    method: str
    known: int | None
    seed: int

    def path(self, folder: Path) -> Path:
        """Where its result lies."""
        return folder / self.table / f"{self._name}.json"

    def checkpoint(self, folder: Path) -> Path:
        """The folder of what is half trained."""
        return folder / "unfinished" / self.table / self._name

    @property
    def _name(self) -> str:
        known = "all" if self.known is None else self.known
        return f"{self.row}-{self.method}-known{known}-seed{self.seed}"


def metrics(y: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[str, float]:
    """What is measured on the test part."""
    return {
        "average_precision": round(float(average_precision_score(y, scores)), 4),
        "roc_auc": round(float(roc_auc_score(y, scores)), 4),
        "rows": len(y),
        "anomalies": int(y.sum()),
    }


def curve(y: NDArray[np.int64], scores: NDArray[np.float64]) -> list[float]:
    """The true positive rate at each of `FALSE_POSITIVE_RATES`."""
    false_positives, true_positives, _ = roc_curve(y, scores, drop_intermediate=False)
    values = np.interp(FALSE_POSITIVE_RATES, false_positives, true_positives)
    return [round(float(value), 4) for value in values]


def as_text(result: Result) -> str:
    """JSON with a line a fact."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def write(result: Result, folder: Path) -> None:
    """Write a result to its place, whole or not at all."""
    names = ("table", "row", "method", "known", "seed")
    path = Job(**{name: result[name] for name in names}).path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(as_text(result))
    draft.replace(path)


def read(table: str, folder: Path = FOLDER) -> list[Result]:
    """All results of a table."""
    return [json.loads(path.read_text()) for path in sorted((folder / table).glob("*.json"))]
