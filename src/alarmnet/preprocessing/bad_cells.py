"""Cells that cannot be used, refused in a sentence that names column and rows."""

from typing import Any

import numpy as np

from alarmnet._shared.phrases import rows_phrase
from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.cells import Cells, Kind, all_numbers, value_of
from alarmnet.preprocessing.number_forms import read_with_comma
from alarmnet.preprocessing.time_forms import parse_time

_HELD = {
    "number": "numbers",
    "duration": "durations",
    "datetime": "dates and times",
    "category": "categories: text, or one type of number",
}


def refuse_bad_cells(cells: Cells, column: Any, *, kind: Kind, label: str, form: str = "") -> None:
    """Raise for cells that are infinite, beyond float32, or not of the column's kind and form."""
    if cells.unreadable.any():
        raise _wrong_type(cells, column, held=_HELD[kind], form=form, label=label)
    if kind not in ("number", "duration") or not cells.invalid.any():
        return
    for mask, code, fault, remedy in (
        (cells.infinite, "infinite_value", "contains infinity", "Make them missing (NaN) or finite."),
        (
            cells.too_large,
            "beyond_float32",
            "holds values outside the float32 range (3.4e38)",
            "Rescale them.",
        ),
    ):
        if mask.any():
            rows = np.flatnonzero(mask)
            raise InputError(
                f"Input X {fault}: column {label!r}, {rows_phrase(rows)}. {remedy}",
                code=code,
                column=label,
                rows=rows[:5].tolist(),
            )


def _wrong_type(cells: Cells, column: Any, *, held: str, form: str, label: str) -> InputTypeError:
    rows = np.flatnonzero(cells.unreadable)
    cell = column[int(rows[0])]
    value = value_of(cell)
    comma = isinstance(value, str) and all_numbers([value.replace(",", ".")])
    whole = "Write the whole column in one way." if form else "Give the whole column one type."
    if (
        "the day first" in form
        and isinstance(value, str)
        and parse_time(value, "the month first") is not None
    ):
        whole = "If the month comes first, write the dates year first (2026-03-13), in the training data too."
    remedy = f"Write a decimal point instead of the comma, or {read_with_comma()}." if comma else whole
    phrase = (
        "" if form or held != _HELD["number"] else " (float() argument must be a string or a real number)"
    )
    return InputTypeError(
        f"Column {label!r} is read as {held}{form}, but {rows_phrase(rows)} cannot be: "
        f"the first is {value!r} ({type(value).__name__}). {remedy}{phrase}",
        code="wrong_type",
        column=label,
        rows=rows[:5].tolist(),
    )
