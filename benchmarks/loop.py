"""The analyst's loop: anomalies found after so many looks, from no label on, by our queue and by its peers.

    python -m benchmarks.loop --out benchmarks/results/loop.jsonl [--methods NAME ...] [--seeds 0 1 2]
    python -m benchmarks.loop --out benchmarks/results/loop.jsonl --wrong 0.05
    python -m benchmarks.loop --out benchmarks/results/loop.jsonl --data images
    python -m benchmarks.loop --out benchmarks/results/loop.jsonl --table
    python -m benchmarks.loop --part development --out FILE

Of each half of a table (`few_label_tables`) a seed draws at most 2,000 normal rows and a tenth as many anomalies.
Of image sets it takes 1,900 images of one class and 100 of the others. Nothing is labelled. Each method shows ten
rows, gets their labels as answers, learns from them and ranks anew, 20 times; ``--wrong`` flips a share of the
answers. The methods that learn from answers alone show the isolation forest's first rows until both answers have
come. After 200 looks the last ranking is followed to the end. Settings were chosen by the development halves alone.

CatBoost and `coniferest` 0.2.2 come with the extra `benchmarks`. What is there is not run again.
"""

import argparse
import itertools
import json
import time
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from experiments.data import as_they_stand
from experiments.provenance import provenance
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest, RandomForestClassifier

from alarmnet import AlarmnetWarning, TableEncoder
from alarmnet.datasets import Images, load_fashion_mnist, load_mnist
from alarmnet.loop import Queue
from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import NORMAL_ROWS

BATCH, LOOKS = 10, 200
COUNTED = (20, 50, 100, 200)
IMAGES, STRANGE_IMAGES = 1_900, 100


@dataclass(frozen=True)
class Pool:
    """Rows as users have them (a table or images), as a standardised matrix (N, F), and the anomalies (N,)."""

    X: Any
    matrix: np.ndarray
    anomalous: np.ndarray


def table_pool(name: str, part: str, seed: int) -> Pool:
    """Draw from a half of a table."""
    halves = TABLES[name]()
    generator = np.random.default_rng(seed)
    rows = halves.test if part == "test" else halves.development
    normal = generator.permutation(rows[~halves.anomalous[rows]])[:NORMAL_ROWS]
    strange = generator.permutation(rows[halves.anomalous[rows]])[: len(normal) // 10]
    chosen = generator.permutation(np.concatenate([normal, strange]))
    frame = halves.frame.take(chosen)
    matrix = TableEncoder(scaling="standard", keep=as_they_stand(frame)).fit_transform(frame)
    return Pool(frame, matrix, halves.anomalous[chosen])


def image_pool(load: Callable[[], Images], normal: int, part: str, seed: int) -> Pool:
    """Draw images: those of one class are normal."""
    images = load()
    pixels, classes = images.train_images, images.train_labels
    if part == "test":
        pixels, classes = images.test_images, images.test_labels
    generator = np.random.default_rng(seed)
    usual = generator.permutation(np.flatnonzero(classes == normal))[:IMAGES]
    strange = generator.permutation(np.flatnonzero(classes != normal))[
        : len(usual) * STRANGE_IMAGES // IMAGES
    ]
    chosen = generator.permutation(np.concatenate([usual, strange]))
    drawn = pixels[chosen]
    return Pool(drawn, drawn.reshape(len(drawn), -1).astype(np.float32) / 255, classes[chosen] != normal)


POOLS: dict[str, dict[str, Callable[[str, int], Pool]]] = {
    "tables": {name: partial(table_pool, name) for name in TABLES},
    "images": {
        f"{title} {normal}": partial(image_pool, load, normal)
        for title, load in (("MNIST", load_mnist), ("Fashion-MNIST", load_fashion_mnist))
        for normal in (0, 3, 8)
    },
}


class Method(ABC):
    """Shows rows of a pool and learns from answers."""

    def __init__(self, pool: Pool, seed: int) -> None:
        self.pool, self.seed = pool, seed

    @abstractmethod
    def show(self, asked: list[int], answers: np.ndarray, n: int) -> list[int]:
        """Learn from the answers to the rows asked about, and give the next `n` rows."""


class Ours(Method):
    """The queue with its defaults."""

    def __init__(self, pool: Pool, seed: int) -> None:
        super().__init__(pool, seed)
        self.queue = Queue(pool.X, random_state=seed)

    def show(self, asked: list[int], answers: np.ndarray, n: int) -> list[int]:
        """Answer and refit."""
        new = slice(len(self.queue.verdicts), None)
        for row, anomalous in zip(asked[new], answers[new], strict=True):
            self.queue.answer(row, "anomaly" if anomalous else "normal")
        if asked:
            self.queue.refit()
        return [int(row) for row in self.queue.next(n)]  # type: ignore[call-overload]


class Ranked(Method):
    """A method that scores all rows."""

    @abstractmethod
    def scores(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Score all rows; higher is shown first."""

    def show(self, asked: list[int], answers: np.ndarray, n: int) -> list[int]:
        """Take the highest that were not shown."""
        scores = np.asarray(self.scores(asked, answers), dtype=float).copy()
        scores[asked] = -np.inf
        return [int(row) for row in np.argsort(-scores, kind="stable")[:n]]


class Static(Ranked):
    """An isolation forest, whatever the answers."""

    def __init__(self, pool: Pool, seed: int) -> None:
        super().__init__(pool, seed)
        forest = IsolationForest(random_state=seed).fit(pool.matrix)
        self.isolated = np.asarray(-forest.score_samples(pool.matrix))

    def scores(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Keep the first ranking."""
        return self.isolated


class Classified(Static):
    """A classifier of the answers, once both have come."""

    def scores(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Fit anew."""
        return self.isolated if len(set(answers.tolist())) < 2 else self.classified(asked, answers)

    def classified(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Fit a random forest."""
        forest = RandomForestClassifier(random_state=self.seed).fit(self.pool.matrix[asked], answers)
        # equal votes keep the isolation forest's order
        return np.asarray(forest.predict_proba(self.pool.matrix)[:, 1] + 1e-9 * self.isolated)


class CatBoost(Classified):
    """CatBoost with its defaults on the answers, and its own treatment of categories."""

    def classified(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Fit anew."""
        from catboost import CatBoostClassifier  # the table is printed without it

        frame: Any = self.pool.matrix
        categories: list[str] = []
        if isinstance(self.pool.X, pa.Table):
            frame = self.pool.X.to_pandas()
            categories = [
                name for name in frame if not np.issubdtype(np.asarray(frame[name]).dtype, np.number)
            ]
            frame[categories] = frame[categories].astype(object).fillna("missing").astype(str)
        learned = frame.iloc[asked] if categories else np.asarray(frame)[asked]
        model = CatBoostClassifier(
            random_seed=self.seed,
            verbose=False,
            allow_writing_files=False,
            cat_features=categories or None,
            thread_count=1,
        )
        model.fit(learned, answers)
        return np.asarray(model.predict_proba(frame if categories else np.asarray(frame))[:, 1])


class ActiveForest(Ranked):
    """`coniferest`'s forests that learn from answers."""

    kind = "aadforest.AADForest"

    def __init__(self, pool: Pool, seed: int) -> None:
        from importlib import import_module  # the table is printed without it

        super().__init__(pool, seed)
        module, name = self.kind.split(".")
        self.label = import_module("coniferest.label").Label
        self.rows = np.ascontiguousarray(pool.matrix, dtype=np.float64)
        self.forest = getattr(import_module(f"coniferest.{module}"), name)(random_seed=seed, n_jobs=1)
        self.forest.fit(self.rows)

    def scores(self, asked: list[int], answers: np.ndarray) -> np.ndarray:
        """Learn the weights of leaves, or which trees to keep."""
        if asked:
            labels = np.where(answers, self.label.ANOMALY, self.label.REGULAR)
            self.forest.fit_known(self.rows, self.rows[asked], labels)
        return -np.asarray(self.forest.score_samples(self.rows))


class PineForest(ActiveForest):
    """Keeps the trees that agree with the answers."""

    kind = "pineforest.PineForest"


METHODS: dict[str, type[Method]] = {
    "alarmnet": Ours,
    "AADForest": ActiveForest,
    "random forest": Classified,
    "CatBoost": CatBoost,
    "PineForest": PineForest,
    "isolation forest": Static,
}
Cell = tuple[str, str, int, float, str]
"""Method, pool, seed, share of wrong answers, and part."""


def run(cell: Cell, pool: Pool) -> dict[str, Any]:
    """One method on one pool."""
    name, title, seed, wrong, part = cell
    generator = np.random.default_rng(seed)
    begun = time.perf_counter()
    method = METHODS[name](pool, seed)
    asked: list[int] = []
    answers = np.zeros(0, dtype=bool)
    while len(asked) < LOOKS:
        shown = method.show(asked, answers, BATCH)
        asked += shown
        answers = np.append(answers, pool.anomalous[shown] ^ (generator.random(len(shown)) < wrong))
    seconds = (time.perf_counter() - begun) / LOOKS
    order = asked + method.show(asked, answers, len(pool.anomalous) - len(asked))
    found = np.flatnonzero(pool.anomalous[order]) + 1
    needed = found[int(np.ceil(0.95 * len(found))) - 1]
    return {
        "method": name,
        "pool": title,
        "seed": seed,
        "wrong": wrong,
        "part": part,
        "anomalies": len(found),
        "found": [int((found <= looks).sum()) for looks in COUNTED],
        "wss_95": round(float(0.95 - needed / len(order)), 4),
        "mean_look": round(float(found.mean()), 1),
        "seconds_a_look": round(seconds, 4),
        **provenance(),
    }


def finished(path: Path) -> dict[Cell, dict[str, Any]]:
    """Results by cell."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        (run["method"], run["pool"], run["seed"], run["wrong"], run["part"]): run
        for run in map(json.loads, lines)
    }


def _chosen(path: Path, data: str, wrong: float) -> tuple[list[str], list[str], np.ndarray, list[list[Any]]]:
    """The methods and pools that are whole, found (methods, pools, counted) in the mean of seeds, and all runs."""
    runs = [run for cell, run in finished(path).items() if cell[3] == wrong and cell[1] in POOLS[data]]
    pools = [pool for pool in POOLS[data] if any(run["pool"] == pool for run in runs)]
    methods = [name for name in METHODS if {run["pool"] for run in runs if run["method"] == name} == {*pools}]
    cells = [
        [[run for run in runs if run["method"] == name and run["pool"] == pool] for pool in pools]
        for name in methods
    ]
    found = np.array([[np.mean([run["found"] for run in row], axis=0) for row in rows] for rows in cells])
    return methods, pools, found, cells


def table(path: Path, data: str = "tables", wrong: float = 0.0) -> Iterator[str]:
    """Means over pools and seeds, then found after 100 and 200 looks by pool."""
    methods, pools, found, cells = _chosen(path, data, wrong)
    if not methods:
        return
    ranks = rankdata(-found[:, :, -2:], axis=0).mean(axis=(1, 2))
    seeds = len(cells[0][0])
    yield (
        f"| found of all anomalies, {seeds} seeds | "
        + " | ".join(f"{looks} looks" for looks in COUNTED)
        + " | mean rank | WSS@95 | mean look of a find | ms a look |"
    )
    yield "|---" * (len(COUNTED) + 5) + "|"
    for name, counts, rank, rows in zip(methods, found, ranks, cells, strict=True):
        flat = [run for row in rows for run in row]
        saved, look, seconds = (
            np.mean([run[what] for run in flat]) for what in ("wss_95", "mean_look", "seconds_a_look")
        )
        yield (
            f"| {name} | "
            + " | ".join(f"{count:.1f}" for count in counts.mean(axis=0))
            + f" | {rank:.2f} | {saved:.2f} | {look:.0f} | {1000 * seconds:.0f} |"
        )
    yield ""
    yield "| found after 100 / 200 looks | " + " | ".join(pools) + " |"
    yield "|---" * (len(pools) + 1) + "|"
    for name, rows in zip(methods, found, strict=True):
        yield f"| {name} | " + " | ".join(f"{row[-2]:.0f} / {row[-1]:.0f}" for row in rows) + " |"


def main() -> None:
    """Run what is missing, or print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--data", choices=list(POOLS), default="tables")
    parser.add_argument("--pools", nargs="+")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--wrong", type=float, default=0.0)
    parser.add_argument("--part", choices=["test", "development"], default="test")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out, arguments.data, arguments.wrong)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(arguments.out)
    pools = arguments.pools or list(POOLS[arguments.data])
    for title, seed in itertools.product(pools, arguments.seeds):
        cells = [(name, title, seed, arguments.wrong, arguments.part) for name in arguments.methods]
        missing = [cell for cell in cells if cell not in done]
        pool = POOLS[arguments.data][title](arguments.part, seed) if missing else None
        for cell in missing:
            result = run(cell, pool)  # type: ignore[arg-type]
            with arguments.out.open("a") as lines:
                lines.write(json.dumps(result) + "\n")
            print(cell, result["found"], f"{1000 * result['seconds_a_look']:.0f} ms a look", flush=True)


if __name__ == "__main__":
    main()
