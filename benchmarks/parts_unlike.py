"""The effect of each part of the default score where anomalies are of other kinds than the known ones.

    python -m benchmarks.parts_unlike --out benchmarks/results/parts_unlike.jsonl
    python -m benchmarks.parts_unlike --out benchmarks/results/parts_unlike.jsonl --table

The draws are those of `choose_defaults` from NSL-KDD's training part, whose normal rows are labelled. As in
`parts`, each draw is fitted once, and scored without one part after the other. Finished runs are not repeated.
"""

import itertools
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance

from alarmnet import AlarmnetWarning
from benchmarks.arguments import parser_for
from benchmarks.choose_defaults import TASKS, Task, draw
from benchmarks.few_labels import Draw
from benchmarks.parts import effects, measured

SHOWN = {
    "nsl-kdd R2L, U2R": "R2L and U2R known, all attacks anomalous",
    "nsl-kdd, unseen attacks": "some DoS and Probe known, others anomalous",
    "nsl-kdd DoS, Probe": "DoS and Probe known, all attacks anomalous",
}
KNOWN = (5, 25, 100)


def drawn(task: Task, known: int, seed: int) -> Draw:
    """One draw of a task."""
    normal, labelled, judged = draw(task, known, seed)
    return Draw(
        X=task.X.take(np.concatenate([normal, labelled])),
        y=np.repeat([0.0, 1.0], [len(normal), len(labelled)]),
        judged=task.X.take(judged),
        anomalous=np.isin(judged, task.anomalous),
    )


def finished(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def table(path: Path) -> Iterator[str]:
    """The change in mean AP without each part, by task; means over 5, 25 and 100 known anomalies."""
    runs = finished(path)
    yield from effects({SHOWN[name]: [run["ap"] for run in runs if run["task"] == name] for name in SHOWN})


def main() -> None:
    """Run what is missing, or print the table."""
    parser = parser_for(__doc__)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    done = [(run["task"], run["known"], run["seed"]) for run in finished(arguments.out)]
    for name in SHOWN:
        task = TASKS[name]()
        for known, seed in itertools.product(KNOWN, arguments.seeds):
            if (name, known, seed) in done:
                continue
            found = measured(drawn(task, known, seed), seed)
            cell = {"task": name, "known": known, "seed": seed}
            with arguments.out.open("a") as lines:
                lines.write(json.dumps(cell | {"ap": found} | provenance()) + "\n")
            print(name, known, seed, found["nothing"], flush=True)


if __name__ == "__main__":
    main()
