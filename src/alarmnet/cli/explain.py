"""`alarmnet explain`: the reasons for the scores of single rows."""

from pathlib import Path
from typing import Any

import click

from alarmnet.cli.table_data import reads_data
from alarmnet.cli.terminal import (
    device_option,
    id_option,
    ignore_option,
    json_option,
    model_argument,
    show_facts,
)
from alarmnet.data_files import Reading
from alarmnet.explain import Explainer
from alarmnet.sources.bad_rows import OTHERS, way_out
from alarmnet.sources.explaining import explained_rows, explanation_lines
from alarmnet.sources.opened import load_model, open_to_run


@click.command()
@model_argument
@reads_data
@click.option(
    "--row",
    "wanted",
    metavar="ID",
    multiple=True,
    required=True,
    help="The row to explain, by its value in the --id column or its number (1234 or 1,234); may be repeated.",
)
@id_option("whose values --row names")
@ignore_option
@click.option(
    "--columns", type=click.IntRange(min=1), default=10, show_default=True, help="The most columns to name."
)
@device_option
@json_option
def explain(
    model: Path,
    data: tuple[Path, ...],
    reading: Reading,
    wanted: tuple[str, ...],
    identifier: str | None,
    ignored: tuple[str, ...],
    columns: int,
    device: str,
    as_json: bool,
) -> None:
    """Explain the scores of single rows or images.

    explain splits a row's margin (how far it lies above the alarm threshold, in logits) into contributions of the
    columns, compared with normal rows, and names a change that would stop the alarm. For images it names the region
    that raises the score most.

    \b
    Examples:
      alarmnet explain fraud.model new.csv --row 812
      alarmnet explain fraud.model new.csv --id payment --row P-10332 --json
    """  # noqa: D301 - click reads \b
    detector = load_model(model, device=device)
    rows = open_to_run(detector, data, identifier=identifier, ignored=ignored, reading=reading)
    with way_out(OTHERS):
        found = [*explained_rows(Explainer(detector.scored_encoded()), rows, wanted, columns)]
    if as_json:
        facts: list[dict[str, Any]] = [{"id": name, **row.to_dict()} for name, row in found]
        show_facts({"model": str(model), "threshold": detector.threshold_, "rows": facts})
        return
    for name, row in found:
        click.echo("\n".join(explanation_lines(name, row)))
