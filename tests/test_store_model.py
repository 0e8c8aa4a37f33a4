"""The store of answers against a plain list that does the same, for whatever is appended and withdrawn."""

import uuid
from itertools import groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alarmnet.errors import InputError
from alarmnet.loop.answers import SAID, Answer
from alarmnet.loop.store import AnswerStore

ANSWERS = st.builds(
    Answer,
    key=st.sampled_from("abcdefgh"),
    row=st.sampled_from("123"),
    verdict=st.sampled_from(SAID),
    reviewer=st.sampled_from(("ann", "bob")),
    group=st.sampled_from((None, "g", "h")),
    at_random=st.booleans(),
    note=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3),
    score=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
GROUPS = st.tuples(st.sampled_from("gh"), st.sampled_from(("ann", "bob")))
CALLS = st.lists(st.lists(ANSWERS, max_size=4) | GROUPS, max_size=8)


class Model:
    """Answers in a list; places count from 0."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []

    def append(self, answers: list[Answer]) -> list[int] | None:
        """Give the places of the answers; None where a key is another answer's."""
        trial = [*self.answers]
        places = []
        for answer in answers:
            same = next((place for place, one in enumerate(trial) if one.key == answer.key), None)
            if same is None:
                same = len(trial)
                trial.append(answer)
            first = trial[same]
            if (first.row, first.verdict, first.reviewer) != (answer.row, answer.verdict, answer.reviewer):
                return None
            places.append(same)
        self.answers = trial
        return places

    def standing(self) -> list[tuple[int, Answer]]:
        given: dict[tuple[str, str], list[int]] = {}
        for place, answer in enumerate(self.answers):
            places = given.setdefault((answer.row, answer.reviewer), [])
            if answer.verdict == "withdrawn":
                kept = (one for one in places if answer.group not in (None, self.answers[one].group))
                places[:] = [*kept]
            else:
                places.append(place)
        return [(place, self.answers[place]) for place in sorted(one[-1] for one in given.values() if one)]

    def withdraw_group(self, group: str, reviewer: str) -> list[str]:
        rows = [one.row for _, one in self.standing() if (one.group, one.reviewer) == (group, reviewer)]
        self.answers += [
            Answer(key=str(uuid.uuid4()), row=row, verdict="withdrawn", reviewer=reviewer, group=group)
            for row in rows
        ]
        return rows


def named(answer: Answer, example: str) -> Answer:
    """Give an answer keys of its example's own: all examples share a store."""
    group = answer.group and example + answer.group
    values = vars(answer) | {"key": example + answer.key, "row": example + answer.row, "group": group}
    return Answer(**values)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_the_store_does_what_a_list_does(
    store: AnswerStore, calls: list[list[Answer] | tuple[str, str]]
) -> None:
    example, model = str(uuid.uuid4()), Model()
    before = max((event.sequence for event in store.since(0)), default=0)
    for call in calls:
        stored = store.since(before)
        if isinstance(call, tuple):
            rows = model.withdraw_group(*call)
            assert len(store.withdraw_group(example + call[0], call[1])) == len(rows)
            continue
        places = model.append(call)
        answers = [named(answer, example) for answer in call]
        if places is None:
            with pytest.raises(InputError, match="make a new key for each answer"):
                store.append(answers)
            assert store.since(before) == stored
        else:
            sequences = store.append(answers)
            stored = store.since(before)
            assert sequences == [stored[place].sequence for place in places]
    stored = store.since(before)
    for event, answer in zip(stored, model.answers, strict=True):
        expected = vars(named(answer, example))
        if answer.verdict != "withdrawn" or len(answer.key) == 1:  # the store makes a withdrawal's own key
            assert {name: getattr(event, name) for name in expected} == expected
    standing = [(stored[place], answer) for place, answer in model.standing()]
    current = {event.row: event for event, _ in standing}
    assert {row: event for row, event in store.current().items() if row.startswith(example)} == current
    by_row = groupby(
        sorted((event for event, _ in standing), key=lambda event: event.row), lambda event: event.row
    )
    differ = {row: list(events) for row, events in by_row}
    differ = {row: events for row, events in differ.items() if len({event.verdict for event in events}) > 1}
    assert {row: e for row, e in store.disagreements().items() if row.startswith(example)} == differ
    assert store.history(group=example + "g") == [
        event for event in stored[::-1] if event.group == example + "g"
    ]
    assert sum(store.counts().values()) == len(store.current())
