"""What the cells of a CSV column mean: numbers, dates and timestamps, text, or nothing."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from alarmnet._shared.containers import truths_as_numbers
from alarmnet._shared.missing_words import MISSING_WORDS, NUMBER_WORDS
from alarmnet._shared.validation import EXACT_INTEGER_LIMIT
from alarmnet._shared.warn import by_caller
from alarmnet.errors import InputError

ColumnKind = Literal["number", "text", "datetime", "boolean"]

TYPES: dict[ColumnKind, pa.DataType] = {
    "number": pa.float64(),
    "datetime": pa.timestamp("us"),
    "text": pa.string(),
    "boolean": pa.float64(),
}

Guess = Literal["number", "datetime"]
GUESSES: tuple[Guess, ...] = ("number", "datetime")
"""What a column may be before its cells are read: the first that fits all cells, otherwise text."""

NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:inf|infinity|nan(\([a-z0-9_]*\))?))$"
COMMA_NUMBER = r"^[+-]?((\d+|[1-9]\d{0,2}(\.\d{3})+)(,\d*)?|,\d+)([eE][+-]?\d+)?$"
"""A number whose decimal sign is a comma, with or without points between its thousands."""
_GROUPED_NUMBER = r"^[+-]?[1-9]\d{0,2}(,\d{2,3})*,\d{3}(\.\d*)?$"
"""A number whose decimal sign is a point, with commas between its thousands."""
_DECIMAL_COMMA = r"^[+-]?\d[\d.]*,\d+$"
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DATE = (
    r"(\d{4}-((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
    rf"|{_LEAP_YEAR}-02-29)"
)
_ZONE = r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)"
_DATETIME = rf"^{_DATE}([ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d+)?)?)?{_ZONE}?)?$"
_PATTERNS = {"number": NUMBER, "datetime": _DATETIME}


def _parse_times(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Timestamps in UTC without a zone; a cell that names no zone is taken as UTC."""
    cells = pc.replace_substring_regex(cells, r"(\.\d{6})\d+", r"\1")
    zoned = pc.match_substring_regex(cells, rf"[ T].*{_ZONE}$")
    local = pc.if_else(zoned, None, cells).cast(pa.timestamp("us"))
    absolute = pc.if_else(zoned, cells, None).cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    return pc.coalesce(local, absolute)


def _parse_numbers(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    numbers = cells.cast(pa.float64())
    return pc.if_else(pc.is_nan(numbers), None, numbers)


_PARSERS = {"number": _parse_numbers, "datetime": _parse_times}


def _without_missing(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.is_in(cells, pa.array(MISSING_WORDS)), None, cells)


def _trimmed(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    return _without_missing(pc.ascii_trim_whitespace(cells))


def _without_words(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Make words missing that mean missing in a column of numbers, in any case."""
    trimmed = pc.ascii_trim_whitespace(cells)
    return pc.if_else(pc.is_in(pc.utf8_lower(trimmed), pa.array(NUMBER_WORDS)), None, trimmed)


def with_point(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Write numbers with a decimal comma with a point, and those with a point so that they are no numbers."""
    trimmed = pc.ascii_trim_whitespace(cells)
    is_number = pc.match_substring_regex(trimmed, COMMA_NUMBER)
    plain = pc.replace_substring(pc.replace_substring(trimmed, ".", ""), ",", ".")
    other = pc.if_else(
        pc.match_substring_regex(trimmed, NUMBER), pc.replace_substring(trimmed, ".", ",."), cells
    )
    return pc.if_else(is_number, plain, other)


def _without_thousands(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    trimmed = pc.ascii_trim_whitespace(cells)
    is_grouped = pc.match_substring_regex(trimmed, _GROUPED_NUMBER)
    return pc.if_else(is_grouped, pc.replace_substring(trimmed, ",", ""), cells)


def parse(
    cells: pa.ChunkedArray, kind: ColumnKind, *, guessing: bool = False, decimal: str = ""
) -> tuple[pa.ChunkedArray, np.ndarray | None]:
    """Give the values, and which cells are no such value (None: all are); those are null.

    The `decimal` sign is a comma, or a point if it is known that commas separate thousands, or empty.

    While it is `guessing` what a column is, words such as ? are no numbers: a column with some is handed on as
    text, and who learns from it finds out, and says, what they mean.
    """
    if kind == "boolean":
        return parse(truths_as_numbers(cells), "number", guessing=guessing, decimal=decimal)
    if kind == "text":
        return pc.if_else(pc.equal(cells, ""), None, cells), None
    if kind == "number" and decimal == ",":
        cells = with_point(cells)
    if kind == "number" and decimal == ".":
        cells = _without_thousands(cells)
    try:
        return _PARSERS[kind](_without_missing(cells)), None
    except pa.ArrowInvalid:
        present = _trimmed(cells) if guessing else _without_words(cells)
        good = pc.match_substring_regex(present, _PATTERNS[kind])
        bad = pc.fill_null(pc.invert(good), False).to_numpy()
        return _PARSERS[kind](pc.if_else(good, present, None)), bad


def has_inexact_integers(cells: pa.ChunkedArray, numbers: pa.ChunkedArray) -> bool:
    """Whether cells that were read as numbers write integers of 2**53 or more."""
    sizes = pc.abs(numbers)
    if (pc.max(sizes).as_py() or 0) < EXACT_INTEGER_LIMIT:
        return False
    large = pc.ascii_trim_whitespace(cells.filter(pc.greater_equal(sizes, EXACT_INTEGER_LIMIT)))
    return bool(pc.any(pc.match_substring_regex(large, r"^[+-]?\d+$")).as_py())


def _are_missing(cells: pa.ChunkedArray) -> bool:
    return bool(_trimmed(cells).null_count == len(cells))


def _can_be(cells: pa.ChunkedArray, guess: Guess, decimal: str) -> bool:
    _, bad = parse(cells, guess, guessing=True, decimal=decimal)
    return bad is None or not bad.any()


def remaining_guesses(cells: pa.ChunkedArray, guesses: Sequence[Guess], *, decimal: str) -> list[Guess]:
    """Give those of the guesses that the cells do not rule out."""
    if "number" in guesses and _can_be(cells, "number", decimal):  # the usual case, and the fast one
        return [guess for guess in guesses if guess != "datetime" or _are_missing(cells)]
    return [guess for guess in guesses if guess != "number" and _can_be(cells, guess, decimal)]


def with_leading_zero(cells: pa.ChunkedArray) -> str:
    """Give the first cell such as 007, which is a code rather than a number; empty if there is none."""
    found = cells.filter(pc.match_substring_regex(cells, r"^\s*0\d+\s*$"))
    return found[0].as_py().strip() if len(found) else ""


def said_of_codes(codes: Mapping[str, str]) -> str:
    """Say which columns of numbers have cells such as 007, each with one of them."""
    remedy = by_caller(command="name the column in --category", python="give the column a category type")
    columns = ", ".join(f"{name!r} ({cell!r})" for name, cell in [*codes.items()][:5])
    more = f" and {len(codes) - 5} more" if len(codes) > 5 else ""
    return (
        f"Read as numbers, although some cells begin with a zero, as codes do: {columns}{more}. If they are codes, "
        f"{remedy}."
    )


def have_points(cells: pa.ChunkedArray) -> np.ndarray | None:
    """Which cells of numbers are written with a decimal point (N,); None if other cells are no numbers."""
    present = _trimmed(cells)
    with_comma = pc.match_substring_regex(present, COMMA_NUMBER)
    number = pc.match_substring_regex(present, NUMBER)
    if pc.any(pc.invert(pc.or_(with_comma, number))).as_py():
        return None
    return np.asarray(pc.fill_null(pc.and_not(number, with_comma), False))


def decimal_is(sign: str) -> str:
    """Say how files are read whose decimal sign is known."""
    return by_caller(command=f"--decimal {sign}", python=f'Reading(decimal="{sign}")')


def decimal_comma(where: str, cell: str, *, column: str, rows: Sequence[int] = ()) -> InputError:
    """Make the error for a number such as 1,5."""
    as_point = cell.replace(".", "").replace(",", ".")
    return InputError(
        f"{where} has a comma in a number; write {as_point} instead of {cell}, and no thousands separators "
        f"(or leave the column out; where all commas are decimal signs, say {decimal_is(',')}; where all separate "
        f"thousands, {decimal_is('.')})",
        code="decimal_comma",
        column=column,
        rows=rows,
    )


def bad_cell(
    place: str, cell: str, *, kind: ColumnKind, column: str, rows: Sequence[int], decimal: str
) -> InputError:
    """Make the error for a cell that is not of its column's kind."""
    where = f"{place}, column {column!r}: {cell[:100]!r}"
    if kind == "datetime":
        problem = "no ISO 8601 date or timestamp; write it like 2024-01-31 or 2024-01-31T12:00:00Z"
    elif decimal == "," and re.match(NUMBER, cell.strip()):
        problem = (
            "not a number with a decimal comma, as the file has; write it with a comma, or name the column in "
            "--category if its numbers are names"
        )
    elif kind == "number" and "." in cell and re.match(_GROUPED_NUMBER, cell.strip()):
        problem = f"written with commas between thousands; say {decimal_is('.')}"
    elif re.match(_DECIMAL_COMMA, cell.strip()):
        return decimal_comma(where, cell.strip(), column=column, rows=rows)
    elif kind == "boolean":
        problem = "neither true nor false; correct the cell, or leave it empty if it is missing"
    else:
        problem = "not a number; correct the cell, or leave it empty if it is missing"
    return InputError(f"{where} is {problem}", code="bad_cell", column=column, rows=rows)
