"""Formatted numbers, such as $1,234.50, (3.20), 12 % or 1 234,50: what they mean, and which are refused."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alarmnet._shared.missing_words import is_missing_beside_numbers
from alarmnet._shared.phrases import quoted
from alarmnet._shared.warn import by_caller
from alarmnet.data_files.cells import COMMA_NUMBER
from alarmnet.errors import InputError
from alarmnet.preprocessing.cells import Cells, is_text, read_cells, read_texts

SEPARATORS = {",": "commas", " ": "spaces", "'": "apostrophes"}
"""Separators of thousands."""
_SIGNS = "$¢£¤¥֏؋৲৳฿₠-⃏"
_CODES = (
    "AED AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS INR ISK JPY KRW KZT MXN MYR NOK NZD "
    "PEN PHP PKR PLN RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD VND ZAR Kč kr zł"
)
_UNIT = rf"[%{_SIGNS}]|{'|'.join(_CODES.split())}"
_PLAIN = str.maketrans(
    {**dict.fromkeys("\u00a0\u2007\u2009\u202f", " "), **dict.fromkeys("\u2212\u2013", "-"), "\u2019": "'"}
)
_GROUPED = r"[1-9][0-9]{0,2}(?P<separator>[ ,'])(?:[0-9]{2,3}(?P=separator))*[0-9]{3}(?:\.[0-9]*)?"
_UNGROUPED = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"


def _cell(digits: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?P<open>\( ?)?(?P<sign>[+-]?) ?(?P<before>{_UNIT})? ?(?P<inner>[+-]?) ?(?P<digits>{digits})"
        rf" ?(?P<after>{_UNIT})?(?P<behind> ?-)?(?P<close> ?\))?"
    )


_DRESSED = _cell(f"{_GROUPED}|{_UNGROUPED}")
_WITH_DECIMAL_COMMA = _cell(r"[0-9][0-9. ']*,[0-9]+")


@dataclass(frozen=True)
class _Undressed:
    """A number as Python writes it, and what was around it."""

    plain: str
    separator: str
    separators: int
    unit: str

    @property
    def shows_what_commas_are(self) -> bool:
        """1,234 may mean 1.234, but not in a column that also has 1,234,567 or 1,234.5 or 0.5."""
        return "." in self.plain or self.separators > 1


def _parts(text: str, pattern: re.Pattern[str]) -> dict[str, str] | None:
    """The parts of a number that has one sign and one unit at most."""
    found = pattern.fullmatch(text.strip().translate(_PLAIN))
    if found is None:
        return None
    parts = {name: part or "" for name, part in found.groupdict().items()}
    marks = [parts["sign"], parts["inner"], parts["behind"], parts["open"]]
    balanced = bool(parts["open"]) == bool(parts["close"])
    fits = balanced and sum(map(bool, marks)) <= 1 and not (parts["before"] and parts["after"])
    return parts if fits else None


def _undressed(text: str) -> _Undressed | None:
    parts = _parts(text, _DRESSED)
    if parts is None:
        return None
    negative = "-" in parts["sign"] + parts["inner"] + parts["behind"] or parts["open"]
    separator = parts["separator"]
    if separator == " " and parts["sign"] == "+":
        return None  # +48 600 100 200 is a telephone number
    groups = parts["digits"].split(separator) if separator else [parts["digits"]]
    plain = ("-" if negative else "") + "".join(groups)
    return _Undressed(plain, separator, len(groups) - 1, parts["before"] or parts["after"])


@dataclass(frozen=True)
class NumberForm:
    """How a column writes numbers: what separates thousands, and a currency or %; each "" where there is none."""

    thousands: str
    unit: str

    def __post_init__(self) -> None:
        known = self.thousands in ("", *SEPARATORS) and re.fullmatch(f"(?:{_UNIT})?", self.unit)
        if not known:
            raise ValueError("a stored column is damaged: form of numbers")

    def parse(self, text: str) -> float | None:
        """Give the number, NaN for a word that means missing, None for what is not of this form."""
        if is_missing_beside_numbers(text):
            return float("nan")
        found = _undressed(text)
        if found is None or found.separator not in ("", self.thousands) or found.unit not in ("", self.unit):
            return None
        return float(found.plain)

    def read(self, column: Any) -> Cells:
        """Read a column of this form, or one of plain numbers."""
        return read_texts(column, self.parse) if is_text(column) else read_cells(column, "number")

    def described(self) -> str:
        """Say in words what stands around the digits."""
        unit = {"": [], "%": ["in percent"]}.get(self.unit, [f"in {self.unit}"])
        thousands = [f"thousands separated by {SEPARATORS[self.thousands]}"] if self.thousands else []
        return ", ".join(thousands + unit) or "signs before or behind them, or brackets"


def is_dressed(text: str) -> bool:
    """Whether a cell is a number of any form.

    >>> [is_dressed(text) for text in ("(1,234.50)", "12 %", "12 apples")]
    [True, True, False]
    """
    return _undressed(text) is not None


def _as_categories() -> str:
    return by_caller(command="--category", python="categories=") + " makes categories of it"


def read_with_comma() -> str:
    """Say how files are read whose decimal sign is a comma."""
    python = 'Reading(decimal=",") or pandas.read_csv(..., decimal=",")'
    return f"read a CSV file with {by_caller(command='--decimal ,', python=python)}"


def _decimal_comma(text: str, label: str, *, doubt: str = "", remedy: str = "") -> InputError:
    return InputError(
        f"Column {label!r} writes numbers with a comma, such as {text!r}{doubt}. Write them with a decimal "
        f"point and no thousands separators{remedy}, or leave the column out ({_as_categories()}).",
        code="decimal_comma",
        column=label,
    )


def _one_unit(found: Sequence[_Undressed], label: str) -> str | None:
    """The currency or %; None where only some cells are percentages."""
    units = Counter(number.unit for number in found)
    currencies = sorted(set(units) - {"", "%"})
    if len(currencies) > 1:
        raise InputError(
            f"Column {label!r} holds amounts in several currencies, {quoted(currencies)}, which do not compare. "
            f"Convert them to one, make a column of each, or leave the column out ({_as_categories()}).",
            code="mixed_currencies",
            column=label,
        )
    if "%" in units and len(units) > 1:
        return None
    return currencies[0] if currencies else next((unit for unit in units if unit), "")


def number_form(texts: Sequence[str], label: str) -> NumberForm | None:
    """Find the one form of numbers in which a column's different texts, of which not all are plain, are written.

    None where they are no numbers, or of several forms.

    Raises
    ------
    InputError
        A comma is, or may be, a decimal point; or the amounts have several currencies.
    """
    found, commas = [], []
    for text in texts:
        if number := _undressed(text):
            found.append(number)
        elif _parts(text, _WITH_DECIMAL_COMMA):
            commas.append(text)
        else:
            return None
    if commas:
        readable = all(re.match(COMMA_NUMBER, text.strip()) for text in texts)
        raise _decimal_comma(commas[0], label, remedy=f" (or {read_with_comma()})" if readable else "")
    separators = {number.separator for number in found} - {""}
    unit = _one_unit(found, label)
    if len(separators) > 1 or unit is None:
        return None
    if "," in separators and not any(number.shows_what_commas_are for number in found):
        doubtful = next(text for text in texts if "," in text)
        reading = doubtful.strip().replace(",", ".")
        doubt = f", which may be {reading} or {reading.replace('.', '')}"
        if not unit:
            named = by_caller(command="--decimal .", python='Reading(decimal=".")')
            doubt += f" (it is the latter in files read with {named})"
        raise _decimal_comma(doubtful, label, doubt=doubt)
    return NumberForm(thousands=next(iter(separators), ""), unit=unit)
