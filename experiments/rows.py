"""Runs rows of the A3 paper's Table 3 and writes one JSON result a (row, method, seed).

    python -m experiments.rows --rows 1c 1d --methods published defaults --seeds 0 1
    python -m experiments.rows --table

A row 1x and its row 2x share training (they differ in the test anomalies), so both are scored by one model. What
is there already is not run again. Departures from the paper: 5 % of the normal training rows calibrate the
threshold and are not trained on; the data sets are those of docs/datasets.md.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score

from alarmnet import A3Detector, TableEncoder
from alarmnet.datasets import A3_SCENARIOS, ScenarioData, make_scenario
from experiments.provenance import provenance

RESULTS = Path(__file__).parent / "results"
SETTINGS: dict[str, dict[str, Any]] = {
    "nsl-kdd": {"hidden": (200, 100, 50, 25)},
    "credit-card": {"hidden": (50, 25, 10, 5)},
    "cse-cic-ids2018-without-ddos": {"hidden": (150, 80, 40, 20), "batch_size": 2048},
}
"""The paper's Table 2, down to the code, and the rows a step where they are not 256."""

PAPER = {
    "1c": ((0.96, 0.01), (0.96, 0.01)),
    "2c": ((0.94, 0.01), (0.92, 0.02)),
    "1d": ((0.76, 0.04), (0.88, 0.05)),
    "2d": ((0.94, 0.03), (0.92, 0.03)),
    "1e": ((0.89, 0.03), (0.94, 0.01)),
    "2e": ((0.87, 0.02), (0.90, 0.03)),
    "1f": ((0.90, 0.01), (0.94, 0.01)),
    "2f": ((0.90, 0.03), (0.93, 0.02)),
    "1g": ((0.78, 0.09), (0.96, 0.01)),
}
"""The paper's Table 3, column A3: mean and standard deviation of AP and of ROC AUC, four runs."""

Scorer = Callable[[Any], np.ndarray]


def published(data: ScenarioData, seed: int) -> Scorer:
    """A3 with the paper's settings."""
    encoder = TableEncoder(scaling="minmax", categories=data.categories)
    settings = SETTINGS[data.scenario.dataset]
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
        **provenance(),
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
    print(name, metrics, f"{seconds:.0f} s", flush=True)


def table() -> Iterator[str]:
    """Every row and method that has results: mean and range over seeds, beside the paper's."""
    found: dict[tuple[str, str, int], list[tuple[int, dict[str, float], float]]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        for row, metrics in result["metrics"].items():
            key = (row, result["method"], result["known"])
            found.setdefault(key, []).append((result["seed"], metrics, result["fit_seconds"]))
    yield "| row | method | known | seeds | AP | ROC AUC | paper's A3: AP, ROC AUC | fit, s |"
    yield "|---|---|---|---|---|---|---|---|"
    for row, method, known in sorted(found, key=lambda key: (key[0], list(METHODS).index(key[1]), key[2])):
        runs = found[row, method, known]
        cells = []
        for name in ("average_precision", "roc_auc"):
            values = [metrics[name] for _, metrics, _ in runs]
            cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
        paper = ", ".join(f"{mean:.2f}±{deviation:.2f}" for mean, deviation in PAPER[row])
        seeds = ", ".join(str(seed) for seed, *_ in runs)
        seconds = np.median([seconds for *_, seconds in runs])
        yield f"| {row} | {method} | {known} | {seeds} | {' | '.join(cells)} | {paper} | {seconds:.0f} |"


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=["1c", "1d"], choices=sorted(A3_SCENARIOS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--known", type=int, default=100)
    parser.add_argument("--table", action="store_true", help="print the results so far as Markdown")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table()))
        return
    for seed in arguments.seeds:
        for row in arguments.rows:
            for method in arguments.methods:
                run(row, method, seed, arguments.known)


if __name__ == "__main__":
    main()
