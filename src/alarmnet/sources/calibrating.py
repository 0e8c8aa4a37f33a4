"""The cells of the calibration rows that somebody looks at."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from alarmnet._shared.phrases import counted
from alarmnet.data_files import Reading, TableFiles
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.calibration import CalibrationQueries
from alarmnet.errors import InputError
from alarmnet.preprocessing.rows import take
from alarmnet.sources.opened import open_to_run

ROW, ANSWER = "row", "anomaly"
"""The columns of a table of rows to review: a row's number, and the answer."""

CLOSE = 1e-3
"""The most by which the logit of a row may differ from that of the training row with its number."""


def _refuse_lost_answers(looks: Path, detector: BaseDetector) -> None:
    """Refuse to write over a table with answers that the detector has not taken."""
    try:
        table = TableFiles(looks, kinds=dict.fromkeys((ROW, ANSWER), "text")).read()
    except InputError:  # no table
        return
    if not {ROW, ANSWER}.issubset(table.column_names):
        return
    waiting = detector.calibration_queries(len(detector.calibration_scores_)).rows.astype(str)
    rows = [str(row).removesuffix(".0") for row in table[ROW].filter(table[ANSWER].is_valid()).to_pylist()]
    if lost := [row for row in rows if row in waiting]:
        raise InputError(
            f"{looks} has answers that the model has not taken, such as about row {lost[0]}: give it to --answers "
            "first, or write to another file",
            code="answers_not_taken",
        )


def rows_to_review(detector: BaseDetector, count: int, looks: Path) -> CalibrationQueries:
    """Choose at most `count` calibration rows without an answer, to be written to `looks`.

    Raises
    ------
    InputError
        All have an answer, or the file `looks` has answers that the detector has not taken.
    """
    if looks.is_file():
        _refuse_lost_answers(looks, detector)
    asked = detector.calibration_queries(count)
    if not len(asked.rows):
        raise InputError(
            "every calibration row is reviewed or labelled: none is left to review",
            code="labelled_calibration",
        )
    return asked


def cells_of(
    detector: BaseDetector,
    files: Sequence[Path],
    asked: CalibrationQueries,
    *,
    taken: Collection[str],
    reading: Reading,
) -> dict[str, Any]:
    """Give the cells of the rows that were asked for, by column; a column is called otherwise if its name is taken.

    `files` are those that the detector was trained on.

    Raises
    ------
    InputError
        The files lack columns or rows of the training, or their rows are others, such as in another order.
    """
    known = set(getattr(detector, "feature_names_in_", ()))
    if not known:
        raise InputError(
            "the model was not trained on a table with column names, so that --data has no cells for it",
            code="no_column_names",
        )
    columns = TableFiles(files, reading=reading).columns
    ignored = [name for name in columns if name not in known]
    rows = open_to_run(detector, files, ignored=ignored, reading=reading)
    texts = TableFiles(files, kinds=dict.fromkeys(columns, "text"), reading=reading, ids=columns)
    order = np.argsort(asked.rows)
    numbers, logits, found, count = asked.rows[order], asked.logits[order], [], 0
    for part, batch in zip(rows.parts(flag=True), texts.batches(), strict=True):
        here = slice(*np.searchsorted(numbers, [count, count + len(batch.table)]))
        places = numbers[here] - count
        if len(places):
            other = np.abs(detector.logits(take(part.X, places)) - logits[here]) > CLOSE
            _refuse_others(numbers[here][other], files[0])
        found.append(batch.table.take(places))
        count += len(batch.table)
    if count <= numbers[-1]:
        raise InputError(
            f"the rows to review go up to row {numbers[-1]}, and {files[0]} has {counted(count, 'row')}: "
            "give the files that the model was trained on, in the same order",
            code="rows",
        )
    cells = pa.concat_tables(found).take(np.argsort(order))
    return {_free(name, taken, columns): column for name, column in zip(columns, cells.columns, strict=True)}


def _refuse_others(numbers: np.ndarray, file: Path) -> None:
    """Refuse rows, if there are any, that score otherwise than the training rows with their numbers did."""
    if len(numbers):
        raise InputError(
            f"row {numbers[0]} of {file} is not the row {numbers[0]} that the model was trained on: their scores "
            "differ; give the files that the model was trained on, in the same order",
            code="rows",
            rows=numbers.tolist(),
        )


def _free(name: str, taken: Collection[str], columns: Collection[str]) -> str:
    own = name
    while own in taken or (own != name and own in columns):
        own = f"{own}_"
    return own
