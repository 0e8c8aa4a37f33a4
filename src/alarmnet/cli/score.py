"""`alarmnet score`: files of any size, in batches."""

import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import click
from scipy.special import expit

from alarmnet._shared.phrases import counted, quoted
from alarmnet._shared.standard_streams import STANDARD
from alarmnet.cli.table_data import reads_data
from alarmnet.cli.terminal import (
    FLAGGED,
    Rate,
    a_place,
    check_output,
    device_option,
    id_option,
    ignore_option,
    model_argument,
    output_options,
    row_progress,
    show_facts,
)
from alarmnet.data_files import (
    Database,
    Reading,
    database_at,
    refuse_existing,
    write_table,
    write_to_database,
)
from alarmnet.errors import InputError
from alarmnet.sources.bad_rows import SCORE, way_out
from alarmnet.sources.opened import load_model, open_to_run
from alarmnet.sources.scoring import Tally, scored_tables, set_threshold


def _sentences(facts: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Wrote {facts['scores']}: {counted(facts['rows'], 'row')}, {counted(facts['alarms'], 'alarm')}, "
        f"{facts['invalid']:,} invalid, in {facts['seconds']:.1f} s "
        f"({counted(facts['rows_per_second'], 'row')} a second)."
    )
    if facts["score_threshold"] is not None:
        yield f"Rows with a score above about {facts['score_threshold']:.6g} raise an alarm."
    if facts["drift_note"]:
        yield facts["drift_note"]
    for key, what in (
        ("missing", "missing"),
        ("unseen", "of a category that no row has that the model learned from"),
        ("outside", "beyond the range of the rows that the model learned from"),
    ):
        if counts := facts[key]:
            columns = ", ".join(f"{name!r} {count:,}" for name, count in [*counts.items()][:5])
            more = f" and {counted(len(counts) - 5, 'more column')}" if len(counts) > 5 else ""
            yield f"Cells {what}: {sum(counts.values()):,} ({columns}{more})."
    if facts["newly_missing"]:
        yield f"In the rows that the model learned from, no cell is missing in {quoted(facts['newly_missing'])}."
    if names := facts["dates_only"]:
        yield (
            f"All times in {quoted(names)} are at midnight, unlike those that the model learned from. Dates alone "
            "are scored as midnight: give their times of day, or fit without these columns (--ignore)."
        )
    for name, matches in facts["near_matches"].items():
        said = ", ".join(f"{text!r} (training had {known!r})" for text, known in matches.items())
        yield f"Unknown categories of {name!r} that resemble known ones: {said}."


def _database(out: str | Path, table: str | None) -> Database | None:
    """Give the database that scores go to; None where they go to a file."""
    if table is None and isinstance(out, Path):
        return None
    database = database_at(out)
    if not table or database is None:
        what = "--out is a database" if database else f"{out} is not a database, and --table needs one"
        kind = "duckdb" if Path(out).suffix == ".duckdb" else "sqlite"
        new = "" if database or Path(out).exists() else f"; a new one is {kind}:///{out}"
        raise InputError(f"{what}; give both --out ADDRESS and --table NAME{new}", code="options")
    refuse_existing(database, table)
    return database


@click.command()
@model_argument
@reads_data
@id_option("to copy into the result as `id`")
@ignore_option
@click.option(
    "--alarm-rate",
    type=Rate(),
    help="The share of normal rows that may raise an alarm; by default that of the model.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="N",
    help="Instead of a rate: raise an alarm for the N highest-scored rows of all files. Of nearly equal scores, "
    "the earlier row counts first. Scores and ids are then held in memory, rows are not.",
)
@click.option(
    "--on-bad-row",
    type=click.Choice(["reject", "flag"]),
    default="reject",
    show_default=True,
    help="What to do with rows that have infinity, numbers beyond float32 or text in a number column, and with "
    "images that cannot be decoded or have another shape. flag: keep them with status 'invalid' and no score, and "
    "exit with code 3.",
)
@click.option(
    "--explain",
    "reasons",
    type=click.IntRange(min=1, max=100),
    metavar="N",
    help="Explain each alarm by at most N columns. This takes milliseconds an alarm, in wide tables seconds.",
)
@device_option
@click.option(
    "--out",
    type=a_place,
    required=True,
    metavar="SCORES",
    help="Ends in .csv, .csv.gz or .parquet; - is standard output, and the summary goes to standard error. "
    "With --table: a database.",
)
@click.option("--table", metavar="NAME", help="A new table for the scores in the database --out.")
@click.option(
    "--format",
    "standard",
    type=click.Choice(["csv", "arrow"]),
    default="csv",
    show_default=True,
    help="The format of standard output with --out -: CSV, or an Arrow IPC stream.",
)
@output_options
@click.pass_context
def score(
    context: click.Context,
    model: Path,
    data: tuple[Path, ...],
    reading: Reading,
    identifier: str | None,
    ignored: tuple[str, ...],
    alarm_rate: float | None,
    budget: int | None,
    on_bad_row: Literal["reject", "flag"],
    reasons: int | None,
    device: str,
    out: str | Path,
    table: str | None,
    standard: Literal["csv", "arrow"],
    as_json: bool,
    quiet: bool,
) -> None:
    """Score tables or images of any size, row by row.

    The data is read in batches, so it may be larger than memory.

    \b
    The result has, in the order of the rows:
      id or row   the --id column, the path of an image, or the row number counted from 0 over all files
      score       in [0, 1], higher is more anomalous
      p_value     the share of normal rows that would score at least as high, lower is more anomalous
      alarm       true or false
      status      ok or invalid (then score, p_value and alarm are empty)

    \b
    With --explain N, for alarms:
      reason_1 .. the columns that raised the score most, with their values and those of normal rows
      explanation all of it as JSON, with similar rows and what would stop the alarm

    The data may have the label column and the columns that training left out, or lack them.

    \b
    Examples:
      alarmnet score fraud.model new.csv --out scores.csv --id payment
      alarmnet score fraud.model new.csv --out scores.csv --explain 3
      alarmnet score fraud.model 2024-*.parquet --out scores.parquet --budget 100
      alarmnet score fraud.model flows.db --query "SELECT * FROM new" --out flows.db --table scores
    """  # noqa: D301 - click reads \b
    if budget and alarm_rate:
        raise click.UsageError("--budget and --alarm-rate exclude each other: give one of them.")
    if standard != "csv" and str(out) != STANDARD:
        raise click.UsageError("--format is for --out -; a file has the format that its name ends in.")
    if budget and reasons:
        raise click.UsageError(
            "--budget and --explain exclude each other: with a budget, alarms are known only after the last row."
        )
    database = _database(out, table)
    if isinstance(out, Path) and not database:
        check_output(out, inputs=[model, *data], standard=True)
    began = time.perf_counter()
    detector = load_model(model, device=device)
    set_threshold(detector, alarm_rate, budget=budget)
    rows = open_to_run(detector, data, identifier=identifier, ignored=ignored, reading=reading)
    aside = str(out) == STANDARD
    tally, flag = Tally(), on_bad_row == "flag"
    with row_progress(rows.n_rows, quiet=quiet) as progress, way_out(SCORE):
        tables = scored_tables(
            detector, rows, budget=budget, flag=flag, tally=tally, progress=progress, reasons=reasons or 0
        )
        if database and table:
            with TemporaryDirectory(prefix="alarmnet-") as folder:
                scores = Path(folder) / "scores.parquet"
                write_table(scores, tables)
                write_to_database(database, table, scores)
        else:
            write_table(out, tables, standard=standard)
    seconds = time.perf_counter() - began
    facts = {
        "scores": f"table {table!r} of {database.shown}"
        if database
        else "standard output"
        if aside
        else str(out),
        "rows": tally.rows,
        "alarms": tally.alarms,
        "invalid": tally.invalid,
        "budget": budget,
        "alarm_rate": None if budget else detector.alarm_rate_,
        "alarm_rate_held": None if budget else detector.alarm_rate_held_,
        "score_threshold": None if budget else float(expit(detector.threshold_)),
        "drift_note": None if budget else tally.drift_note(detector),
        "missing": dict(tally.missing),
        "unseen": dict(tally.unseen),
        "outside": dict(tally.outside),
        "newly_missing": [*tally.newly_missing],
        "dates_only": tally.dates_only(detector),
        "near_matches": tally.near_matches,
        "seconds": round(seconds, 3),
        "rows_per_second": round(tally.rows / seconds),
    }
    if as_json:
        show_facts(facts, aside=aside)
    else:
        click.echo("\n".join(_sentences(facts)), err=aside)
    if tally.invalid:
        context.exit(FLAGGED)
