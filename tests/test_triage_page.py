"""What the triage page does with answers, without a browser."""

import json
import os
import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.triage_kills import QueueHere
from click.testing import CliRunner
from tests.triage import ANOMALIES, ROWS, Client, table

from alarmnet.cli import main
from alarmnet.data_files import TableFiles
from alarmnet.loop.page import cards
from alarmnet.loop.page.app import App
from alarmnet.loop.page.cards import cell_words
from alarmnet.loop.page.progress import change_of, expected_by_rank, ranks_of
from alarmnet.loop.page.starting import Wanted, made_ready
from alarmnet.loop.pool import Pool
from alarmnet.loop.process import Answered, LearningError, QueueProcess
from alarmnet.loop.queue import Seen
from alarmnet.loop.remaining import Remaining

Open = Callable[[Path | str], AbstractContextManager[App]]


def truth(key: str) -> str:
    return "anomaly" if int(key.partition("-")[2]) < ANOMALIES else "normal"


def desk_of(app: App) -> Any:
    return app._desk


@pytest.fixture
def fresh(opened: Open, tmp_path: Path) -> Any:
    """A page of the test's own."""
    with opened(tmp_path / "answers.sqlite") as made:
        yield made


def test_a_session_from_the_first_look_to_a_refitted_model(
    fresh: App, opened: Open, tmp_path: Path, triage_data: Wanted
) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    seen = []
    for _ in range(24):
        key = client.shown()
        reply = client.answer(truth(key), note=f"note on {key}", reason="scan")
        assert reply.json()["said"] == f"Saved: {truth(key)}"
        assert desk.store.current()[key].verdict == truth(key)
        seen.append(key)
    assert len(set(seen)) == 24
    assert sum(truth(key) == "anomaly" for key in seen) >= 5
    deadline = time.monotonic() + 60
    while (desk.worker.change is None or desk.worker.learning) and time.monotonic() < deadline:
        time.sleep(0.05)
    side = client.http.get("/state").json()["side"]
    assert "What changed" in side
    assert (
        "The estimate needs 50 clear answers (anomaly or normal), 5 of them for rows drawn at random" in side
    )
    assert "95% interval" not in side
    assert "first ranking" not in side, "nothing is known of the rows that nobody has reviewed"
    assert f'id="looks">{len(seen)}<' in side
    (tmp_path / "out").mkdir()
    fresh._exports.write(tmp_path / "out")
    labels = TableFiles(tmp_path / "out" / "labelled.csv", kinds={"verdict": "text"}).read()
    assert labels["verdict"].to_pylist() == [
        truth(key) if key in seen else None for key in labels["id"].to_pylist()
    ]
    original = TableFiles(triage_data.data).read()
    assert labels.drop_columns(["verdict"]).equals(original.select(labels.column_names[:-1]))
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Answers of reviewers" in report
    answers = TableFiles(tmp_path / "out" / "answers.csv", kinds={"score": "number"}).read()
    assert answers["row"].to_pylist() == seen
    assert answers["row_number"].to_pylist() == [labels["id"].to_pylist().index(key) for key in seen]
    assert answers["note"].to_pylist() == [f"note on {key}" for key in seen]
    out = tmp_path / "out"
    values = ["--label", "verdict", "--anomaly", "anomaly", "--normal", "normal", "--ignore", "id"]
    for command in (
        ["refit", str(out / "triage.alarmnet"), str(out / "labelled.csv"), "--json"],
        ["refit", str(out / "triage.alarmnet"), str(out / "labelled.parquet"), "--json"],
        ["fit", str(out / "labelled.parquet"), *values, "--out", str(out / "new.model"), "--json"],
    ):
        result = CliRunner().invoke(main, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert f'"anomaly": {sum(truth(key) == "anomaly" for key in seen)}' in result.output
    desk.worker.close()
    with opened(desk.store.place) as again:
        assert list(desk_of(again).worker.answers) == seen
        assert Client(again, "b").shown() not in seen


def test_an_answer_that_is_sent_again_is_stored_once(fresh: App) -> None:
    client, store = Client(fresh), desk_of(fresh).store
    key = client.shown()
    replies = [
        client.post("/answer", {"key": key, "verdict": "normal"}, request="samerequest") for _ in range(3)
    ]
    assert {reply.status_code for reply in replies} == {200}
    assert [reply.json()["said"] for reply in replies] == ["Saved: normal", "Done", "Done"]
    assert [event.row for event in store.since(0)] == [key]
    assert {Client.key_in(reply.json()["row"]) for reply in replies} == {client.shown()}
    other = Client(fresh, "b")
    assert other.post("/answer", {"key": key, "verdict": "normal"}, request="samerequest").status_code == 200
    assert len(store.since(0)) == 1
    clash = Client(fresh, "c").post("/answer", {"key": key, "verdict": "anomaly"}, request="samerequest")
    assert clash.status_code == 400
    assert len(store.since(0)) == 1


def test_undo_takes_back_one_after_the_other_and_shows_the_row(fresh: App) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    keys = []
    for _ in range(3):
        keys.append(client.shown())
        client.answer("normal")
    for key in reversed(keys):
        reply = client.post("/undo", {})
        assert Client.key_in(reply.json()["row"]) == key == client.shown()
        assert key not in desk.worker.answers
    assert client.post("/undo", {}).json()["said"] == "Nothing to undo"
    assert client.answer("anomaly").status_code == 200
    assert desk.worker.answers[keys[0]].verdict == "anomaly"


def test_undo_of_a_changed_answer_gives_the_earlier_one_back(fresh: App) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    key = client.shown()
    client.answer("normal", note="first thought")
    assert client.post("/change", {"key": key, "verdict": "anomaly"}).status_code == 200
    assert desk.worker.answers[key].verdict == "anomaly"
    row = client.post("/undo", {}).json()["row"]
    assert Client.key_in(row) == key
    assert 'data-verdict="normal"' in row
    assert "first thought" in row
    assert desk.store.current()[key].verdict == desk.worker._learner._queue.verdicts[key] == "normal"
    client.post("/undo", {})
    assert key not in desk.worker.answers
    assert key not in desk.worker._learner._queue.verdicts


def test_undo_takes_back_no_answer_of_another_browser(fresh: App, opened: Open) -> None:
    clients = [Client(fresh, name) for name in "ab"]
    first = clients[0].shown()
    clients[0].answer("anomaly")
    second = clients[1].shown()
    clients[1].answer("normal")
    store = desk_of(fresh).store
    assert Client.key_in(clients[0].post("/undo", {}).json()["row"]) == first
    assert clients[0].post("/undo", {}).json()["said"] == "Nothing to undo"
    assert Client(fresh, "c").post("/undo", {}).json()["said"] == "Nothing to undo"
    assert list(store.current()) == [second]
    clients[0].answer("normal")
    with opened(store.place) as again:
        assert Client.key_in(Client(again, "a").post("/undo", {}).json()["row"]) == first
        assert list(store.current()) == [second]


def test_undo_skips_an_answer_that_another_browser_of_the_reviewer_changed(fresh: App) -> None:
    client, other = Client(fresh), Client(fresh, "b")
    for one in (client, other):
        one.post("/reviewer", {"reviewer": "ann"})
    first = client.shown()
    client.answer("normal")
    second = client.shown()
    client.answer("normal")
    assert other.post("/change", {"key": second, "verdict": "anomaly"}).status_code == 200
    assert Client.key_in(client.post("/undo", {}).json()["row"]) == first
    assert desk_of(fresh).store.current().keys() == {second}
    assert client.post("/undo", {}).json()["said"] == "Nothing to undo"


def test_undo_does_not_page_through_the_answers(fresh: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(type(desk_of(fresh).store), "history")
    assert Client(fresh).post("/undo", {}).json()["said"] == "Nothing to undo"


def test_undo_reaches_answers_from_before_the_reviewers_name_changed(fresh: App) -> None:
    client, keys = Client(fresh), []
    for name in ("Ann", "Bob"):
        assert client.post("/reviewer", {"reviewer": name}).status_code == 200
        keys.append(client.shown())
        client.answer("normal")
    for key in reversed(keys):
        assert Client.key_in(client.post("/undo", {}).json()["row"]) == key
    assert not desk_of(fresh).store.current()
    assert client.post("/undo", {}).json()["said"] == "Nothing to undo"


def test_a_restart_knows_which_looks_were_at_random(fresh: App, opened: Open) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    while len(desk.worker.answers) < 25:
        client.answer(truth(client.shown()))
    drawn = [key for key in desk.worker.answers if desk.store.current()[key].at_random]
    assert len(drawn) >= 2
    changed = drawn[0]
    client.post("/change", {"key": changed, "verdict": "unsure"})
    assert desk.store.current()[changed].at_random
    queue = desk.worker._learner._queue
    desk.worker.close()
    with opened(desk.store.place) as again:
        assert desk_of(again).worker._learner._queue._shown == queue._shown
        assert desk_of(again).worker.is_drawn(changed)


def test_alike_rows_get_one_answer_and_are_undone_as_one(fresh: App) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    client.http.get("/?row=r-0")
    assert client.post("/answer", {"key": "r-0", "verdict": "anomaly", "group": True}).status_code == 400
    shown = client.post("/alike", {"key": "r-0"}).json()["html"]
    named = set(re.findall(r"r-\d+", shown))
    assert {"r-1", "r-2", "r-3", "r-4"} <= named
    assert f"{len(named)} similar rows" in shown
    reply = client.post("/answer", {"key": "r-0", "verdict": "anomaly", "group": True})
    assert reply.json()["said"] == f"{len(named) + 1} rows: anomaly"
    assert set(desk.worker.answers) == {"r-0", *named}
    assert desk.store.counts()["anomaly"] == len(named) + 1
    assert client.post("/undo", {}).json()["said"] == f"Undone: {len(named) + 1} answers"
    assert not desk.worker.answers
    assert client.shown() == "r-0"


def test_two_reviewers_never_get_the_same_row(fresh: App) -> None:
    clients = [Client(fresh, name) for name in "ab"]
    for client, name in zip(clients, ("ann", "bob"), strict=True):
        assert client.post("/reviewer", {"reviewer": name}).status_code == 200
    given: list[str] = []
    for _ in range(8):
        keys = [client.shown() for client in clients]
        assert len(set(keys)) == 2
        assert not set(keys) & set(given)
        given += keys
        for client in clients:
            client.answer("normal")
    assert {event.reviewer for event in desk_of(fresh).store.since(0)} == {"ann", "bob"}


def test_two_servers_over_one_store_share_answers_and_rows(opened: Open, tmp_path: Path) -> None:
    place = tmp_path / "answers.sqlite"
    with opened(place) as first, opened(place) as second:
        clients = [Client(first), Client(second, "b")]
        for client, name in zip(clients, ("ann", "bob"), strict=True):
            client.post("/reviewer", {"reviewer": name})
        given = []
        for _ in range(5):
            keys = [client.shown() for client in clients]
            assert len(set(keys)) == 2
            given += keys
            for client in clients:
                client.answer("normal")
        assert len(set(given)) == 10
        for app in (first, second):
            desk_of(app).worker.catch_up()
            assert sorted(desk_of(app).worker.answers) == sorted(given)


def test_arrows_go_back_and_on_without_an_answer(fresh: App) -> None:
    client = Client(fresh)
    first = client.shown()
    second = Client.key_in(client.post("/move", {"by": 1}).json()["row"])
    assert second != first
    assert Client.key_in(client.post("/move", {"by": -1}).json()["row"]) == first
    assert Client.key_in(client.post("/move", {"by": -1}).json()["row"]) == first
    reply = client.post("/answer", {"key": first, "verdict": "normal"}).json()
    assert Client.key_in(reply["row"]) == second
    again = client.post("/move", {"by": -1}).json()["row"]
    assert 'data-verdict="normal"' in again


def test_the_history_has_every_answer_and_changes_them(fresh: App) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    key = client.shown()
    client.answer("normal", note="looks fine", reason="scan")
    other = Client(fresh, "b")
    other.post("/reviewer", {"reviewer": "bob <b>"})
    assert other.post("/change", {"key": key, "verdict": "anomaly"}).status_code == 200
    page = client.http.get("/history").text
    assert page.count("looks fine") == 2
    assert "bob &lt;b&gt;" in page
    assert "<b>" not in page
    assert desk.worker.answers[key].verdict == "anomaly"
    assert key in client.http.get("/history?verdict=disagreement").text
    assert key not in client.http.get("/history?text=nothing+like+it").text
    assert "looks fine" in client.http.get("/history?text=LOOKS&reviewer=ann").text
    assert "2 entries" in page
    assert other.post("/undo", {}).json()["said"] == "Undone: 1 answer"
    other.post("/change", {"key": key, "verdict": "anomaly"})
    assert desk.worker.answers[key].note == "looks fine", "a withdrawal after the answer has no note"


def test_a_row_of_a_wide_table_is_shown_before_it_is_explained(
    fresh: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "WIDE", 1)
    client = Client(fresh)
    row = client.http.get("/?row=r-150").text
    assert "data-unexplained" in row
    assert "The explanation follows" in row
    assert row.count('class="name"') == 6
    deadline = time.monotonic() + 20
    while "data-unexplained" in row and time.monotonic() < deadline:
        time.sleep(0.05)
        row = client.http.get("/state?row=1").json()["row"]
    assert Client.key_in(row) == "r-150"
    assert "data-unexplained" not in row
    assert row.count("<li") > 6


def test_a_fault_while_learning_is_said_and_answers_go_on(
    fresh: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, worker = Client(fresh), desk_of(fresh).worker

    def fails() -> bool:
        raise RuntimeError("out of luck\nin detail")

    monkeypatch.setattr(worker, "_step", fails)
    deadline = time.monotonic() + 20
    while not worker.trouble and time.monotonic() < deadline:
        time.sleep(0.05)
    assert worker.trouble == "out of luck"
    monkeypatch.undo()
    assert client.answer("normal").status_code == 200


def test_values_are_as_rare_as_the_explanation_beside_them_says(
    small: Callable[..., Any],
) -> None:
    draws = np.random.default_rng(0).random((2, 1_200))
    rows = table(1_200).drop_columns(["id"])
    rows = rows.set_column(1, "c1", pa.array(rows["c1"].to_numpy(), mask=draws[0] < 0.03))
    words = np.where(draws[1] < 0.03, "ftp", np.array(rows["service"].to_pylist(), dtype=object))
    rows = rows.set_column(5, "service", pa.array(words))
    detector = small().fit(rows)
    keys = tuple(map(str, range(len(rows))))
    pool = Pool(X=rows, keys=keys, numbers=np.arange(len(rows)), total=len(rows), invalid=0, drawn=0)
    marked = set()
    for card in cards.Deck(pool, detector).cards(np.flatnonzero(draws.min(axis=0) < 0.05).tolist()):
        unusual = {value.column: value.unusual for value in card.values}
        for reason in card.why["reasons"]:
            if share := re.search(r"([\d.]+)% (of|as)", reason["normal"]):
                one_in, said = 100 / float(share[1]), unusual[reason["column"]]
                assert (said == "") == (one_in < 20), reason
                if said:
                    assert int(said.removeprefix("1 in ")) == pytest.approx(one_in, rel=0.05)
                    marked.add((share[2], reason["column"]))
            elif reason["normal"] in ("no normal row has it", "none of normal rows"):
                assert unusual[reason["column"]] == "none"
    assert {("of", "service"), ("of", "c1"), ("as", "c0")} <= marked


def test_cells_cannot_do_anything(app: App) -> None:
    page = Client(app, "h").http.get("/?row=r-11").text
    assert "<script>document" not in page
    assert "<img src=x" not in page
    assert "\u202e" not in page.partition("title=")[0]
    assert "&lt;img src=x" in page
    assert page.count("<script") == 1


def test_a_reviewer_whose_name_cannot_be_stored_is_refused_and_forgotten(app: App) -> None:
    client = Client(app, "m")
    headers = {"Content-Type": "application/json"}
    for name in ("a\ud800", "a\0b"):
        reply = client.http.post("/reviewer", content=json.dumps({"reviewer": name}), headers=headers)
        assert reply.status_code == 400
        assert client.answer("unsure").status_code == 200
    assert client.post("/reviewer", {"reviewer": "\U0001f600" * 126}).status_code == 400
    for letters in ("\U0001f600" * 125, "é" * 125):
        assert client.post("/reviewer", {"reviewer": letters}).status_code == 200
        assert client.answer("unsure", reason=letters).status_code == 200


def test_a_note_may_hold_what_it_likes_and_no_more_than_is_allowed(app: App) -> None:
    client = Client(app, "n")
    key = client.shown()
    assert client.answer("normal", note="x" * 2_001).status_code == 400
    assert client.answer("normal", note="a\0b").status_code == 400
    for verdict in ("perhaps", "withdrawn"):
        assert 'expected "anomaly", "normal" or "unsure"' in client.answer(verdict).text
        assert client.post("/change", {"key": key, "verdict": verdict}).status_code == 400
    assert key == client.shown()
    half = json.dumps({"key": key, "verdict": "normal", "note": "a\ud800"})
    headers = {"Content-Type": "application/json", "Idempotency-Key": "0123456789"}
    refused = client.http.post("/answer", content=half, headers=headers)
    assert (refused.status_code, "note has a NUL character or half" in refused.text) == (400, True)
    assert key == client.shown()
    words = '"><script>alert(1)</script>'
    assert client.answer("unsure", note=words).status_code == 200
    back = client.http.get(f"/?row={key}").text
    assert "<script>alert" not in back
    assert "&#34;&gt;&lt;script&gt;" in back


def test_a_store_that_fails_is_said_and_nothing_is_shown_as_saved(
    fresh: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    key = client.shown()

    def fails(*_: object) -> None:
        raise RuntimeError("disk")

    with monkeypatch.context() as patch:
        patch.setattr(desk.store, "append", fails)
        reply = client.answer("normal")
    assert reply.status_code == 500
    assert "Saved" not in reply.text
    assert client.shown() == key
    assert client.answer("normal").status_code == 200


def test_learning_that_fails_is_said_and_answers_go_on(fresh: App, monkeypatch: pytest.MonkeyPatch) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    monkeypatch.setattr(QueueHere, "alive", False)
    deadline = time.monotonic() + 20
    while not desk.worker.trouble and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "Learning failed" in client.http.get("/state").json()["side"]
    key = client.shown()
    assert client.answer("normal").status_code == 200
    assert desk.store.current()[key].verdict == "normal"


def test_the_first_ranking_is_expected_to_find_what_it_ranks_high() -> None:
    ranks = ranks_of(np.array([5.0, 4.0, 3.0, 2.0, 1.0]))
    nothing = Remaining(0, 0, 0, stop=False, advice="", lacks="")
    found = expected_by_rank(ranks, {0: "anomaly", 4: "anomaly", 2: "normal"}, 3, nothing)
    assert found.tolist() == [1, 1, 1]


def test_what_remains_is_shown_once_there_is_a_basis(fresh: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alarmnet.loop.remaining.BASIS", 12)
    monkeypatch.setattr("alarmnet.loop.remaining.RANDOM_BASIS", 1)
    client, desk = Client(fresh), desk_of(fresh)
    for count in (5, 12):
        while len(desk.worker.answers) < count:
            client.answer(truth(client.shown()))
        wanted, other = ("so far it has 5,", "95% interval")[:: 1 if count == 5 else -1]
        deadline, side = time.monotonic() + 30, ""
        while wanted not in side and time.monotonic() < deadline:
            time.sleep(0.05)
            side = client.http.get("/state").json()["side"]
        assert (wanted in side, other in side) == (True, False)
        assert ("expected with the first ranking" in side) == (count == 12)


def test_what_rose_is_told() -> None:
    before, after = np.arange(300.0)[::-1], np.arange(300.0)[::-1].copy()
    after[250] = 1_000
    change = change_of(
        before, after, answered=[0], names=lambda place: f"row {place}", answers=1, seconds=2.0
    )
    assert (change.fresh, change.of, change.risen) == (1, 100, (("row 250", 250, 1),))


@pytest.mark.parametrize("cell", ["x" * 1_000_000, "a\n\n\nb" * 100_000, "\u202e" * 1_000_000, "\u05d0" * 70])
def test_long_cells_are_cut(cell: str) -> None:
    text, whole = cell_words(cell)
    assert len(text) <= 60
    assert len(whole) <= 2_050
    assert "\n" not in text
    assert "\u202e" not in text


def test_every_row_can_be_answered(fresh: App) -> None:
    client = Client(fresh)
    client.http.get("/?row=r-200")
    desk = desk_of(fresh)
    for key in desk.pool.keys:
        if key != "r-7":
            desk.change(desk.seat("z"), key, "normal", request=f"all{key}")
    client = Client(fresh, "b")
    assert client.shown() == "r-7"
    reply = client.answer("anomaly").json()
    assert "No rows are left" in reply["row"]
    assert f"{ROWS:,}" in reply["side"]
    deadline, side = time.monotonic() + 30, ""
    while "All rows are reviewed." not in side and time.monotonic() < deadline:
        time.sleep(0.05)
        side = client.http.get("/state").json()["side"]
    assert "All rows are reviewed." in side
    assert "95% interval 0 to 0" in side
    assert "Learning failed" not in side
    assert not desk.worker.trouble


def test_unsure_answers_are_not_counted_as_learned(fresh: App) -> None:
    client, desk = Client(fresh), desk_of(fresh)
    for _ in range(12):
        client.answer("unsure")
    assert desk.worker.fresh == 0
    client.answer("normal")
    assert "1 new answer;" in client.http.get("/state").json()["side"]
    client.post("/refit", {})
    deadline = time.monotonic() + 60
    while (desk.worker.change is None or desk.worker.learning) and time.monotonic() < deadline:
        time.sleep(0.05)
    side = client.http.get("/state").json()["side"]
    assert "Learned from 1 answer in" in side
    assert 'id="looks">13<' in side, "an unsure row is reviewed"


def test_the_real_queue_is_a_process_of_low_priority_that_ends_with_the_page(
    triage_data: Wanted, tmp_path: Path
) -> None:
    with made_ready(replace(triage_data, labels=str(tmp_path / "answers.sqlite"))) as app:
        client, desk = Client(app), desk_of(app)
        process = desk.worker._learner._process
        assert os.getpriority(os.PRIO_PROCESS, process.pid) > min(18, os.getpriority(os.PRIO_PROCESS, 0))
        for _ in range(10):
            client.answer(truth(client.shown()))
        deadline = time.monotonic() + 60
        while desk.worker.change is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert desk.worker.change.answers == 10
        assert desk.worker.remaining is not None
        with pytest.raises(LearningError, match="no row has the id"):
            desk.worker._learner.ahead(1, skip=["nobody"]).result()
    assert not process.is_alive()


def test_what_learning_warns_of_is_a_line_like_other_warnings(
    small: Callable[..., Any], capfd: pytest.CaptureFixture[str]
) -> None:
    X = np.random.default_rng(0).normal(size=(60, 2))
    X[1] = X[0]
    seen = Seen(at_random=False, score=0.0)
    answers: Answered = {"0": ("anomaly", seen), "1": ("normal", seen)}
    queue = QueueProcess(X, small().fit(X), [str(row) for row in range(60)], answers=answers, seed=0)
    try:
        queue.train().result()
    finally:
        queue.close()
    assert re.findall(".*Warning.*", capfd.readouterr().err) == [
        "Warning: 1 row equals a known anomaly in every column and is not labelled anomalous"
    ]
