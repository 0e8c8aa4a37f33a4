"""A3's trainings in short: 8,000 normal rows, and the alarm network for 5 epochs instead of 60."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from alarmnet.datasets import ScenarioPart
from experiments import results
from experiments.data import Rows, rows_of
from experiments.methods import settings_of
from experiments.provenance import provenance
from experiments.results import Job
from experiments.tables import PaperTable, load_table

LEARNED_ROWS, ALARM_EPOCHS = 8000, 5

Make = Callable[[Job, PaperTable, Rows], Any]
"""Makes the detector of a job on its rows."""


def first_rows(part: ScenarioPart, most: int) -> ScenarioPart:
    """The first so many normal rows and every known anomaly, in their order."""
    kept = np.sort(np.append(np.flatnonzero(part.y == 0)[:most], np.flatnonzero(part.y == 1)))
    X = part.X[kept] if isinstance(part.X, np.ndarray) else part.X.take(kept)
    return ScenarioPart(X, part.y[kept], part.classes[kept], part.rows[kept])


def with_short_alarm(made: Any) -> Any:
    """The detector with a short training of its alarm, and no checkpoint."""
    schedule = replace(made.alarm_schedule, epochs=ALARM_EPOCHS)
    return made.set_params(alarm_schedule=schedule, checkpoint=None)


def judged(job: Job, make: Make, normal_rows: int) -> dict[str, Any]:
    """Train on few rows, and measure on the whole validation and test parts of the rows that share the training."""
    table = load_table(job.table)
    known = rows_of(table, table.rows[job.row], known=job.known, seed=job.seed)
    rows = replace(known, train=first_rows(known.train, normal_rows))
    made = make(job, table, rows)
    start, cpu = time.perf_counter(), time.process_time()
    made.fit(rows.train.X, rows.train.y)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return {
        **{name: getattr(job, name) for name in ("row", "method", "known", "seed")},
        "metrics": {
            name: results.metrics(part.y, made.decision_function(part.X)) for name, part in rows.test.items()
        },
        "validation_curves": {
            name: results.curve(part.y, made.decision_function(part.X))
            for name, part in rows.validation.items()
        },
        "train_rows": len(rows.train.y),
        "settings": settings_of(made),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        **provenance(),
    }


def lines(path: Path) -> list[dict[str, Any]]:
    """The results in a file; nothing if there is no file."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def run(jobs: list[Job], make: Make, path: Path, *, fewer: Mapping[str, int] = MappingProxyType({})) -> None:
    """Append a line for each job that the file lacks; some rows of the table learn from `fewer` normal rows."""
    done = {(line["row"], line["method"], line.get("known", 0), line["seed"]) for line in lines(path)}
    for job in jobs:
        if (job.row, job.method, job.known, job.seed) not in done:
            line = json.dumps(judged(job, make, fewer.get(job.row, LEARNED_ROWS)))
            with path.open("a") as file:
                file.write(line + "\n")
