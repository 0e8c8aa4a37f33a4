"""Spoils model files in thousands of ways, and tries hostile ones: what is refused, and what else happens.

    python -m benchmarks.model_files --out benchmarks/results/model_files.json

Three parts, each tried in child processes: changes of any byte, which the digest shows; changes behind the digest,
which is made right again as an attacker would; files made to run code or to take memory or time.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.golden_files import NAMES, golden
from benchmarks.hostile_files import HOSTILE, MARKER, write_hostile
from benchmarks.mutations import WAYS
from benchmarks.trials import SOUND, Outcome, Trials
from experiments.provenance import provenance

Progress = Callable[[str], None]


def spoil(way: str, number: int, name: str, folder: Path, first: int = 0) -> list[Outcome]:
    """Outcomes of so many spoiled copies of a golden file, by one of `WAYS`."""
    data = golden(name).path.read_bytes()
    trials = Trials(folder, name)
    try:
        return [
            trials.attempt(lambda path, seed=seed: path.write_bytes(WAYS[way](data, seed)))  # type: ignore[misc]
            for seed in range(first, first + number)
        ]
    finally:
        trials.close()


def try_hostile(name: str, folder: Path) -> Outcome:
    """What becomes of one hostile file, in a child of its own."""
    rows = next((rows for rows in NAMES if rows in name), NAMES[0])
    trials = Trials(folder, rows)
    try:
        outcome = trials.attempt(lambda path: write_hostile(path, name))
    finally:
        trials.close()
    return outcome._replace(verdict="code ran") if (folder / MARKER).exists() else outcome


def counted(outcomes: list[Outcome]) -> dict[str, Any]:
    """Outcomes by verdict, and the worst of time and memory."""
    verdicts = Counter(outcome.verdict for outcome in outcomes)
    return {
        "files": len(outcomes),
        **{verdict: verdicts.pop(verdict, 0) for verdict in SOUND},
        "faults": dict(verdicts),
        "most seconds": round(max(outcome.seconds for outcome in outcomes), 2),
        "most megabytes": round(max(outcome.megabytes for outcome in outcomes), 1),
    }
