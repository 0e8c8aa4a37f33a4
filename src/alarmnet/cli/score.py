"""`alarmnet score`: files of any size, in batches."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.special import expit

from alarmnet._containers import decoded
from alarmnet._frames import quoted
from alarmnet._rows import take
from alarmnet.batches import write_table
from alarmnet.cli.bad_rows import SCORE, way_out
from alarmnet.cli.rows import Rows, load_model, open_to_run
from alarmnet.cli.terminal import (
    FLAGGED,
    a_file,
    check_output,
    data_argument,
    device_option,
    id_option,
    ignore_option,
    model_argument,
    output_options,
    row_progress,
    show_facts,
)
from alarmnet.detectors import BaseDetector
from alarmnet.errors import rows_counted_from
from alarmnet.preprocessing import EncodingSummary, ImageScaler, TableEncoder
from alarmnet.thresholds import conformal_p_values, highest

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """What became of a batch: logits (B,), NaN where the row is invalid; ids (B,) or row numbers."""

    ids: pa.ChunkedArray
    logits: Floats


@dataclass
class Tally:
    """What was counted on the way; `missing`, `unseen` and `outside` count cells by column.

    `newly_missing` names the columns that training had without gaps; `near_matches` has, by column, up to five new
    categories and what training called them, but for case, spaces or Unicode form.
    """

    rows: int = 0
    alarms: int = 0
    invalid: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    newly_missing: dict[str, None] = field(default_factory=dict)
    near_matches: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, summary: EncodingSummary) -> None:
        """Count what stands out in a batch."""
        self.missing.update(summary.missing)
        self.unseen.update({name: found.count for name, found in summary.unseen.items()})
        self.outside.update(summary.outside)
        self.newly_missing |= dict.fromkeys(summary.newly_missing)
        for name, found in summary.unseen.items():
            if found.near_matches and name not in self.near_matches:
                self.near_matches[name] = dict(islice(found.near_matches.items(), 5))


def _summary(encoder: TableEncoder | ImageScaler, X: Any) -> EncodingSummary:
    """Count what stands out in some rows, beside those of training; of images, pixels beyond the range."""
    if isinstance(encoder, TableEncoder):
        return encoder.summarize(X)
    beyond = int(((encoder.low_ > X) | (encoder.high_ < X)).sum())
    outside = {"pixels": beyond} if beyond else {}
    return EncodingSummary(rows=len(X), missing={}, unseen={}, outside=outside, newly_missing=())


def score_batches(
    detector: BaseDetector,
    rows: Rows,
    *,
    flag: bool,
    tally: Tally,
    progress: Callable[[int], None],
) -> Iterator[Scored]:
    """Score files, holding one part at a time; `flag` keeps invalid rows, which are else refused."""
    for part in rows.parts(flag=flag):
        usable = part.usable
        logits = np.full(len(usable), np.nan)
        if usable.any():
            good = part.X if usable.all() else take(part.X, np.flatnonzero(usable))
            with rows_counted_from(part.first_row, of="all files"):
                logits[usable] = detector.logits(good)
            tally.add(_summary(detector.encoder_, good))
        tally.rows += len(usable)
        tally.invalid += int((~usable).sum())
        progress(len(usable))
        yield Scored(part.ids, logits)


def _over_threshold(
    batches: Iterable[Scored], threshold: float
) -> Iterator[tuple[Scored, NDArray[np.bool_]]]:
    return ((scored, scored.logits > threshold) for scored in batches)


def _highest(batches: Iterable[Scored], budget: int) -> Iterator[tuple[Scored, NDArray[np.bool_]]]:
    """Alarms for the `budget` highest rows of all batches, the earlier one of nearly equal scores first."""
    kept = list(batches)
    alarms = highest(np.concatenate([scored.logits for scored in kept]), budget)
    start = 0
    for scored in kept:
        stop = start + len(scored.logits)
        yield scored, alarms[start:stop]
        start = stop


def _result(
    scored: Scored, alarms: NDArray[np.bool_], *, calibration: Floats, name: str, tally: Tally
) -> pa.Table:
    invalid = np.isnan(scored.logits)
    tally.alarms += int(alarms.sum())
    return pa.table(
        {
            name: decoded(scored.ids),
            "score": pa.array(expit(scored.logits), mask=invalid),
            "p_value": pa.array(conformal_p_values(calibration, scored.logits), mask=invalid),
            "alarm": pa.array(alarms, mask=invalid),
            "status": pa.array(np.where(invalid, "invalid", "ok")),
        }
    )


def _say(facts: dict[str, Any]) -> None:
    click.echo(
        f"Wrote {facts['scores']}: {facts['rows']:,} rows, {facts['alarms']:,} alarms, "
        f"{facts['invalid']:,} invalid, in {facts['seconds']:.1f} s "
        f"({facts['rows_per_second']:,} rows a second)."
    )
    for key, what in (
        ("missing", "missing"),
        ("unseen", "of a category that training did not have"),
        ("outside", "beyond the training range"),
    ):
        if counts := facts[key]:
            columns = ", ".join(f"{name!r} {count:,}" for name, count in [*counts.items()][:5])
            more = f" and {len(counts) - 5} more columns" if len(counts) > 5 else ""
            click.echo(f"Cells {what}: {sum(counts.values()):,} ({columns}{more}).")
    if facts["newly_missing"]:
        click.echo(f"In training no cell was missing of {quoted(facts['newly_missing'])}.")
    for name, matches in facts["near_matches"].items():
        said = ", ".join(f"{text!r} (training had {known!r})" for text, known in matches.items())
        click.echo(f"Unknown categories of {name!r} that are nearly known: {said}.")


@click.command()
@model_argument
@data_argument
@id_option("to copy into the result as `id`")
@ignore_option
@click.option(
    "--alarm-rate",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="The share of normal rows that may raise an alarm; that of the model if not said.",
)
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="N",
    help="Alarm for the N highest-scored rows of all files instead; the earlier one of nearly equal scores first. "
    "Scores and ids are then held in memory, rows are not.",
)
@click.option(
    "--on-bad-row",
    type=click.Choice(["reject", "flag"]),
    default="reject",
    show_default=True,
    help="What to do with rows that hold infinity, numbers beyond float32 or text in a number column, and with "
    "images that cannot be decoded or have another shape. flag: keep them with status 'invalid' and no score, and "
    "exit with code 3.",
)
@device_option
@click.option(
    "--out", type=a_file, required=True, metavar="SCORES", help="Ends in .csv, .csv.gz or .parquet."
)
@output_options
@click.pass_context
def score(
    context: click.Context,
    model: Path,
    data: tuple[Path, ...],
    identifier: str | None,
    ignored: tuple[str, ...],
    alarm_rate: float | None,
    budget: int | None,
    on_bad_row: Literal["reject", "flag"],
    device: str,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Score tables or images of any size, row by row.

    They are read in batches, so they may be larger than memory.

    \b
    The result has, in the order of the rows:
      id or row   the --id column, the path of an image, or the row number counted from 0 over all files
      score       in [0, 1], high is anomalous
      p_value     the share of normal rows that would score as high, low is anomalous
      alarm       true or false
      status      ok or invalid (then score, p_value and alarm are empty)

    Columns that the model was told to leave out, and its label column, may be there or not.

    \b
    Examples:
      alarmnet score fraud.model new.csv --out scores.csv --id payment
      alarmnet score fraud.model 2024-*.parquet --out scores.parquet --budget 100
    """  # noqa: D301 - click reads \b
    if budget and alarm_rate:
        raise click.UsageError("--budget and --alarm-rate exclude each other: give one of them.")
    check_output(out, inputs=[model, *data])
    began = time.perf_counter()
    detector = load_model(model, device=device)
    if alarm_rate:
        detector.set_alarm_rate(alarm_rate)
    rows = open_to_run(detector, data, identifier=identifier, ignored=ignored)
    tally = Tally()
    with row_progress(rows.n_rows, quiet=quiet) as progress, way_out(SCORE):
        batches = score_batches(detector, rows, flag=on_bad_row == "flag", tally=tally, progress=progress)
        marked = _highest(batches, budget) if budget else _over_threshold(batches, detector.threshold_)
        calibration, name = detector.calibration_scores_, "id" if rows.has_ids else "row"
        write_table(
            out,
            (_result(*pair, calibration=calibration, name=name, tally=tally) for pair in marked),
        )
    seconds = time.perf_counter() - began
    facts = {
        "scores": str(out),
        "rows": tally.rows,
        "alarms": tally.alarms,
        "invalid": tally.invalid,
        "budget": budget,
        "alarm_rate": None if budget else detector.alarm_rate_,
        "alarm_rate_held": None if budget else detector.alarm_rate_held_,
        "missing": dict(tally.missing),
        "unseen": dict(tally.unseen),
        "outside": dict(tally.outside),
        "newly_missing": [*tally.newly_missing],
        "near_matches": tally.near_matches,
        "seconds": round(seconds, 3),
        "rows_per_second": round(tally.rows / seconds),
    }
    (show_facts if as_json else _say)(facts)
    if tally.invalid:
        context.exit(FLAGGED)
