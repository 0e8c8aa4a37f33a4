"""`alarmnet recalibrate`: review a few calibration rows, and set the threshold again."""

from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from click.core import ParameterSource

from alarmnet._shared.labels import Labels
from alarmnet._shared.phrases import counted
from alarmnet._shared.standard_streams import STANDARD
from alarmnet.cli.table_data import reads
from alarmnet.cli.terminal import a_file, a_place, check_output, json_option, model_argument, show_facts
from alarmnet.data_files import Reading, TableFiles, write_table
from alarmnet.detectors import BaseDetector, load
from alarmnet.errors import InputError
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.calibrating import ANSWER, ROW, cells_of, rows_to_review
from alarmnet.sources.model_facts import calibration_facts

MEANINGS = {"0": 0, "0.0": 0, "1": 1, "1.0": 1}
"""What an answer may be; a spreadsheet may add a decimal."""


def _answered(detector: BaseDetector, answers: Path) -> int:
    """Take the answers of a file, and return their number."""
    table = TableFiles(answers, kinds=dict.fromkeys((ROW, ANSWER), "text")).read()
    if absent := [name for name in (ROW, ANSWER) if name not in table.column_names]:
        raise InputError(
            f"{answers} has no column {absent[0]!r}: fill in the file that --ask wrote",
            code="missing_column",
            column=absent[0],
        )
    cells = zip(table[ROW].to_pylist(), table[ANSWER].to_pylist(), strict=True)
    answered = [
        (str(number).removesuffix(".0"), None if label is None else str(label))
        for number, label in cells
        if (number, label) != (None, None)
    ]
    labels = [label for _, label in answered]
    if not any(label is not None for label in labels):
        raise InputError(
            f"{answers}: column {ANSWER!r} is empty; write 1 for an anomaly and 0 for a normal row",
            code="no_labels",
            column=ANSWER,
        )
    for number, label in answered:
        if not number.isdecimal():
            raise InputError(
                f"{answers}: {number!r}, in column {ROW!r}, is no row number; fill in the file that --ask wrote",
                code="rows",
                column=ROW,
            )
        if label is not None and label not in MEANINGS:
            raise InputError(
                f"{answers}: the answer about row {number} is {label!r}, in column {ANSWER!r}; write 1 for an "
                "anomaly and 0 for a normal row, or leave the cell empty",
                code="labels",
                column=ANSWER,
            )
    meant = [None if label is None else MEANINGS[label] for label in labels]
    detector.set_calibration_labels(
        [int(number) for number, _ in answered], Labels(np.array(meant, dtype=float), detector.classes_)
    )
    return len({number for number, label in answered if label is not None})


@click.command()
@model_argument
@click.option("--ask", type=a_file, metavar="FILE", help="Write the rows to review to this table.")
@reads(
    click.option(
        "--data",
        type=a_place,
        multiple=True,
        metavar="DATA",
        help="With --ask: the training data, whose cells are written next to the row numbers. Several are given in "
        "the order of training.",
    )
)
@click.option(
    "--count", type=click.IntRange(min=1), default=10, show_default=True, help="The number of rows to review."
)
@click.option("--answers", type=a_file, metavar="FILE", help="Read the answers from this table.")
@click.option(
    "--out",
    type=a_file,
    metavar="MODEL",
    help="With --answers: the model file to write; by default MODEL itself.",
)
@json_option
@click.pass_context
def recalibrate(
    context: click.Context,
    model: Path,
    ask: Path | None,
    data: tuple[Path, ...],
    reading: Reading,
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
    counted_rows = context.get_parameter_source("count") is ParameterSource.COMMANDLINE
    others = {"--data": data, "--count": counted_rows} if answers else {"--out": out}
    if wrong := next((name for name, value in others.items() if value), None):
        raise click.UsageError(f"{wrong} is for {'--ask' if answers else '--answers'}.")
    if reading != Reading() and not data:
        raise click.UsageError(
            "--delimiter, --decimal, --missing and --query say how to read --data; give it too."
        )
    written = ask or out or model
    check_output(written, inputs=[answers] if answers else [model, *data], standard=bool(ask))
    detector = load(model)
    if ask:
        asked = rows_to_review(detector, count, ask)
        blank = pa.nulls(len(asked.rows), pa.string())
        columns = {ROW: asked.rows, "logit": np.round(asked.logits, 4), ANSWER: blank}
        cells = cells_of(detector, data, asked, taken=columns, reading=reading) if data else {}
        write_table(ask, [pa.table(columns | cells)])
        rows = counted(count := len(asked.rows), "row")
        said = f"Wrote {ask}: {rows} of the training data to review. Fill in the column {ANSWER!r}."
    elif answers:
        count = _answered(detector, answers)
        detector.save(written)
        threshold = said_of_calibration(calibration_facts(detector))
        said = f"Read {counted(count, 'answer')}.\nAlarm threshold: {threshold}\nWrote {written}."
    aside = str(written) == STANDARD
    if as_json:
        facts = {"model": str(model), "rows": count, "written": str(written), **calibration_facts(detector)}
        show_facts(facts, aside=aside)
    else:
        click.echo(said, err=aside)
