"""The value of labels: average precision against the number of known anomalies, as a picture and a table.

    python -m benchmarks.few_labels --known 0 --methods A3 "isolation forest" "5th neighbour" --out OUT
    python -m benchmarks.few_labels --known 100 200 --methods A3 --out OUT
    python -m benchmarks.few_labels --known 200 --methods CatBoost --out OUT
    python -m benchmarks.label_budgets --figure docs/pictures/label-budgets.png

OUT is `benchmarks/results/label_budgets.jsonl`; each run has `--seeds 0 1 2`. The figures for 5 and 25 known
anomalies come from `few_labels.jsonl`, CatBoost's for 100 from `many_labels.jsonl`. Methods that learn nothing from
labels are drawn as lines. A draw has at most 200 anomalies: with 200 known, all are known.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.chart import chart
from benchmarks.few_label_tables import TABLES
from benchmarks.few_labels import OTHERS, finished

RESULTS = Path(__file__).parent / "results"
FILES = ("few_labels.jsonl", "many_labels.jsonl", "label_budgets.jsonl")
KNOWN = {"0": "0", "5": "5", "25": "25", "100": "100", "200": "all"}
LEARNING, FIXED = {"A3": "alarmnet", "CatBoost": "CatBoost"}, ("5th neighbour", "isolation forest")
NAMES = {"5th neighbour": "distance to the 5th nearest neighbour"}
"""Names of methods in the picture, if they differ from those in the results."""
SEEDS = (0, 1, 2)


def means() -> dict[str, dict[str, float]]:
    """Mean average precision by method and known anomalies, over tables, treatments of the others, and seeds."""
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
    places = {known: place for place, known in enumerate(KNOWN)}
    colours = {
        "alarmnet": "#c2410c",
        "CatBoost": "#1d4ed8",
        "5th neighbour": "#4b5563",
        "isolation forest": "#6b7280",
    }
    with chart(path) as axes:
        found = means()
        for method, values in found.items():
            colour = colours.get(method, "#9ca3af")
            if method in FIXED:
                axes.axhline(values["0"], color=colour, linestyle="--", linewidth=1.5)
                at, below = (places["100"], values["0"]), method == "5th neighbour"
            else:
                axes.plot([places[known] for known in values], list(values.values()), "o-", color=colour)
                at, below = (places["5"], values["5"]), method == "CatBoost"
            offset = (0, -16 if below else 8)
            name = NAMES.get(method, method)
            axes.annotate(name, at, offset, textcoords="offset points", ha="center", color=colour)
        passed = [known for known in found["CatBoost"] if found["CatBoost"][known] > found["alarmnet"][known]]
        if passed:
            axes.annotate(
                "CatBoost passes",
                (places[passed[0]], found["CatBoost"][passed[0]]),
                (0, 22),
                textcoords="offset points",
                ha="right",
                color=colours["CatBoost"],
                arrowprops={"arrowstyle": "->", "color": colours["CatBoost"]},
            )
        axes.set_xticks(list(places.values()), list(KNOWN.values()))
        axes.set_xlabel("known anomalies (all: at most 200 of 2,200 rows)")
        axes.set_ylim(0.3, 0.9)
        axes.set_ylabel("mean average precision, ten tables")


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
