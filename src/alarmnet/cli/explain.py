"""`alarmnet explain`: why single rows scored as they did."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from alarmnet._containers import decoded
from alarmnet._frames import quoted
from alarmnet.cli.terminal import (
    data_argument,
    device_option,
    id_option,
    ignore_option,
    json_option,
    model_argument,
    show_facts,
)
from alarmnet.errors import InputError, rows_counted_from
from alarmnet.explain import Explainer, RowExplanation
from alarmnet.explain.words import cell_text
from alarmnet.sources.bad_rows import OTHERS, way_out
from alarmnet.sources.opened import Rows, load_model, open_to_run

WIDEST_BAR = 24


def _explained(
    explainer: Explainer, rows: Rows, wanted: Sequence[str], columns: int
) -> Iterator[tuple[str, RowExplanation]]:
    """The wanted rows by id or number, in the order of the files."""
    missing = dict.fromkeys(wanted)
    for part in rows.parts(flag=True):
        ids = [str(name) for name in decoded(part.ids).to_pylist()]
        chosen = np.array([place for place, name in enumerate(ids) if name in missing], dtype=np.intp)
        if bad := [ids[place] for place in chosen if not part.usable[place]]:
            raise InputError(f'row {bad[0]} cannot be scored; "alarmnet score" says why', code="bad_cell")
        if len(chosen):
            with rows_counted_from(part.first_row, of="all files"):
                found = explainer(part.X, chosen, columns).rows
            yield from ((ids[place], row) for place, row in zip(chosen, found, strict=True))
        wanted = [name for name in wanted if name not in ids]
    if wanted:
        what = "id" if rows.has_ids else "row"
        raise InputError(
            f"there is no {what} {quoted(wanted)} in the data; without --id, rows are counted from 0",
            code="no_such_row",
        )


def _say(name: str, row: RowExplanation) -> None:
    click.echo(f"Row {name}: {row.sentence}")
    largest = max((abs(reason.contribution) for reason in row.reasons), default=1.0)
    for reason in row.reasons:
        bar = "#" * max(1, round(WIDEST_BAR * abs(reason.contribution) / largest))
        value = f"{cell_text(reason.column)} = {reason.value} ({reason.normal})"
        click.echo(f"  {reason.contribution:+7.2f} {bar:{WIDEST_BAR}} {value}")
    if row.known is None:
        click.echo("  The model keeps no known anomalies to compare with: fit or refit it with this version.")
    for other in row.known or ():
        click.echo(f"  Known anomaly row {other.row}: {100 * other.alike:.0f} % alike.")


@click.command()
@model_argument
@data_argument
@click.option(
    "--row",
    "wanted",
    metavar="ID",
    multiple=True,
    required=True,
    help="The row to explain, by its value in the --id column or its number; may be repeated.",
)
@id_option("that --row names rows by")
@ignore_option
@click.option(
    "--columns", type=click.IntRange(min=1), default=10, show_default=True, help="Columns to name, at most."
)
@device_option
@json_option
def explain(
    model: Path,
    data: tuple[Path, ...],
    wanted: tuple[str, ...],
    identifier: str | None,
    ignored: tuple[str, ...],
    columns: int,
    device: str,
    as_json: bool,
) -> None:
    """Say why single rows or images scored as they did.

    It takes a score apart by column, beside the most similar normal rows, and says what would stop the alarm. Of
    images it names the region that raises the score most.

    \b
    Examples:
      alarmnet explain fraud.model new.csv --row 812
      alarmnet explain fraud.model new.csv --id payment --row P-10332 --json
    """  # noqa: D301 - click reads \b
    detector = load_model(model, device=device)
    rows = open_to_run(detector, data, identifier=identifier, ignored=ignored)
    with way_out(OTHERS):
        found = [*_explained(Explainer(detector.scored_encoded()), rows, wanted, columns)]
    if as_json:
        facts: list[dict[str, Any]] = [{"id": name, **row.to_dict()} for name, row in found]
        show_facts({"model": str(model), "threshold": detector.threshold_, "rows": facts})
        return
    for name, row in found:
        _say(name, row)
