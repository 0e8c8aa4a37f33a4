"""ROC curves on the validation parts, in the manner of the A3 paper's Figure 3."""

import math
import textwrap
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from alarmnet.datasets import dataset_info
from experiments import results
from experiments.results import FALSE_POSITIVE_RATES
from experiments.tables import NAMES, PaperTable, load_table

COLUMNS = 3
Styles = dict[tuple[str, int], dict[str, Any]]
"""Names and styles of curves by method and number of known anomalies, in the order of the legend."""

CURVES: Styles = {
    ("published", 100): {"label": "A3, 100, noise", "color": "#08306b"},
    ("published", 50): {"label": "A3, 50, noise", "color": "#2171b5"},
    ("published", 25): {"label": "A3, 25, noise", "color": "#6baed6"},
    ("published", 5): {"label": "A3, 5, noise", "color": "#b5d4e9"},
    ("vae", 0): {"label": "A3, 0, VAE", "color": "#d95f02"},
    ("defaults", 100): {"label": "our defaults, 100", "color": "#7b3294"},
    ("devnet", 100): {"label": "DevNet, 100", "color": "#1b9e77", "linestyle": "--"},
    ("isolation_forest", 100): {"label": "isolation forest", "color": "0.2", "linestyle": ":"},
    ("autoencoder", 100): {"label": "autoencoder", "color": "0.35", "linestyle": "--"},
    ("dagmm", 100): {"label": "DAGMM", "color": "0.55", "linestyle": "-."},
}
"""Curves by method and number of known anomalies; the last three methods use none."""

Curves = dict[tuple[str, int], list[list[float]]]


def _family(table: PaperTable) -> list[PaperTable]:
    """The tables of the same paper, since its experiments without labels are in another one."""
    tables = map(load_table, NAMES)
    return [other for other in tables if other.paper == table.paper]


def _panels(tables: Iterable[PaperTable], folder: Path) -> list[tuple[str, list[str], Curves]]:
    """Data, names and each seed's curve by method and known anomalies, of rows that know and test the same.

    Rows without known anomalies are drawn with rows of the same test that have some, if there are any.
    """
    found: dict[tuple[Any, ...], tuple[list[str], Curves]] = {}
    for table in tables:
        for result in results.one_a_job(results.read(table.name, folder)):
            for name, curve in result.get("validation_curves", {}).items():
                row = table.rows[name]
                key = (row.data, row.normal, row.test_anomalies), row.train_anomalies
                names, curves = found.setdefault(key, ([], defaultdict(list)))
                names += [name] if name not in names else []
                curves[result["method"], result["known"]].append(curve)
    for test, known in list(found):
        learning = [key for key in found if key[0] == test and key[1]]
        if not known and learning:
            names, curves = found.pop((test, known))
            for key in learning:
                found[key][0].extend(names)
                found[key][1].update(curves)
    return [(test[0], names, curves) for (test, _), (names, curves) in found.items()]


def draw_panel(axes: Axes, title: str, curves: Curves, styles: Styles = CURVES) -> None:
    """Draw the mean over seeds of each method and number of known anomalies."""
    axes.plot([0, 1], [0, 1], color="0.85", linewidth=1, label="chance")
    for key, style in styles.items():
        if key in curves:
            axes.plot([0, *FALSE_POSITIVE_RATES], [0, *np.mean(curves[key], axis=0)], linewidth=1.5, **style)
    axes.set(title=title, xlabel="false positive rate", ylabel="true positive rate")
    axes.set(xlim=(-0.02, 1), ylim=(0.5, 1.005), xticks=(0, 0.5, 1), yticks=(0.5, 0.75, 1))
    axes.spines[["top", "right"]].set_visible(False)


def draw_legend(figure: Figure, panels: Iterable[Axes], styles: Styles = CURVES) -> None:
    """Name each curve of some panels once, below them."""
    shown = {str(line.get_label()): line for axes in panels for line in axes.lines}
    order = [label for label in ("chance", *(style["label"] for style in styles.values())) if label in shown]
    figure.legend(
        [shown[label] for label in order], order, loc="outside lower center", ncols=4, frameon=False
    )


def draw(table: PaperTable, folder: Path, path: Path) -> None:
    """Draw a panel for each row that has curves, each curve the mean over seeds."""
    panels = [
        panel for panel in _panels(_family(table), folder) if not table.rows.keys().isdisjoint(panel[1])
    ]
    if not panels:
        raise SystemExit(f"no result of {table.name} has curves on a validation part")
    height = math.ceil(len(panels) / COLUMNS)
    figure = Figure(figsize=(3.2 * COLUMNS, 2.9 * height + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(height, COLUMNS, squeeze=False).flat)
    for (data, names, curves), axes in zip(panels, grid, strict=False):
        draw_panel(axes, textwrap.fill(f"{dataset_info(data).title}, {' & '.join(names)}", 30), curves)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    draw_legend(figure, grid[: len(panels)])
    figure.savefig(path, dpi=150)
