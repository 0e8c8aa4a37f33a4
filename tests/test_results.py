"""The figures in the docs are those of the committed outputs, as the committed commands print them."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from benchmarks import (
    alarm_rate,
    choose_conv_defaults,
    choose_defaults,
    conv_speed,
    interruption,
    model_files,
    nsl_kdd_defaults,
    size,
    speed,
)
from experiments import conv_rows, rows

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
TABLES: dict[str, tuple[str, Iterable[str]]] = {
    "rows of the paper": ("results.md", rows.table()),
    "alarm rate": ("results.md", alarm_rate.summary(RESULTS / "alarm_rate.jsonl")),
    "model files": ("files.md", model_files.summary(RESULTS / "model_files.json")),
    "timing": ("results.md", nsl_kdd_defaults.summary(RESULTS / "nsl_kdd_defaults.json")),
    "validation": (
        "defaults.md",
        choose_defaults.table(RESULTS / "defaults.jsonl", choose_defaults.COMMITTED),
    ),
    "rows of the convolutional paper": ("results.md", conv_rows.table()),
    **{part: ("speed.md", speed.table(RESULTS / "speed.json", part)) for part in speed.PARTS},
    "interruption": ("command-line.md", interruption.summary(RESULTS / "interruption.json")),
    "size": ("speed.md", size.table(RESULTS / "size.json")),
    "a convolutional step": ("speed.md", conv_speed.table(RESULTS / "conv_speed.jsonl")),
    "validation of the convolutional detector": (
        "defaults.md",
        choose_conv_defaults.table(RESULTS / "conv_defaults.jsonl", choose_conv_defaults.COMMITTED),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_in_the_docs_are_the_committed_results(name: str) -> None:
    page, lines = TABLES[name]
    assert "\n".join(lines) in (ROOT / "docs" / page).read_text()


def test_the_readme_quotes_the_timing() -> None:
    result = json.loads((RESULTS / "nsl_kdd_defaults.json").read_text())
    readme = (ROOT / "README.md").read_text()
    assert f"{result['median']['fit seconds']:.0f} s" in readme
    assert f"{result['median']['1c ap']:.3f}" in readme
    assert f"{result[nsl_kdd_defaults.TIMES_FASTER]:.0f} times" in readme
