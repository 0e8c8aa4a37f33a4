"""The tables that the docs show of `benchmarks.explanations`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

AREAS = ("area", "area_similar")
"""What is measured of deletion curves."""
COLUMNS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "causes": (
        "planted",
        ("rows", "method"),
        ("explained", "hit_at_1", "recall_at_n", "gone", "gone_normal"),
    ),
    "causes by table": (
        "planted",
        ("table",),
        ("explained", "alarm_share", "hit_at_1", "recall_at_n", "gone", "gone_normal"),
    ),
    "told": (
        "planted",
        ("table",),
        (
            "explained",
            "known_of_same_cause",
            "columns_changed",
            "changed_columns_that_are_causes",
            "largest_gap",
        ),
    ),
    "deletion": ("deletion", ("method",), ("explained", *AREAS)),
    "deletion by table": ("deletion", ("table", "method"), ("explained", *AREAS)),
    "milliseconds": (
        "speed",
        ("table", "columns", "commit"),
        (
            "ms_a_row",
            "with_preparation",
            "networks_alone",
            "ratio_to_networks",
            "KernelSHAP, ms",
            "KernelSHAP, ratio",
            "KernelSHAP, our references, ratio",
        ),
    ),
    "patches": (
        "images",
        ("data", "detector", "patch", "known"),
        (
            "explained",
            "alarm_share",
            "patch_adds",
            "inside_of_top_5_percent",
            "possible",
            "share_of_possible",
            "inside_of_36_hottest",
        ),
    ),
}
"""By the docs' name of a table: the part it is of, what its lines are of, and its columns."""
SHOWN: dict[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
    "causes": lambda frame: frame["rows"] != "words",
    "causes by table": lambda frame: (frame["rows"] == "all") & (frame["method"] == "alarmnet"),
    "told": lambda frame: frame["rows"] == "words",
}


def lines(path: Path, name: str) -> Iterator[str]:
    """A table of means over tables and seeds as Markdown; `explained` is summed, the largest gap the largest."""
    part, keys, measures = COLUMNS[name]
    frame = pd.DataFrame(json.loads(path.read_text())[part]["results"])
    frame = frame[SHOWN[name](frame)] if name in SHOWN else frame
    frame = frame.reindex(columns=[*keys, *measures])  # older lines have fewer
    how = dict.fromkeys(measures, "mean") | {"explained": "sum", "largest_gap": "max"}
    found = frame.groupby([*keys], sort=False)[[*measures]].agg({name: how[name] for name in measures})
    found = found.reset_index()
    yield "| " + " | ".join(str(column).replace("_", " ") for column in found) + " |"
    yield "|---" * found.shape[1] + "|"
    for row in found.itertuples(index=False):
        yield "| " + " | ".join(map(_shown, row)) + " |"


def differences(path: Path) -> Iterator[str]:
    """How much larger areas are than alarmnet's, with 95 % bootstrap intervals over tables and seeds."""
    frame = pd.DataFrame(json.loads(path.read_text())["deletion"]["results"])
    yield "| method | area | area similar |"
    yield "|---|---|---|"
    areas = [frame.pivot(index=["table", "seed"], columns="method", values=name) for name in AREAS]
    for method in [name for name in frame["method"].unique() if name != "alarmnet"]:
        gaps = [(area[method] - area["alarmnet"]).to_numpy() for area in areas]
        yield f"| {method} | " + " | ".join(map(_with_interval, gaps)) + " |"


def _with_interval(gaps: NDArray[np.float64]) -> str:
    drawn = np.random.default_rng(0).choice(gaps, (10_000, len(gaps))).mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{gaps.mean():+.3f} ({low:+.3f} to {high:+.3f})"


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    if value != value:
        return "none"
    if 0 < abs(value) < 0.0005:
        return f"{value:.0e}"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:,.0f}"
