"""What one column of a training table is, and what it teaches."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.missing_words import MISSING_WORDS
from alarmnet._shared.warn import by_caller, warn
from alarmnet.errors import InputError
from alarmnet.preprocessing.bad_cells import refuse_bad_cells
from alarmnet.preprocessing.cells import Cells, Floats, is_boolean, is_text
from alarmnet.preprocessing.columns import CategoryColumn, Column, DatetimeColumn, NumberColumn
from alarmnet.preprocessing.frames import Frame
from alarmnet.preprocessing.given_categories import check_listed
from alarmnet.preprocessing.left_out import (
    Reason,
    epoch_form,
    have_weekdays,
    why_leave_numbers,
    why_leave_texts,
    why_leave_times,
)
from alarmnet.preprocessing.scales import Scaling
from alarmnet.preprocessing.text_meaning import Meaning, meaning_of, without_missing_words
from alarmnet.preprocessing.time_forms import UNDATED, read_times


def _in_order(values: Floats, order: NDArray[np.intp] | None) -> Floats:
    """Numbers that are there, in the order of the table."""
    ordered = values if order is None else values[order]
    return ordered[~np.isnan(ordered)]


def _read(meaning: Meaning, column: Any, *, kept: bool) -> Cells:
    """Read a column; words that mean missing are categories only in columns that are kept."""
    cells = meaning.read(column)
    if meaning.kind != "category":
        return cells
    return without_missing_words(cells, known=MISSING_WORDS if kept else ())


def _clock_or_ids(
    frame: Frame, index: int, order: NDArray[np.intp] | None, cells: Cells, meaning: Meaning
) -> DatetimeColumn | Reason | None:
    """Read numbers as times, or give the reason to leave them out; None if they are numbers."""
    label, numbers = frame.label(index), _in_order(cells.values, order)
    is_plain = meaning.kind == "number" and meaning.number_form is None
    form = epoch_form(numbers, label) if is_plain else None
    if form and not read_times(frame.whole(index), form).unreadable.any():
        said = f"Column {label!r} is read as times, {form}."
        return _times(read_times(frame.column(index), form), form, said, kept=False)
    return why_leave_numbers(numbers, label)


def _times(cells: Cells, form: str | None, said: str, *, kept: bool) -> DatetimeColumn | Reason:
    """Learn times, or give the reason to leave them out; what is `said` of them precedes what is learned."""
    if not kept and (reason := why_leave_times(cells, form)):
        return reason
    weekday = have_weekdays(cells)
    if said:
        parts = "Hour and weekday are" if weekday and form not in UNDATED else "The hour is"
        warn(f"{said} {parts} learned, the date is not.")
    return DatetimeColumn(kind="datetime", missing=bool(cells.missing.any()), form=form, weekday=weekday)


def learn_column(
    frame: Frame,
    index: int,
    rows: NDArray[np.intp] | None,
    *,
    scaling: Scaling,
    max_categories: int,
    fixed: Sequence[str] | None,
    kept: bool,
) -> Column | Reason:
    """Learn one column, or give the reason to leave it out.

    `rows` puts the rows into the order of the table; `fixed` are its categories, if these were given; a column
    that is `kept` is none to leave out.
    """
    label, column = frame.label(index), frame.column(index)
    whole = frame.whole(index) if is_text(column) else column
    meaning = Meaning("category") if fixed else meaning_of(whole, label)
    cells = _read(meaning, column, kept=kept)
    refuse_bad_cells(cells, column, kind=meaning.kind, label=label)
    present = int(np.count_nonzero(~cells.missing))
    if not present and kept and _read(meaning, frame.whole(index), kept=kept).missing.all():
        named = by_caller(command="--keep and --category", python="the encoder's keep= and categories=")
        raise InputError(
            f"Column {label!r} has no value in any of the {len(column)} training rows, so it cannot be kept: take "
            f"it out of {named}.",
            code="empty_column",
            column=label,
        )
    if not present:
        return "empty"
    if meaning.kind == "datetime":
        return _times(cells, meaning.time_form, meaning.said, kept=kept)
    if meaning.said:
        warn(meaning.said)
    if meaning.kind == "category":
        if not kept and (reason := why_leave_texts(_read(meaning, whole, kept=kept), label)):
            return reason
        order = frame.categories(index)
        learned = CategoryColumn.learn(cells, limit=max_categories, fixed=fixed, order=order)
        if fixed:
            check_listed(learned, cells, label)
        return learned
    if not kept and (found := _clock_or_ids(frame, index, rows, cells, meaning)):
        return found
    return NumberColumn.learn(
        cells,
        kind=meaning.kind,
        scaling=scaling,
        boolean=is_boolean(column) or meaning.boolean,
        form=meaning.number_form,
    )
