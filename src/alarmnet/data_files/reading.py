"""How table files are read, where their contents do not tell."""

from collections.abc import Sequence
from dataclasses import dataclass

from alarmnet.errors import InputError

_NAMED = {"tab": "\t", "\\t": "\t", "space": " "}


def _refuse(what: str, expected: str) -> None:
    raise InputError(f"{what}; it must be {expected}", code="invalid_parameter")


@dataclass(frozen=True)
class Reading:
    r"""How to read tables where their contents do not tell.

    Use it for CSV files with an unusual separator, for words or numbers of your own that mean missing, and for
    tables in databases.

    Parameters
    ----------
    delimiter
        What separates the cells of CSV files: one character, or ``"tab"``; found out by default.
    decimal
        The decimal sign of CSV files, ``"."`` or ``","``; found out by default.
    missing
        Further texts and numbers that mean missing, such as ``"-999"``, in every column but ids.
    query
        What to ask databases: one SQL statement that gives rows.

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
                "one ASCII character that is no letter, digit or quote, or 'tab'",
            )
        if self.decimal not in (None, ".", ","):
            _refuse(f"the decimal sign is {self.decimal!r}", "'.' or ','")
        if mark is not None and mark == self.decimal:
            _refuse(f"the delimiter and the decimal sign are both {mark!r}", "two different marks")
