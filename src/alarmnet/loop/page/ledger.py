"""The answers that count, kept in step with the store."""

from alarmnet.loop.answers import Event
from alarmnet.loop.queue import Verdict
from alarmnet.loop.store import AnswerStore


class Ledger:
    """The answer of each row that counts, as `AnswerStore.current` gives it, but read event by event.

    Attributes
    ----------
    answers
        The answers by row, in the order of the looks: a row whose answer is changed keeps its place.
    read
        The number of the last event that was read.
    """

    def __init__(self, store: AnswerStore) -> None:
        self.answers: dict[str, Event] = {}
        self.read = 0
        self._store = store
        self._standing: dict[str, dict[str, Event]] = {}

    def catch_up(self) -> dict[str, Verdict | None]:
        """Read what came into the store since; give the rows whose verdict changed, None where it was withdrawn."""
        changed: dict[str, Verdict | None] = {}
        for event in self._store.since(self.read):
            self.read = event.sequence
            standing = self._standing.setdefault(event.row, {})
            standing.pop(event.reviewer, None)
            if event.verdict != "withdrawn":
                standing[event.reviewer] = event
            latest = max(standing.values(), key=lambda one: one.sequence, default=None)
            if latest is None:
                self.answers.pop(event.row, None)
            else:
                self.answers[event.row] = latest
            changed[event.row] = verdict_of(latest) if latest else None
        return changed

    def verdicts(self) -> dict[str, Verdict]:
        """Give the verdicts by row, in the order of the looks."""
        return {row: verdict_of(event) for row, event in list(self.answers.items())}


def verdict_of(event: Event) -> Verdict:
    """Give the verdict of an answer that stands."""
    if event.verdict == "withdrawn":
        raise ValueError("a withdrawal is no verdict")
    return event.verdict
