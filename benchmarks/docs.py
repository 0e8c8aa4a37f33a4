"""Puts the committed results, the commands and the error codes into the docs' tables.

    python -m benchmarks.docs

A table's place is between `<!-- table: its name -->` and `<!-- end -->`.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from experiments import experiment_4, forest_encodings, in_short, known_kinds, results, set_means
from experiments import label_budgets as figure_3
from experiments.compare import comparison_of, markdown
from experiments.tables import NAMES

from benchmarks import (
    after_triage,
    alarm_rate,
    choose_conv_defaults,
    choose_defaults,
    choose_peaks,
    conv_layouts,
    explanation_tables,
    few_labels,
    images_without_labels,
    interruption,
    label_budgets,
    label_noise,
    loop,
    many_tables,
    model_files,
    nsl_kdd_defaults,
    parts,
    parts_unlike,
    reference,
    remaining,
    size,
    speed,
    triage,
    unclean_calibration,
)
from benchmarks.image_tables import IMAGE_TABLES

PAGES = Path(__file__).parents[1] / "docs"
RESULTS = Path(__file__).parent / "results"


def tables() -> dict[str, tuple[str, Iterable[str]]]:
    """Every table that is made from results: the page that it is on, and its lines."""
    return {
        **{name: ("research/results.md", markdown(comparison_of(name))) for name in NAMES},
        "kinds known on 1d": (
            "research/results.md",
            known_kinds.summary(results.FOLDER / "known_kinds_1d.json", ("published", "defaults", "devnet")),
        ),
        **{
            f"forest on {row}": (
                "research/results.md",
                forest_encodings.summary(results.FOLDER / f"forest_{row}.json"),
            )
            for row in ("bank", "thyroid")
        },
        "experiment 4 in short": (
            "research/results.md",
            experiment_4.summary(results.FOLDER / "experiment_4.jsonl"),
        ),
        "label budgets of A3's paper": ("research/results.md", figure_3.summary(figure_3.RESULTS)),
        "image sets in short": ("research/results.md", set_means.summary()),
        **{
            f"unclean calibration, {name}": (
                "guides/alarm-rates.md",
                lines(RESULTS / "unclean_calibration.jsonl"),
            )
            for name, lines in unclean_calibration.PARTS.items()
        },
        "images without labels": (
            "research/few-labels.md",
            images_without_labels.table(RESULTS / "images_without_labels.jsonl"),
        ),
        "wrong labels": ("research/few-labels.md", label_noise.table(RESULTS / "label_noise.jsonl")),
        "alarm rate": ("research/results.md", alarm_rate.summary(RESULTS / "alarm_rate.jsonl")),
        "model files": ("reference/files.md", model_files.summary(RESULTS / "model_files.json")),
        "timing": ("research/results.md", nsl_kdd_defaults.summary(RESULTS / "nsl_kdd_defaults.jsonl")),
        "validation": (
            "research/defaults.md",
            choose_defaults.table(RESULTS / "defaults.jsonl", choose_defaults.COMMITTED),
        ),
        "few labels": ("research/few-labels.md", few_labels.table(RESULTS / "few_labels.jsonl")),
        "label budgets": ("research/few-labels.md", label_budgets.table()),
        "many tables": ("research/few-labels.md", many_tables.table(RESULTS / "many_tables.jsonl")),
        "tables of another source": (
            "research/few-labels.md",
            many_tables.table(RESULTS / "other_tables.jsonl"),
        ),
        "many tables, networks": (
            "research/few-labels.md",
            many_tables.table(
                RESULTS / "many_tables.jsonl", ("A3", "CatBoost", "random forest", *many_tables.NETWORKS)
            ),
        ),
        "peaks": ("research/defaults.md", choose_peaks.table(RESULTS / "peaks.jsonl")),
        "parts of the score": ("research/defaults.md", parts.table(RESULTS / "parts.jsonl")),
        "parts on tables to choose by": (
            "research/defaults.md",
            parts.table(RESULTS / "parts_choose.jsonl", set(many_tables.CHOOSE) - set(IMAGE_TABLES)),
        ),
        "parts on tables made of images": (
            "research/defaults.md",
            parts.table(RESULTS / "parts_choose.jsonl", IMAGE_TABLES),
        ),
        "loop": ("research/loop.md", loop.table(RESULTS / "loop.jsonl")),
        "loop, wrong answers": ("research/loop.md", loop.table(RESULTS / "loop.jsonl", wrong=0.05)),
        "loop, what remains": ("research/loop.md", remaining.table(RESULTS / "remaining.jsonl")),
        "loop, images": ("research/loop.md", loop.table(RESULTS / "loop.jsonl", "images")),
        "many labels": ("research/few-labels.md", few_labels.table(RESULTS / "many_labels.jsonl")),
        "many labels, validation": (
            "research/defaults.md",
            few_labels.table(RESULTS / "many_labels_validation.jsonl"),
        ),
        "few labels, in short": (
            "research/few-labels.md",
            few_labels.short_table(RESULTS / "few_labels.jsonl"),
        ),
        "A3's rows, in short": ("research/results.md", in_short.in_short(in_short.A3)),
        "E2E-ConvA3's rows, in short": ("research/results.md", in_short.in_short(in_short.CONV_A3)),
        "parts where kinds are unlike": (
            "research/defaults.md",
            parts_unlike.table(RESULTS / "parts_unlike.jsonl"),
        ),
        "parts of A3": ("research/defaults.md", few_labels.table(RESULTS / "few_labels_validation.jsonl")),
        **{part: ("research/speed.md", speed.table(RESULTS / "speed.json", part)) for part in speed.PARTS},
        **{
            name: ("research/explanations.md", explanation_tables.lines(RESULTS / "explanations.json", name))
            for name in explanation_tables.COLUMNS
        },
        "deletion differences": (
            "research/explanations.md",
            explanation_tables.differences(RESULTS / "explanations.json"),
        ),
        "after triage": ("guides/triage.md", after_triage.table(RESULTS / "after_triage.jsonl")),
        "triage": ("guides/triage.md", triage.summary(RESULTS / "triage.json")),
        "interruption": ("reference/command-line.md", interruption.summary(RESULTS / "interruption.json")),
        **reference.tables(),
        "size": ("research/speed.md", size.table(RESULTS / "size.json")),
        "convolutions": ("research/speed.md", conv_layouts.table(RESULTS / "conv_layouts.jsonl")),
        "validation of the convolutional detector": (
            "research/defaults.md",
            choose_conv_defaults.table(RESULTS / "conv_defaults.jsonl", choose_conv_defaults.COMMITTED),
        ),
    }


def filled(text: str, name: str, lines: Iterable[str]) -> str:
    """A page's text with the table of that name made anew.

    >>> print(filled("<!-- table: a -->" + chr(10) + "old <!-- end -->", "a", ["new"]))
    <!-- table: a -->
    <BLANKLINE>
    new
    <BLANKLINE>
    <!-- end -->
    """
    place = re.compile(rf"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    table = "\n".join(lines)
    made, places = place.subn(lambda found: f"{found[1]}\n{table}\n\n{found[2]}", text)
    if places != 1:
        raise ValueError(
            f"{places} places for the table {name!r}: put <!-- table: {name} --> before it and <!-- end --> "
            "behind it, once"
        )
    return made


def main() -> None:
    """Make all tables of all pages anew."""
    faults = []
    for name, (page, lines) in tables().items():
        path = PAGES / page
        try:
            path.write_text(filled(path.read_text(), name, lines))
        except ValueError as fault:
            faults.append(f"{path.name} has {fault}")
    raise SystemExit("\n".join(faults) or None)


if __name__ == "__main__":
    main()
