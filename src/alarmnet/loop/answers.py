"""Answers of reviewers, as events: what a reviewer said of a row, and what the store adds."""

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from alarmnet.errors import InputError
from alarmnet.loop.queue import Seen, Verdict

Said = Verdict | Literal["withdrawn"]
"""What an event says of a row. "withdrawn" takes answers of the reviewer back: those of its group, else all."""

SAID: tuple[str, ...] = (*get_args(Verdict), "withdrawn")

MOST_BYTES = 500
"""The most bytes of a key, row key, reviewer, reason, model digest or group, in UTF-8: databases index them."""
LONGEST = MOST_BYTES // 4
"""The most characters of a reviewer's name or a reason on the page; a character has up to four bytes."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a reviewer said of a row.

    Attributes
    ----------
    key
        The client's own key of this answer, such as a UUID. The store keeps one answer for each key, so that a
        client may send an answer again when it does not know whether the first attempt arrived.
    row
        The row's key: its id, or a digest of its cells.
    verdict
        "anomaly", "normal", "unsure" or "withdrawn".
    reviewer
        Who answered.
    reason
        A code of the user's own.
    note
        Free text.
    model
        The digest of the model that ranked the row.
    score
        The row's ranking score then (`Queue.scores`); higher is more anomalous.
    group
        A UUID that answers share which were given together, and which are undone together.
    at_random
        Whether the row was drawn at random; such looks tell how many anomalies remain.

    Examples
    --------
    >>> Answer(key="8c6f", row="payment 17", verdict="normal", reviewer="ann").verdict
    'normal'
    """

    key: str
    row: str
    verdict: Said
    reviewer: str
    reason: str = ""
    note: str = ""
    model: str = ""
    score: float | None = None
    group: str | None = None
    at_random: bool = False


@dataclass(frozen=True, kw_only=True)
class Event(Answer):
    """An answer in the store.

    Attributes
    ----------
    sequence
        Its number; a later event has a higher one.
    time
        When it was stored, in UTC.
    """

    sequence: int
    time: datetime

    @property
    def seen(self) -> Seen:
        """What was so when the row was looked at."""
        return Seen(self.at_random, self.score)


def check_answer(answer: Answer) -> None:
    """Refuse an answer that not every store can hold.

    Raises
    ------
    InputError
        A verdict that is none, a score that is no finite number, or text that is empty, too long or unstorable.
    """
    if answer.verdict not in SAID:
        raise InputError(
            f'the verdict is {answer.verdict!r}; expected "anomaly", "normal", "unsure" or "withdrawn".',
            code="verdict",
        )
    if answer.score is not None and not math.isfinite(answer.score):
        raise InputError(
            f"the score of an answer is {answer.score}; expected a finite number, or None.", code="unstorable"
        )
    for name in ("key", "row", "reviewer", "reason", "note", "model", "group"):
        _check_text(name, getattr(answer, name) or "")
    for name in ("key", "row", "reviewer"):
        if not getattr(answer, name):
            raise InputError(f"the {name} of an answer is empty; expected text.", code="unstorable")


def is_storable(text: str, most_bytes: int | None = None) -> bool:
    """Whether every database can hold a text: no NUL character, no half of a surrogate pair, not too long."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return False
    return "\0" not in text and (most_bytes is None or size <= most_bytes)


def _check_text(name: str, text: str) -> None:
    if not is_storable(text):
        raise InputError(
            f"the {name} of an answer has a NUL character or half of a surrogate pair, which databases cannot "
            "hold; remove it.",
            code="unstorable",
        )
    if name != "note" and not is_storable(text, MOST_BYTES):
        raise InputError(
            f"the {name} of an answer has {len(text.encode()):,} bytes; expected at most {MOST_BYTES}.",
            code="unstorable",
        )
