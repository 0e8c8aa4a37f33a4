"""Columns that say when or which, and not how: clocks, counters and identities, which are left out by default.

A model that learns them knows the training rows by heart, and finds every later row unusual.
"""

import re
from collections.abc import Mapping
from typing import Literal

import numpy as np

from alarmnet._shared.phrases import quoted
from alarmnet._shared.warn import by_caller
from alarmnet.preprocessing.cells import Cells, Floats
from alarmnet.preprocessing.time_forms import (
    EARLIEST,
    LATEST,
    MILLISECONDS_A_DAY,
    SPREADSHEET_DAYS,
    TIME_OF_DAY,
    UNITS,
    number_time_forms,
    times_of_numbers,
)

Reason = Literal["grows", "counts", "brief", "identities", "texts", "empty"]
REASONS: dict[Reason, str] = {
    "grows": "the numbers only increase, or only decrease, from row to row",
    "counts": "each row has a different whole number",
    "brief": "the times span less than a day, so that rows of other hours would look anomalous",
    "identities": "they are many different ids or addresses",
    "texts": "each row has a different text",
    "empty": "no row, or hardly any, has a value",
}
FEWEST = 20
"""Columns with fewer different values are learned, whatever they look like."""
GROWING_SHARE, IDS_SHARE, ADDRESSES_SHARE = 0.1, 0.05, 0.01
"""Different values are many from these shares of the rows."""
ALWAYS_MANY = 1000
"""Different values that are many, whatever the number of rows."""
EXPECTED_REPEATS = 10.0
"""Expected pairs of equal numbers among as many whole numbers, drawn by chance from the same range."""
LONGEST_SPAN = 1 / 50
"""Times without a telling name span at most this share of the years from 1990 to 2100."""

A_DAY, A_WEEK = 0.8, 6.0
"""The fewest days that times span if each hour, or each day of the week, is to be among them."""

_INDEX_NAME = re.compile(r"|index|level_0|row|row[_ ]?(?:number|num|no|id|names)|unnamed: [0-9]+")
_TIME_WORD = re.compile(
    "ts|time|timestamp|datetime|date|epoch|created|updated|modified|started|ended|start|end|seen|when|at|day|booked|"
    "posted|paid|due|opened|closed|received|issued|ordered|shipped"
)
_ID_WORD = re.compile("ids?|uid|uuid|guid|ip|ipv4|ipv6|imei|imsi")
_TEXT_ID_WORD = re.compile("mac|email|mail|address|addr|iban|ssn|vin|md5|sha1|sha256|hash|session|token")
_JOINED_ID = re.compile(
    r"(?:user|client|customer|account|order|trans|transaction|merchant|member|player|device|session|card|employee|"
    r"patient|product|record|request|unique)(?:id|uid)"
)
_NUMBER_WORDS = ("no", "nr", "num", "number", "key", "ref", "reference")
_ENTITIES = frozenset(
    [
        "account",
        "card",
        "client",
        "contract",
        "customer",
        "invoice",
        "licence",
        "license",
        "order",
        "passport",
        "patient",
        "phone",
        "policy",
        "serial",
        "ticket",
        "transaction",
        "user",
    ]
)
"""Words for things whose number is an identity."""
_HEX = r"[0-9A-Fa-f]"
_ADDRESSES = re.compile(
    r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?:[:/][0-9]{1,5})?"
    rf"|\[?(?:{_HEX}{{1,4}}(?::{_HEX}{{1,4}}){{7}}|(?=.*::)[0-9A-Fa-f:.]{{2,45}})(?:%\w+)?\]?(?:[:/][0-9]{{1,5}})?"
    rf"|{_HEX}{{2}}(?:([:-]){_HEX}{{2}})(?:\1{_HEX}{{2}}){{4}}|(?:{_HEX}{{4}}\.){{2}}{_HEX}{{4}}"
    rf"|\{{?{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}\}}?"
    r"|[^\s@]{1,64}@[^\s@.]+(?:\.[^\s@.]+)+"
    rf"|(?:0x)?(?=[0-9]*[A-Fa-f]){_HEX}{{16,128}}"
)
"""IPv4 and IPv6 (with port or network), MAC, UUID, e-mail, long hexadecimal digests."""


def _words(label: str) -> list[str]:
    """Give the words of a column's name.

    >>> _words("customerID"), _words("Source IP"), _words("id.orig_h")
    (['customer', 'id'], ['source', 'ip'], ['id', 'orig', 'h'])
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label)
    return re.findall(r"[a-z0-9]+", parted.casefold())


def _names_identities(label: str, *, of_text: bool = False) -> bool:
    """Whether a column's name names identities; a number named session or address may be a count of these."""
    words = _words(label)
    if not words:
        return False
    patterns = (_ID_WORD, _JOINED_ID, _TEXT_ID_WORD)[: 3 if of_text else 2]
    if words[-1] in _NUMBER_WORDS and not _ENTITIES.isdisjoint(words[:-1]):
        return True
    return words[0] in ("id", "uid", "uuid") or any(pattern.fullmatch(words[-1]) for pattern in patterns)


def names_index(label: str) -> bool:
    """Whether a column has no name, or one that libraries give to row numbers."""
    return _INDEX_NAME.fullmatch(label.casefold().strip()) is not None


def _are_many(distinct: int, rows: int, share: float) -> bool:
    return distinct >= min(max(FEWEST, share * rows), ALWAYS_MANY)


def _only_grow(numbers: Floats) -> bool:
    """Whether numbers only grow or only fall in the order of the rows, in many steps."""
    steps = np.diff(numbers)
    if not ((steps >= 0).all() or (steps <= 0).all()):
        return False
    return _are_many(int(np.count_nonzero(steps)) + 1, len(numbers), GROWING_SHARE)


def _count(numbers: Floats, label: str) -> bool:
    """Whether whole numbers, all different, would have been repeated by chance."""
    room = float(numbers.max() - numbers.min()) + 1
    return names_index(label) or len(numbers) ** 2 / (2 * room) >= EXPECTED_REPEATS


def why_leave_numbers(numbers: Floats, label: str) -> Reason | None:
    """Say why numbers (none missing, in the order of the rows) are a clock, a counter or ids; else None."""
    if _only_grow(numbers):
        return "grows"
    if not (numbers == np.floor(numbers)).all():
        return None
    distinct = len(np.unique(numbers))
    if 1 < distinct == len(numbers) and _count(numbers, label):
        return "counts"
    many = _are_many(distinct, len(numbers), IDS_SHARE)
    return "identities" if many and _names_identities(label) else None


def why_leave_times(cells: Cells, form: str | None) -> Reason | None:
    """Say why times are left out; None if they are not."""
    return "brief" if form != TIME_OF_DAY and _span_less(cells, A_DAY) else None


def have_weekdays(cells: Cells) -> bool:
    """Whether times have each day of the week among them, as far as their span tells."""
    return not _span_less(cells, A_WEEK)


def _span_less(cells: Cells, days: float) -> bool:
    present = cells.values[~np.isnan(cells.values)]
    return len(np.unique(present)) >= FEWEST and np.ptp(present) < days * MILLISECONDS_A_DAY


def why_leave_texts(cells: Cells, label: str) -> Reason | None:
    """Say why the texts of a column are identities; None if they are not."""
    present = int(np.count_nonzero(~cells.missing))
    distinct = len(cells.texts)
    if FEWEST < present == distinct:
        return "texts"
    if _names_identities(label, of_text=True) and _are_many(distinct, present, IDS_SHARE):
        return "identities"
    if not _are_many(distinct, present, ADDRESSES_SHARE):
        return None
    addresses = sum(_ADDRESSES.fullmatch(text.strip()) is not None for text in cells.texts)
    return "identities" if addresses >= 0.9 * distinct else None


def epoch_form(numbers: Floats, label: str) -> str | None:
    """Find the form by which numbers (none missing, in the order of the rows) are times; else None."""
    forms = number_time_forms(numbers)
    if _names_identities(label):
        return None
    says_time = any(map(_TIME_WORD.fullmatch, _words(label)))
    if not forms:
        days = not times_of_numbers(numbers, SPREADSHEET_DAYS).unreadable.any()
        return SPREADSHEET_DAYS if says_time and days and len(np.unique(numbers)) > 2 else None
    if says_time or _only_grow(numbers):
        return forms[0]
    distinct = len(np.unique(numbers))
    if forms[0] not in UNITS:
        return forms[0] if distinct > 2 else None
    brief = np.ptp(numbers) <= LONGEST_SPAN * (LATEST - EARLIEST) * UNITS[forms[0]]
    return forms[0] if brief and distinct >= max(FEWEST, 0.9 * len(numbers)) else None


def said_of_left_out(reasons: Mapping[str, Reason]) -> list[str]:
    """Say which columns are left out and why, a line for each reason."""
    keep = by_caller(command="--keep", python="the encoder's keep=")
    said = f" To keep a column, such as one that the table is merely sorted by, name it in {keep}."
    return [
        f"Left out, because {sentence}: {quoted(labels)}.{'' if reason == 'empty' else said}"
        for reason, sentence in REASONS.items()
        if (labels := [label for label, found in reasons.items() if found == reason])
    ]
