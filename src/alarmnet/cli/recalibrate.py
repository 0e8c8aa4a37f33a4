"""`alarmnet recalibrate`: review a few calibration rows, and set the threshold again."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._shared.phrases import counted
from alarmnet.cli.terminal import a_file, check_output, json_option, model_argument, show_facts
from alarmnet.data_files import TableFiles, write_table
from alarmnet.detectors import BaseDetector, load
from alarmnet.errors import InputError
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.model_facts import calibration_facts

ROW, ANSWER = "row", "anomaly"

MEANINGS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
"""What an answer may be; a spreadsheet may add a decimal."""


def _answered(detector: BaseDetector, answers: Path) -> int:
    """Take the answers of a file, and return their number."""
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
    for number, label in zip(table[ROW].to_pylist(), labels, strict=True):
        if label is not None and label not in MEANINGS:
            raise InputError(
                f"{answers}: the answer about row {str(number).removesuffix('.0')} is {label!r}, in column "
                f"{ANSWER!r}; write 1 for an anomaly and 0 for a normal row, or leave the cell empty",
                code="labels",
                column=ANSWER,
            )
    meant = [None if label is None else MEANINGS[label] for label in labels]
    detector.set_calibration_labels(table[ROW].to_numpy(), meant)
    return sum(label is not None for label in labels)


def _cells(data: tuple[Path, ...], rows: NDArray[np.int64], *, taken: Collection[str]) -> dict[str, Any]:
    """The cells of training rows by column; a column is called otherwise if its name is taken."""
    table = TableFiles(data).read()
    if len(table) <= rows.max():
        raise InputError(
            f"the rows to review go up to row {rows.max()}, and {data[0]} has {counted(len(table), 'row')}: give "
            "the files that the model was trained on, in the same order",
            code="rows",
        )
    cells = {}
    for name, column in zip(table.column_names, table.take(rows).columns, strict=True):
        own = name
        while own in taken or (own != name and own in table.column_names):
            own = f"{own}_"
        cells[own] = column
    return cells


@click.command()
@model_argument
@click.option("--ask", type=a_file, metavar="FILE", help="Write the rows to review to this table.")
@click.option(
    "--data",
    type=a_file,
    multiple=True,
    metavar="FILE",
    help="With --ask: a training table; its cells are written next to the row numbers. Several are given in the "
    "order of training.",
)
@click.option(
    "--count", type=click.IntRange(min=1), default=10, show_default=True, help="The number of rows to review."
)
@click.option("--answers", type=a_file, metavar="FILE", help="Read the answers from this table.")
@click.option("--out", type=a_file, metavar="MODEL", help="The model file to write; by default MODEL itself.")
@json_option
def recalibrate(
    model: Path,
    ask: Path | None,
    data: tuple[Path, ...],
    count: int,
    answers: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Review a few calibration rows, and set the threshold again.

    If the threshold was calibrated on unlabelled rows, anomalies among them raise it. --ask writes the most
    informative rows to a file: their row numbers in the training data, counted from 0, and their logits; with
    --data also their cells. Review these rows, write 1 (anomaly) or 0 (normal) into the column `anomaly`, and pass
    the file to --answers. Nothing is trained. Three rounds of ten rows are usually enough.

    \b
    Examples:
      alarmnet recalibrate fraud.model --ask looks.csv --data train.csv
      alarmnet recalibrate fraud.model --answers looks.csv
    """  # noqa: D301 - click reads \b
    if (ask is None) == (answers is None):
        raise click.UsageError("Give --ask FILE or --answers FILE.")
    if data and answers:
        raise click.UsageError("--data is for --ask.")
    written = ask or out or model
    check_output(written, inputs=[answers] if answers else [model, *data])
    detector = load(model)
    if ask:
        rows, logits = detector.calibration_queries(count)
        blank = pa.nulls(len(rows), pa.string())
        columns = {ROW: rows, "logit": np.round(logits, 4), ANSWER: blank}
        cells = _cells(data, rows, taken=columns) if data else {}
        write_table(ask, [pa.table(columns | cells)])
        written_rows = counted(len(rows), "row")
        said = f"Wrote {ask}: {written_rows} of the training data to review. Fill in the column {ANSWER!r}."
    elif answers:
        count = _answered(detector, answers)
        detector.save(written)
        threshold = said_of_calibration(calibration_facts(detector))
        said = f"Read {count} answers.\nAlarm threshold: {threshold}\nWrote {written}."
    if as_json:
        show_facts(
            {"model": str(model), "rows": count, "written": str(written), **calibration_facts(detector)}
        )
    else:
        click.echo(said)
