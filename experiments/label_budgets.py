"""A3's Figure 3 in short: what 0, 5, 25, 50 and 100 known anomalies are worth with the paper's settings.

    python -m experiments.label_budgets --rows 1a 1c 1g --out experiments/results/label_budgets.jsonl
    python -m experiments.label_budgets --figure docs/pictures/label_budgets.png

A training learns 8,000 normal rows, and its alarm network for 5 epochs instead of 60. Without known anomalies a VAE
makes them, else noise. What the file has is not run again.
"""

import argparse
import math
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmnet import AlarmnetWarning
from alarmnet.datasets import dataset_info
from experiments import results, shortened
from experiments.data import Rows
from experiments.figure import COLUMNS, draw_legend, draw_panel
from experiments.methods import METHODS
from experiments.results import Job
from experiments.run import training_of
from experiments.tables import PaperTable, load_table

TABLE = "a3-table-3"
BUDGETS = (0, 5, 25, 50, 100)
RESULTS = results.FOLDER / "label_budgets.jsonl"


def detector(job: Job, table: PaperTable, rows: Rows) -> Any:
    """A3 with the paper's settings, but for a short training of its alarm."""
    training = training_of(job, table, rows, device="cpu", folder=Path())
    return shortened.with_short_alarm(METHODS["A3"][job.method](training))


def run(rows: list[str], budgets: Sequence[int], seeds: list[int], path: Path) -> None:
    """Append a line for each training that the file does not have."""
    jobs = [
        Job(table=TABLE, row=row, method="published" if known else "vae", known=known, seed=seed)
        for seed in seeds
        for row in rows
        for known in budgets
    ]
    shortened.run(jobs, detector, path)


def summary(path: Path) -> Iterator[str]:
    """A line for each row of the table, with its average precision and ROC AUC by known anomalies."""
    found: dict[str, dict[int, str]] = {}
    for line in shortened.lines(path):
        for name, measured in line["metrics"].items():
            cell = f"{measured['average_precision']:.3f}, {measured['roc_auc']:.3f}"
            found.setdefault(name, {})[line["known"]] = cell
    headings = ["0 (VAE)", *map(str, BUDGETS[1:])]
    yield f"| AP, ROC AUC on the test part | {' | '.join(headings)} |"
    yield "|---" * (1 + len(BUDGETS)) + "|"
    for name, cells in sorted(found.items()):
        yield f"| {name} | {' | '.join(cells.get(known, '') for known in BUDGETS)} |"


def draw(path: Path, picture: Path) -> None:
    """Draw a panel for each row that was trained, with a ROC curve on its validation part a budget."""
    table = load_table(TABLE)
    panels: dict[str, dict[tuple[str, int], list[list[float]]]] = {}
    for line in shortened.lines(path):
        key = line["method"], line["known"]
        panels.setdefault(line["row"], {}).setdefault(key, []).append(line["validation_curves"][line["row"]])
    if not panels:
        raise SystemExit(f"{path} has no result to draw")
    height = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.9 * height + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(height, COLUMNS, squeeze=False).flat)
    for axes, (row, curves) in zip(grid, panels.items(), strict=False):
        draw_panel(axes, f"{dataset_info(table.rows[row].data).title}, {row}", curves)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    draw_legend(figure, grid[: len(panels)])
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
