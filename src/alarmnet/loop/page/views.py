"""What the server shows, as HTML."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np

from alarmnet.loop.answers import Event
from alarmnet.loop.page.cards import COMPARED
from alarmnet.loop.page.desk import Desk, Seat
from alarmnet.loop.page.progress import drawn_curve, expected_by_rank, ranks_of
from alarmnet.loop.page.worker import EVERY
from alarmnet.report.rendering import templates

LISTED = 20
"""Rows that are shown of those that are alike, at most."""
MOST_EVENTS = 500
"""Entries of the history that are shown, at most."""


def when(time: datetime) -> str:
    """A time in words, of this machine's zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M}"


class Views:
    """Renders the pages of one desk.

    Parameters
    ----------
    desk
        What is shown.
    title, data_name
        Words for the head.
    reasons
        The user's own codes.
    """

    def __init__(self, desk: Desk, *, title: str, data_name: str, reasons: Sequence[str]) -> None:
        self._desk, self._reasons = desk, reasons
        self._head = {"title": title, "data_name": data_name}
        self._templates = templates("alarmnet.loop.page", "alarmnet.report")
        self._static_ranks = ranks_of(desk.worker.first_scores)

    def rows(self, seat: Seat) -> str:
        """Give the page on which rows are answered."""
        return self._page("rows", seat, row_html=self.row(seat), side_html=self.side(), reasons=self._reasons)

    def row(self, seat: Seat) -> str:
        """Give the row that a seat shows."""
        shown = self._desk.show(seat)
        facts: dict[str, Any] = {"card": None}
        if shown is not None:
            answer = None
            if shown.answer:
                answer = {
                    "verdict": shown.answer.verdict,
                    "reviewer": shown.answer.reviewer,
                    "reason": shown.answer.reason,
                    "note": shown.answer.note,
                    "when": when(shown.answer.time),
                }
            facts = {
                "card": shown.card,
                "answer": answer,
                "nearest": shown.nearest,
                "alike": shown.alike,
                "drawn": shown.drawn,
            }
        return self._render("row", **facts, named=self._desk.pool.named, noun=self._desk.pool.noun)

    def side(self) -> str:
        """Give how far the looking has come."""
        worker = self._desk.worker
        verdicts = worker.verdicts()
        found = np.cumsum([verdict == "anomaly" for verdict in verdicts.values()], dtype=np.float64)
        remaining = worker.remaining
        curve = None
        if len(found):
            basis = remaining if remaining and not remaining.lacks else None
            expected = expected_by_rank(self._static_ranks, verdicts, len(found), basis) if basis else None
            curve = drawn_curve(found, expected)
        return self._render(
            "side",
            looks=len(found),
            found=int(found[-1]) if len(found) else 0,
            curve=curve,
            remaining=remaining,
            learning=worker.learning,
            answers=len(worker.clear()),
            fresh=worker.fresh,
            every=EVERY,
            change=worker.change,
            trouble=worker.trouble,
            disagreements=worker.disagreements,
            stands_for=self._desk.pool.described(),
            noun=self._desk.pool.noun,
        )

    def alike(self, seat: Seat, key: str) -> str:
        """Give the rows that are like a row."""
        desk, deck = self._desk, self._desk.worker.deck
        keys = desk.alike(seat, key)
        card = desk.worker.card(key)
        columns = [value.column for value in card.values[:COMPARED]]
        rows = [
            (
                desk.name(one),
                deck.picture(desk.worker.place(one))
                if deck.images
                else deck.line(desk.worker.place(one), columns),
            )
            for one in keys[:LISTED]
        ]
        return self._render(
            "alike",
            rows=rows,
            more=max(0, len(keys) - LISTED),
            columns=columns,
            images=deck.images,
            noun=desk.pool.noun,
        )

    def history(self, seat: Seat, chosen: Mapping[str, str]) -> str:
        """Give the page of all answers, filtered."""
        events = self._filtered(chosen)
        answers = self._desk.worker.answers
        latest = {event.sequence for event in answers.values()}
        shown = [
            {
                "key": event.row,
                "name": self._name(event.row),
                "verdict": event.verdict,
                "reviewer": event.reviewer,
                "reason": event.reason,
                "note": event.note,
                "score": event.score,
                "iso": event.time.isoformat(),
                "when": when(event.time),
                "latest": event.sequence in latest and event.row in self._desk.worker.places,
            }
            for event in events[:MOST_EVENTS]
        ]
        reviewers = sorted({event.reviewer for event in self._desk.store.since(0)})
        return self._page(
            "history",
            seat,
            events=shown,
            total=len(events),
            reviewers=reviewers,
            filter={name: chosen.get(name, "") for name in ("verdict", "reviewer", "text")},
        )

    def export(self, seat: Seat, facts: Mapping[str, Any]) -> str:
        """Give the page of what can be taken away."""
        return self._page("export", seat, learned_html=self.learned(), **facts)

    def learned(self) -> str:
        """Give how many answers the model has learned."""
        worker = self._desk.worker
        unlearned = worker.unlearned
        return self._render(
            "learned",
            answers=len(worker.clear()),
            unlearned=unlearned,
            waits=bool(unlearned and (worker.teachable or worker.trained.answers) and not worker.trouble),
            trouble=worker.trouble,
        )

    def _filtered(self, chosen: Mapping[str, str]) -> list[Event]:
        store, verdict = self._desk.store, chosen.get("verdict", "")
        if verdict == "disagreement":
            events = [event for events in store.disagreements().values() for event in events]
        else:
            events = store.history(reviewer=chosen.get("reviewer") or None)
            events = [event for event in events if not verdict or event.verdict == verdict]
        words = chosen.get("text", "").casefold()
        return [
            event
            for event in events
            if (not words or words in f"{event.row}\n{event.reason}\n{event.note}".casefold())
            and chosen.get("reviewer", "") in ("", event.reviewer)
        ]

    def _name(self, key: str) -> str:
        return self._desk.name(key) if key in self._desk.worker.places else key

    def _page(self, name: str, seat: Seat, **facts: Any) -> str:
        return self._render(name, page=name, reviewer=seat.reviewer, **self._head, **facts)

    def _render(self, name: str, **facts: Any) -> str:
        return self._templates.get_template(f"{name}.html.j2").render(facts)
