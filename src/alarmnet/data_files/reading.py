"""How table files are read, where their contents do not tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from alarmnet.errors import InputError

_NAMED = {"tab": "\t", "\\t": "\t", "space": " "}


def _refuse(what: str, expected: str) -> None:
    raise InputError(f"{what}; it must be {expected}", code="invalid_parameter")


@dataclass(frozen=True)
class Reading:
    r"""How to read tables, for settings that cannot be detected from their contents.

    Use it for CSV files with an unusual separator, for your own words or numbers that mean missing, and for
    tables in databases.

    Parameters
    ----------
    delimiter
        The character between the cells of CSV files, or ``"tab"``; detected by default.
    decimal
        The decimal sign of CSV files, ``"."`` or ``","``; detected by default. With ``"."``, commas
        separate thousands in numbers without a unit.
    missing
        More texts and numbers that mean missing, such as ``"-999"``, in every column except ids.
    query
        The query for databases: one SQL statement that returns rows.

    Raises
    ------
    InputError
        A value is out of range.

    Examples
    --------
    >>> Reading(delimiter="tab").delimiter
    '\t'
    """

    delimiter: str | None = None
    decimal: str | None = None
    missing: Sequence[str] = ()
    query: str | None = None

    def __post_init__(self) -> None:
        mark = _NAMED.get(self.delimiter or "", self.delimiter)
        object.__setattr__(self, "delimiter", mark)
        if mark is not None and (len(mark) != 1 or not mark.isascii() or mark.isalnum() or mark in '"\r\n\0'):
            _refuse(
                f"the delimiter is {mark!r}",
                "one ASCII character that is not a letter, digit or quote, or 'tab'",
            )
        if self.decimal not in (None, ".", ","):
            _refuse(f"the decimal sign is {self.decimal!r}", "'.' or ','")
        if mark is not None and mark == self.decimal:
            _refuse(f"the delimiter and the decimal sign are both {mark!r}", "two different marks")
