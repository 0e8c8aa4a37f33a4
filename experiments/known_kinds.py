"""The kinds of anomalies that a row's seeds happened to know, compared with the kinds in its test.

python -m experiments.known_kinds a3-table-3 1d --seeds 0 1 2 3 --out experiments/results/known_kinds_1d.json
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from alarmnet.datasets import ScenarioPart
from experiments import results
from experiments.data import rows_of
from experiments.provenance import provenance
from experiments.tables import NAMES, load_table

SHOWN = 8
"""Kinds that a table names, the most frequent ones first."""


def _kinds(part: ScenarioPart) -> dict[str, int]:
    return dict(Counter(np.asarray(part.classes)[part.y == 1].tolist()).most_common())


def kinds(table_name: str, row_name: str, seeds: list[int]) -> dict[str, Any]:
    """How many anomalies of each kind the test has, and each seed knows."""
    table = load_table(table_name)
    row, (known, *_) = table.rows[row_name], table.known
    drawn = {seed: rows_of(table, row, known=known, seed=seed) for seed in seeds}
    return {
        "table": table_name,
        "row": row_name,
        "test": _kinds(next(iter(drawn.values())).test[row_name]),
        "known": {seed: _kinds(rows.train) for seed, rows in drawn.items()},
        **provenance(),
    }


def summary(path: Path, methods: tuple[str, ...]) -> Iterator[str]:
    """A table with a line for each kind, and the average precision of methods by seed."""
    found = json.loads(path.read_text())
    row, known = found["row"], found["known"]
    names = list(dict.fromkeys([*found["test"], *(name for kinds in known.values() for name in kinds)]))
    total = Counter(found["test"]) + sum(map(Counter, known.values()), Counter())
    shown = [name for name, _ in total.most_common(SHOWN)]
    yield f"| {row} | in the test | " + " | ".join(f"known, seed {seed}" for seed in known) + " |"
    yield "|---" * (2 + len(known)) + "|"
    for name in shown:
        counts = [str(kinds.get(name, 0)) for kinds in known.values()]
        yield f"| {name} | {found['test'].get(name, 0)} | " + " | ".join(counts) + " |"
    others = [name for name in names if name not in shown]
    counts = [str(sum(kinds.get(name, 0) for name in others)) for kinds in (found["test"], *known.values())]
    yield f"| {len(others)} others | " + " | ".join(counts) + " |"
    judged = {
        (result["method"], str(result["seed"])): result["metrics"][row]["average_precision"]
        for result in results.one_a_job(results.read(found["table"]))
        if row in result["metrics"]
    }
    for method in methods:
        cells = [f"{judged[method, seed]:.2f}" if (method, seed) in judged else "" for seed in known]
        yield f"| AP of {method} | | " + " | ".join(cells) + " |"


def main() -> None:
    """Count the kinds, and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", choices=NAMES)
    parser.add_argument("row")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    found = kinds(arguments.table, arguments.row, arguments.seeds)
    arguments.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
