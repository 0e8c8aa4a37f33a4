"""What the page does: rows are handed out, answers stored, and what is learned comes back."""

import contextlib
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from alarmnet.errors import InputError
from alarmnet.loop.answers import Answer, Event
from alarmnet.loop.page.cards import Card, Nearest
from alarmnet.loop.page.worker import Worker
from alarmnet.loop.pool import Pool
from alarmnet.loop.queue import Verdict, check_verdict
from alarmnet.loop.store import AnswerStore

LEASE = 600.0
"""Seconds that a row stays with the reviewer whom it is shown to; looking at it renews that."""
OFFERED = 32
"""Rows that are tried to be lent, at most, when one is wanted."""
MOST_ALIKE = 2_000
"""Rows that one answer is for, at most."""
MOST_SEATS = 200
"""Browsers that the page remembers."""
REMEMBERED = 64
"""Requests of a browser that are recognised when they are sent again."""


@dataclass(eq=False)
class Seat:
    """A browser at the page: its reviewer, the rows it was shown, and which of them it shows now.

    Rows are lent to its name, which no other browser has, since reviewers may share theirs. The groups of its
    answers begin with that name, so that it takes back its own answers only.
    """

    name: str
    reviewer: str
    trail: list[str] = field(default_factory=list)
    at: int = -1
    alike: tuple[str, tuple[str, ...]] = ("", ())
    done: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    lock: threading.Lock = field(default_factory=threading.Lock)

    def group(self, request: str) -> str:
        """Name the group of the answers that a request gives."""
        return f"{self.name}.{request}"

    @property
    def shown(self) -> str | None:
        """The row that is shown; None at first, and past the last row where none is left."""
        return self.trail[self.at] if 0 <= self.at < len(self.trail) else None


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A row as it is shown: its card, its answer, the most similar found anomaly, how many are alike.

    `drawn` says whether it was drawn at random.
    """

    card: Card
    answer: Event | None
    nearest: Nearest | None
    alike: int
    drawn: bool


class Desk:
    """Hands rows out, one for each reviewer at a time, and stores answers.

    Parameters
    ----------
    pool
        The rows.
    worker
        Knows their order and their cards, and learns.
    store
        Keeps the answers.
    reviewer
        The name of whoever gives none.
    """

    def __init__(self, pool: Pool, worker: Worker, store: AnswerStore, *, reviewer: str) -> None:
        self.pool, self.worker, self.store, self.reviewer = pool, worker, store, reviewer
        self._seats: dict[str, Seat] = {}
        self._lock = threading.Lock()

    def seat(self, name: str) -> Seat:
        """Give the seat of a browser; the oldest one goes where there are too many."""
        with self._lock:
            seat = self._seats.pop(name, None) or Seat(name, self.reviewer)
            self._seats[name] = seat
            if len(self._seats) > MOST_SEATS:
                self._seats.pop(next(iter(self._seats)))
            return seat

    @contextlib.contextmanager
    def once(self, seat: Seat, request: str) -> Iterator[bool]:
        """Take turns at a seat; False where this request was done before."""
        with seat.lock:
            yield request not in seat.done
            seat.done.append(request)

    def show(self, seat: Seat) -> Shown | None:
        """Give the row that a seat shows, a new one where it shows none; None where no row is left."""
        key = seat.shown or self._advance(seat)
        if key is None:
            return None
        card = self.worker.card(key)
        answer = self.worker.answers.get(key)
        alike = sum(self.pool.keys[place] not in self.worker.answers for place in card.alike)
        return Shown(
            card=card,
            answer=answer,
            nearest=self.worker.nearest(card),
            alike=min(alike, MOST_ALIKE),
            drawn=self.worker.is_drawn(key),
        )

    def look(self, seat: Seat, key: str) -> None:
        """Show a row that somebody asks for, such as one of the history."""
        self.worker.place(key)
        self._release(seat)
        seat.trail.append(key)
        seat.at = len(seat.trail) - 1

    def move(self, seat: Seat, by: Literal[-1, 1]) -> None:
        """Go back to a row seen before, or on: past the last one to a new row, without an answer."""
        if by < 0:
            seat.at = max(min(0, len(seat.trail) - 1), seat.at - 1)
        elif seat.at + 1 < len(seat.trail):
            seat.at += 1
        else:
            self._release(seat)
            self._advance(seat)

    def answer(
        self, seat: Seat, key: str, verdict: Verdict, *, reason: str, note: str, group: bool, request: str
    ) -> int:
        """Store an answer, or the same one for all rows that were shown as alike; give how many rows it is for.

        When it returns, the answers are on disk.
        """
        keys = [key, *self._alike_to(seat, key)] if group else [key]
        if not (group and self.store.history(group=seat.group(request), limit=1)):
            self._append(seat, keys, verdict, reason=reason, note=note, request=request)
        seat.alike = ("", ())
        self.worker.catch_up()
        if seat.shown == key:
            if seat.at + 1 < len(seat.trail):
                seat.at += 1
            else:
                self._advance(seat)
        return len(keys)

    def change(self, seat: Seat, key: str, verdict: Verdict, *, request: str) -> None:
        """Store another answer for a row that has one; its reason and note stay."""
        self.worker.place(key)
        before = self.worker.answers.get(key)
        reason, note = (before.reason, before.note) if before else ("", "")
        self._append(seat, [key], verdict, reason=reason, note=note, request=request)
        self.worker.catch_up()

    def undo(self, seat: Seat) -> int:
        """Take back what was done last at this seat, and show that row; give how many rows wait again."""
        last = self.store.last_of(seat.group(""))
        if last is None or last.group is None:
            return 0
        first = self.store.history(group=last.group, reviewer=last.reviewer)[-1].row
        count = len(self.store.withdraw_group(last.group, last.reviewer))
        self.worker.catch_up()
        if seat.shown != first and seat.shown is not None and seat.shown not in self.worker.answers:
            self._release(seat)
            seat.trail.pop(seat.at)
            seat.at = len(seat.trail) - 1
        if first in seat.trail:
            seat.at = seat.trail.index(first)
        elif first in self.worker.places:
            seat.trail.append(first)
            seat.at = len(seat.trail) - 1
        return count

    def alike(self, seat: Seat, key: str) -> list[str]:
        """Give the rows without an answer that are like a row, and remember them for the answer to all."""
        card = self.worker.card(key)
        lent = self.store.leased()
        keys = [self.pool.keys[place] for place in card.alike]
        free = [
            one for one in keys if one not in self.worker.answers and lent.get(one, seat.name) == seat.name
        ]
        seat.alike = (key, tuple(free[:MOST_ALIKE]))
        return free[:MOST_ALIKE]

    def name(self, key: str) -> str:
        """What people call a row: its id, or its number."""
        return self.pool.name(self.worker.place(key))

    def renew(self, seat: Seat) -> None:
        """Keep the row that is shown."""
        if seat.shown and seat.shown not in self.worker.answers:
            self.store.lease([seat.shown], seat.name, seconds=LEASE)

    def _append(
        self, seat: Seat, keys: Sequence[str], verdict: Verdict, *, reason: str, note: str, request: str
    ) -> None:
        check_verdict(verdict)
        answers = [
            Answer(
                key=f"{request}.{number}",
                row=key,
                verdict=verdict,
                reviewer=seat.reviewer,
                reason=reason,
                note=note,
                model=self.worker.digest,
                score=self.worker.score(key),
                group=seat.group(request),
                at_random=number == 0 and self.worker.is_drawn(key),
            )
            for number, key in enumerate(keys)
        ]
        self.store.append(answers)

    def _alike_to(self, seat: Seat, key: str) -> Sequence[str]:
        shown_for, keys = seat.alike
        if shown_for != key:
            raise InputError("the similar rows must be shown first", code="options")
        return [one for one in keys if one not in self.worker.answers]

    def _advance(self, seat: Seat) -> str | None:
        """Lend a seat the best row that is free, and show it."""
        with self._lock:
            elsewhere = {other.shown for other in self._seats.values() if other is not seat}
            seen = {*seat.trail, *elsewhere}
            offered = self.worker.waiting(OFFERED, skip=seen)
            lent = self.store.lease(offered, seat.name, seconds=LEASE)
            if not lent:
                seat.at = len(seat.trail)
                return None
            seat.trail.append(lent[0])
            seat.at = len(seat.trail) - 1
        return lent[0]

    def _release(self, seat: Seat) -> None:
        if seat.shown:
            self.store.release([seat.shown], seat.name)
