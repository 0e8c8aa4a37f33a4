"""Images without known anomalies: one class is normal, and all others are anomalies.

    python -m benchmarks.images_without_labels --out benchmarks/results/images_without_labels.jsonl
    python -m benchmarks.images_without_labels --out benchmarks/results/images_without_labels.jsonl --table

A seed draws 2,000 training images of the normal class. In state "clean" they are labelled normal. In state "hidden"
nothing is labelled, and 100 images of other classes are among them. Models are judged by test images: all of the
class, and as many of other classes. The default was chosen on training images of classes 0, 2, 4, 6 and 8 alone.
Finished runs are not repeated. The command needs the extra `benchmarks`.
"""

import itertools
import json
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import NearestNeighbors

from alarmnet import A3Detector, AlarmnetWarning, ConvA3Detector
from alarmnet.baselines import DeepSVDD
from alarmnet.datasets import load_cifar10, load_fashion_mnist, load_mnist
from alarmnet.datasets.base import Images
from benchmarks.arguments import parser_for
from benchmarks.few_labels import Draw, measured
from benchmarks.label_noise import runs

NORMAL_IMAGES, HIDDEN_IMAGES = 2_000, 100
DATA = {"MNIST": load_mnist, "Fashion-MNIST": load_fashion_mnist, "CIFAR-10": load_cifar10}
STATES = ("clean", "hidden")
CLASSES = (1, 5, 9)


def draw(data: Images, normal: int, state: str, seed: int) -> Draw:
    """Images (N, C, H, W) to learn from and to judge by."""
    generator = np.random.default_rng(seed)

    def drawn(images: np.ndarray, chosen: np.ndarray, most: int) -> np.ndarray:
        return channels_first(images[generator.permutation(np.flatnonzero(chosen))[:most]])

    own, other = data.train_labels == normal, data.train_labels != normal
    learned = [drawn(data.train_images, own, NORMAL_IMAGES)]
    if state == "hidden":
        learned.append(drawn(data.train_images, other, HIDDEN_IMAGES))
    images = np.concatenate(learned)
    usual = channels_first(data.test_images[data.test_labels == normal])
    strange = drawn(data.test_images, data.test_labels != normal, len(usual))
    return Draw(
        images[generator.permutation(len(images))],
        np.full(len(images), 0.0 if state == "clean" else np.nan),
        np.concatenate([usual, strange]),
        np.repeat([False, True], [len(usual), len(strange)]),
    )


def channels_first(images: np.ndarray) -> np.ndarray:
    return images[:, None] if images.ndim == 3 else np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def pixels(data: Draw) -> tuple[np.ndarray, np.ndarray]:
    return tuple(images.reshape(len(images), -1) / np.float32(255) for images in (data.X, data.judged))


def neighbour(count: int) -> Callable[[Draw, int], np.ndarray]:
    def scores(data: Draw, _seed: int) -> np.ndarray:
        learned, judged = pixels(data)
        distances = NearestNeighbors(n_neighbors=count).fit(learned).kneighbors(judged)[0]
        return np.asarray(distances[:, -1])

    return scores


def isolation_forest(data: Draw, seed: int) -> np.ndarray:
    learned, judged = pixels(data)
    return -np.asarray(IsolationForest(random_state=seed).fit(learned).score_samples(judged))


def autoencoder(data: Draw, seed: int) -> np.ndarray:
    from pyod.models.auto_encoder import AutoEncoder  # the table is printed without it

    learned, judged = pixels(data)
    return np.asarray(AutoEncoder(random_state=seed, verbose=0).fit(learned).decision_function(judged))


def fitted(make: Callable[..., Any]) -> Callable[[Draw, int], np.ndarray]:
    def scores(data: Draw, seed: int) -> np.ndarray:
        labels = None if np.isnan(data.y).all() else data.y
        return np.asarray(make(random_state=seed).fit(data.X, labels).decision_function(data.judged))

    return scores


METHODS: dict[str, Callable[[Draw, int], np.ndarray]] = {
    "A3": fitted(A3Detector),
    "ConvA3": fitted(ConvA3Detector),
    "5th pixel neighbour": neighbour(5),
    "50th pixel neighbour": neighbour(50),
    "isolation forest": isolation_forest,
    "PyOD autoencoder": autoencoder,
    "Deep SVDD": fitted(DeepSVDD),
}


def table(path: Path) -> Iterator[str]:
    """Mean ROC AUC by data set and state, over classes and seeds."""
    found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for run in runs(path):
        found[run["method"]][run["data"], run["state"]].append(run["roc_auc"])
    cells = list(itertools.product(DATA, STATES))
    best = {cell: max(np.mean(values[cell]) for values in found.values() if cell in values) for cell in cells}
    yield "| ROC AUC | " + " | ".join(f"{name}, {state}" for name, state in cells) + " |"
    yield "|---" * (len(cells) + 1) + "|"
    for method, values in found.items():
        means = {cell: np.mean(values[cell]) for cell in cells if cell in values}
        shown = {
            cell: f"**{mean:.3f}**" if mean == best[cell] else f"{mean:.3f}" for cell, mean in means.items()
        }
        yield f"| {method} | " + " | ".join(shown.get(cell, "") for cell in cells) + " |"


def main() -> None:
    parser = parser_for(__doc__)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--data", nargs="+", choices=list(DATA), default=list(DATA))
    parser.add_argument("--classes", nargs="+", type=int, default=CLASSES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    done = {
        (run["data"], run["state"], run["class"], run["seed"], run["method"]) for run in runs(arguments.out)
    }
    cells = itertools.product(arguments.data, STATES, arguments.classes, arguments.seeds, arguments.methods)
    loaded: dict[str, Images] = {}
    for cell in (cell for cell in cells if cell not in done):
        name, state, normal, seed, method = cell
        loaded[name] = loaded.get(name) or DATA[name]()
        result = {
            "data": name,
            "state": state,
            "class": normal,
            "seed": seed,
            "method": method,
            **measured(METHODS[method], draw(loaded[name], normal, state, seed), seed),
            **provenance(),
        }
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(result) + "\n")
        print(cell, result["roc_auc"], f"{result['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main()
