"""The answers that count, kept in step with the store."""

from alarmnet.loop.answers import Event
from alarmnet.loop.queue import Seen, Verdict
from alarmnet.loop.store import AnswerStore


class Ledger:
    """The answer of each row that counts, as `AnswerStore.current` gives it, but read event by event.

    Attributes
    ----------
    answers
        The answers by row, in the order of the looks: a row whose answer is changed keeps its place. New answers
        come in a new dictionary, so that other threads may go on with the one that they have.
    read
        The number of the last event that was read.
    drawn
        The rows that were answered after they had been drawn at random.
    """

    def __init__(self, store: AnswerStore) -> None:
        self.answers: dict[str, Event] = {}
        self.read = 0
        self._store = store
        self._given: dict[str, list[Event]] = {}
        self.drawn: set[str] = set()

    def catch_up(self) -> dict[str, Event | None]:
        """Read what came into the store since; give each changed row's answer that counts, None where none does."""
        changed: dict[str, Event | None] = {}
        events = self._store.since(self.read)
        answers = dict(self.answers) if events else self.answers
        for event in events:
            self.read = event.sequence
            given = self._given.setdefault(event.row, [])
            if event.verdict == "withdrawn":
                given[:] = [one for one in given if not _withdraws(event, one)]
            else:
                given.append(event)
            if event.at_random:
                self.drawn.add(event.row)
            if given:
                answers[event.row] = given[-1]
            else:
                answers.pop(event.row, None)
            changed[event.row] = answers.get(event.row)
        self.answers = answers
        return changed

    def seen(self, row: str) -> Seen:
        """Give what was so when a row with an answer was looked at: at its first answer that stands."""
        return self._given[row][0].seen

    def verdicts(self) -> dict[str, Verdict]:
        """Give the verdicts by row, in the order of the looks."""
        return {row: verdict_of(event) for row, event in self.answers.items()}


def _withdraws(withdrawal: Event, answer: Event) -> bool:
    """Whether a later withdrawal of the same row takes an answer back."""
    return withdrawal.reviewer == answer.reviewer and withdrawal.group in (None, answer.group)


def verdict_of(event: Event) -> Verdict:
    """Give the verdict of an answer that stands."""
    if event.verdict == "withdrawn":
        raise ValueError("a withdrawal is no verdict")
    return event.verdict
