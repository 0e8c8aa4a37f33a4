"""Alarm rates where unlabelled rows calibrate and some of them are anomalies.

    python -m benchmarks.unclean_calibration --scores FOLDER --out benchmarks/results/unclean_calibration.jsonl
    python -m benchmarks.unclean_calibration --scores FOLDER --out FILE --part development --tables ...
    python -m benchmarks.unclean_calibration --out benchmarks/results/unclean_calibration.jsonl --table

A seed draws 3,000 unlabelled rows of a table's test half, of which a share is hidden anomalies, and 0 or 25 known
anomalies. 2,000 of the unlabelled rows calibrate. 5,000 other normal rows count false alarms, up to 500 other
anomalies count what is found. Each table, share, number of known anomalies and seed is fitted once, with short
schedules; its scores go to FOLDER, and every rule for the threshold is tried on them. What is there is not run
again.
The rules were chosen on development halves of bank, census, celeba, kdd http and nsl-kdd, seeds 0 to 2.
"""

import argparse
import itertools
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance

from alarmnet import A3Detector, AlarmnetWarning, Schedule
from alarmnet.detectors.cleanness import (
    ANOMALY,
    NORMAL,
    UNANSWERED,
    Answers,
    hidden_share,
    weights_after_answers,
    weights_by_scores,
    weights_of,
    worth_a_look,
)
from alarmnet.thresholds import conformal_threshold
from benchmarks.few_label_tables import TABLES, Halves

UNLABELLED, CALIBRATING, FRESH, FRESH_ANOMALIES = 3_000, 2_000, 5_000, 500
REPORTED = ("nsl-kdd", "credit card", "bank", "census")
SHARES = (0.0, 0.01, 0.02, 0.05)
KNOWN = (0, 25)
RATES = (0.005, 0.01, 0.05)
SHORT: dict[str, Any] = {
    "target_schedule": Schedule(steps=80, batch_size=128, learning_rate=3e-3, decay=True),
    "alarm_schedule": Schedule(steps=200, learning_rate=3e-3),
    "reads": "normality",
}

Cell = tuple[str, float, int, int]
Found = dict[str, np.ndarray]


def fitted_scores(halves: Halves, cell: Cell, *, part: str) -> Found:
    """Scores of the calibration rows, of known anomalies, and of fresh normal rows and anomalies."""
    _, share, known, seed = cell
    generator = np.random.default_rng([seed, known, round(1000 * share)])
    rows, anomalous = getattr(halves, part), halves.anomalous
    normal, anomalies = (generator.permutation(rows[anomalous[rows] == kind]) for kind in (False, True))
    hidden = round(share * UNLABELLED)
    learned = np.concatenate([normal[: UNLABELLED - hidden], anomalies[: hidden + known]])
    y = np.full(len(learned), np.nan)
    y[len(learned) - known :] = 1
    order = generator.permutation(len(learned))
    learned, y = learned[order], y[order]
    detector = A3Detector(random_state=seed, calibration_share=CALIBRATING / UNLABELLED, **SHORT)
    detector.fit(halves.frame.take(learned), y if known else None)
    start, beyond = UNLABELLED - hidden, hidden + known
    fresh = normal[start : start + FRESH]
    found = anomalies[beyond : beyond + FRESH_ANOMALIES]
    return {
        "calibration": detector.calibration_scores_,
        "hidden": anomalous[learned][detector.calibration_rows_],
        "known": detector.decision_scores_[y == 1],
        "fresh": detector.logits(halves.frame.take(fresh)),
        "anomalies": detector.logits(halves.frame.take(found)),
    }


def scores_of(folder: Path, cell: Cell) -> Path:
    return folder / ("_".join(map(str, cell)) + ".npz")


def collect(folder: Path, cells: list[Cell], *, part: str) -> None:
    """Fit what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    halves: dict[str, Halves] = {}
    for cell in cells:
        path = scores_of(folder, cell)
        if path.exists():
            continue
        if cell[0] not in halves:
            halves = {cell[0]: TABLES[cell[0]]()}
        start = time.process_time()
        scores = fitted_scores(halves[cell[0]], cell, part=part)
        np.savez_compressed(path, **scores)  # type: ignore[arg-type]
        print(path.name, f"{time.process_time() - start:.1f} s", flush=True)


def unanswered(scores: Found) -> Answers:
    return np.full(len(scores["calibration"]), UNANSWERED, dtype=np.int8)


def looked_at(scores: Found, rate: float) -> Answers:
    """Answers after three rounds of ten looks."""
    answers, guess = unanswered(scores), weights_by_scores(scores["calibration"], scores["known"])
    for _ in range(3):
        places = worth_a_look(weights_after_answers(guess, answers), answers, rate=rate, count=10)
        answers[places] = np.where(scores["hidden"][places], ANOMALY, NORMAL)
    return answers


def estimated(scores: Found, _rate: float) -> np.ndarray:
    return weights_of(scores["calibration"], scores["known"], unanswered(scores))


def after_looks(scores: Found, rate: float) -> np.ndarray:
    return weights_of(scores["calibration"], scores["known"], looked_at(scores, rate))


def trimmed(scores: Found, _rate: float) -> np.ndarray:
    """Label-trim: look at the 30 highest, and remove the anomalies among them."""
    weights = np.ones(len(scores["calibration"]))
    weights[-30:] = ~scores["hidden"][-30:]
    return weights


RULES: dict[str, Callable[[Found, float], np.ndarray]] = {
    "every row counts, as before": lambda scores, _rate: np.ones(len(scores["calibration"])),
    "estimated": estimated,
    "30 looks": after_looks,
    "30 highest looked at (label-trim)": trimmed,
    "anomalies removed": lambda scores, _rate: 1.0 - scores["hidden"],
}
"""Weights of calibration rows by rule; the last knows the truth."""


def judged(scores: Found) -> dict[str, Any]:
    """What each rule comes to at each rate: the shares of fresh normal rows and of anomalies in alarm."""
    rules: dict[str, dict[str, list[float]]] = {}
    for name, weigh in RULES.items():
        rules[name] = {}
        for rate in RATES:
            level = conformal_threshold(scores["calibration"], rate, weigh(scores, rate)).value
            rules[name][str(rate)] = [
                round(float((scores[kind] > level).mean()), 5) for kind in ("fresh", "anomalies")
            ]
    shares = {
        name: hidden_share(scores["calibration"], scores["known"], answers)
        for name, answers in (("estimated", unanswered(scores)), ("30 looks", looked_at(scores, 0.01)))
    }
    return {
        "unclean": float(scores["hidden"].mean()),
        "shares": {
            name: [round(value, 5) for value in (share.value, share.low, share.high)]
            for name, share in shares.items()
        },
        "rules": rules,
    }


def judge(folder: Path, out: Path, cells: list[Cell]) -> None:
    """Try every rule on the scores that are there."""
    done = {tuple(run["cell"]) for run in runs(out)} if out.exists() else set()
    for cell in cells:
        path = scores_of(folder, cell)
        if cell in done or not path.exists():
            continue
        with np.load(path) as scores:
            found = judged(dict(scores))
        with out.open("a") as lines:
            lines.write(json.dumps({"cell": cell, **found, **provenance()}) + "\n")


def runs(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def table(path: Path) -> Iterator[str]:
    """Mean over tables of the observed rate through the rate asked for, with the lowest and the highest table."""
    ratios: dict[tuple[int, float, str, float], dict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    found: dict[tuple[int, float, str], list[float]] = defaultdict(list)
    seeds = set()
    for run in runs(path):
        name, share, known, seed = run["cell"]
        seeds.add(seed)
        for rule, rates in run["rules"].items():
            found[known, share, rule].append(rates["0.01"][1])
            for rate in RATES:
                ratios[known, share, rule, rate][name].append(rates[str(rate)][0] / rate)
    for known in KNOWN:
        title = f"{known or 'no'} known anomalies, {len(seeds)} seeds"
        headings = " | ".join(f"rate {rate:g}" for rate in RATES)
        yield f"| {title} | hidden | {headings} | anomalies found at 0.01 |"
        yield "|---" * (3 + len(RATES)) + "|"
        for rule, share in itertools.product(RULES, SHARES):
            if known == 0 and rule == "estimated":
                continue
            cells = []
            for rate in RATES:
                means = [float(np.mean(values)) for values in ratios[known, share, rule, rate].values()]
                cells.append(f"{np.mean(means):.2f} ({min(means):.2f} to {max(means):.2f})")
            yield (
                f"| {rule} | {share:.0%} | {' | '.join(cells)} | {np.mean(found[known, share, rule]):.0%} |"
            )
        yield ""


def estimates(path: Path) -> Iterator[str]:
    """How far the estimated share is from the truth, and how often its interval has it."""
    yield "| known | hidden | estimated, mean | interval has the truth | after 30 looks, mean | ... |"
    yield "|---" * 6 + "|"
    for known, share in itertools.product(KNOWN, SHARES):
        chosen = [run for run in runs(path) if run["cell"][1:3] == [share, known]]
        cells = []
        for name in ("estimated", "30 looks"):
            values = np.array([run["shares"][name] for run in chosen])
            truth = np.array([run["unclean"] for run in chosen])
            within = (values[:, 1] <= truth) & (truth <= values[:, 2])
            cells.append(f"{values[:, 0].mean():.2%} | {within.mean():.0%}")
        yield f"| {known} | {share:.0%} | {' | '.join(cells)} |"


def within(path: Path) -> Iterator[str]:
    """How many means over seeds lie in the ranges aimed at, of tables, shares and rates."""
    aims = {"estimated": (0.5, 1.2), "30 looks": (0.8, 1.1)}
    yield "| rule | known | range | as before | with the rule | anomalies removed | noise of one seed |"
    yield "|---" * 7 + "|"
    for (rule, (low, high)), known in itertools.product(aims.items(), KNOWN):
        chosen = [run for run in runs(path) if run["cell"][2] == known]
        counts, deviations = [], []
        for name in (next(iter(RULES)), rule, "anomalies removed"):
            ratios: dict[Any, list[float]] = defaultdict(list)
            for run, rate in itertools.product(chosen, RATES):
                ratios[run["cell"][0], run["cell"][1], rate].append(run["rules"][name][str(rate)][0] / rate)
            means = np.array([np.mean(values) for values in ratios.values()])
            counts.append(f"{((means >= low) & (means <= high)).sum()} of {len(means)}")
            deviations = [np.std(values) for (_, _, rate), values in ratios.items() if rate == RATES[0]]
        yield (
            f"| {rule} | {known} | {low:g} to {high:g} | {' | '.join(counts)} | ±{np.mean(deviations):.2f} at "
            f"{RATES[0]:g} |"
        )


PARTS = {"in range": within, "rates": table, "shares": estimates}
"""What the docs show."""


def main() -> None:
    """Fit what is missing, and try every rule on the scores; or print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scores", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=REPORTED)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(20))
    parser.add_argument("--part", choices=["test", "development"], default="test")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.scores and not arguments.table:
        warnings.simplefilter("ignore", AlarmnetWarning)
        cells = [
            (name, share, known, seed)
            for name, seed, share, known in itertools.product(
                arguments.tables, arguments.seeds, SHARES, KNOWN
            )
        ]
        collect(arguments.scores, cells, part=arguments.part)
        judge(arguments.scores, arguments.out, cells)
    for lines in PARTS.values():
        print("\n".join(lines(arguments.out)))


if __name__ == "__main__":
    main()
