"""What the text of a training column means: numbers, dates and times, or categories, and how they are written."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from alarmnet._shared.containers import TRUTHS
from alarmnet._shared.missing_words import MISSING_WORDS, is_missing_beside_numbers
from alarmnet._shared.phrases import quoted
from alarmnet._shared.warn import warn
from alarmnet.data_files.cells import said_of_codes, with_leading_zero
from alarmnet.preprocessing.cells import (
    Cells,
    Kind,
    all_numbers,
    kind_of,
    read_cells,
    to_number,
    with_truths_as_numbers,
)
from alarmnet.preprocessing.number_forms import NumberForm, is_dressed, number_form
from alarmnet.preprocessing.time_forms import TIME_OF_DAY, is_time, read_times, time_forms

ODD_TEXTS = 0.1
"""A text column is suspicious if at most this share of its different texts are no numbers, or no times."""
FEWEST_MEASURED = 10
"""Different texts of measurements with a unit: fewer are categories."""
SAMPLE = 100
"""Different texts that tell most columns of text from those that hold numbers or times."""


@dataclass(frozen=True)
class Meaning:
    """What a column holds, in which form where that is not the plain one, and what the user should know of it."""

    kind: Kind
    number_form: NumberForm | None = None
    time_form: str | None = None
    boolean: bool = False
    said: str = ""

    def read(self, column: Any) -> Cells:
        """Read the column's cells."""
        if self.kind == "datetime":
            return read_times(column, self.time_form)
        if self.number_form:
            return self.number_form.read(column)
        if self.boolean:
            return read_cells(with_truths_as_numbers(column), "number")
        return read_cells(column, self.kind)


def meaning_of(column: Any, label: str) -> Meaning:
    """Find out what a training column (as `Frame.column` gives it) holds; a category type is never looked into.

    Raises
    ------
    InputError
        Its type is not read, or it may be numbers with a decimal comma, or amounts in several currencies.
    """
    kind = kind_of(column, label)
    if kind != "category" or isinstance(column, np.ndarray) or pa.types.is_dictionary(column.type):
        return Meaning(kind)
    texts = column.unique().drop_null().to_pylist()
    present = [text for text in texts if not is_missing_beside_numbers(text)]
    if present and all(text.strip().lower() in TRUTHS for text in present):
        return Meaning("number", boolean=True)
    found = _numbers(present, label) or _times(present, label) if present else None
    if found is None:
        _warn_of_numbers_or_times(texts, label)
        return Meaning(kind)
    words = [text for text in texts if is_missing_beside_numbers(text) and text not in MISSING_WORDS]
    said = (
        f"{found.said} A cell of {label!r} that holds {quoted(words, limit=5)} is missing."
        if words
        else found.said
    )
    return replace(found, said=said.strip())


def _numbers(texts: Sequence[str], label: str) -> Meaning | None:
    if all_numbers(texts):
        code = with_leading_zero(pa.chunked_array([texts], pa.string()))
        return Meaning("number", said=said_of_codes({label: code}) if code else "")
    form = number_form(texts, label)
    if form is None:
        return None
    example = max((text for text in texts if to_number(text) is None), key=len)
    return Meaning(
        "number",
        number_form=form,
        said=f"Column {label!r} is read as numbers: {form.described()}, such as {example!r}.",
    )


def _times(texts: Sequence[str], label: str) -> Meaning | None:
    forms = time_forms(texts)
    if not forms:
        return None
    form = forms[0]
    if form is None:
        return Meaning("datetime")
    said = f"Column {label!r} is read as times, {form}, such as {texts[0]!r}."
    if len(forms) > 1:
        said += f" The month may come first as well: if it does, write the dates as {_example(texts[0])}."
    if form == TIME_OF_DAY:
        said += " If these are durations, write them in seconds."
    return Meaning("datetime", time_form=form, said=said)


def _example(text: str) -> str:
    """Write the date of a text as year, month and day, with the month read first."""
    milliseconds = read_times(pa.array([text]), "the month first").values[0]
    return str(np.datetime64(int(milliseconds), "ms").astype("datetime64[D]"))


def without_missing_words(cells: Cells, known: Sequence[str] = ()) -> Cells:
    """Categories of which the words that mean missing are none, except for known ones."""
    words = set(MISSING_WORDS).intersection(cells.texts).difference(known)
    if not words:
        return cells
    kept = tuple(text for text in cells.texts if text not in words)
    position = {text: index for index, text in enumerate(kept)}
    # code -1, a missing cell, reads the last entry
    codes = np.array([*(position.get(text, -1) for text in cells.texts), -1])[cells.values]
    return replace(cells, values=codes, texts=kept)


def _is_number(text: str) -> bool:
    return to_number(text) is not None or is_dressed(text)


_MEASURED = re.compile(
    r"(?P<sign>[<>~\u2264\u2265\u2248]?)\s*[+-]?[0-9]+(?:[.,][0-9]+)?\s*(?P<unit>[^\s0-9.,:/_-][^\s0-9:/_-]{0,7})?"
)


_DURATION = re.compile(r"[+-]?(?:[0-9]+ days?,? \+?)?[0-9]+:[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]+)?)?")


def _warn_of_durations(texts: Sequence[str], label: str) -> bool:
    """Warn if durations become categories, as they do where one is a day or longer, or counts days."""
    found = [text for text in texts if not is_missing_beside_numbers(text)]
    if len(found) < FEWEST_MEASURED or not all(_DURATION.fullmatch(text.strip()) for text in found):
        return False
    warn(
        f"Column {label!r} is read as text, because it holds durations, such as {max(found, key=len)!r}. "
        "To have them read as numbers, write them in seconds.",
    )
    return True


def _warn_of_measurements(texts: Sequence[str], label: str) -> bool:
    """Warn if numbers with a unit or a sign become categories, which users rarely want."""
    found = [match for text in texts if (match := _MEASURED.fullmatch(text.strip()))]
    marked = Counter(match["unit"] or match["sign"] for match in found if match["unit"] or match["sign"])
    if len(texts) < FEWEST_MEASURED or not marked or len(found) < 0.9 * len(texts):
        return False
    mark, count = marked.most_common(1)[0]
    if count < 0.1 * len(texts):
        return False
    example = next(match.string for match in found if mark in (match["unit"], match["sign"]))
    warn(
        f"Column {label!r} is read as text, because it holds numbers with {mark!r}, such as {example!r}. "
        "To have them read as numbers, write only the numbers.",
    )
    return True


def _warn_of_numbers_or_times(texts: Sequence[str], label: str) -> None:
    """Warn if odd cells or several spellings turn numbers or times into categories, which users rarely want."""
    if _warn_of_measurements(texts, label) or _warn_of_durations(texts, label):
        return
    for what, reads in (("numbers", _is_number), ("times", is_time)):
        seen = texts[:SAMPLE]
        if sum(map(reads, seen)) < len(seen) / 2 or all(map(is_missing_beside_numbers, seen)):
            continue
        odd = [text for text in texts if not reads(text)]
        if len(odd) > ODD_TEXTS * len(texts):
            continue
        found = (
            f"it holds {quoted(odd, limit=5)} among {what}" if odd else f"it writes {what} in several ways"
        )
        remedy = "Correct such cells, or leave them empty," if odd else "Write them in one way"
        warn(
            f"Column {label!r} is read as text, because {found}. {remedy} to have it read as {what}.",
        )
        return
