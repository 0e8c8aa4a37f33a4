"""`alarmnet recalibrate`: look at a few calibration rows, and set the threshold anew."""

from pathlib import Path

import click
import numpy as np
import pyarrow as pa

from alarmnet.cli.terminal import a_file, check_output, json_option, model_argument, show_facts
from alarmnet.data_files import TableFiles, write_table
from alarmnet.detectors import BaseDetector, load
from alarmnet.errors import InputError
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.model_facts import calibration_facts

ROW, ANSWER = "row", "anomaly"


def _answered(detector: BaseDetector, answers: Path) -> int:
    """Take the answers of a file; how many there are."""
    table = TableFiles(answers, kinds={ANSWER: "text"}).read()
    if absent := [name for name in (ROW, ANSWER) if name not in table.column_names]:
        raise InputError(
            f"{answers} has no column {absent[0]!r}: fill in the file that --ask wrote",
            code="missing_column",
            column=absent[0],
        )
    labels = table[ANSWER].to_pylist()
    if not any(label is not None for label in labels):
        raise InputError(
            f"{answers}: column {ANSWER!r} is empty; write 1 for an anomaly and 0 for a normal row",
            code="no_labels",
            column=ANSWER,
        )
    detector.set_calibration_labels(table[ROW].to_numpy(), labels)
    return sum(label is not None for label in labels)


@click.command()
@model_argument
@click.option("--ask", type=a_file, metavar="FILE", help="Write rows to look at to this table.")
@click.option(
    "--count", type=click.IntRange(min=1), default=10, show_default=True, help="How many rows to ask about."
)
@click.option("--answers", type=a_file, metavar="FILE", help="Take answers from this table.")
@click.option("--out", type=a_file, metavar="MODEL", help="The model file to write; by default MODEL itself.")
@json_option
def recalibrate(
    model: Path, ask: Path | None, count: int, answers: Path | None, out: Path | None, as_json: bool
) -> None:
    """Look at a few calibration rows, and set the threshold anew.

    Where unlabelled rows calibrate, anomalies among them raise the threshold. --ask writes the rows that tell most
    about it: their row numbers in the training data, counted from 0, and their scores. Look at them, write 1
    (anomaly) or 0 (normal) into the column `anomaly`, and give the file back with --answers. Nothing is trained.
    Three rounds of ten rows are usually enough.

    \b
    Examples:
      alarmnet recalibrate fraud.model --ask looks.csv
      alarmnet recalibrate fraud.model --answers looks.csv
    """  # noqa: D301 - click reads \b
    if (ask is None) == (answers is None):
        raise click.UsageError("Give --ask FILE or --answers FILE.")
    written = ask or out or model
    check_output(written, inputs=[model] if ask else [])
    detector = load(model)
    if ask:
        rows, logits = detector.calibration_queries(count)
        blank = pa.nulls(len(rows), pa.string())
        write_table(ask, [pa.table({ROW: rows, "logit": np.round(logits, 4), ANSWER: blank})])
        said = (
            f"Wrote {ask}: {len(rows)} rows of the training data to look at. Fill in the column {ANSWER!r}."
        )
    elif answers:
        count = _answered(detector, answers)
        detector.save(written)
        threshold = said_of_calibration(calibration_facts(detector))
        said = f"Took {count} answers.\nThe alarm threshold: {threshold}\nWrote {written}."
    if as_json:
        show_facts(
            {"model": str(model), "rows": count, "written": str(written), **calibration_facts(detector)}
        )
    else:
        click.echo(said)
