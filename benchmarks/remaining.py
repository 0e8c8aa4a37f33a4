"""Measures how often the interval of `Queue.remaining` covers the number of anomalies that remain, on real tables.

    python -m benchmarks.remaining --out benchmarks/results/remaining.jsonl [--seeds 0 1] [--draws 100]

A seed draws rows of each table's development half as `benchmarks.loop` does. As on the triage page, the queue shows
nine rows and a tenth that is drawn at random, and learns from the answers; this is done 20 times. Then the looks
that the queue chose keep their scores, and the random looks are drawn anew, many times. Each draw gives an interval
after 50, 100 and 200 looks. Finished runs are not repeated.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance

from alarmnet.loop import AtRandom, Queue
from alarmnet.loop.remaining import Look, Remaining, remaining
from benchmarks.few_label_tables import TABLES
from benchmarks.loop import Pool, table_pool

STEPS, BATCH = 20, 10
COUNTED = (50, 100, 200)


@dataclass(frozen=True)
class Step:
    """The rows that the queue chose, and its scores of all rows at that time (N,)."""

    chosen: list[int]
    scores: np.ndarray


def session(pool: Pool, seed: int) -> list[Step]:
    """Review rows and learn, step by step; the last step has no looks."""
    queue = Queue(pool.X, random_state=seed)
    steps = []
    for _ in range(STEPS):
        chosen: list[Any] = queue.next(BATCH - 1)
        steps.append(Step(chosen, queue.scores))
        for row in [*chosen, *queue.next(strategy=AtRandom(), skip=chosen)]:
            queue.answer(row, "anomaly" if pool.anomalous[row] else "normal")
        queue.refit()
    return [*steps, Step([], queue.scores)]


def drawn(steps: list[Step], anomalous: np.ndarray, seed: int) -> Iterator[tuple[int, Remaining, int]]:
    """Draw the random looks anew; give the number of looks, the estimate of what remains, and the truth."""
    generator = np.random.default_rng(seed)
    waiting, looks = np.ones(len(anomalous), dtype=bool), []
    for number, step in enumerate(steps[:-1], start=1):
        at_random = int(generator.choice(np.flatnonzero(waiting)))
        for row in (at_random, *step.chosen):
            if waiting[row]:
                score, left = float(step.scores[row]), int(waiting.sum())
                looks.append(Look(row == at_random, left, score, bool(anomalous[row])))
                waiting[row] = False
        if number * BATCH in COUNTED:
            found = remaining(looks, steps[number].scores[waiting])
            yield number * BATCH, found, int(anomalous[waiting].sum())


def run(name: str, seed: int, draws: int) -> dict[str, Any]:
    """One table and seed."""
    pool = table_pool(name, "development", seed)
    steps = session(pool, seed)
    found: dict[int, list[tuple[bool, float, float, int]]] = {looks: [] for looks in COUNTED}
    for draw in range(draws):
        for looks, said, left in drawn(steps, pool.anomalous, draw):
            found[looks].append((said.low <= left <= said.high, said.estimate, said.high - said.low, left))
    means = {str(looks): np.mean(values, axis=0).round(3).tolist() for looks, values in found.items()}
    return {"pool": name, "seed": seed, "draws": draws, "found": means, **provenance()}


def table(path: Path) -> Iterator[str]:
    """Coverage by table, and how wide the interval is."""
    runs = [json.loads(line) for line in path.read_text().splitlines()]
    pools = list(dict.fromkeys(run["pool"] for run in runs))
    found = {
        looks: np.array(
            [
                np.mean([run["found"][str(looks)] for run in runs if run["pool"] == pool], axis=0)
                for pool in pools
            ]
        )
        for looks in COUNTED
    }
    yield "| interval of 95 % holds what remains | mean | " + " | ".join(pools) + " |"
    yield "|---" * (len(pools) + 2) + "|"
    for looks, values in found.items():
        shares = " | ".join(f"{value:.2f}" for value in values[:, 0])
        yield f"| after {looks} looks | {values[:, 0].mean():.3f} | {shares} |"
    yield ""
    yield "| remain / estimate / width of the interval | mean | " + " | ".join(pools) + " |"
    yield "|---" * (len(pools) + 2) + "|"
    for looks, values in found.items():
        rows = [values.mean(axis=0), *values]
        yield (
            f"| after {looks} looks | "
            + " | ".join(f"{left:.0f} / {estimate:.0f} / {width:.0f}" for _, estimate, width, left in rows)
            + " |"
        )


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--draws", type=int, default=100)
    arguments = parser.parse_args()
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = {(run["pool"], run["seed"]) for run in map(json.loads, lines)}
    for seed in arguments.seeds:
        for name in TABLES:
            if (name, seed) not in done:
                with arguments.out.open("a") as stream:
                    stream.write(json.dumps(run(name, seed, arguments.draws)) + "\n")
    print("\n".join(table(arguments.out)))


if __name__ == "__main__":
    main()
