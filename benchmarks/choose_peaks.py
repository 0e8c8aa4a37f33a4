"""The effect of the alarm on peaks on images with known anomalies, measured on training images alone.

    python -m benchmarks.choose_peaks --out benchmarks/results/peaks.jsonl
    python -m benchmarks.choose_peaks --out benchmarks/results/peaks.jsonl --table

One class is normal. Known anomalies are of the next two classes ("seen"); models are judged by other training
images of the class and of all other classes. "Without" is the score of the other alarms of the same detector.
Finished runs are not repeated.
"""

import itertools
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance
from sklearn.metrics import roc_auc_score

from alarmnet import A3Detector, ConvA3Detector
from alarmnet.datasets.base import Images
from benchmarks.arguments import parser_for
from benchmarks.images_without_labels import DATA, channels_first
from benchmarks.label_noise import runs

DETECTORS = {"A3": A3Detector, "ConvA3": ConvA3Detector}
CLASSES, KNOWN = (0, 3, 5), (5, 25, 100)
NORMAL_IMAGES, JUDGED = 1_500, 500
"""Normal images to learn from, and images of each kind to judge by."""


def compared(data: Images, normal: int, known: int, method: str) -> dict[str, float]:
    """ROC AUC with and without the alarm on peaks: of all anomalies, and of those from seen and unseen classes."""
    generator = np.random.default_rng(normal)
    classes = data.train_labels
    own = generator.permutation(np.flatnonzero(classes == normal))
    other = generator.permutation(np.flatnonzero(classes != normal))
    seen = np.isin(classes, [(normal + 1) % 10, (normal + 2) % 10])
    to_know = other[:-JUDGED][seen[other[:-JUDGED]]][:known]
    judging = np.concatenate([own[NORMAL_IMAGES : NORMAL_IMAGES + JUDGED], other[-JUDGED:]])
    learned = channels_first(data.train_images[np.concatenate([own[:NORMAL_IMAGES], to_know])])
    labels = np.repeat([0.0, 1.0], [NORMAL_IMAGES, known])
    scored = DETECTORS[method](random_state=0).fit(learned, labels).scored_encoded()
    odds = scored.odds(scored.encoder.transform(channels_first(data.train_images[judging])))
    assert scored.alarm_names[-1] == "alarm on peaks"
    scores = {"with": np.logaddexp.reduce(odds, axis=1), "without": np.logaddexp.reduce(odds[:, :-1], axis=1)}
    anomalous = classes[judging] != normal
    kinds = {
        "all": np.full(len(judging), True),
        "seen": ~anomalous | seen[judging],
        "unseen": ~anomalous | ~seen[judging],
    }
    return {
        f"{kind}, {name}": float(roc_auc_score(anomalous[chosen], score[chosen]))
        for kind, chosen in kinds.items()
        for name, score in scores.items()
    }


def table(path: Path) -> Iterator[str]:
    """Mean ROC AUC over classes."""
    found: dict[tuple[Any, ...], list[dict[str, float]]] = defaultdict(list)
    for run in runs(path):
        found[run["method"], run["data"], run["known"]].append(run["roc_auc"])
    columns = [f"{kind}, {name}" for kind in ("all", "seen", "unseen") for name in ("without", "with")]
    yield "| ROC AUC | data | known | " + " | ".join(columns) + " |"
    yield "|---" * (3 + len(columns)) + "|"
    for cell, values in sorted(found.items()):
        means = (f"{np.mean([value[column] for value in values]):.3f}" for column in columns)
        yield f"| {' | '.join(map(str, cell))} | " + " | ".join(means) + " |"


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--methods", nargs="+", choices=list(DETECTORS), default=list(DETECTORS))
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--classes", nargs="+", type=int, default=CLASSES)
    parser.add_argument("--known", nargs="+", type=int, default=KNOWN)
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    done = {(run["class"], run["known"], run["method"], run["data"]) for run in runs(arguments.out)}
    cells = itertools.product(arguments.classes, arguments.known, arguments.methods, arguments.data)
    for normal, known, method, name in (cell for cell in cells if cell not in done):
        found = compared(DATA[name](), normal, known, method)
        result = {"data": name, "class": normal, "known": known, "method": method, "roc_auc": found}
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(result | provenance()) + "\n")
        print(normal, known, method, name, found, flush=True)


if __name__ == "__main__":
    main()
