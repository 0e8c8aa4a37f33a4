"""What labels are worth: average precision against the number of known anomalies, as a picture and a table.

    python -m benchmarks.few_labels --known 0 --methods A3 "isolation forest" "5th neighbour" --seeds 0 1 2 --out FILE
    python -m benchmarks.few_labels --known 100 200 --methods A3 CatBoost --seeds 0 1 2 --out FILE
    python -m benchmarks.label_budgets --figure docs/pictures/label-budgets.png

where FILE is `benchmarks/results/label_budgets.jsonl`; 5 and 25 known are those of `few_labels.jsonl`. The methods that
learn nothing from labels are drawn as lines. A draw has at most 200 known anomalies: with 200, all are known.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import OTHERS, finished

RESULTS = Path(__file__).parent / "results"
FILES = ("few_labels.jsonl", "label_budgets.jsonl")
KNOWN = {"0": "0", "5": "5", "25": "25", "100": "100", "200": "all"}
LEARNING, FIXED = {"A3": "alarmnet", "CatBoost": "CatBoost"}, ("5th neighbour", "isolation forest")
SEEDS = (0, 1, 2)


def means() -> dict[str, dict[str, float]]:
    """Mean average precision by method and known anomalies, over tables, what becomes of the others, and seeds."""
    runs = {key: run for name in FILES for key, run in finished(RESULTS / name).items()}
    found: dict[str, dict[str, float]] = {}
    for method in (*LEARNING, *FIXED):
        for known in KNOWN:
            cells = [
                runs[method, table, known, others, seed]["ap"]
                for table in TABLES
                for others in OTHERS
                for seed in SEEDS
                if (method, table, known, others, seed) in runs
            ]
            if len(cells) == len(TABLES) * len(OTHERS) * len(SEEDS):
                found.setdefault(LEARNING.get(method, method), {})[known] = float(np.mean(cells))
    return found


def table() -> Iterator[str]:
    """The figures of the picture."""
    yield "| mean average precision | " + " | ".join(f"{label} known" for label in KNOWN.values()) + " |"
    yield "|---" * (len(KNOWN) + 1) + "|"
    for method, values in means().items():
        cells = [f"{values[known]:.3f}" if known in values else "" for known in KNOWN]
        yield f"| {method} | " + " | ".join(cells) + " |"


def figure(path: Path) -> None:
    """Draw the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    places = {known: place for place, known in enumerate(KNOWN)}
    canvas, axes = pyplot.subplots(figsize=(8, 4.2), layout="constrained")
    colours = {
        "alarmnet": "#c2410c",
        "CatBoost": "#1d4ed8",
        "5th neighbour": "#4b5563",
        "isolation forest": "#9ca3af",
    }
    for method, values in means().items():
        if method in FIXED:
            axes.axhline(values["0"], color=colours[method], linestyle="--", linewidth=1.5)
            at = (places["200"], values["0"])
        else:
            axes.plot(
                [places[known] for known in values],
                list(values.values()),
                "o-",
                color=colours[method],
                linewidth=2,
            )
            at = (places["200"], values["200"])
        above = method != "CatBoost"
        axes.annotate(
            method,
            at,
            (0, 7 if above else -14),
            textcoords="offset points",
            ha="right",
            color=colours[method],
        )
    axes.set_xticks(list(places.values()), list(KNOWN.values()))
    axes.set_xlabel("known anomalies, of at most 200 among 2,200 rows")
    axes.set_ylabel("mean average precision, ten tables")
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    canvas.savefig(path, dpi=160)


def main() -> None:
    """Draw, or print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--figure", type=Path)
    arguments = parser.parse_args()
    if arguments.figure:
        figure(arguments.figure)
    else:
        print("\n".join(table()))


if __name__ == "__main__":
    main()
