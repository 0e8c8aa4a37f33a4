"""Dates and times in the forms that logs and spreadsheets write them, as milliseconds since 1970 in UTC."""

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from alarmnet._shared.containers import is_date_type
from alarmnet._shared.missing_words import is_missing_beside_numbers
from alarmnet.data_files.cells import parse as parse_cells
from alarmnet.preprocessing.cells import Cells, Floats, is_text, read_cells, read_texts

MILLISECONDS_A_DAY = 86_400_000
_ZONE = r"(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2})(?: ?\([A-Z]+\))?)?"
_CLOCK = (
    r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-5][0-9])(?::(?P<second>[0-5][0-9]|60)(?:[.,](?P<fraction>[0-9]+))?)?"
    rf"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?{_ZONE}"
)
_AFTER_DATE = rf"(?:(?:T|:|,? ){_CLOCK})?"
_DAY, _MONTH, _YEAR = (
    r"(?P<day>[0-9]{1,2})",
    r"(?P<month>[0-9]{1,2})",
    r"(?P<year>[0-9]{4}|(?<=[/.])[0-9]{2}(?![0-9]))",
)
_NAME, _WEEKDAY = r"(?P<name>[A-Za-z]{3,9})\.?", r"(?:[A-Za-z]{3,9},? )?"
_LONG_YEAR = r"(?P<year>[0-9]{4})"

TIME_OF_DAY = "the time of day alone"
TEXT_FORMS = {
    "the year first": (
        rf"{_LONG_YEAR}(?P<apart>[-/.]){_MONTH}(?P=apart){_DAY}{_AFTER_DATE}",
        r"(?P<year>[0-9]{4})(?P<month>[0-9]{2})(?P<day>[0-9]{2})T(?P<hour>[0-9]{2})(?P<minute>[0-5][0-9])"
        rf"(?:(?P<second>[0-5][0-9]))?{_ZONE}",
    ),
    "the day first": (rf"{_DAY}(?P<apart>[-/.]){_MONTH}(?P=apart){_YEAR}{_AFTER_DATE}",),
    "the month first": (rf"{_MONTH}(?P<apart>[-/.]){_DAY}(?P=apart){_YEAR}{_AFTER_DATE}",),
    "the month by name": (
        rf"{_WEEKDAY}{_DAY}[ /-]?{_NAME}[ /-]?(?P<year>[0-9]{{4}}|[0-9]{{2}}(?![0-9])){_AFTER_DATE}",
        rf"{_WEEKDAY}{_NAME} {_DAY},? {_LONG_YEAR}{_AFTER_DATE}",
        rf"{_WEEKDAY}{_NAME} {_DAY} {_CLOCK} {_LONG_YEAR}",
    ),
    "no year": (rf"{_NAME} {_DAY} {_CLOCK}",),
    TIME_OF_DAY: (_CLOCK,),
}
_PATTERNS = {form: [re.compile(text) for text in texts] for form, texts in TEXT_FORMS.items()}
UNDATED = ("no year", TIME_OF_DAY)
"""Forms that do not tell the day of the week."""
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_FULL_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]

UNITS = {
    "seconds since 1970": 1.0,
    "milliseconds since 1970": 1e3,
    "microseconds since 1970": 1e6,
    "nanoseconds since 1970": 1e9,
}
"""Forms of numbers, and how many units make a second."""
_DIGITS = {"digits, yyyymmdd": 8, "digits, yyyymmddhhmm": 12, "digits, yyyymmddhhmmss": 14}
EARLIEST_DIGITS = 19_900_101
EARLIEST, LATEST = 631_152_000.0, 4_102_444_800.0
"""1990 and 2100, in seconds since 1970: numbers outside are no times of records."""
SPREADSHEET_DAYS = "days since 1900, as spreadsheets count them"
_DAYS_TO_1970 = 25_569
FORMS = (*TEXT_FORMS, *UNITS, *_DIGITS, SPREADSHEET_DAYS)


def _year(text: str) -> int:
    return int(text) if len(text) == 4 else int(text) + (2000 if int(text) < 70 else 1900)


def _month(parts: Mapping[str, str]) -> int:
    """Give the month's number; for a name that is no month, 0, which no date has."""
    if "name" not in parts:
        return int(parts.get("month", 1))
    name = parts["name"].casefold()
    is_month = name in _FULL_MONTHS or name in _MONTHS or name == "sept"
    return _MONTHS.index(name[:3]) + 1 if is_month else 0


def _hour(parts: Mapping[str, str]) -> int:
    """Give the hour from 0 to 23; for an impossible hour, 24, which no time has."""
    hour = int(parts.get("hour", 0))
    if "half" not in parts:
        return hour
    return hour % 12 + 12 * (parts["half"] in "Pp") if 1 <= hour <= 12 else 24


def _zone_minutes(zone: str) -> int:
    """Minutes east of Greenwich."""
    if zone[0] not in "+-":
        return 0
    minutes = int(zone[1:3]) * 60 + int(zone[-2:])
    return -minutes if zone[0] == "-" else minutes


def _milliseconds(parts: Mapping[str, str]) -> float | None:
    hour = _hour(parts)
    try:  # a year of 29 February, where there is none
        day = datetime.date(_year(parts.get("year", "1972")), _month(parts), int(parts.get("day", 1)))
    except ValueError:
        return None
    if hour > 23:
        return None
    minutes = hour * 60 + int(parts.get("minute", 0)) - _zone_minutes(parts.get("zone", "Z"))
    seconds = (day.toordinal() - 719_163) * 86_400 + minutes * 60 + int(parts.get("second", 0))
    return float(seconds * 1000 + int(parts.get("fraction", "")[:3].ljust(3, "0")))


def parse_time(text: str, form: str) -> float | None:
    """Milliseconds since 1970, NaN for a word that means missing, None for what is not of this form.

    >>> parse_time("05/07/2017 08:00", "the day first") == parse_time("05/Jul/2017:08:00:00", "the month by name")
    True
    """
    if is_missing_beside_numbers(text):
        return float("nan")
    single_spaced = " ".join(text.strip("[] ").split())
    for pattern in _PATTERNS[form]:
        if found := pattern.fullmatch(single_spaced):
            return _milliseconds({name: part for name, part in found.groupdict().items() if part is not None})
    return None


def _read_iso(column: Any) -> Cells:
    """Read text as the CSV reader does."""
    times, bad = parse_cells(pa.chunked_array([column.cast(pa.string())]), "datetime")
    cells = read_cells(times.combine_chunks(), "datetime")
    return cells if bad is None else replace(cells, unreadable=bad)


def is_time(text: str) -> bool:
    """Whether a cell is a date or time of any form."""
    return any(parse_time(text, form) is not None for form in _PATTERNS)


def _is_iso(texts: Sequence[str]) -> bool:
    return not _read_iso(pa.array(texts, type=pa.string())).unreadable.any()


def time_forms(texts: Sequence[str]) -> list[str | None]:
    """Give the forms that fit all of a column's different texts; None is ISO 8601."""
    if _is_iso(texts[:100]) and _is_iso(texts):
        return [None]
    return [form for form in _PATTERNS if all(parse_time(text, form) is not None for text in texts)]


def _since_1970(numbers: Floats, a_second: float) -> Cells:
    unreadable = (numbers < EARLIEST * a_second) | (numbers > LATEST * a_second)
    return Cells(np.where(unreadable, np.nan, np.floor(numbers * 1000 / a_second)), unreadable)


def _from_digits(numbers: Floats, length: int) -> Cells:
    """Read 20170705 and the like; anything but a date between 1990 and 2100 is unreadable."""
    missing = np.isnan(numbers)
    whole = np.where(missing | (np.abs(numbers) >= 1e15), 0, numbers).astype(np.int64)
    dates, clock = np.divmod(whole, 10 ** (length - 8))
    clock *= 10 ** (14 - length)
    years, months, days = dates // 10_000, dates // 100 % 100, dates % 100
    hours, minutes, seconds = clock // 10_000, clock // 100 % 100, clock % 100
    dated = (years >= 1990) & (years < 2100) & (months >= 1) & (months <= 12) & (days >= 1)
    month = np.where(dated, (years - 1970) * 12 + months - 1, 0).astype("datetime64[M]")
    day = month.astype("datetime64[D]") + np.where(dated, days - 1, 0)
    good = dated & (day.astype("datetime64[M]") == month) & (hours < 24) & (minutes < 60) & (seconds < 60)
    good &= whole == numbers
    since = day.astype(np.int64) * 86_400 + hours * 3600 + minutes * 60 + seconds
    return Cells(np.where(good, since * 1000.0, np.nan), ~good & ~missing)


def times_of_numbers(numbers: Floats, form: str) -> Cells:
    """Read numbers as times of a form in `UNITS`, written as digits, or as spreadsheets count days."""
    if form == SPREADSHEET_DAYS:
        return _since_1970(np.round((numbers - _DAYS_TO_1970) * 86_400, 3), 1.0)
    return _since_1970(numbers, UNITS[form]) if form in UNITS else _from_digits(numbers, _DIGITS[form])


def number_time_forms(numbers: Floats) -> list[str]:
    """Give the forms by which all numbers, none of them missing, are times."""
    if numbers.min() < EARLIEST_DIGITS:  # a quick answer for most columns
        return []
    return [form for form in (*UNITS, *_DIGITS) if not times_of_numbers(numbers, form).unreadable.any()]


def read_times(column: Any, form: str | None) -> Cells:
    """Read a column of this form, or one of dates and times."""
    if not isinstance(column, np.ndarray) and is_date_type(column.type):
        return read_cells(column, "datetime")
    if form is not None and form not in TEXT_FORMS:
        numbers = read_cells(column, "number")
        times = times_of_numbers(numbers.values, form)
        return Cells(times.values, times.unreadable | numbers.unreadable)
    if not is_text(column):
        return read_cells(column, "datetime")  # no cell of such a column is readable
    if form is None:
        return _read_iso(column)
    return read_texts(column, lambda text: parse_time(text, form))
