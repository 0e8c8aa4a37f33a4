"""Alarm rates where unlabelled rows calibrate and some of them are anomalies.

    python -m benchmarks.unclean_calibration --scores FOLDER --out benchmarks/results/unclean_calibration.jsonl

A seed draws 3,000 unlabelled rows of a table's test half, of which a share is hidden anomalies, and 0 or 25 known
anomalies. 2,000 of the unlabelled rows calibrate. 5,000 other normal rows count false alarms, up to 500 other
anomalies count what is found. Each table, share, number of known anomalies and seed is fitted once, with short
schedules; its scores go to FOLDER, and every rule for the threshold is tried on them.
"""

import argparse
import itertools
import time
from pathlib import Path

import numpy as np

from alarmnet import A3Detector, Schedule
from benchmarks.few_label_tables import TABLES, Halves

UNLABELLED, CALIBRATING, FRESH, FRESH_ANOMALIES = 3_000, 2_000, 5_000, 500
REPORTED = ("nsl-kdd", "credit card", "bank", "census")
SHARES = (0.0, 0.01, 0.02, 0.05)
KNOWN = (0, 25)
RATES = (0.005, 0.01, 0.05)
SHORT = {
    "target_schedule": Schedule(steps=80, batch_size=128, learning_rate=3e-3, decay=True),
    "alarm_schedule": Schedule(steps=200, learning_rate=3e-3),
    "reads": "normality",
}

Cell = tuple[str, float, int, int]


def fitted_scores(halves: Halves, cell: Cell, *, part: str) -> dict[str, np.ndarray]:
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


def collect(folder: Path, cells: list[Cell], *, part: str) -> None:
    """Fit what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    halves: dict[str, Halves] = {}
    for cell in cells:
        path = folder / ("_".join(map(str, cell)) + ".npz")
        if path.exists():
            continue
        if cell[0] not in halves:
            halves = {cell[0]: TABLES[cell[0]]()}
        start = time.process_time()
        scores = fitted_scores(halves[cell[0]], cell, part=part)
        np.savez_compressed(path, **scores)
        print(path.name, f"{time.process_time() - start:.1f} s", flush=True)


def main() -> None:
    """Fit what is missing, and try every rule on the scores."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scores", type=Path, required=True)
    parser.add_argument("--tables", nargs="+", default=REPORTED)
    parser.add_argument("--known", nargs="+", type=int, default=KNOWN)
    parser.add_argument("--seeds", nargs="+", type=int, default=range(20))
    parser.add_argument("--part", choices=["test", "development"], default="test")
    arguments = parser.parse_args()
    cells = [
        (table, share, known, seed)
        for table, seed, share, known in itertools.product(
            arguments.tables, arguments.seeds, SHARES, arguments.known
        )
    ]
    collect(arguments.scores, cells, part=arguments.part)


if __name__ == "__main__":
    main()
