"""Runs rows of the A3 paper's Table 3 and writes one JSON result a (row, method, seed).

    python -m experiments.rows --rows 1c 1d --methods published defaults --seeds 0 1

A row 1x and its row 2x share training (they differ in the test anomalies), so both are scored by one model. What
is there already is not run again. Departures from the paper: 5 % of the normal training rows calibrate the
threshold and are not trained on; the data sets are those of docs/datasets.md.
"""

import argparse
import datetime
import json
import platform
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet import A3Detector, TableEncoder
from alarmnet.datasets import A3_SCENARIOS, ScenarioData, make_scenario

RESULTS = Path(__file__).parent / "results"
PUBLISHED: dict[str, dict[str, Any]] = {
    "nsl-kdd": {"hidden": (200, 100, 50, 25), "batch_size": 256},
    "credit-card": {"hidden": (50, 25, 10, 5), "batch_size": 256},
}

Scorer = Callable[[Any], np.ndarray]


def published(data: ScenarioData, seed: int) -> Scorer:
    """A3 with the paper's settings."""
    encoder = TableEncoder(scaling="minmax", categories=data.categories)
    settings = PUBLISHED[data.scenario.dataset]
    detector = A3Detector.as_published(**settings, encoder=encoder, random_state=seed)
    return detector.fit(data.train.X, data.train.y).decision_function


def defaults(data: ScenarioData, seed: int) -> Scorer:
    """A3 as it comes."""
    return A3Detector(random_state=seed).fit(data.train.X, data.train.y).decision_function


def isolation_forest(data: ScenarioData, seed: int) -> Scorer:
    """scikit-learn's isolation forest on the normal rows."""
    encoder = TableEncoder(scaling="minmax", categories=data.categories)
    normal = encoder.fit_transform(data.train.X)[data.train.y == 0]
    forest = IsolationForest(random_state=seed).fit(normal)
    return lambda X: -forest.score_samples(encoder.transform(X))


def gradient_boosting(data: ScenarioData, seed: int) -> Scorer:
    """scikit-learn's histogram gradient boosting on the labels."""
    encoder = TableEncoder(scaling="minmax", categories=data.categories)
    model = HistGradientBoostingClassifier(random_state=seed)
    model.fit(encoder.fit_transform(data.train.X), data.train.y)
    return lambda X: model.predict_proba(encoder.transform(X))[:, 1]


METHODS: dict[str, Callable[[ScenarioData, int], Scorer]] = {
    method.__name__: method for method in (published, defaults, isolation_forest, gradient_boosting)
}


def run(row: str, method: str, seed: int, known: int) -> None:
    """Train once, score the row's test part and that of the row with which it shares training."""
    name = f"{row}-{method}-known{known}-seed{seed}.json"
    if (RESULTS / name).exists():
        return
    data = make_scenario(row, known=known, seed=seed)
    start, cpu = time.perf_counter(), time.process_time()
    scorer = METHODS[method](data, seed)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    metrics = {}
    for scored in (row, row.replace("1", "2")):
        if scored in A3_SCENARIOS:
            test = make_scenario(scored, known=known, seed=seed).test
            scores = scorer(test.X)
            metrics[scored] = {
                "average_precision": round(float(average_precision_score(test.y, scores)), 4),
                "roc_auc": round(float(roc_auc_score(test.y, scores)), 4),
                "rows": len(test.y),
                "anomalies": int(test.y.sum()),
            }
    result = {
        "row": row,
        "method": method,
        "known": known,
        "seed": seed,
        "metrics": metrics,
        "train_rows": len(data.train.y),
        "fit_seconds": round(seconds, 1),
        "fit_cpu_seconds": round(cpu_seconds, 1),
        "threads": torch.get_num_threads(),
        "versions": {package: version(package) for package in ("alarmnet", "torch", "numpy", "scikit-learn")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
    print(name, metrics, f"{seconds:.0f} s", flush=True)


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=["1c", "1d"], choices=sorted(A3_SCENARIOS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--known", type=int, default=100)
    arguments = parser.parse_args()
    for seed in arguments.seeds:
        for row in arguments.rows:
            for method in arguments.methods:
                run(row, method, seed, arguments.known)


if __name__ == "__main__":
    main()
