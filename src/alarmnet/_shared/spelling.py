"""Names and categories that differ only in what is easily overlooked."""

import re
import unicodedata
from collections.abc import Iterable

_UNSEEN = dict.fromkeys(map(ord, "\ufeff\u200b"))
"""A byte-order mark that was read as text, and a zero-width space."""


def is_encodable(text: str) -> bool:
    """Whether a text can be written as UTF-8: a lone surrogate cannot."""
    return text == text.encode(errors="ignore").decode()


def as_folded(text: str) -> str:
    """Without what differs only in case, spaces or Unicode form."""
    return "".join(unicodedata.normalize("NFKC", text).translate(_UNSEEN).casefold().split())


_TRUE = {"1", "1.0", "true"}


def is_near(label: str, other: str) -> bool:
    """Whether two labels probably mean one: alike but for case, spaces, hyphens or Unicode form, or both true.

    >>> is_near("SSH-Bruteforce ", "ssh_bruteforce"), is_near("True", "1"), is_near("attack", "no attack")
    (True, True, False)
    """
    folded, other_folded = (re.sub(r"(?<=\w)[-_](?=\w)", "", as_folded(text)) for text in (label, other))
    return folded == other_folded or {folded, other_folded} <= _TRUE


def near_names(absent: Iterable[str], there: Iterable[str]) -> str:
    """Say which absent names are there in another spelling, as the end of a sentence; nothing if none is.

    >>> near_names(["Amount", "time"], ["amount ", "class"])
    "; 'amount ' differs from 'Amount' only in case, spaces or Unicode form: rename it"
    """
    spelled = {as_folded(name): name for name in there}
    near = [
        f"{spelled[as_folded(name)]!r} differs from {name!r}" for name in absent if as_folded(name) in spelled
    ]
    ending = f"only in case, spaces or Unicode form: rename {'them' if len(near) > 1 else 'it'}"
    return f"; {', '.join(near[:5])} {ending}" if near else ""
