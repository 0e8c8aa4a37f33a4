"""A3's Figure 3: results with 0, 5, 25, 50 and 100 known anomalies.

    python -m experiments.label_budgets --rows 1a 1c 1g 3a 3c
    python -m experiments.run a3-table-3 --rows 1c 1g --methods defaults --known 0 5 25 50
    python -m experiments.label_budgets --figure docs/pictures/figure-3.png

The first command runs the paper's settings in a short form: 8,000 normal rows (2,000 on 3a and 3c, whose alarm
reads 58,624 activations), and the alarm network for 5 epochs instead of 60 (on credit card for all 60). Noise
generates the synthetic anomalies; with no known anomalies, a VAE does. Finished jobs are not repeated. The second
command runs the defaults at full length.
"""

import argparse
import math
import textwrap
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmnet import AlarmnetWarning
from alarmnet.datasets import dataset_info
from experiments import results, shortened
from experiments.comparison import mean_with_deviation
from experiments.data import Rows
from experiments.figure import COLUMNS, CURVES, Curves, draw_legend, draw_panel
from experiments.methods import METHODS
from experiments.results import Job, Result
from experiments.run import training_of
from experiments.tables import PaperTable, load_table

TABLE = "a3-table-3"
BUDGETS = (0, 5, 25, 50, 100)
RESULTS = results.FOLDER / "label_budgets.jsonl"
ALL_EPOCHS = ("1g",)
"""Rows whose alarm network trains for all epochs: 5 epochs are too few for it."""
FEWER_ROWS = {"3a": 2_000, "3c": 2_000}
"""Normal images to learn from where the alarm reads 58,624 activations, so that a training takes minutes."""

SHORT, FULL, DEFAULTS = "paper's, short form", "paper's, full length", "defaults"
FULL_LENGTH = {"published": FULL, "vae": FULL, "defaults": DEFAULTS}
"""The table's names for the settings of methods that are trained at full length."""

STYLES = CURVES | {
    ("defaults", 100): {"label": "defaults, 100", "color": "#54278f", "linestyle": "--"},
    ("defaults", 50): {"label": "defaults, 50", "color": "#756bb1", "linestyle": "--"},
    ("defaults", 25): {"label": "defaults, 25", "color": "#9e9ac8", "linestyle": "--"},
    ("defaults", 5): {"label": "defaults, 5", "color": "#cbc9e2", "linestyle": "--"},
    ("defaults", 0): {"label": "defaults, 0", "color": "#e7298a", "linestyle": "--"},
}


def detector(job: Job, table: PaperTable, rows: Rows) -> Any:
    """A3 with the paper's settings, but for most rows with a short training of the alarm."""
    made = METHODS["A3"][job.method](training_of(job, table, rows, device="cpu", folder=Path()))
    return made.set_params(checkpoint=None) if job.row in ALL_EPOCHS else shortened.with_short_alarm(made)


def run(rows: list[str], budgets: Sequence[int], seeds: list[int], path: Path) -> None:
    """Append a line for each training that the file lacks."""
    jobs = [
        Job(table=TABLE, row=row, method="published" if known else "vae", known=known, seed=seed)
        for seed in seeds
        for row in rows
        for known in budgets
    ]
    shortened.run(jobs, detector, path, fewer=FEWER_ROWS)


def _found(path: Path, folder: Path) -> Iterator[tuple[str, Result]]:
    """Settings and result of each training: those in the short form, and those of the same rows at full length."""
    short = shortened.lines(path)
    yield from ((SHORT, line) for line in short)
    rows = {line["row"] for line in short}
    for result in results.one_a_job(results.read(TABLE, folder)):
        settings = FULL_LENGTH.get(result["method"])
        if settings and result["known"] in BUDGETS and result["row"] in rows:
            yield settings, result


def summary(path: Path, folder: Path = results.FOLDER) -> Iterator[str]:
    """A line for each row of the table and kind of settings, with AP and ROC AUC by known anomalies."""
    found: dict[tuple[str, str], dict[int, list[dict[str, float]]]] = defaultdict(lambda: defaultdict(list))
    for settings, result in _found(path, folder):
        for row, measured in result["metrics"].items():
            found[row, settings][result["known"]].append(measured)
    yield f"| AP, ROC AUC on the test part | settings | {' | '.join(map(str, BUDGETS))} |"
    yield "|---" * (2 + len(BUDGETS)) + "|"
    order = [SHORT, *FULL_LENGTH.values()]
    for row, settings in sorted(found, key=lambda key: (key[0], order.index(key[1]))):
        runs = found[row, settings]
        cells = [
            ", ".join(
                mean_with_deviation([run[metric] for run in runs[known]], 3)
                for metric in ("average_precision", "roc_auc")
            )
            if known in runs
            else ""
            for known in BUDGETS
        ]
        yield f"| {row} | {settings} | {' | '.join(cells)} |"


def _panels(path: Path, folder: Path) -> dict[str, Curves]:
    """Each row's curves by title: for the defaults, and the paper's settings, in short if not all ran in full."""
    found: dict[tuple[str, str], Curves] = defaultdict(lambda: defaultdict(list))
    for settings, result in _found(path, folder):
        if curve := result.get("validation_curves", {}).get(result["row"]):
            found[result["row"], settings][result["method"], result["known"]].append(curve)
    panels = {}
    for row in sorted({row for row, _ in found}):
        whole = {known for _, known in found[row, FULL]} >= set(BUDGETS)
        title = f"{dataset_info(load_table(TABLE).rows[row].data).title}, {row}"
        panels[title if whole else f"{title}, short form"] = {
            **found[row, FULL if whole else SHORT],
            **found[row, DEFAULTS],
        }
    return panels


def draw(path: Path, picture: Path, folder: Path = results.FOLDER) -> None:
    """Draw a panel for each row that was trained: mean ROC curves over seeds, on its validation part."""
    panels = _panels(path, folder)
    if not panels:
        raise SystemExit(f"{path} has no result to draw")
    height = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.9 * height + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(height, COLUMNS, squeeze=False).flat)
    for axes, (title, curves) in zip(grid, panels.items(), strict=False):
        draw_panel(axes, textwrap.fill(title, 30), curves, STYLES)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    draw_legend(figure, grid[: len(panels)], STYLES)
    figure.savefig(picture, dpi=150)


def main() -> None:
    """Run what the arguments name, or draw what ran."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="+", choices=list(load_table(TABLE).rows), default=["1a", "1c", "1g"])
    parser.add_argument("--known", nargs="+", type=int, choices=BUDGETS, default=BUDGETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--figure", type=Path, help="draw the results there are, and run nothing")
    arguments = parser.parse_args()
    if arguments.figure:
        draw(arguments.out, arguments.figure)
        return
    warnings.simplefilter("ignore", AlarmnetWarning)
    run(arguments.rows, arguments.known, arguments.seeds, arguments.out)


if __name__ == "__main__":
    main()
