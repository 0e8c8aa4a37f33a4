"""`alarmnet info`: what a model file contains."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from alarmnet._shared.phrases import counted, quoted
from alarmnet.cli.terminal import json_option, model_argument, show_facts
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.memory import shown_bytes
from alarmnet.sources.model_facts import model_facts


def _said_of_labels(facts: dict[str, Any]) -> str:
    counts, column = facts["labels"], facts["label_column"]
    anomalies = counted(counts["anomaly"], "anomaly", "anomalies")
    said = f"{anomalies}, {counts['normal']:,} normal, {counts['unlabelled']:,} unlabelled"
    if not column["label"]:
        return said
    anomaly, normal = (quoted(column[name]) or "all other values" for name in ("anomaly", "normal"))
    return f"{said}; column {column['label']!r}, anomalies: {anomaly}, normal: {normal}"


def _lines(facts: dict[str, Any]) -> dict[str, str]:
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    changed = ", ".join(f"{name}={value}" for name, value in facts["parameters"].items())
    lines = {
        "model": f"{facts['model']}, {facts['bytes']:,} bytes ({shown_bytes(facts['bytes'])})",
        "method": facts["method"] + (f" with {changed}" if changed else ", default parameters"),
        "versions": versions,
        "seed": str(facts["seed"]),
        "labels": _said_of_labels(facts),
        "alarm rate": f"{facts['alarm_rate']:g} requested, {said_of_calibration(facts)}",
        "threshold": f"{facts['threshold']:.4f} (logit); about {facts['score_threshold']:.6g} as a score",
    }
    if facts["image_shape"]:
        channels, height, width = facts["image_shape"]
        resized = "; images of other sizes are resized" * bool(facts["resize"])
        lines["images"] = f"{width} x {height} pixels, {'grey' if channels == 1 else 'colour'}{resized}"
    if facts["ignored"]:
        lines["ignored"] = quoted(facts["ignored"])
    return lines | {f"left out: {name!r}": reason for name, reason in facts["left_out"].items()}


def _column_table(columns: list[dict[str, Any]]) -> Table:
    table = Table("column", "kind", "missing", "range or categories")
    for column in columns:
        seen = ""
        if "low" in column:
            seen = f"{column['low']:g} to {column['high']:g}"
        elif "categories" in column:
            seen = f"{column['categories']:,}: {quoted(column['examples'])}"
            seen += ", ..." * (column["categories"] > len(column["examples"]))
        table.add_row(column["name"], column["kind"], "yes" if column["had_missing"] else "no", seen)
    return table


@click.command()
@model_argument
@json_option
def info(model: Path, as_json: bool) -> None:
    """Show what a model file contains: columns, labels, rate, versions.

    info prints the columns with their kinds, the number of rows with each label, the alarm rate, the versions of
    the libraries that trained the model, and its size.

    \b
    Example:
      alarmnet info fraud.model
    """  # noqa: D301 - click reads \b
    facts = model_facts(model)
    if as_json:
        show_facts(facts)
        return
    lines = _lines(facts)
    width = max(map(len, lines))
    for name, said in lines.items():
        click.echo(f"{name:<{width}}  {said}")
    if facts["columns"]:
        click.echo("Columns of the rows that the model learned from (calibration rows are held out):")
        Console().print(_column_table(facts["columns"]))
