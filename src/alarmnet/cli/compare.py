"""`alarmnet compare`: all methods on the user's own rows."""

import datetime
import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alarmnet._shared.atomic import atomic_path
from alarmnet._shared.devices import chosen_device
from alarmnet.baselines.own import imported
from alarmnet.cli.fit import check_size, say_labels
from alarmnet.cli.table_data import category_option, reads_data
from alarmnet.cli.terminal import (
    INTERRUPTED,
    a_file,
    check_output,
    device_option,
    ignore_option,
    keep_option,
    label_options,
    output_options,
    show_facts,
    shows_progress,
)
from alarmnet.data_files import Reading, write_table
from alarmnet.errors import InputError
from alarmnet.sources.comparison import METHODS, folds_of, methods_for
from alarmnet.sources.comparison.processes import Outcome, Task, run
from alarmnet.sources.images import ImageRows
from alarmnet.sources.labels import Labelling, label_counts
from alarmnet.sources.memory import shown_bytes
from alarmnet.sources.opened import open_to_train

FIGURES = ("average_precision", "roc_auc", "seconds")


def _chosen(_context: click.Context, _option: click.Parameter, text: str | None) -> list[str]:
    if text is None:
        return []
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in METHODS]:
        raise click.BadParameter(f"{unknown[0]!r} is not one of {', '.join(METHODS)}.")
    return list(dict.fromkeys(names))


def _importable(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    for own in given:
        imported(own)
    return given


def _summary(values: Sequence[float]) -> dict[str, Any]:
    return {
        "mean": round(float(np.mean(values)), 5),
        "std": round(float(np.std(values, ddof=1)), 5),
        "folds": [round(value, 5) for value in values],
    }


def _facts_of(outcome: Outcome) -> dict[str, Any]:
    """A method's figures; none where it failed."""
    if outcome.fault is not None:
        return {"method": outcome.method, "fault": outcome.fault}
    figures = {name: _summary([getattr(fold, name) for fold in outcome.folds]) for name in FIGURES}
    memory = {"bytes_before": outcome.bytes_before, "peak_bytes": outcome.peak_bytes}
    return {"method": outcome.method, **figures, **memory, "fault": None}


def _by_precision(facts: dict[str, Any]) -> float:
    return -1.0 if facts["fault"] else float(facts["average_precision"]["mean"])


def print_comparison(facts: dict[str, Any], console: Console) -> None:
    """Show what `compare` found, the best average precision first."""
    table = Table("method", "average precision", "ROC AUC", "seconds", "memory")
    before = 0
    for found in facts["methods"]:
        if found["fault"]:
            table.add_row(found["method"], f"failed: {found['fault']}")
            continue
        cells = [f"{found[name]['mean']:.3f} ± {found[name]['std']:.3f}" for name in FIGURES[:2]]
        seconds, memory = f"{found['seconds']['mean']:.1f}", shown_bytes(found["peak_bytes"])
        table.add_row(found["method"], *cells, seconds, memory)
        before = max(before, found["bytes_before"])
    console.print(table)
    console.print(
        f"Mean ± standard deviation over {facts['folds']} folds; each method is measured on rows that it did not "
        "train on. Seconds: to fit and score one fold. Memory: the peak of the method's process, of which about "
        f"{shown_bytes(before)} are Python, its libraries and the data.",
        soft_wrap=True,
    )


def _write(out: Path, facts: dict[str, Any]) -> None:
    """Write the JSON facts, or a table with a row a method."""
    if out.suffix == ".json":
        with atomic_path(out) as draft:
            draft.write_text(json.dumps(facts, indent=1, allow_nan=False) + "\n")
        return
    rows = [
        {
            "method": found["method"],
            **{
                f"{name}_{part}": found.get(name, {}).get(part)
                for name in FIGURES
                for part in ("mean", "std")
            },
            "peak_bytes": found.get("peak_bytes"),
            "fault": found["fault"],
        }
        for found in facts["methods"]
    ]
    write_table(out, [pa.Table.from_pylist(rows)])


def _check_out(out: Path, *, inputs: Sequence[Path]) -> None:
    if out.suffix not in (".json", ".csv"):
        raise InputError(f"{out}: give a name that ends in .json or .csv", code="unknown_format")
    check_output(out, inputs=inputs)


@click.command()
@reads_data
@label_options()
@ignore_option
@keep_option
@category_option
@click.option(
    "--methods",
    callback=_chosen,
    metavar="NAME,...",
    help=f"The methods to compare, from {', '.join(METHODS)}; by default all that can read the data.",
)
@click.option(
    "--with",
    "own",
    callback=_importable,
    metavar="MODULE:CLASS",
    multiple=True,
    help="Also compare a class of your own with fit(X, y) and decision_function(X) or predict_proba(X), created "
    "without arguments; may be repeated. It receives encoded rows. The module may be in the current folder.",
)
@click.option(
    "--folds",
    type=click.IntRange(min=2),
    default=5,
    show_default=True,
    help="The number of folds of the cross-validation.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of all random choices."
)
@device_option
@click.option("--out", type=a_file, metavar="FILE", help="Also write the figures; ends in .json or .csv.")
@output_options
def compare(
    data: tuple[Path, ...],
    reading: Reading,
    labels_file: Path | None,
    label: str | None,
    anomaly: tuple[str, ...],
    normal: tuple[str, ...],
    ignored: tuple[str, ...],
    kept: tuple[str, ...],
    categories: tuple[str, ...],
    methods: list[str],
    own: tuple[str, ...],
    folds: int,
    seed: int,
    device: str,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare all methods on your own rows, cross-validated.

    A3, ConvA3, the methods that their papers compare with, and gradient boosting train on the same rows with the
    same labels. compare measures average precision and ROC AUC on labelled rows that they have not seen. Unlabelled
    rows are used for training only. Each method runs in its own process, whose memory is measured.

    \b
    Examples:
      alarmnet compare train.csv --label class --anomaly fraud
      alarmnet compare train.csv --label class --anomaly fraud --methods a3,gradient-boosting --out found.json
      alarmnet compare train.csv --label class --anomaly fraud --methods a3 --with my_methods:Mine
    """  # noqa: D301 - click reads \b
    labelling = Labelling.chosen(label, anomaly, normal, data=data, labels_file=labels_file)
    if labelling is None:
        raise click.UsageError(
            "comparing methods needs labels: name their column with --label and --anomaly."
        )
    if out is not None:
        _check_out(out, inputs=[*data, *([labels_file] if labels_file else [])])
    chosen_device(device, parameter="--device")
    rows = open_to_train(
        data,
        labelling,
        labels_file=labels_file,
        ignored=ignored,
        kept=kept,
        categories=categories,
        reading=reading,
    )
    found = rows.labels(labelling, given=[*anomaly, *normal])
    labels = found.values
    check_size(rows, aside=as_json)
    counts = label_counts(labels, rows=len(labels))
    folds_of(labels, folds=folds, seed=seed)
    methods = [*(methods or methods_for(images=isinstance(rows, ImageRows))), *own]
    say_labels(found, counts, aside=as_json)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    outcomes: list[Outcome] = []
    try:
        with Progress(
            *columns, console=Console(stderr=True), disable=not shows_progress(quiet=quiet)
        ) as progress:
            bar = progress.add_task("", total=len(methods) * folds)
            for place, method in enumerate(methods, start=1):
                progress.update(bar, description=f"{method}, {place} of {len(methods)}")
                task = Task(
                    method,
                    data,
                    labels_file,
                    labelling,
                    ignored,
                    folds,
                    seed,
                    device,
                    kept,
                    categories,
                    reading,
                )
                outcomes.append(run(task, on_fold=lambda: progress.advance(bar)))
    except KeyboardInterrupt:
        if not outcomes:
            raise
        click.echo(f"Interrupted: {len(outcomes)} of {len(methods)} methods were compared.", err=True)
    facts = {
        "data": [path.name for path in data],
        "labels": counts,
        "folds": folds,
        "seed": seed,
        "methods": sorted(map(_facts_of, outcomes), key=_by_precision, reverse=True),
        "versions": {package: version(package) for package in ("alarmnet", "torch", "scikit-learn")},
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
    if out is not None:
        _write(out, facts)
    if as_json:
        show_facts(facts)
    else:
        print_comparison(facts, Console())
    if len(outcomes) < len(methods):
        raise SystemExit(INTERRUPTED)
