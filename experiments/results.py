"""Results as files, one for each training."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

FOLDER = Path(__file__).parent / "results"
FALSE_POSITIVE_RATES = np.linspace(0, 1, 201)
"""The false positive rates at which a stored curve gives the true positive rate."""

Result = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training: which method learns which row's data, with how many known anomalies and which seed."""

    table: str
    row: str
    method: str
    known: int | None
    seed: int

    def path(self, folder: Path, gpu: str = "") -> Path:
        """The path of the job's result; the name of a GPU is part of the file's name.

        >>> job = Job(table="a3-table-4", row="4a", method="vae", known=0, seed=1)
        >>> print(job.path(Path()), job.path(Path(), "NVIDIA H100"), sep=chr(10))
        a3-table-4/4a-vae-known0-seed1.json
        a3-table-4/4a-vae-known0-seed1-on-nvidia-h100.json
        """
        where = "-on-" + re.sub(r"\W+", "-", gpu.lower()) if gpu else ""
        return folder / self.table / f"{self.name}{where}.json"

    def done(self, folder: Path) -> bool:
        """Whether the job has a result, from any device."""
        return self.path(folder).exists() or any((folder / self.table).glob(f"{self.name}-on-*.json"))

    def checkpoint(self, folder: Path) -> Path:
        """The folder for the checkpoint of an unfinished training."""
        return folder / "unfinished" / self.table / self.name

    @property
    def name(self) -> str:
        """The name of the job's files, without the device and the ending."""
        known = "all" if self.known is None else self.known
        return f"{self.row}-{self.method}-known{known}-seed{self.seed}"


def metrics(y: NDArray[np.int64], scores: NDArray[np.float64]) -> dict[str, float]:
    """The metrics on the test part."""
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
    """JSON with a line for each fact."""
    lines = (f" {json.dumps(key)}: {json.dumps(value)}" for key, value in result.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def gpu_of(result: Result) -> str:
    """The GPU that made a result; empty if a processor did."""
    device: str = result.get("device") or "cpu"  # the oldest results name none
    return "" if device == "cpu" else device


def job_of(result: Result) -> Job:
    """The job that a result is of."""
    return Job(**{name: result[name] for name in ("table", "row", "method", "known", "seed")})


def place(result: Result, folder: Path) -> Path:
    """The path of a result."""
    return job_of(result).path(folder, gpu_of(result))


def write(result: Result, folder: Path) -> None:
    """Write a result to its place, whole or not at all."""
    path = place(result, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}.tmp")
    draft.write_text(as_text(result))
    draft.replace(path)


def read(table: str, folder: Path = FOLDER) -> list[Result]:
    """All results of a table; among results of the same job, a processor's comes first."""
    paths = sorted((folder / table).glob("*.json"), key=lambda path: path.stem)
    return [json.loads(path.read_text()) for path in paths]


def one_a_job(found: list[Result]) -> list[Result]:
    """The first result of each job, so that a seed that two devices ran counts once."""
    firsts: dict[Job, Result] = {}
    for result in found:
        firsts.setdefault(job_of(result), result)
    return [*firsts.values()]
