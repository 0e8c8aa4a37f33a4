"""Times alarmnet against its bare products, against other methods, next to a busy neighbour, and for single rows.

    python -m benchmarks.speed --out benchmarks/results/speed.json

A step's bare products are its matrix products and convolutions, recorded from a step and repeated with nothing
between them; both are timed in turn while training runs, in processor time, and the figures are medians of 20
turns. After other work the products find cold caches, as in a step. Products that are repeated at once, with warm
caches, are timed too. The neighbour is a process that computes without pause; runs with and without it alternate.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import torch
from experiments.provenance import provenance

from alarmnet import A3Detector, AlarmnetWarning, ConvA3Detector, Schedule
from alarmnet._shared.blocks import block_size
from alarmnet.detectors import BaseDetector
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS, AlarmSpec, Reads
from alarmnet.networks.training import Progress
from benchmarks.products import Products, processor_clock, seconds_of, set_threads

TURNS, STEPS_A_TURN, ROWS = 20, 5, 8192
NSL_KDD_COLUMNS = 122
Make = Callable[[Schedule], BaseDetector]


def alike(reads: Reads, schedule: Schedule) -> tuple[AlarmSpec, ...]:
    """The default alarms, with this schedule's length and without held-out rows."""
    return tuple(
        replace(
            spec,
            relaxes_with_labels=False,
            schedule=replace(spec.schedule, steps=schedule.steps, patience=None),
        )
        for spec in DEFAULT_ALARMS[reads]
    )


def a3(schedule: Schedule) -> A3Detector:
    """A3 that reads both inputs and activations: the defaults for images, without the alarm on peaks."""
    return A3Detector(target_schedule=schedule, alarms=alike("both", schedule), random_state=0)


def published(schedule: Schedule) -> A3Detector:
    """The A3 paper's networks."""
    return A3Detector.as_published(target_schedule=schedule, alarm_schedule=schedule, random_state=0)


def conv(schedule: Schedule) -> ConvA3Detector:
    """The convolutional detector with its defaults."""
    return ConvA3Detector(schedule=schedule, input_alarms=alike("inputs", schedule), random_state=0)


CASES: dict[str, tuple[Make, tuple[int, ...], int]] = {
    "A3, paper's networks, 122 columns": (published, (NSL_KDD_COLUMNS,), 256),
    "A3, defaults, 122 columns": (a3, (NSL_KDD_COLUMNS,), 128),
    "A3, defaults, images 1 x 28 x 28": (a3, (28, 28), 128),
    "ConvA3, table of 122 columns": (conv, (NSL_KDD_COLUMNS,), 128),
    "ConvA3, images 1 x 28 x 28": (conv, (28, 28), 128),
    "ConvA3, images 3 x 32 x 32": (conv, (3, 32, 32), 128),
}
"""A function that makes a detector, the shape of a row, and the rows in a step."""


def data_of(shape: tuple[int, ...], rows: int = ROWS) -> tuple[np.ndarray, np.ndarray]:
    """Rows in [0, 1] of which one in a hundred is a known anomaly."""
    X = np.random.default_rng(0).random((rows, *shape), dtype=np.float32)
    return X, (np.arange(rows) % 100 == 0).astype(int)


def recorded(make: Make, X: np.ndarray, y: np.ndarray, batch_size: int) -> dict[str, Products]:
    """The products of the second of two steps, by the name of what is trained."""
    found: dict[str, Products] = {}
    schedule = Schedule(steps=2, batch_size=batch_size)
    with Products() as products:

        def note(state: Progress) -> None:
            if state.step == state.steps:
                found[state.network] = step = Products()
                step.calls, step.threads = products.calls, products.threads
            products.calls = []

        make(schedule).set_params(verbose=note).fit(X, y)
    return found


def floors_of(products: Products) -> tuple[float, float]:
    """Seconds of the bare products after other work, and when repeated at once."""
    return seconds_of(products), statistics.median(seconds_of(products) for _ in range(4))


def ratios(seconds: float, cold: float, warm: float) -> dict[str, float]:
    """The ratios of the time of some work to the time of its bare products."""
    ms = {"ms": 1e3 * seconds, "products_ms": 1e3 * cold, "warm_products_ms": 1e3 * warm}
    return ms | {"ratio": seconds / cold, "warm_ratio": seconds / warm}


def step_ratios(make: Make, shape: tuple[int, ...], batch_size: int) -> Iterator[dict[str, Any]]:
    """A step and its bare products, for each network that is trained."""
    X, y = data_of(shape)
    products = recorded(make, X, y, batch_size)
    turns: dict[str, list[tuple[float, ...]]] = {name: [] for name in products}
    began = processor_clock()

    def note(state: Progress) -> None:
        nonlocal began
        step = (processor_clock() - began) / STEPS_A_TURN
        if state.network in turns:
            turns[state.network].append((step, *floors_of(products[state.network])))
        began = processor_clock()

    schedule = Schedule(steps=TURNS * STEPS_A_TURN, batch_size=batch_size)
    make(schedule).set_params(verbose=note).fit(X, y)
    for name, found in turns.items():
        step, *floors = np.median(found[1:], axis=0)  # the first turn includes work before the training
        what = {"what": f"{name} step", "threads": products[name].threads}
        yield what | ratios(step, *floors) | _gpu_share(products[name], step)


def _gpu_share(products: Products, step: float) -> dict[str, float]:
    """Steps a second, and the share of the card's float32 peak; empty without a GPU."""
    if not torch.cuda.is_available():
        return {}
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        products()
    large = torch.rand(8192, 8192, device="cuda")
    peak = 2 * 8192**3 / min(seconds_of(lambda: large @ large) for _ in range(10))
    return {"steps_per_second": 1 / step, "share_of_peak": counter.get_total_flops() / step / peak}


def scoring_ratio(make: Make, shape: tuple[int, ...], batch_size: int) -> Iterator[dict[str, Any]]:
    """Scoring 4,096 rows at once, from the rows and from encoded rows, and the bare products."""
    X, y = data_of(shape)
    schedule = Schedule(steps=2, batch_size=batch_size)
    detector = make(schedule).fit(X, y)
    X = X[:4096]
    rows = detector.encoder_.store(X, torch.device("cpu"))
    with Products() as products:
        detector._stored_logits(rows.only(torch.arange(block_size(rows.shape))))
    blocks = len(rows) / block_size(rows.shape)
    calls: dict[str, Callable[[], object]] = {
        "scoring 4,096 rows": lambda: detector.logits(X),
        "the same, already encoded": lambda: detector._stored_logits(rows),
    }
    turns = [[*map(seconds_of, calls.values()), *floors_of(products)] for _ in range(TURNS + 1)]
    *scored, cold, warm = np.median(turns[1:], axis=0)
    for what, seconds in zip(calls, scored, strict=True):
        yield {"what": what, "threads": products.threads} | ratios(seconds, cold * blocks, warm * blocks)


def products_part() -> Iterator[dict[str, Any]]:
    """Steps and scoring compared with their bare products."""
    for name, case in CASES.items():
        for measure in (step_ratios, scoring_ratio):
            for found in measure(*case):
                yield {"case": name, **found}


def isolation_forest() -> Any:
    from sklearn.ensemble import IsolationForest

    return IsolationForest(random_state=0)


def classifier() -> Any:
    from sklearn.neural_network import MLPClassifier

    return MLPClassifier(random_state=0)


def autoencoder() -> Any:
    from pyod.models.auto_encoder import AutoEncoder

    return AutoEncoder(random_state=0, verbose=0)


def catboost() -> Any:
    from catboost import CatBoostClassifier

    return CatBoostClassifier(random_seed=0, thread_count=1, verbose=0, allow_writing_files=False)


METHODS: dict[str, tuple[Callable[[], Any], str | None]] = {
    "A3Detector": (lambda: A3Detector(random_state=0), None),
    "ConvA3Detector": (lambda: ConvA3Detector(random_state=0), None),
    "CatBoost": (catboost, "catboost"),
    "isolation forest": (isolation_forest, None),
    "PyOD's AutoEncoder": (autoencoder, "pyod"),
    "scikit-learn's MLPClassifier": (classifier, None),
}
"""A function that makes a method, and the module that the method needs."""

SIZES = ((200, 10), (2_000, 7), (ROWS, NSL_KDD_COLUMNS))
"""Rows and columns."""

REFIT = "A3Detector, refit_alarm"


def methods_part() -> Iterator[dict[str, Any]]:
    """Fitting rows of numbers with each method's defaults, and scoring them, three times in turn."""
    for rows, columns in SIZES:
        X, y = data_of((columns,), rows)
        seconds: dict[str, list[tuple[float, float]]] = {}
        for _ in range(3):
            for name, (make, needs) in METHODS.items():
                if needs and find_spec(needs) is None:
                    continue
                model = make()
                fit = seconds_of(partial(model.fit, X, y), time.perf_counter)
                scores = getattr(model, "decision_function", None) or model.predict_proba
                seconds.setdefault(name, []).append((fit, seconds_of(partial(scores, X), time.perf_counter)))
                if name == "A3Detector":
                    again = seconds_of(partial(model.refit_alarm, X, y), time.perf_counter)
                    seconds.setdefault(REFIT, []).append((again, np.nan))
        ours = np.median(seconds["A3Detector"], axis=0)
        for name in (*METHODS, REFIT):
            case = {"rows": rows, "columns": columns, "method": name}
            if name not in seconds:
                yield case | {"note": "not installed"}
                continue
            fit, score = np.median(seconds[name], axis=0)
            found = case | {"fit_seconds": fit, "fit_ratio": ours[0] / fit}
            if name != REFIT:
                found |= {"score_seconds": score, "score_ratio": ours[1] / score}
            yield found


NEIGHBOUR = "import os; parent = os.getppid()\nwhile os.getppid() == parent: sum(range(100_000))"
"""Computes until the process that started it has ended, in whatever way."""


@contextmanager
def busy_neighbour() -> Iterator[None]:
    """Keep a core busy with another process in the block."""
    process = subprocess.Popen([sys.executable, "-c", NEIGHBOUR])
    try:
        time.sleep(0.2)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def every_core(wanted: bool) -> Iterator[None]:
    """Behave as if a user had asked for a thread on every core."""
    before = os.environ.pop("OMP_NUM_THREADS", None)
    cores = os.cpu_count() or 1
    if wanted:
        os.environ["OMP_NUM_THREADS"] = str(cores)
    try:
        with set_threads(cores):
            yield
    finally:
        os.environ.pop("OMP_NUM_THREADS", None)
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _score_ten_times(detector: BaseDetector, X: np.ndarray) -> None:
    for _ in range(10):
        detector.logits(X)


def _tasks() -> Iterator[tuple[str, Callable[[], object]]]:
    """Fitting with 100 steps of each network, and scoring the training rows ten times."""
    X, y = data_of((NSL_KDD_COLUMNS,), rows=2048)
    for name, make, batch_size in (("A3, defaults", a3, 128), ("A3, paper's networks", published, 256)):
        schedule = Schedule(steps=100, batch_size=batch_size)
        detector = make(schedule)
        yield f"{name}: fitting", partial(detector.fit, X, y)
        yield f"{name}: scoring", partial(_score_ten_times, detector, X)


def neighbour_part() -> Iterator[dict[str, Any]]:
    """The tasks alone and next to a busy neighbour, five times in turn."""
    for name, task in _tasks():
        for forced in (False, True):
            alone, beside = [], []
            for _ in range(5):
                with every_core(forced):
                    alone.append(seconds_of(task, time.perf_counter))
                    with busy_neighbour():
                        beside.append(seconds_of(task, time.perf_counter))
            found = {"alone_seconds": statistics.median(alone), "beside_seconds": statistics.median(beside)}
            threads = "every core, asked for" if forced else "alarmnet's choice"
            ratio = found["beside_seconds"] / found["alone_seconds"]
            yield {"case": name, "threads": threads, **found, "ratio": ratio}


def mixed_rows(columns: int, rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Numbers, with a column of text after every four, of which one row in a hundred is a known anomaly."""
    generator = np.random.default_rng(0)
    table = {
        f"c{place}": generator.choice(list("abcdef"), rows) if place % 5 == 4 else generator.normal(size=rows)
        for place in range(columns)
    }
    return pd.DataFrame(table), (np.arange(rows) % 100 == 0).astype(int)


def one_row_part() -> Iterator[dict[str, Any]]:
    """`decision_function` of a single row, by the number of columns and the row's container."""
    for columns in (7, 40, 200):
        frame, y = mixed_rows(columns, 5000)
        numbers = np.random.default_rng(0).normal(size=frame.shape)
        mixed, plain = (A3Detector(random_state=0).fit(X, y) for X in (frame, numbers))
        of_polars = pl.from_pandas(frame)
        for kind, detector, row in (
            ("NumPy, numbers", plain, numbers[7:8]),
            ("pandas, mixed", mixed, frame.iloc[7:8]),
            ("polars, mixed", mixed, of_polars[7:8]),
        ):
            score = partial(detector.decision_function, row)
            first = 1e3 * seconds_of(score)
            ms = 1e3 * np.array([seconds_of(score) for _ in range(200)])
            found = {"first_ms": first, "median_ms": float(np.median(ms)), "least_ms": float(ms.min())}
            yield {"columns": columns, "row": kind, **found}


PARTS: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
    "products": products_part,
    "methods": methods_part,
    "neighbour": neighbour_part,
    "one row": one_row_part,
}
HEADINGS = {
    "products": "| case | what | threads | ms | bare products, ms | ratio | ratio, caches warm |",
    "methods": "| rows | columns | method | fit, s | score, s | A3Detector's fit / its | score / its |",
    "neighbour": "| case | threads | alone, s | next to a busy process, s | ratio |",
    "one row": "| columns | row | first call, ms | median, ms | least, ms |",
}
COLUMNS = {
    "products": ("case", "what", "threads", "ms", "products_ms", "ratio", "warm_ratio"),
    "methods": ("rows", "columns", "method", "fit_seconds", "score_seconds", "fit_ratio", "score_ratio"),
    "neighbour": ("case", "threads", "alone_seconds", "beside_seconds", "ratio"),
    "one row": ("columns", "row", "first_ms", "median_ms", "least_ms"),
}


def _shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def table(path: Path, part: str) -> Iterator[str]:
    """The results of a part, with a line for each."""
    yield HEADINGS[part]
    yield "|---" * len(COLUMNS[part]) + "|"
    for found in json.loads(path.read_text())[part]:
        cells = (_shown(found.get(name, found.get("note", ""))) for name in COLUMNS[part])
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure, write and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", AlarmnetWarning)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    result = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    for part in arguments.parts:
        result[part] = []
        for found in PARTS[part]():
            result[part].append(found)
            print(json.dumps(found), flush=True)
        machine = {"device": device, "cores": os.cpu_count(), "load": os.getloadavg()[0], **provenance()}
        result.setdefault("measured", {})[part] = machine
        arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    for part in arguments.parts:
        print("\n".join(table(arguments.out, part)), end="\n\n")


if __name__ == "__main__":
    main()
