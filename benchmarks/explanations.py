"""Measures whether explanations find causes, beside KernelSHAP, integrated gradients and z-scores.

    pip install 'alarmnet[explanations]'
    python -m benchmarks.explanations --out benchmarks/results/explanations.json

- planted: three causes of 1, 2 and 3 numeric columns, shifted by 2.5 standard deviations times U(.8, 1.2), are
  planted into normal rows; 25 such rows are known, 300 are held out. Of the latter, those that raise an alarm are
  explained.
- deletion: rows of real tables that raise an alarm lose their columns one by one, the most important first, to
  values of normal rows; the area below the curve of what is left of the score is measured: lower is better.
- images: a bright or checkered patch of 6x6 pixels is planted into images; those that raise an alarm with the
  patch and none without are explained.
- speed: milliseconds of processor time a row, in batches of 100, on one thread.

Settings were chosen on the development halves (--half development), the figures are those of the test halves.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import torch
from experiments.provenance import provenance
from numpy.typing import NDArray

from alarmnet import A3Detector, AlarmnetWarning
from alarmnet.detectors.scorer import by_block
from alarmnet.detectors.table_scorer import TableScorer
from alarmnet.explain import Explainer
from alarmnet.explain.mixtures import ScoreMixtures, mixtures_of
from alarmnet.explain.tables import TableExplainer
from alarmnet.preprocessing.row_store import TensorRows
from benchmarks.explanation_images import IMAGES, Result, images_part
from benchmarks.explanation_peers import METHODS, SLOW, Encoded, Floats, Method, Peers, absent
from benchmarks.explanation_tables import COLUMNS, lines
from benchmarks.few_label_tables import TABLES

TABLES_EXPLAINED = ("thyroid", "bank", "census", "credit card", "nsl-kdd", "ids 2018")
FORTY = "ids 2018, 40 columns"
"""The first columns of numbers of a table, as many as the tables of mixed types have columns."""
TIMED = (*TABLES_EXPLAINED, FORTY)
SEEDS = (0, 1, 2)
ROWS, KNOWN, HELD_OUT = 4000, 25, 300
COMPARED, DELETED = 5, 8
"""Rows of a table and seed that slow methods explain, too: with planted causes, and of real anomalies."""
BATCH = 100
USUAL_BACKGROUND = 100
"""Rows of a background that KernelSHAP's documentation recommends; times are compared with these."""
SHIFT = 2.5
REPLACED_BY, HELD_OUT_NORMAL = 5, 200
"""Normal rows whose values replace deleted columns: some at random, or those most like the row of held-out ones."""


def normal_rows(name: str, half: str, generator: np.random.Generator) -> pd.DataFrame:
    """Some normal rows of a half of a table."""
    halves = TABLES[name]()
    rows: NDArray[np.intp] = getattr(halves, half)
    normal = rows[~halves.anomalous[rows]]
    chosen = generator.choice(normal, min(ROWS, len(normal)), replace=False)
    found: pd.DataFrame = halves.frame.take(chosen).to_pandas()
    return found


@dataclass(frozen=True)
class Only:
    """What is measured: tables or image data by name, methods by name, and the half."""

    data: Sequence[str]
    methods: Sequence[str]
    half: str

    def of(self, methods: Mapping[str, Method]) -> dict[str, Method]:
        """The methods that are measured."""
        return {name: method for name, method in methods.items() if name in self.methods}


def each_table(measure: Callable[[str, int, Only], Iterator[Result]], only: Only) -> Iterator[Result]:
    """Measure on every table with every seed."""
    for name in TABLES_EXPLAINED:
        for seed in SEEDS if name in only.data else ():
            yield from measure(name, seed, only)


def planted(name: str, seed: int, only: Only) -> Iterator[Result]:
    """Every method on planted causes; alarmnet on all alarms, and all methods on the same few of them."""
    generator = np.random.default_rng(seed)
    clean = normal_rows(name, only.half, generator)
    numeric = [c for c in clean if pd.api.types.is_numeric_dtype(clean[c]) and clean[c].nunique() > 10]
    chosen = [str(column) for column in generator.choice(np.array(numeric), 6, replace=False)]
    causes = [chosen[:1], chosen[1:3], chosen[3:]]
    clean = clean.astype(dict.fromkeys(chosen, float))
    order = generator.permutation(len(clean))
    known, held_out, others = np.split(order, [KNOWN, KNOWN + HELD_OUT])
    cause = np.full(len(clean), -1)
    cause[known], cause[held_out] = np.arange(KNOWN) % 3, np.arange(HELD_OUT) % 3
    table = clean.copy()
    for number, columns in enumerate(causes):
        rows = cause == number
        for column in columns:
            shifts = SHIFT * clean[column].std() * generator.uniform(0.8, 1.2, rows.sum())
            table.loc[rows, column] += shifts
    trained = np.concatenate([others, known])
    detector = A3Detector(random_state=seed).fit(table.iloc[trained], (cause[trained] >= 0).astype(float))
    alarms = held_out[detector.predict(table.iloc[held_out]) == 1]
    about = {"table": name, "seed": seed, "alarms": len(alarms), "alarm_share": len(alarms) / HELD_OUT}
    few = alarms[np.unique(np.linspace(0, len(alarms) - 1, COMPARED).astype(int))]
    peers = Peers(detector, seed=seed)
    for method, contributions in only.of(peers.methods()).items():
        for what, rows in (("all", alarms), ("compared", few)):
            if what == "all" and method in SLOW:
                continue
            encoded = detector.encoder_.transform(table.iloc[rows])
            began = time.perf_counter()
            values = contributions(table.iloc[rows], encoded)
            seconds = time.perf_counter() - began
            truth = [{peers.names.index(column) for column in causes[number]} for number in cause[rows]]
            original = detector.encoder_.transform(clean.iloc[rows])
            yield about | {
                "method": method,
                "rows": what,
                "explained": len(rows),
                "ms_a_row": 1e3 * seconds / len(rows),
                **found_causes(values, truth),
                "gone": gone(peers, values, encoded, original),
                "gone_normal": gone(peers, values, encoded, peers.similar(encoded, 1)[:, 0]),
            }
    if "alarmnet" in only.methods:
        words = told(detector, table, alarms, cause, causes, trained)
        yield about | {"method": "alarmnet", "rows": "words", **words}


def found_causes(values: Floats, truth: list[set[int]]) -> Result:
    """How often the first column is a cause, and which share of n causes is among the first n."""
    order = np.argsort(-values, axis=1, kind="stable")
    hits = [int(row[0]) in true for row, true in zip(order, truth, strict=True)]
    recalls = [
        len(true & set(row[: len(true)].tolist())) / len(true) for row, true in zip(order, truth, strict=True)
    ]
    return {"hit_at_1": float(np.mean(hits)), "recall_at_n": float(np.mean(recalls))}


def gone(peers: Peers, values: Floats, encoded: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """The share of rows without an alarm once the three columns that contribute most are those of another row."""
    first = np.argsort(-values, axis=1, kind="stable")[:, :3]
    reset = np.zeros(values.shape, dtype=bool)
    np.put_along_axis(reset, first, True, axis=1)
    logits = peers.scored.score(np.where(reset[:, peers.places], other, encoded))
    return float((logits <= peers.scored.threshold).mean())


def told(
    detector: A3Detector,
    table: pd.DataFrame,
    alarms: NDArray[np.intp],
    cause: NDArray[np.int64],
    causes: list[list[str]],
    trained: NDArray[np.intp],
) -> Result:
    """What is told beside contributions: known anomalies of the same cause, and what stops the alarm."""
    found = detector.explain(table.iloc[alarms])
    again = detector.explain(table.iloc[alarms])
    changes, alike, right = [], [], []
    for number, row in zip(alarms, found.rows, strict=True):
        assert row.counterfactual is not None
        assert row.known
        columns = [change.column for change in row.counterfactual.changes]
        changes.append(len(columns))
        right.append(np.mean([column in causes[cause[number]] for column in columns]))
        alike.append(cause[trained[row.known[0].row]] == cause[number])
    gap = found.values.sum(axis=1) - (found.logits - found.base_value)
    return {
        "explained": len(alarms),
        "known_of_same_cause": float(np.mean(alike)),
        "columns_changed": float(np.mean(changes)),
        "changed_columns_that_are_causes": float(np.mean(right)),
        "largest_gap": float(np.abs(gap).max()),
        "same_twice": bool(np.array_equal(found.values, again.values) and found.rows == again.rows),
    }


def on_real_rows(
    name: str, seed: int, half: str
) -> tuple[A3Detector, pa.Table, NDArray[np.intp], NDArray[np.intp]]:
    """A detector, its table, and which rows of it are normal and held out, and which are unseen anomalies."""
    generator = np.random.default_rng(seed)
    halves = TABLES["ids 2018" if name == FORTY else name]()
    if name == FORTY:
        halves = replace(halves, frame=halves.frame.select(range(1, 41)))
    rows: NDArray[np.intp] = generator.permutation(getattr(halves, half))
    normal, anomalous = rows[~halves.anomalous[rows]][:ROWS], rows[halves.anomalous[rows]]
    held_out, normal = np.split(normal, [HELD_OUT_NORMAL])
    trained = np.concatenate([normal, anomalous[:KNOWN]])
    detector = A3Detector(random_state=seed)
    detector.fit(halves.frame.take(trained), halves.anomalous[trained].astype(float))
    return detector, halves.frame, held_out, anomalous[KNOWN : KNOWN + HELD_OUT]


def deletion(name: str, seed: int, only: Only) -> Iterator[Result]:
    """Every method on real alarms."""
    detector, frame, replacing, unseen = on_real_rows(name, seed, only.half)
    alarms = unseen[detector.predict(frame.take(unseen)) == 1][:DELETED]
    if not len(alarms):
        return
    table = frame.take(alarms)
    encoded, usual = (detector.encoder_.transform(frame.take(rows)) for rows in (alarms, replacing))
    peers = Peers(detector, seed=seed)
    ranks = peers.likeness.ranks
    similar = usual[peers.likeness.nearest(ranks(encoded), ranks(usual), REPLACED_BY)]
    for method, contributions in only.of(peers.methods()).items():
        found = contributions(table, encoded)
        areas = [
            [curve_area(peers, values, row, other) for other in (usual[:REPLACED_BY], like)]
            for values, row, like in zip(found, encoded, similar, strict=True)
        ]
        by_random, by_similar = np.mean(areas, axis=0)
        about = {"table": name, "seed": seed, "method": method, "explained": len(alarms)}
        yield about | {"area": float(by_random), "area_similar": float(by_similar)}


def curve_area(peers: Peers, values: Floats, row: NDArray[np.float32], usual: NDArray[np.float32]) -> float:
    """The mean of what is left of a score, 1 for all and 0 for a normal row's, while columns are replaced."""
    order = np.argsort(-values, kind="stable")
    kept = np.ones((len(order) + 1, len(order)), dtype=bool)
    for count, column in enumerate(order, start=1):
        kept[count:, column] = False
    masks = kept[:, peers.places]
    logits = np.mean([peers.scored.score(np.where(masks, row, other)) for other in usual], axis=0)
    left = (logits - logits[-1]) / (logits[0] - logits[-1])
    return float(left[1:-1].mean())


def speed(name: str, half: str) -> Result:
    """Milliseconds of processor time a row with everything that is told, and of KernelSHAP's contributions."""
    torch.set_num_threads(1)
    detector, frame, _, unseen = on_real_rows(name, 0, half)
    batch = frame.take(unseen[:BATCH])
    explainer = Explainer(detector.scored_encoded())
    ours = milliseconds(lambda: explainer(batch), BATCH)
    alone = milliseconds(lambda: detector.explain(batch), BATCH)
    floor = milliseconds(networks_alone(detector, batch), BATCH)
    result = {
        "table": name,
        "columns": frame.num_columns,
        "ms_a_row": ours,
        "with_preparation": alone,
        "networks_alone": floor,
        "ratio_to_networks": ours / floor,
    }
    methods, few = Peers(detector, seed=0, background=USUAL_BACKGROUND).methods(), batch.slice(0, 1)
    encoded = detector.encoder_.transform(few)
    for method in SLOW:
        if method in methods:
            theirs = milliseconds(partial(methods[method], few, encoded), len(few), times=1)
            result |= {f"{method}, ms": theirs, f"{method}, ratio": theirs / ours}
    return result


def milliseconds(call: Callable[[], object], rows: int, *, times: int = 5) -> float:
    """Processor time a row, the median of some calls after the first."""
    call()
    seconds = []
    for _ in range(times):
        began = time.process_time()
        call()
        seconds.append(time.process_time() - began)
    return 1e3 * float(np.median(seconds)) / rows


def networks_alone(detector: A3Detector, batch: pa.Table) -> Callable[[], object]:
    """Only the networks, on each different row that an explanation scores, as a whole."""
    scored, seen = detector.scored_encoded(), []

    def mix(rows: Encoded, references: Encoded, places: NDArray[np.intp]) -> ScoreMixtures:
        def score(numbers: NDArray[np.intp], masks: NDArray[np.bool_]) -> Floats:
            seen.append(mixtures_of(rows, references, places, numbers, masks))
            return scored.score(seen[-1])

        return score

    TableExplainer(replace(scored, mix=mix)).values(detector.encoder_.transform(batch))
    rows = TensorRows(torch.from_numpy(np.unique(np.concatenate(seen), axis=0)))
    scorer = detector._scorer
    assert isinstance(scorer, TableScorer)
    return lambda: by_block(scorer, scorer.read, rows)


PARTS: dict[str, Callable[[Only], Iterator[Result]]] = {
    "planted": partial(each_table, planted),
    "deletion": partial(each_table, deletion),
    "speed": lambda only: (speed(name, only.half) for name in TIMED if name in only.data),
    "images": lambda only: images_part(only.data, only.half),
}
IDENTITY = ("table", "data", "detector", "patch", "known", "seed", "method", "rows")
"""What says of two lines of a part that they are the same measurement."""


def identity(found: Result) -> tuple[Any, ...]:
    """Which measurement a line is of."""
    return tuple(found.get(name) for name in IDENTITY)


def main() -> None:
    """Measure, write and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    data = (*TIMED, *IMAGES)
    parser.add_argument("--data", nargs="+", choices=data, default=data)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--half", choices=["development", "test"], default="test")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", AlarmnetWarning)
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    only = Only(arguments.data, arguments.methods, arguments.half)
    for sentence in absent(arguments.methods):
        print(sentence, file=sys.stderr)
    for part in arguments.parts:
        # what is not measured anew stays, and each line says from which commit it is
        lines_of = {identity(line): line for line in result.get(part, {}).get("results", [])}
        for found in PARTS[part](only):
            about = provenance()
            of_line = {"commit": about["commit"], "date": about["date"], "load": os.getloadavg()[0]}
            lines_of[identity(found)] = found | of_line
            print(json.dumps(found), flush=True)
            result[part] = {"half": only.half, **about, "results": [*lines_of.values()]}
            arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    for name, (part, *_) in COLUMNS.items():
        if part in arguments.parts:
            print(name, *lines(arguments.out, name), sep="\n", end="\n\n")


if __name__ == "__main__":
    main()
