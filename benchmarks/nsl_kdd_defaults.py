"""NSL-KDD 1c from CSV to scores with `A3Detector()`'s defaults, timed and compared with the paper's schedule.

    OMP_NUM_THREADS=1 python -m benchmarks.nsl_kdd_defaults --out benchmarks/results/nsl_kdd_defaults.jsonl

Times are processor times on one thread, so that other work on the machine has little effect. In 1c, 100 anomalies
of the DoS and Probe groups are known; its test is KDDTest+ without the other groups. The same models score 2c,
which has all groups. Finished runs are not repeated.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from experiments.provenance import provenance
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet import A3Detector, TableEncoder
from alarmnet.data_files import TableFiles, write_table
from alarmnet.datasets import ScenarioPart, make_scenario


def as_csv(folder: Path, name: str, part: ScenarioPart) -> Path:
    """The rows of a scenario with their label, as a user would have them."""
    path = folder / f"{name}.csv"
    assert isinstance(part.X, pa.Table)
    write_table(path, [part.X.append_column("anomaly", pa.array(part.y))])
    return path


def from_csv(path: Path) -> tuple[pa.Table, np.ndarray]:
    """Features and labels of a file."""
    table = TableFiles([path]).read()
    return table.drop_columns(["anomaly"]), table["anomaly"].to_numpy()


def measure(make: Callable[[int, dict[str, Any]], A3Detector], seed: int, folder: Path) -> dict[str, Any]:
    """Read, fit, read and score; give the seconds of each step, and the metrics."""
    data = make_scenario("1c", seed=seed)
    train, test = as_csv(folder, "train", data.train), as_csv(folder, "test", data.test)
    wider = as_csv(folder, "wider", make_scenario("2c", seed=seed).test)
    times = [time.process_time()]
    X, y = from_csv(train)
    times.append(time.process_time())
    detector = make(seed, data.categories).fit(X, y)
    times.append(time.process_time())
    X_test, y_test = from_csv(test)
    scores = detector.decision_function(X_test)
    times.append(time.process_time())
    X_wider, y_wider = from_csv(wider)
    wider_scores = detector.decision_function(X_wider)
    read, fit, score = np.diff(times).round(1).tolist()
    return {
        "seed": seed,
        "seconds": {"read": read, "fit": fit, "read and score": score},
        "1c": metrics(y_test, scores),
        "2c": metrics(y_wider, wider_scores),
        "1c alarms on normal test rows": round(float((scores[y_test == 0] > 0).mean()), 4),
    }


def metrics(y: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Average precision and ROC AUC."""
    found = {"ap": average_precision_score(y, scores), "roc_auc": roc_auc_score(y, scores)}
    return {name: round(float(value), 4) for name, value in found.items()}


def defaults(seed: int, _categories: dict[str, Any]) -> A3Detector:
    """A3 with default settings."""
    return A3Detector(random_state=seed)


def published(seed: int, categories: dict[str, Any]) -> A3Detector:
    """A3 with the paper's settings."""
    encoder = TableEncoder(scaling="minmax", categories=categories)
    return A3Detector.as_published(encoder=encoder, random_state=seed)


RUNS = {
    ("defaults", 0): defaults,
    ("defaults", 1): defaults,
    ("defaults", 2): defaults,
    ("paper's", 0): published,
}


def finished(path: Path) -> list[dict[str, Any]]:
    """The finished runs."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def medians(path: Path) -> dict[str, float]:
    """Medians of the defaults, and how many times faster they are than the paper's schedule."""
    runs = finished(path)
    ours = [run for run in runs if run["settings"] == "defaults"]
    (paper,) = (run["seconds"]["fit"] for run in runs if run["settings"] != "defaults")
    fit = float(np.median([run["seconds"]["fit"] for run in ours]))
    found = {metric: float(np.median([run["1c"][metric] for run in ours])) for metric in ("ap", "roc_auc")}
    return {"fit": fit, **found, "times faster": paper / fit}


def summary(path: Path) -> Iterator[str]:
    """A table of the results, with a line for each run."""
    yield "| settings | seed | read CSV, s | fit, s | read and score, s | 1c: AP, ROC AUC | 2c: AP, ROC AUC |"
    yield "|---|---|---|---|---|---|---|"
    for run in sorted(finished(path), key=lambda run: (run["settings"], run["seed"])):
        cells = [f"{seconds:.1f}" for seconds in run["seconds"].values()]
        cells += [f"{run[row]['ap']:.3f}, {run[row]['roc_auc']:.3f}" for row in ("1c", "2c")]
        yield f"| {run['settings']} | {run['seed']} | {' | '.join(cells)} |"
    median = medians(path)
    yield ""
    yield (
        f"Median of the defaults: fitting {median['fit']:.1f} s, 1c AP {median['ap']:.3f}, ROC AUC "
        f"{median['roc_auc']:.3f}; {median['times faster']:.0f} times faster than the paper's schedule."
    )


def main() -> None:
    """Measure the defaults with three seeds and the paper's schedule with one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    path = parser.parse_args().out
    path.parent.mkdir(parents=True, exist_ok=True)
    there = {(run["settings"], run["seed"]) for run in finished(path)}
    for (settings, seed), make in RUNS.items():
        if (settings, seed) in there:
            continue
        with tempfile.TemporaryDirectory() as folder:
            found = {"settings": settings, **measure(make, seed, Path(folder)), **provenance()}
        with path.open("a") as lines:
            lines.write(json.dumps(found) + "\n")
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
