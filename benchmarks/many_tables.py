"""Many tables: our defaults and their rivals' with no label and a few, on clean rows and with hidden anomalies.

    KEEL_DATA=FOLDER python -m benchmarks.many_tables --part choose --out FILE [--methods NAME ...]
    KEEL_DATA=FOLDER python -m benchmarks.many_tables --out benchmarks/results/many_tables.jsonl
    R_DATA=FOLDER python -m benchmarks.many_tables --part other-report --out benchmarks/results/other_tables.jsonl
    python -m benchmarks.many_tables --out benchmarks/results/many_tables.jsonl --table

The tables are KEEL's (`keel_tables`) and the ten of `few_label_tables`; in the parts `other-choose` and
`other-report`, those of R packages (`r_tables`). In the order of their names every other table is for choosing
settings, the rest for reporting; on the ten, settings are chosen on the development halves alone. Tables made of
images (`image_tables`) are for choosing only. A seed draws at most 1,000 normal rows of a table's first half to
learn from. From the second half it draws as many to judge by, and a tenth as many anomalies, ten at least. In state
"clean" the normal rows are labelled normal. In state "hidden" no normal row is labelled, and a tenth as many hidden
anomalies are among these rows.
Finished runs are not repeated.
"""

import argparse
import itertools
import json
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from experiments.provenance import provenance
from scipy.stats import rankdata
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.neighbors import LocalOutlierFactor

from alarmnet import A3Detector, AlarmnetWarning, ConvA3Detector
from benchmarks.arguments import parser_for, seed_count
from benchmarks.few_label_tables import TABLES, Halves
from benchmarks.few_labels import (
    Draw,
    catboost,
    classifier,
    detector,
    encoded,
    isolation_forest,
    measured,
    neighbour,
)
from benchmarks.image_tables import IMAGE_TABLES
from benchmarks.keel_tables import KEEL_TABLES
from benchmarks.r_tables import R_TABLES

NORMAL_ROWS = 1_000
FEWEST_JUDGED = 10
KNOWN = (0, 5, 25, 100)
STATES = ("clean", "hidden")

CHOOSE = [*list(KEEL_TABLES)[::2], *list(TABLES)[::2], *IMAGE_TABLES]
REPORT = [*list(KEEL_TABLES)[1::2], *list(TABLES)[1::2]]
PARTS = {
    "choose": CHOOSE,
    "report": REPORT,
    "other-choose": list(R_TABLES)[::2],
    "other-report": list(R_TABLES)[1::2],
}

Scores = Callable[[Draw, int], np.ndarray]
Cell = tuple[str, str, int, str, int]
"""Method, table, known anomalies, state and seed."""


def draw(halves: Halves, *, known: int, state: str, seed: int) -> Draw:
    """One draw of a table; if it has fewer anomalies than `known`, all of them are known."""
    generator = np.random.default_rng(seed)

    def drawn(rows: np.ndarray, most: int) -> np.ndarray:
        return generator.permutation(rows)[:most]

    learned, judged = halves.development, halves.test
    normal = drawn(learned[~halves.anomalous[learned]], NORMAL_ROWS)
    anomalies = drawn(learned[halves.anomalous[learned]], len(learned))
    hidden = anomalies[known : known + len(normal) // 10] if state == "hidden" else anomalies[:0]
    rows = np.concatenate([normal, hidden, anomalies[:known]])
    y = np.full(len(rows), np.nan if state == "hidden" else 0.0)
    y[len(normal) + len(hidden) :] = 1
    order = generator.permutation(len(rows))
    other = drawn(judged[~halves.anomalous[judged]], NORMAL_ROWS)
    strange = drawn(judged[halves.anomalous[judged]], max(FEWEST_JUDGED, len(other) // 10))
    test = np.concatenate([other, strange])
    return Draw(halves.frame.take(rows[order]), y[order], halves.frame.take(test), halves.anomalous[test])


def halves_of(name: str, part: str) -> Halves:
    """A table to choose by or to report; the ten are chosen by their development halves alone."""
    halves = (KEEL_TABLES | TABLES | IMAGE_TABLES | R_TABLES)[name]()
    if part == "report" or name not in TABLES:
        return halves
    order = np.random.default_rng(0).permutation(halves.development)
    learned, judged = np.array_split(order, 2)
    return Halves(halves.frame, halves.anomalous, learned, judged)


def _local_outlier_factor(data: Draw, _seed: int) -> np.ndarray:
    learned, judged = encoded(data)
    return -np.asarray(LocalOutlierFactor(novelty=True).fit(learned).score_samples(judged))


def _xgboost(seed: int) -> Any:
    from xgboost import XGBClassifier  # the table is printed without it

    return XGBClassifier(random_state=seed, n_jobs=1)


def _pytabkit(name: str) -> Scores:
    """A neural network that validates by log loss: with few known anomalies, hardly any error counts."""

    def made(seed: int) -> Any:
        import pytabkit  # the table is printed without it

        return getattr(pytabkit, name)(
            device="cpu", n_threads=1, random_state=seed, val_metric_name="cross_entropy"
        )

    return classifier(made)


def _pyod(name: str, module: str) -> Scores:
    def scores(data: Draw, seed: int) -> np.ndarray:
        from importlib import import_module  # the table is printed without it

        kind = getattr(import_module(f"pyod.models.{module}"), name)
        learned, judged = encoded(data)
        chance = {} if name == "ECOD" else {"random_state": seed}
        return np.asarray(kind(**chance).fit(learned).decision_function(judged))

    return scores


UNSUPERVISED: dict[str, Scores] = {
    "isolation forest": isolation_forest,
    "5th neighbour": neighbour(5),
    "200th neighbour": neighbour(200),
    "LOF": _local_outlier_factor,
    "ECOD": _pyod("ECOD", "ecod"),
    "MCD": _pyod("MCD", "mcd"),
    "AutoEncoder": _pyod("AutoEncoder", "auto_encoder"),
}
SUPERVISED: dict[str, Scores] = {
    "CatBoost": catboost,
    "XGBoost": classifier(_xgboost),
    "random forest": classifier(lambda seed: RandomForestClassifier(random_state=seed)),
    "extra trees": classifier(lambda seed: ExtraTreesClassifier(random_state=seed)),
}
NETWORKS: dict[str, Scores] = {
    "RealMLP": _pytabkit("RealMLP_TD_Classifier"),
    "TabM": _pytabkit("TabM_D_Classifier"),
}
"""Classifiers that take up to minutes for a draw: they run only if they are named."""

OURS: dict[str, Scores] = {
    "A3": detector(A3Detector),
    "A3, reads both": detector(A3Detector, reads="both"),
    "ConvA3": detector(ConvA3Detector),
}
USUAL = OURS | SUPERVISED | UNSUPERVISED
METHODS = USUAL | NETWORKS


def run(cell: Cell, data: Draw) -> dict[str, Any]:
    """One method on one draw."""
    method, table, known, state, seed = cell
    return {
        "method": method,
        "table": table,
        "known": known,
        "state": state,
        "seed": seed,
        **measured(METHODS[method], data, seed),
        "known_rows": int(data.known.sum()),
        **provenance(),
    }


def finished(path: Path) -> dict[Cell, dict[str, Any]]:
    """Results by `Cell`."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {
        (run["method"], run["table"], run["known"], run["state"], run["seed"]): run
        for run in map(json.loads, lines)
    }


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    """The cells that are asked for, table by table."""
    tables = arguments.tables or PARTS[arguments.part]
    for table, known, state, seed in itertools.product(
        tables, arguments.known, arguments.states, arguments.seeds
    ):
        for method in arguments.methods:
            if method not in (SUPERVISED | NETWORKS if known == 0 else UNSUPERVISED):
                yield method, table, known, state, seed


def table(path: Path, among: Collection[str] = USUAL) -> Iterator[str]:
    """Mean AP, mean ROC AUC and mean rank by regime, over the draws that all its methods have run."""
    regimes: dict[tuple[str, int], dict[str, dict[tuple[str, int], dict[str, Any]]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for (method, name, known, state, seed), found in finished(path).items():
        if method in among:
            regimes[state, known][method][name, seed] = found
    for state, known in itertools.product(STATES, KNOWN):
        methods = regimes[state, known]
        if len(methods) < 2:
            continue
        draws = sorted(set.intersection(*(set(runs) for runs in methods.values())))
        names = list(methods)
        ap, area = (
            np.array([[methods[name][place][what] for place in draws] for name in names])
            for what in ("ap", "roc_auc")
        )
        ranks = rankdata(-ap, axis=0).mean(axis=1)
        seeds = {seed for _, seed in draws}
        title = (
            f"{known or 'none'} known, {state}, {len(draws) // len(seeds)} tables, {seed_count(len(seeds))}"
        )
        yield f"| {title} | mean AP | mean ROC AUC | mean rank of {len(names)} | fit and score, s |"
        yield "|---" * 5 + "|"
        for place in np.argsort(-ap.mean(axis=1)):
            seconds = np.median([methods[names[place]][cell]["seconds"] for cell in draws])
            cells = (ap[place].mean(), area[place].mean())
            yield (
                f"| {names[place]} | "
                + " | ".join(f"{value:.3f}" for value in cells)
                + f" | {ranks[place]:.2f} | {seconds:.1f} |"
            )
        yield ""


def main() -> None:
    """Run what is missing, or print the table."""
    parser = parser_for(__doc__)
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(USUAL))
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--known", nargs="+", type=int, default=KNOWN)
    parser.add_argument("--states", nargs="+", default=STATES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--part", choices=list(PARTS), default="report")
    arguments = parser.parse_args()
    if arguments.table:
        print("\n".join(table(arguments.out)))
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    done = finished(arguments.out)
    missing = [cell for cell in cells(arguments) if cell not in done]
    begun = time.perf_counter()
    halves: dict[str, Halves] = {}
    for place, cell in enumerate(missing, start=1):
        _, name, known, state, seed = cell
        if name not in halves:
            halves = {name: halves_of(name, arguments.part)}
        result = run(cell, draw(halves[name], known=known, state=state, seed=seed))
        with arguments.out.open("a") as lines:
            lines.write(json.dumps(result) + "\n")
        left = (time.perf_counter() - begun) / place * (len(missing) - place)
        print(
            cell,
            result["ap"],
            f"{result['seconds']:.1f} s; {place} of {len(missing)}, {left:.0f} s to go",
            flush=True,
        )


if __name__ == "__main__":
    main()
