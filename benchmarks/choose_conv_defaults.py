"""Chooses `ConvA3Detector`'s defaults for few labels by validation, on rows that its figures were not measured on.

    python -m benchmarks.choose_conv_defaults --out benchmarks/results/conv_defaults.jsonl [--settings NAME ...]
    python -m benchmarks.choose_conv_defaults --out benchmarks/results/conv_defaults.jsonl --table

On tables the detector has no alarms on inputs, since these are A3's (`few_labels` measures their effect). Data: the
tables of `choose_defaults`, eights of MNIST against the other digits, and shirts of Fashion-MNIST against other
clothes. Images come from the official test parts, which the paper does not use: 400 to learn from and 400 to judge
by. Each model is judged by each of its three scores. Finished runs are not repeated.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import average_precision_score

from alarmnet import AlarmnetWarning, ColumnSwap, ConvA3Detector, GaussianNoise, StridedAutoencoder
from alarmnet.datasets import load_fashion_mnist, load_mnist
from alarmnet.detectors.conv_a3_scorer import SCORES
from alarmnet.preprocessing.rows import take
from benchmarks import choose_defaults
from benchmarks.choose_defaults import Task, draw

BUDGETS = (5, 25, 100)
TABLES = ("digits", "breast cancer", "credit card", "nsl-kdd, unseen attacks")


def images(load: Callable[[], Any], normal: int) -> Task:
    """One class of the official test part against the others."""
    data = load()
    anomalous = np.flatnonzero(data.test_labels != normal)
    task = Task(data.test_images, np.flatnonzero(data.test_labels == normal), anomalous, anomalous)
    return replace(task, rows=400)


TASKS: dict[str, Callable[[], Task]] = {
    **{name: choose_defaults.TASKS[name] for name in TABLES},
    "MNIST, 8": lambda: images(load_mnist, 8),
    "Fashion-MNIST, 6": lambda: images(load_fashion_mnist, 6),
}
SETTINGS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "noise": {"generated_weight": 1.0, "generator": GaussianNoise()},
    "column swaps": {"generated_weight": 1.0, "generator": ColumnSwap()},
    "known weight 0.1": {"known_weight": 0.1},
    "blend 0.8": {"blend": 0.8},
    "gamma 10": {"alarm_weight": 10.0},
    "reads both": {"reads": "both"},
    "variational": {"target": StridedAutoencoder(code_weight=1.0)},
}
"""The defaults, and each with one change."""
COMMITTED = ["defaults", "noise", "column swaps", "known weight 0.1", "blend 0.8"]
"""The settings in the committed output."""


def scores(setting: str, task: Task, known: int, seed: int) -> Iterator[dict[str, Any]]:
    """Average precision on one draw, with a dict for each score."""
    normal, labelled, judged = draw(task, known, seed)
    y = np.repeat([0, 1], [len(normal), len(labelled)])
    start = time.perf_counter()
    detector = ConvA3Detector(input_alarms=False, random_state=seed, **SETTINGS[setting])
    detector.fit(take(task.X, np.concatenate([normal, labelled])), y)
    seconds = time.perf_counter() - start
    for score in SCORES:
        found = detector.set_score(score).logits(take(task.X, judged))
        ap = float(average_precision_score(np.isin(judged, task.anomalous), found))
        yield {"score": score, "ap": ap, "seconds": seconds}


def table(path: Path, settings: list[str]) -> Iterator[str]:
    """Mean average precision over tasks, of the draws that all these settings have run."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    found = {
        (run["setting"], run["score"], run["task"], run["known"], run["seed"]): run["ap"]
        for run in runs
        if run["setting"] in settings
    }
    draws = {
        (key[2], key[3], key[4])
        for key in found
        if all((setting, key[1], *key[2:]) in found for setting in settings)
    }
    tasks = [task for task in TASKS if any(task == draw[0] for draw in draws)]
    budgets = sorted({known for _, known, _ in draws})
    yield "| setting | score | mean | " + " | ".join([f"{k} known" for k in budgets] + tasks) + " |"
    yield "|---" * (3 + len(budgets) + len(tasks)) + "|"
    for setting in settings:
        for score in SCORES:

            def mean(draws: list[tuple[str, int, int]], setting: str = setting, score: str = score) -> float:
                by_task = [
                    [found[setting, score, *draw] for draw in draws if draw[0] == task] for task in tasks
                ]
                return float(np.mean([np.mean(values) for values in by_task if values]))

            means = [mean([*draws])]
            means += [mean([draw for draw in draws if draw[1] == known]) for known in budgets]
            means += [mean([draw for draw in draws if draw[0] == task]) for task in tasks]
            yield f"| {setting} | {score} | " + " | ".join(f"{value:.3f}" for value in means) + " |"


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--settings", nargs="+", default=COMMITTED, choices=list(SETTINGS))
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--known", nargs="+", type=int, default=list(BUDGETS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out, arguments.settings)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {tuple(json.loads(line)[key] for key in ("setting", "task", "known", "seed")) for line in lines}
    for task_name in arguments.tasks:
        task = TASKS[task_name]()
        for setting in arguments.settings:
            for known in arguments.known:
                for seed in arguments.seeds:
                    if (setting, task_name, known, seed) in done:
                        continue
                    run = {"setting": setting, "task": task_name, "known": known, "seed": seed}
                    results = [run | result for result in scores(setting, task, known, seed)]
                    with arguments.out.open("a") as file:
                        file.writelines(json.dumps(result) + "\n" for result in results)
        print(task_name, "done", flush=True)


if __name__ == "__main__":
    main()
