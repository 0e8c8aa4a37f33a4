"""The store of answers, in SQLite and in PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable

import pytest

from alarmnet.errors import InputError
from alarmnet.loop.answers import Answer, Said
from alarmnet.loop.page.ledger import Ledger
from alarmnet.loop.store import AnswerStore


def said(key: str, row: str, verdict: Said = "anomaly", reviewer: str = "ann", **more: str) -> Answer:
    return Answer(key=key, row=row, verdict=verdict, reviewer=reviewer, **more)  # type: ignore[arg-type]


def test_an_answer_comes_back_as_it_was(store: AnswerStore, place: str) -> None:
    answer = Answer(
        key="k",
        row="r",
        verdict="normal",
        reviewer="ann",
        reason="A1",
        note="<b>ü</b>\n",
        model="m",
        score=-1.5,
        at_random=True,
    )
    assert store.append([answer]) == [1]
    with AnswerStore.open(place) as again:
        (event,) = again.since(0)
    assert {name: getattr(event, name) for name in vars(answer)} == vars(answer)
    assert str(event.time.tzinfo) == "UTC"


def test_an_answer_sent_again_is_stored_once(store: AnswerStore) -> None:
    first = store.append([said("a", "1"), said("b", "2")])
    assert store.append([said("b", "2"), said("c", "3"), said("c", "3")]) == [first[1], 3, 3]
    assert [event.key for event in store.since(0)] == ["a", "b", "c"]


def test_a_key_of_another_answer_is_refused_and_nothing_is_stored(store: AnswerStore) -> None:
    store.append([said("a", "1")])
    with pytest.raises(InputError, match="'a' belongs to 'ann' saying 'anomaly' of row '1'") as caught:
        store.append([said("b", "2"), said("a", "1", "normal")])
    assert caught.value.code == "answer_key"
    assert len(store.since(0)) == 1


def test_the_latest_standing_answer_counts(store: AnswerStore) -> None:
    store.append([said("a", "1"), said("b", "1", "normal", "bob"), said("c", "2", "unsure")])
    assert store.current()["1"].verdict == "normal"
    assert set(store.disagreements()) == {"1"}
    assert [event.reviewer for event in store.disagreements()["1"]] == ["ann", "bob"]
    store.append([said("d", "1", "withdrawn", "bob")])
    assert store.current()["1"].verdict == "anomaly"
    assert store.disagreements() == {}
    assert store.counts() == {"anomaly": 1, "normal": 0, "unsure": 1}


def test_a_group_is_withdrawn_as_one(store: AnswerStore) -> None:
    rows = [str(number) for number in range(1200)]
    store.append([said(row, row, "normal", group="g") for row in rows])
    store.append([said("again", "7", "anomaly")])
    assert len(store.withdraw_group("g", "ann")) == 1199
    assert store.withdraw_group("g", "ann") == []
    assert set(store.current()) == {"7"}


def test_an_answer_that_is_withdrawn_gives_the_one_before_back(store: AnswerStore) -> None:
    store.append([said("a", "1", "normal", group="first"), said("b", "1", "anomaly", group="second")])
    store.append([said("c", "1", "unsure", "bob", group="other")])
    ledger = Ledger(store)
    for group, reviewer, left in (
        ("other", "bob", "anomaly"),
        ("second", "ann", "normal"),
        ("first", "ann", None),
    ):
        assert len(store.withdraw_group(group, reviewer)) == 1
        ledger.catch_up()
        for answers in (store.current(), ledger.answers):
            assert (answers["1"].verdict if "1" in answers else None) == left
    assert store.lease(["1"], "bob") == ["1"]


def test_history_is_filtered_and_paged(store: AnswerStore) -> None:
    store.append(
        [said(str(n), str(n), "normal" if n % 2 else "anomaly", reason=str(n % 3)) for n in range(12)]
    )
    normal = store.history(verdict="normal")
    assert [event.row for event in normal] == ["11", "9", "7", "5", "3", "1"]
    assert store.history(verdict="normal", before=normal[1].sequence, limit=2) == normal[2:4]
    assert [event.row for event in store.history(verdict="normal", reason="0")] == ["9", "3"]
    assert store.history(row="4")[0].reviewer == "ann"
    assert store.history(reviewer="bob") == []


def test_the_last_answer_of_groups_that_begin_alike(store: AnswerStore) -> None:
    groups = ("a%.1", "a%.2", "a%.2", "A%.3", "ab.4")
    store.append([said(str(n), str(n), group=group) for n, group in enumerate(groups)])
    store.append([said("5", "5")])
    found = []
    while last := store.last_of("a%."):
        found.append(last.row)
        store.withdraw_group(str(last.group), "ann")
    assert found == ["2", "0"]


def test_a_row_is_lent_to_one_reviewer(store: AnswerStore) -> None:
    rows = ["1", "2", "3", "4"]
    store.append([said("a", "1")])
    assert store.lease(rows, "ann", n=2, seconds=60) == ["2", "3"]
    assert store.lease(rows, "bob", n=2, seconds=60) == ["4"]
    assert store.lease(rows, "ann", n=1, seconds=60) == ["2"]
    assert store.leased() == {"2": "ann", "3": "ann", "4": "bob"}
    store.release(["3", "4"], "ann")
    assert store.lease(rows, "bob", n=2, seconds=60) == ["3", "4"]


def test_a_lease_ends(store: AnswerStore) -> None:
    assert store.lease(["1"], "ann", seconds=0) == ["1"]
    assert store.leased() == {}
    assert store.lease(["1"], "bob", seconds=60) == ["1"]


@pytest.mark.parametrize(
    ("change", "code", "sentence"),
    [
        ({"verdict": "maybe"}, "verdict", "the verdict is 'maybe'"),
        ({"score": float("nan")}, "unstorable", "score of an answer is nan"),
        ({"note": "a\0b"}, "unstorable", "note of an answer has a NUL"),
        ({"note": "\ud800"}, "unstorable", "note of an answer has a NUL character or half"),
        ({"row": "x" * 501}, "unstorable", "row of an answer has 501 bytes"),
        ({"reviewer": ""}, "unstorable", "reviewer of an answer is empty"),
    ],
)
def test_an_answer_that_no_store_can_hold_is_refused(
    store: AnswerStore, change: dict[str, object], code: str, sentence: str
) -> None:
    values: dict[str, object] = {"key": "k", "row": "r", "verdict": "normal", "reviewer": "ann"}
    make: Callable[..., Answer] = Answer
    with pytest.raises(InputError, match=sentence) as caught:
        store.append([make(**(values | change))])
    assert caught.value.code == code
    assert store.since(0) == []


@pytest.mark.parametrize(
    ("module", "statement", "message"),
    [
        ("sqlalchemy", "import alarmnet.loop.store", "alarmnet.loop.store needs SQLAlchemy: "),
        ("sqlalchemy", "main(['triage', 'rows.csv'])", "Error: alarmnet.loop.store needs SQLAlchemy: "),
        ("starlette", "main(['triage', 'rows.csv'])", "Error: triage needs starlette"),
    ],
)
def test_without_the_extra_it_is_named(module: str, statement: str, message: str) -> None:
    script = f"""
import sys
sys.modules["{module}"] = None
from alarmnet import MissingExtraError
from alarmnet.cli import main
import alarmnet.loop  # the queue needs no extra
try:
    {statement}
except MissingExtraError as error:
    print(error, file=sys.stderr)
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr
    assert said.startswith(message)
    assert said.endswith("pip install 'alarmnet[serve]'\n")
