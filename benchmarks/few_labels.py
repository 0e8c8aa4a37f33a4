"""Few labels: our defaults and their rivals' on public tables, with 5, 25 and 5 % of the anomalies known.

    python -m benchmarks.few_labels --out benchmarks/results/few_labels.jsonl [--methods NAME ...]
    python -m benchmarks.few_labels --out benchmarks/results/few_labels.jsonl --table
    python -m benchmarks.few_labels --part validation --out FILE
    python -m benchmarks.few_labels --known 100 --out benchmarks/results/many_labels.jsonl

Of each half of a table (`few_label_tables`) a seed draws at most 2,000 normal rows and a tenth as many anomalies.
The other anomalies are removed from training, or left in as unlabelled. `--part validation` learns from one half of
the development rows and is judged by the other; nothing is chosen by the test half. What is there is not run
again.
"""

import argparse
import itertools
import json
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from experiments.data import as_they_stand
from experiments.provenance import provenance
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors
from sklearn.neural_network import MLPClassifier

from alarmnet import A3Detector, AlarmnetWarning, ConvA3Detector, DenseAutoencoder, TableEncoder
from alarmnet.detectors import BaseDetector
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS, AlarmSpec
from alarmnet.sources.comparison import keep_columns
from benchmarks.few_label_tables import TABLES, Halves

NORMAL_ROWS = 2_000
BUDGETS = ("5", "25", "5 %")
MANY = "100"
"""Beyond a few: as many as there are, where there are not so many."""
OTHERS = ("removed", "unlabelled")
"""What becomes of the anomalies that nobody knows."""


@dataclass(frozen=True)
class Draw:
    """Rows to learn from, with 1 for known anomalies, 0 for normal and NaN for unlabelled; rows to judge by."""

    X: pa.Table
    y: np.ndarray
    judged: pa.Table
    anomalous: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """1 for known anomalies and 0 for all others, as classifiers want it."""
        return np.asarray(self.y == 1, dtype=int)


def _sample(rows: np.ndarray, anomalous: np.ndarray, generator: np.random.Generator) -> tuple[Any, Any]:
    """Normal rows, and at most a tenth as many anomalies."""
    normal = generator.permutation(rows[~anomalous[rows]])[:NORMAL_ROWS]
    return normal, generator.permutation(rows[anomalous[rows]])[: len(normal) // 10]


def draw(halves: Halves, *, known: str, others: str, seed: int, part: str) -> Draw:
    """One draw of a table."""
    generator = np.random.default_rng(seed)
    learned, judged = halves.development, halves.test
    if part == "validation":
        learned, judged = np.array_split(generator.permutation(halves.development), 2)
    normal, anomalies = _sample(learned, halves.anomalous, generator)
    count = max(1, round(0.05 * len(anomalies))) if known == "5 %" else int(known)
    unknown = anomalies[count:] if others == "unlabelled" else anomalies[:0]
    rows = np.concatenate([normal, unknown, anomalies[:count]])
    y = np.zeros(len(rows)) if others == "removed" else np.full(len(rows), np.nan)
    y[len(normal) + len(unknown) :] = 1
    order = generator.permutation(len(rows))
    test = np.concatenate(_sample(judged, halves.anomalous, generator))
    return Draw(halves.frame.take(rows[order]), y[order], halves.frame.take(test), halves.anomalous[test])


def encoded(data: Draw) -> tuple[np.ndarray, np.ndarray]:
    encoder = TableEncoder(scaling="standard", keep=as_they_stand(data.X))
    return encoder.fit_transform(data.X), encoder.transform(data.judged)


def classifier(make: Callable[[int], Any]) -> Callable[[Draw, int], np.ndarray]:
    """Scores of a scikit-learn classifier with default settings, unlabelled rows taken as normal."""

    def scores(data: Draw, seed: int) -> np.ndarray:
        learned, judged = encoded(data)
        return np.asarray(make(seed).fit(learned, data.known).predict_proba(judged)[:, 1])

    return scores


def isolation_forest(data: Draw, seed: int) -> np.ndarray:
    learned, judged = encoded(data)
    forest = IsolationForest(random_state=seed).fit(learned[data.known == 0])
    return -np.asarray(forest.score_samples(judged))


def neighbour(count: int) -> Callable[[Draw, int], np.ndarray]:
    """Distance to the nearest row of that number that is not a known anomaly."""

    def scores(data: Draw, _seed: int) -> np.ndarray:
        learned, judged = encoded(data)
        learned = learned[data.known == 0]
        found = NearestNeighbors(n_neighbors=min(count, len(learned))).fit(learned)
        return np.asarray(found.kneighbors(judged)[0][:, -1])

    return scores


def catboost(data: Draw, seed: int) -> np.ndarray:
    """CatBoost's defaults, with its own treatment of categorical columns."""
    from catboost import CatBoostClassifier  # the table is printed without it

    categorical = [field.name for field in data.X.schema if not _is_numeric(field.type)]

    def frame(table: pa.Table) -> Any:
        pandas = table.to_pandas()
        pandas[categorical] = pandas[categorical].astype(object).fillna("missing").astype(str)
        return pandas

    model = CatBoostClassifier(
        random_seed=seed, verbose=False, allow_writing_files=False, cat_features=categorical
    )
    return np.asarray(model.fit(frame(data.X), data.known).predict_proba(frame(data.judged))[:, 1])


def _is_numeric(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


ABLATIONS: dict[str, dict[str, Any]] = {
    "no pieces": {"target": DenseAutoencoder()},
    "reads activations": {"reads": "activations"},
    "reads inputs": {"reads": "inputs"},
    "no counterexamples": {"reads": "both", "generated_weight": 0.0},
    "no blending": {"reads": "both", "blend": 0.0},
    "reads both": {"reads": "both"},
}
"""A3 that reads both, whole and with one part left out."""

_first, _linear, _hidden = DEFAULT_ALARMS["both"]
ALARMS: dict[str, tuple[AlarmSpec, ...]] = {
    "no linear alarm": (_first, replace(_hidden, share=1.0)),
    "no hidden layer on inputs": (_first, replace(_linear, share=1.0)),
    "labels not doubted": (
        _first,
        replace(_linear, robust_to_unlabelled=False),
        replace(_hidden, robust_to_unlabelled=False),
    ),
    "as with few": tuple(
        replace(spec, relaxes_with_labels=False, known_at_once=32) for spec in DEFAULT_ALARMS["both"]
    ),
    "odds not bounded": (replace(_first, bounded=False, share=0.25), _linear, _hidden),
}
"""Other alarms than the defaults'."""


def detector(kind: type[BaseDetector], **parameters: Any) -> Callable[[Draw, int], np.ndarray]:
    def scores(data: Draw, seed: int) -> np.ndarray:
        detector = kind(random_state=seed, **parameters)
        keep_columns(detector, as_they_stand(data.X))
        y = None if np.isnan(data.y).all() else data.y
        return np.asarray(detector.fit(data.X, y).decision_function(data.judged))

    return scores


METHODS: dict[str, Callable[[Draw, int], np.ndarray]] = {
    "A3": detector(A3Detector),
    **{f"A3, {name}": detector(A3Detector, **parameters) for name, parameters in ABLATIONS.items()},
    **{f"A3, {name}": detector(A3Detector, alarms=alarms) for name, alarms in ALARMS.items()},
    "ConvA3": detector(ConvA3Detector),
    "ConvA3, no alarms on inputs": detector(ConvA3Detector, input_alarms=False),
    "isolation forest": isolation_forest,
    "5th neighbour": neighbour(5),
    "logistic regression": classifier(lambda seed: LogisticRegression(random_state=seed, max_iter=2000)),
    "random forest": classifier(lambda seed: RandomForestClassifier(random_state=seed)),
    "gradient boosting": classifier(lambda seed: HistGradientBoostingClassifier(random_state=seed)),
    "CatBoost": catboost,
    "MLP": classifier(lambda seed: MLPClassifier(random_state=seed)),
}
COMPARED = [method for method in METHODS if ", " not in method and method != "5th neighbour"]
Key = tuple[str, str, str, str, int]


def finished(path: Path) -> dict[Key, dict[str, Any]]:
    """Results by (method, table, known, others, seed)."""
    lines = path.read_text().splitlines() if path.exists() else []
    runs = [json.loads(line) for line in lines]
    return {(run["method"], run["table"], run["known"], run["others"], run["seed"]): run for run in runs}


def measured(scores: Callable[[Draw, int], np.ndarray], data: Draw, seed: int) -> dict[str, Any]:
    """What a method's scores of the rows to judge by come to, and how long they took."""
    start = time.perf_counter()
    found = scores(data, seed)
    return {
        "ap": round(float(average_precision_score(data.anomalous, found)), 5),
        "roc_auc": round(float(roc_auc_score(data.anomalous, found)), 5),
        "seconds": round(time.perf_counter() - start, 2),
        "rows": len(data.y),
    }


def run(key: Key, halves: Halves, part: str) -> dict[str, Any]:
    """One method on one draw."""
    method, table, known, others, seed = key
    data = draw(halves, known=known, others=others, seed=seed, part=part)
    return {
        "method": method,
        "table": table,
        "known": known,
        "others": others,
        "seed": seed,
        **measured(METHODS[method], data, seed),
        **provenance(),
    }


def _interval(values: np.ndarray) -> str:
    """Mean of (tables, settings, seeds), and its 95 % bootstrap interval over the seeds of each table."""
    values = values.mean(axis=1)
    mean = f"{values.mean():.3f}"
    if values.shape[1] == 1:
        return mean
    picked = np.random.default_rng(0).integers(values.shape[1], size=(2_000, *values.shape))
    means = np.take_along_axis(np.broadcast_to(values, picked.shape), picked, axis=2).mean(axis=(1, 2))
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{mean} ({low:.3f} to {high:.3f})"


@dataclass(frozen=True)
class Scores:
    """Average precision (methods, tables, budgets, others, seeds) of the seeds that every method has run whole."""

    methods: list[str]
    tables: list[str]
    budgets: list[str]
    seeds: list[int]
    ap: np.ndarray
    seconds: np.ndarray

    @classmethod
    def of(cls, path: Path) -> "Scores":
        """The committed ones."""
        done = finished(path)
        tables = [name for name in TABLES if any(name == key[1] for key in done)]
        budgets = [known for known in (*BUDGETS, MANY) if any(known == key[2] for key in done)]
        settings = [*itertools.product(tables, budgets, OTHERS)]
        whole = {
            (method, seed)
            for method, seed in {(key[0], key[4]) for key in done}
            if all((method, *cell, seed) in done for cell in settings)
        }
        methods = [method for method in METHODS if any(method == run for run, _ in whole)]
        seeds = sorted(
            seed for seed in {seed for _, seed in whole} if all((m, seed) in whole for m in methods)
        )
        runs = [[done[(method, *cell, seed)] for cell in settings for seed in seeds] for method in methods]
        shape = (len(methods), len(tables), len(budgets), len(OTHERS), len(seeds))
        ap, seconds = (np.array([[run[what] for run in row] for row in runs]) for what in ("ap", "seconds"))
        best = np.argsort(-ap.mean(axis=1))
        return cls(
            [methods[place] for place in best], tables, budgets, seeds, ap[best].reshape(shape), seconds[best]
        )

    @property
    def ranks(self) -> np.ndarray:
        """Among the methods, 1 the best."""
        return np.asarray(rankdata(-self.ap, axis=0))


def table(path: Path) -> Iterator[str]:
    """Mean AP and mean rank over the seeds that every method has run whole, then mean AP by table."""
    found = Scores.of(path)
    for title, values in (("mean AP", found.ap), ("mean rank", found.ranks)):
        budgets = found.budgets if len(found.budgets) > 1 else []
        headings = [
            title,
            "all",
            *(f"{known} known" for known in budgets),
            *(f"others {rest}" for rest in OTHERS),
        ]
        yield f"| {' | '.join(headings)} |"
        yield "|---" * len(headings) + "|"
        for method, ours in zip(found.methods, values, strict=True):
            parts = [ours, *np.moveaxis(ours, 1, 0)[: len(budgets)], *np.moveaxis(ours, 2, 0)]
            cells = [_interval(part.reshape(len(found.tables), -1, len(found.seeds))) for part in parts]
            yield f"| {method} | " + " | ".join(cells) + " |"
        yield ""
    yield "| mean AP | " + " | ".join(found.tables) + " | fit and score, s |"
    yield "|---" * (2 + len(found.tables)) + "|"
    for method, ap, seconds in zip(found.methods, found.ap, found.seconds, strict=True):
        cells = [f"{value:.3f}" for value in ap.mean(axis=(1, 2, 3))]
        yield f"| {method} | " + " | ".join(cells) + f" | {np.median(seconds):.1f} |"


def short_table(path: Path) -> Iterator[str]:
    """Mean AP by what is known, and mean rank, without intervals."""
    found = Scores.of(path)
    yield (
        "| mean average precision | "
        + " | ".join(f"{known} known" for known in found.budgets)
        + (f" | others unlabelled | mean rank of {len(found.methods)} |")
    )
    yield "|---" * (3 + len(found.budgets)) + "|"
    for method, ap, ranks in zip(found.methods, found.ap, found.ranks, strict=True):
        means = [*ap.mean(axis=(0, 2, 3)), ap[:, :, OTHERS.index("unlabelled")].mean()]
        name = {
            "A3": "`A3Detector()`",
            "A3, reads both": '`A3Detector(reads="both")`',
            "ConvA3": "`ConvA3Detector()`",
        }.get(method, method)
        yield f"| {name} | " + " | ".join(f"{mean:.3f}" for mean in means) + f" | {ranks.mean():.1f} |"


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=COMPARED)
    parser.add_argument("--tables", nargs="+", default=list(TABLES))
    parser.add_argument("--known", nargs="+", default=BUDGETS)
    parser.add_argument("--others", nargs="+", default=OTHERS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--part", choices=["test", "validation"], default="test")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(arguments.out)
    for table_name in arguments.tables:
        halves = TABLES[table_name]()
        for key in itertools.product(
            arguments.methods, [table_name], arguments.known, arguments.others, arguments.seeds
        ):
            if key in done:
                continue
            result = run(key, halves, arguments.part)
            with arguments.out.open("a") as lines:
                lines.write(json.dumps(result) + "\n")
            print(key, result["ap"], f"{result['seconds']:.1f} s", flush=True)


if __name__ == "__main__":
    main()
