"""Runs rows of the E2E-ConvA3 paper's Tables 1 and 2 and writes one JSON result a (row, method, known, seed).

    python -m experiments.conv_rows --rows thyroid bank --methods gamma_1 gamma_10 --seeds 0 1 2
    python -m experiments.conv_rows --rows mnist-8 --methods defaults a3 gradient_boosting --known 25
    python -m experiments.conv_rows --table

As in the paper, distinct rows (images: the official train part) are split 8:1:1 at random, stratified, and ROC AUC
is measured on the last tenth. `--known` leaves so many known anomalies in training and removes the others there.
`--part validation` judges by the second tenth instead, and writes nothing. What is there already is not run again.

Departures from the paper: fewer epochs; a tenth of the first nine tenths decides when to stop; 5 % of the normal
training rows calibrate the threshold and are not trained on.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.model_selection import train_test_split

from alarmnet import A3Detector, AlarmnetWarning, ConvA3Detector, TableEncoder
from alarmnet.datasets import (
    load_bank_marketing,
    load_cifar10,
    load_fashion_mnist,
    load_mnist,
    load_thyroid,
)
from experiments.provenance import provenance

RESULTS = Path(__file__).parent / "results" / "conv"

PAPER = {
    "thyroid": ((0.994, 0.0033), (0.993, 0.0047)),
    "bank": ((0.938, 0.0026), (0.940, 0.0034)),
    "mnist-8": ((0.9985, 0.0010), (0.9989, 0.0009)),
    "fashion-mnist-6": ((0.9642, 0.0053), (0.9662, 0.0050)),
    "cifar10-0": ((0.9297, 0.0088), (0.9322, 0.0099)),
}
"""The paper's ROC AUC, mean and standard deviation of ten runs, for gamma 1 and 10."""


@dataclass(frozen=True)
class Rows:
    """Rows of one part, and 1 for anomalies."""

    X: Any
    y: np.ndarray


def _table(load: Callable[[], Any], normal: str) -> Rows:
    data = load()
    frame = data.frame.to_pandas().assign(_class=data.classes).drop_duplicates()
    return Rows(frame.drop(columns="_class"), (frame["_class"] != normal).to_numpy().astype(int))


def _images(load: Callable[[], Any], normal: int) -> Rows:
    data = load()
    images = data.train_images
    return Rows(
        images.transpose(0, 3, 1, 2) if images.ndim == 4 else images,
        (data.train_labels != normal).astype(int),
    )


def rows_of(row: str) -> Rows:
    """All rows of a row of the paper's tables."""
    if row == "thyroid":
        return _table(load_thyroid, "3")
    if row == "bank":
        return _table(load_bank_marketing, "no")
    name, normal = row.rsplit("-", 1)
    loaders = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist, "cifar10": load_cifar10}
    return _images(loaders[name], int(normal))


def split(rows: Rows, *, known: int | None, seed: int, part: str) -> tuple[Rows, Rows]:
    """Rows to learn from, and to judge by."""

    def take(index: np.ndarray) -> Rows:
        return Rows(rows.X.iloc[index] if hasattr(rows.X, "iloc") else rows.X[index], rows.y[index])

    every = np.arange(len(rows.y))
    rest, test = train_test_split(every, test_size=0.1, stratify=rows.y, random_state=seed)
    train, validation = train_test_split(rest, test_size=1 / 9, stratify=rows.y[rest], random_state=seed)
    learned, judged = (train, validation) if part == "validation" else (rest, test)
    if known is not None:
        generator = np.random.default_rng(seed)
        kept = generator.permutation(learned[rows.y[learned] == 1])[:known]
        learned = np.sort(np.concatenate([learned[rows.y[learned] == 0], kept]))
    return take(learned), take(judged)


Scorer = Callable[[Any], np.ndarray]


def gamma_1(data: Rows, seed: int) -> Scorer:
    """E2E-ConvA3 with the paper's settings, gamma 1."""
    return ConvA3Detector.as_published(random_state=seed).fit(data.X, data.y).decision_function


def gamma_10(data: Rows, seed: int) -> Scorer:
    """E2E-ConvA3 with the paper's settings, gamma 10."""
    detector = ConvA3Detector.as_published(alarm_weight=10.0, random_state=seed)
    return detector.fit(data.X, data.y).decision_function


def defaults(data: Rows, seed: int) -> Scorer:
    """E2E-ConvA3 as it comes."""
    return ConvA3Detector(random_state=seed).fit(data.X, data.y).decision_function


def alarm_score(data: Rows, seed: int) -> Scorer:
    """E2E-ConvA3 as it comes, but for the score: the alarm's alone."""
    return ConvA3Detector(scored_by="alarm", random_state=seed).fit(data.X, data.y).decision_function


def a3(data: Rows, seed: int) -> Scorer:
    """A3 as it comes."""
    return A3Detector(random_state=seed).fit(data.X, data.y).decision_function


def gradient_boosting(data: Rows, seed: int) -> Scorer:
    """scikit-learn's histogram gradient boosting on the labels."""
    images = isinstance(data.X, np.ndarray)
    encoder = TableEncoder(scaling="minmax")

    def encode(X: Any) -> np.ndarray:
        return np.asarray(X.reshape(len(X), -1) if images else encoder.transform(X))

    if not images:
        encoder.fit(data.X)
    model = HistGradientBoostingClassifier(random_state=seed).fit(encode(data.X), data.y)
    return lambda X: np.asarray(model.predict_proba(encode(X))[:, 1])


METHODS: dict[str, Callable[[Rows, int], Scorer]] = {
    method.__name__: method for method in (gamma_1, gamma_10, defaults, alarm_score, a3, gradient_boosting)
}


def run(row: str, method: str, seed: int, known: int | None, part: str) -> None:
    """Train and score once."""
    name = f"{row}-{method}-known{'all' if known is None else known}-seed{seed}.json"
    if part == "test" and (RESULTS / name).exists():
        return
    train, judged = split(rows_of(row), known=known, seed=seed, part=part)
    start, cpu = time.perf_counter(), time.process_time()
    scorer = METHODS[method](train, seed)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    scores = scorer(judged.X)
    result = {
        "row": row,
        "method": method,
        "known": known,
        "seed": seed,
        "average_precision": round(float(average_precision_score(judged.y, scores)), 4),
        "roc_auc": round(float(roc_auc_score(judged.y, scores)), 4),
        "train_rows": len(train.y),
        "train_anomalies": int(train.y.sum()),
        "rows": len(judged.y),
        "anomalies": int(judged.y.sum()),
        "fit_seconds": round(seconds, 1),
        "fit_cpu_seconds": round(cpu_seconds, 1),
        **provenance(),
    }
    if part == "test":
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / name).write_text(json.dumps(result, indent=1) + "\n")
    print(name, part, result["roc_auc"], result["average_precision"], f"{seconds:.0f} s", flush=True)


def table() -> Iterator[str]:
    """Every row, method and number of known anomalies that has results: mean and range over seeds."""
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for path in sorted(RESULTS.glob("*.json")):
        result = json.loads(path.read_text())
        known = "all" if result["known"] is None else str(result["known"])
        found.setdefault((result["row"], known, result["method"]), []).append(result)
    yield "| row | known | method | seeds | ROC AUC | AP | paper's ROC AUC | fit, s |"
    yield "|---|---|---|---|---|---|---|---|"
    order = [*PAPER], [*METHODS]
    for key in sorted(found, key=lambda key: (order[0].index(key[0]), key[1], order[1].index(key[2]))):
        (row, known, method), runs = key, found[key]
        cells = []
        for name in ("roc_auc", "average_precision"):
            values = [result[name] for result in runs]
            span = f" ({min(values):.4f} to {max(values):.4f})" if len(runs) > 1 else ""
            cells.append(f"{np.mean(values):.4f}{span}")
        gammas = {"gamma_1": 0, "gamma_10": 1}
        mean, deviation = PAPER[row][gammas.get(method, 0)]
        paper = f"{mean:.4f}±{deviation:.4f}" if method in gammas and known == "all" else ""
        seeds = ", ".join(str(result["seed"]) for result in runs)
        seconds = np.median([result["fit_seconds"] for result in runs])
        yield f"| {row} | {known} | {method} | {seeds} | {' | '.join(cells)} | {paper} | {seconds:.0f} |"


def main() -> None:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", default=["thyroid"], choices=list(PAPER))
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--known", type=int, default=None, help="known anomalies; all if not said")
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    parser.add_argument("--table", action="store_true", help="print the results so far as Markdown")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table()))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    for row in arguments.rows:
        for method in arguments.methods:
            for seed in arguments.seeds:
                run(row, method, seed, arguments.known, arguments.part)


if __name__ == "__main__":
    main()
