"""Checks the alarm rate on fresh normal rows: the rate asked for against the share of rows that raise an alarm.

    python -m benchmarks.alarm_rate --out benchmarks/results/alarm_rate.jsonl

A seed draws 12,000 normal rows and 100 known anomalies to learn from (2,400 of the normal rows calibrate), and
10,000 other normal rows to count alarms on. With k = floor(rate (n + 1)) of n calibration rows, the count is
beta-binomial with parameters k and n + 1 - k. Finished runs are not repeated.
"""

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from scipy.stats import betabinom

from alarmnet import A3Detector
from alarmnet.datasets import load_credit_card, load_nsl_kdd

LEARNED, FRESH, KNOWN = 12_000, 10_000, 100
RATES = (0.001, 0.01, 0.05)


def tables() -> dict[str, tuple[pa.Table, np.ndarray]]:
    """Rows, and True for normal rows."""
    attacks, cards = load_nsl_kdd().train, load_credit_card()
    return {
        "nsl-kdd": (attacks.frame, attacks.classes == "normal"),
        "credit-card": (cards.frame.drop_columns(["Time"]), cards.classes == "0"),
    }


def run(X: pa.Table, normal: np.ndarray, seed: int) -> dict[str, Any]:
    """Alarms on fresh normal rows at each rate, of one detector."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(np.flatnonzero(normal))[: LEARNED + FRESH]
    learned = np.concatenate([rows[:LEARNED], generator.permutation(np.flatnonzero(~normal))[:KNOWN]])
    detector = A3Detector(reads="both", random_state=seed).fit(
        X.take(learned), (~normal[learned]).astype(int)
    )
    fresh = X.take(rows[LEARNED:])
    scores = detector.logits(fresh)
    alarms = {}
    for rate in RATES:
        detector.set_alarm_rate(rate)
        alarms[str(rate)] = int((scores > detector.threshold_).sum())
    return {"calibration_rows": len(detector.calibration_scores_), "alarms": alarms}


def summary(path: Path) -> Iterator[str]:
    """A table of the results, with a line for each data set and rate."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    yield "| data | rate asked for | seeds | mean observed | rate + 3 standard errors | within 99.9 % interval |"
    yield "|---|---|---|---|---|---|"
    for data in sorted({run["data"] for run in runs}):
        for rate in RATES:
            counts = np.array([run["alarms"][str(rate)] for run in runs if run["data"] == data])
            n = next(run["calibration_rows"] for run in runs if run["data"] == data)
            k = math.floor(rate * (n + 1))
            expected = betabinom(FRESH, k, n + 1 - k)
            low, high = expected.interval(0.999)
            error = expected.std() / FRESH / math.sqrt(len(counts))
            within = int(((counts >= low) & (counts <= high)).sum())
            yield (
                f"| {data} | {rate} | {len(counts)} | {counts.mean() / FRESH:.5f} | {rate + 3 * error:.5f} | "
                f"{within} of {len(counts)} |"
            )


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=20)
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {(run["data"], run["seed"]) for run in map(json.loads, lines)}
    for data, (X, normal) in tables().items():
        for seed in range(arguments.seeds):
            if (data, seed) not in done:
                result = {"data": data, "seed": seed} | run(X, normal, seed)
                with arguments.out.open("a") as out:
                    out.write(json.dumps(result) + "\n")
    print("\n".join(summary(arguments.out)))


if __name__ == "__main__":
    main()
