"""Chooses what `A3Detector(reads="both")` does by validation, on rows that no published figure is measured on.

    python -m benchmarks.choose_defaults --out benchmarks/results/defaults.jsonl [--settings NAME ...]
    python -m benchmarks.choose_defaults --out benchmarks/results/defaults.jsonl --table [--settings NAME ...]

Each task is a public table with its development rows: the official training part (NSL-KDD, thyroid, census),
credit card rows outside the test parts of seeds 0 to 9 of scenario 1g, every second row of bank marketing, all of
scikit-learn's bundled sets. A draw takes 3,000 normal rows to learn from and 3,000 others to judge by (25,000 if
normal rows drift). The file has one line for each setting, task, number of known anomalies and seed. Finished runs
are not repeated.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from experiments.data import as_they_stand
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from alarmnet import (
    A3Detector,
    AlarmnetWarning,
    ColumnSwap,
    DenseAutoencoder,
    TableEncoder,
)
from alarmnet.datasets import (
    load_bank_marketing,
    load_census_income,
    load_credit_card,
    load_nsl_kdd,
    load_thyroid,
    make_scenario,
)
from alarmnet.sources.comparison import keep_columns

ROWS = 3_000
BUDGETS = (5, 25)


@dataclass(frozen=True)
class Task:
    """Development rows: what is normal, what may be known, and all that is anomalous.

    `drifted` are normal rows unlike the training rows: all of them are judged. `rows` is the number of normal rows
    to learn from.
    """

    X: pa.Table
    normal: np.ndarray
    known: np.ndarray
    anomalous: np.ndarray
    drifted: np.ndarray = field(default_factory=lambda: np.array([], dtype=int))
    rows: int = ROWS


def _task(X: pa.Table, classes: np.ndarray, normal: str, rows: np.ndarray | None = None) -> Task:
    rows = np.arange(len(classes)) if rows is None else rows
    anomalous = rows[classes[rows] != normal]
    return Task(X, rows[classes[rows] == normal], anomalous, anomalous)


def nsl_kdd(known_groups: tuple[str, ...]) -> Task:
    """KDDTrain+: some attack groups are known, and all groups are to be found."""
    table = load_nsl_kdd().train
    task = _task(table.frame, table.row_groups, "normal")
    return Task(task.X, task.normal, np.flatnonzero(np.isin(table.row_groups, known_groups)), task.anomalous)


def nsl_kdd_unseen() -> Task:
    """KDDTrain+: some attacks of DoS and Probe are known, and others of the same groups are to be found."""
    table = load_nsl_kdd().train
    known = np.isin(table.classes, ("back", "neptune", "pod", "ipsweep", "portsweep"))
    unseen = np.isin(table.classes, ("land", "smurf", "teardrop", "nmap", "satan"))
    normal = table.classes == "normal"
    return Task(table.frame, np.flatnonzero(normal), np.flatnonzero(known), np.flatnonzero(unseen))


def nsl_kdd_drifted() -> Task:
    """KDDTrain+, DoS and Probe; normal rows of rarer services are judged, but not learned from."""
    table = load_nsl_kdd().train
    usual = np.isin(
        table.frame["service"].to_pylist(), ("http", "smtp", "domain_u", "ftp_data", "telnet", "urp_i")
    )
    normal, found = table.classes == "normal", np.isin(table.row_groups, ("DoS", "Probe"))
    anomalous = np.flatnonzero(found)
    return Task(
        table.frame,
        np.flatnonzero(normal & usual),
        anomalous,
        anomalous,
        drifted=np.flatnonzero(normal & ~usual),
        rows=25_000,
    )


def credit_card() -> Task:
    """Rows outside every test part of scenario 1g, seeds 0 to 9."""
    table = load_credit_card()
    tested = np.concatenate([make_scenario("1g", seed=seed).test.rows for seed in range(10)])
    rows = np.setdiff1d(np.arange(len(table.classes)), tested)
    return _task(table.frame.drop_columns(["Time"]), table.classes, "0", rows)


def bundled(load: Callable[..., Any], normal: tuple[int, ...]) -> Task:
    """One of scikit-learn's own sets as a table."""
    X, y = load(return_X_y=True)
    frame = pa.table({f"x{i}": X[:, i] for i in range(X.shape[1])})
    return _task(frame, np.where(np.isin(y, normal), "normal", "anomaly"), "normal")


def bank() -> Task:
    """Every second row of bank marketing."""
    table = load_bank_marketing()
    return _task(table.frame, table.classes, "no", np.arange(0, len(table.classes), 2))


def official_train(load: Callable[[], Any], normal: str) -> Task:
    """The official training part of a table."""
    table = load().train
    return _task(table.frame, table.classes, normal)


TASKS: dict[str, Callable[[], Task]] = {
    "nsl-kdd DoS, Probe": lambda: nsl_kdd(("DoS", "Probe")),
    "nsl-kdd R2L, U2R": lambda: nsl_kdd(("R2L", "U2R")),
    "nsl-kdd, unseen attacks": nsl_kdd_unseen,
    "nsl-kdd, drifted normal rows": nsl_kdd_drifted,
    "credit card": credit_card,
    "bank": bank,
    "thyroid": lambda: official_train(load_thyroid, "3"),
    "census": lambda: official_train(load_census_income, "- 50000."),
    "breast cancer": lambda: bundled(load_breast_cancer, (1,)),
    "digits": lambda: bundled(load_digits, (0, 1, 2, 3, 4, 5)),
}


def _boosting(seed: int) -> Any:
    return HistGradientBoostingClassifier(random_state=seed)


RIVALS: dict[str, Callable[[int], Any]] = {
    "logistic regression": lambda _seed: LogisticRegression(max_iter=2000),
    "random forest": lambda seed: RandomForestClassifier(random_state=seed),
    "gradient boosting": _boosting,
    "isolation forest": lambda seed: IsolationForest(random_state=seed),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "reads both": {"reads": "both"},
    "reads inputs": {"reads": "inputs"},
    "reads activations": {"reads": "activations"},
    "generated weight 0": {"reads": "both", "generated_weight": 0.0},
    "generated weight 0.1": {"reads": "both", "generated_weight": 0.1},
    "no pieces": {"target": DenseAutoencoder()},
    "blend 0": {"reads": "both", "blend": 0.0},
    "column swaps": {"generator": ColumnSwap()},
    "quantile scaling": {"reads": "both", "encoder": TableEncoder(scaling="quantile")},
}
"""The defaults for tables before they read normality, and the same with one change each."""
COMMITTED = [*RIVALS, "reads both", "reads inputs", "reads activations"]
"""The settings in the committed output."""


def draw(task: Task, known: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row numbers to learn from (the last `known` are the known anomalies), and to judge by."""
    generator = np.random.default_rng(seed)
    normal = generator.permutation(task.normal)
    half = min(task.rows, len(normal) // 2)
    labelled = generator.permutation(task.known)[: min(known, len(task.known) // 2)]
    others = generator.permutation(np.setdiff1d(task.anomalous, labelled))[: task.rows]
    return normal[:half], labelled, np.concatenate([normal[half : 2 * half], task.drifted, others])


def scores(name: str, task: Task, known: int, seed: int) -> dict[str, float]:
    """Average precision of one method on one draw."""
    normal, labelled, judged = draw(task, known, seed)
    X = task.X.take(np.concatenate([normal, labelled]))
    y = np.repeat([0, 1], [len(normal), len(labelled)])
    start = time.perf_counter()
    if name in RIVALS:
        encoder = TableEncoder(scaling="standard", keep=as_they_stand(X))
        model = RIVALS[name](seed)
        matrix = encoder.fit_transform(X)
        if name == "isolation forest":
            found = -model.fit(matrix[y == 0]).score_samples(encoder.transform(task.X.take(judged)))
        else:
            found = model.fit(matrix, y).predict_proba(encoder.transform(task.X.take(judged)))[:, 1]
    else:
        detector = A3Detector(random_state=seed, **SETTINGS[name])
        keep_columns(detector, as_they_stand(X))
        found = detector.fit(X, y).decision_function(task.X.take(judged))
    truth = np.isin(judged, task.anomalous)
    return {"ap": float(average_precision_score(truth, found)), "seconds": time.perf_counter() - start}


def finished(path: Path) -> dict[tuple[str, str, int, int], float]:
    """Average precision by (setting, task, known, seed)."""
    lines = path.read_text().splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines]
    return {(run["setting"], run["task"], run["known"], run["seed"]): run["ap"] for run in runs}


def table(path: Path, settings: list[str]) -> Iterator[str]:
    """Mean average precision over tasks, best first, of the draws that all these settings have run."""
    done = finished(path)
    draws = {key[1:] for key in done if all((setting, *key[1:]) in done for setting in settings)}
    tasks = [task for task in TASKS if any(task == draw[0] for draw in draws)]

    def mean(setting: str, keep: Callable[[tuple[str, int, int]], bool]) -> float:
        by_task: dict[str, list[float]] = {}
        for kept in filter(keep, sorted(draws)):
            by_task.setdefault(kept[0], []).append(done[(setting, *kept)])
        return float(np.mean([np.mean(values) for values in by_task.values()]))

    yield "| setting | mean | " + " | ".join([f"{k} known" for k in BUDGETS] + tasks) + " |"
    yield "|---" * (2 + len(BUDGETS) + len(tasks)) + "|"
    for setting in sorted(settings, key=lambda name: -mean(name, lambda _: True)):
        means = [mean(setting, lambda _: True)]
        means += [mean(setting, lambda d, k=k: d[1] == k) for k in BUDGETS]  # type: ignore[misc]
        means += [mean(setting, lambda d, t=t: d[0] == t) for t in tasks]  # type: ignore[misc]
        yield f"| {setting} | " + " | ".join(f"{value:.3f}" for value in means) + " |"


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=COMMITTED)
    parser.add_argument("--tasks", nargs="+", default=list(TASKS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out, arguments.settings)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(arguments.out)
    for task_name in arguments.tasks:
        task = TASKS[task_name]()
        for setting in arguments.settings:
            for known in BUDGETS:
                for seed in arguments.seeds:
                    if (setting, task_name, known, seed) in done:
                        continue
                    run = {"setting": setting, "task": task_name, "known": known, "seed": seed}
                    run |= scores(setting, task, known, seed)
                    with arguments.out.open("a") as lines:
                        lines.write(json.dumps(run) + "\n")
        print(task_name, "done", flush=True)


if __name__ == "__main__":
    main()
