"""Wrong labels: what is lost where 5 % of the known labels are wrong, both ways, compared with CatBoost.

    python -m benchmarks.label_noise --out benchmarks/results/label_noise.jsonl
    python -m benchmarks.label_noise --out benchmarks/results/label_noise.jsonl --table

Draws are those of `few_labels` on test halves with 100 known anomalies, the other anomalies removed. Five of the known
anomalies are then labelled normal, and five normal rows anomalous. What is there is not run again.
"""

import argparse
import itertools
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance

from alarmnet import AlarmnetWarning
from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import METHODS, Draw, draw, measured

CHOSEN = ("thyroid", "bank", "nsl-kdd", "census", "kdd portsweep")
COMPARED = ("A3", "ConvA3", "CatBoost")
KNOWN, WRONG = "100", 5
LABELS = ("right", "5 % wrong")


def spoiled(data: Draw, seed: int) -> Draw:
    """The same rows with some labels exchanged."""
    generator = np.random.default_rng([seed, WRONG])
    y = data.y.copy()
    for label in (0.0, 1.0):
        y[generator.choice(np.flatnonzero(data.y == label), WRONG, replace=False)] = 1 - label
    return replace(data, y=y)


def runs(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(path: Path) -> Iterator[str]:
    """Mean AP with right and with wrong labels, and the loss, over draws that all methods have run."""
    found: dict[str, dict[tuple[str, int], dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for run in runs(path):
        found[run["method"]][run["table"], run["seed"]][run["labels"]] = run["ap"]
    whole = [{cell for cell, both in cells.items() if len(both) == 2} for cells in found.values()]
    common = sorted(set.intersection(*whole))
    tables, seeds = ({cell[place] for cell in common} for place in (0, 1))
    yield (
        f"| {len(tables)} tables, {len(seeds)} seeds | mean AP, right labels | 5 % wrong | loss | largest loss of a "
        "table |"
    )
    yield "|---" * 5 + "|"
    for method, cells in found.items():
        right, wrong = (np.array([cells[cell][labels] for cell in common]) for labels in LABELS)
        names = np.array([name for name, _ in common])
        worst = max((right - wrong)[names == name].mean() for name in tables)
        yield f"| {method} | {right.mean():.3f} | {wrong.mean():.3f} | {(right - wrong).mean():.3f} | {worst:.3f} |"


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=COMPARED)
    parser.add_argument("--tables", nargs="+", default=CHOSEN)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", AlarmnetWarning)
    done = {(run["table"], run["seed"], run["labels"], run["method"]) for run in runs(arguments.out)}
    cells = itertools.product(arguments.seeds, arguments.tables, LABELS, arguments.methods)
    for seed, name, labels, method in [] if arguments.table else cells:
        if (name, seed, labels, method) in done:
            continue
        data = draw(TABLES[name](), known=KNOWN, others="removed", seed=seed, part="test")
        data = data if labels == LABELS[0] else spoiled(data, seed)
        cell = {"table": name, "seed": seed, "labels": labels, "method": method}
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(cell | measured(METHODS[method], data, seed) | provenance()) + "\n")
    print("\n".join(table(arguments.out)))


if __name__ == "__main__":
    main()
