"""What the triage page exports: every answer is learned, and nothing is measured on rows that were chosen."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from benchmarks.triage_kills import QueueHere
from tests.triage import ANOMALIES, Client

from alarmnet import load
from alarmnet.loop.page import export
from alarmnet.loop.page.app import App
from alarmnet.loop.process import LearningError

Open = Callable[[Path | str], AbstractContextManager[App]]


@pytest.fixture
def fresh(opened: Open, tmp_path: Path) -> Iterator[App]:
    with opened(tmp_path / "answers.sqlite") as made:
        yield made


def answered(app: App, rows: list[int], name: str = "a") -> Client:
    """Answer these rows, as what they are, in a browser of this name."""
    client = Client(app, name)
    for row in rows:
        client.http.get(f"/?row=r-{row}")
        client.answer("anomaly" if row < ANOMALIES else "normal")
    return client


def counts_of(client: Client, folder: Path) -> dict[str, int]:
    """The labels that the exported model has learned."""
    reply = client.http.get("/export/triage.alarmnet")
    assert reply.status_code == 200, reply.text
    (folder / "model").write_bytes(reply.content)
    found = load(folder / "model").label_counts_
    return {name: found[name] for name in ("anomaly", "normal")}


def test_the_model_and_the_report_have_every_answer(fresh: App, tmp_path: Path) -> None:
    client = answered(fresh, [0, 100, 101])
    assert fresh._desk.worker.trained.answers == {}, "three answers are too few to learn unasked"
    assert counts_of(client, tmp_path)["normal"] == 2
    assert "has learned all 3 answers" in client.http.get("/learned").json()["html"]
    client.post("/change", {"key": "r-100", "verdict": "unsure"})
    answered(fresh, [8, 9], "b")
    report = client.http.get("/export/report.html").text
    assert "has learned 4 answers of anomaly or normal" in report
    assert fresh._desk.worker.trained.answers == {
        "r-0": "anomaly",
        "r-8": "anomaly",
        "r-9": "anomaly",
        "r-101": "normal",
    }
    assert counts_of(client, tmp_path)["anomaly"] >= 3


def test_the_report_measures_nothing_on_rows_that_were_chosen(fresh: App) -> None:
    client = answered(fresh, [0, 1, 8, 100, 101, 102])
    report = client.http.get("/export/report.html").text
    for measure in ("Average precision", "ROC AUC", "Alarm rate observed", "Comparison with known labels"):
        assert f">{measure}" not in report
    assert "more alarms than chance explains" not in report
    assert "would mislead, so the report leaves them out" in report
    assert "no random sample" in report
    assert "of the rows in the queue" in report


def test_without_an_anomaly_the_model_is_the_first_one_and_the_page_says_so(
    fresh: App, tmp_path: Path
) -> None:
    client = answered(fresh, [100, 101])
    assert "learned none of the 2 answers" in client.http.get("/learned").json()["html"]
    assert counts_of(client, tmp_path) == {"anomaly": 0, "normal": 0}
    assert "learned none of the answers, because none of them is an anomaly" in (
        client.http.get("/export/report.html").text
    )
    answered(fresh, [0], "b")
    assert counts_of(client, tmp_path)["normal"] == 2
    client.post("/change", {"key": "r-0", "verdict": "normal"})
    assert counts_of(client, tmp_path) == {"anomaly": 0, "normal": 0}, "the withdrawn anomaly is forgotten"


def test_an_export_does_not_wait_for_ever(fresh: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "LONGEST_WAIT", 0.3)
    monkeypatch.setattr(QueueHere, "train", lambda self: Future())
    client = answered(fresh, [0, 100, 101])
    began = time.monotonic()
    for name in ("triage.alarmnet", "report.html"):
        reply = client.http.get(f"/export/{name}")
        assert reply.status_code == 503
        assert "not yet learned 3 of 3 answers" in reply.text
        assert "Try again in a minute" in reply.text
    assert time.monotonic() - began < 10
    assert "data-waits" in client.http.get("/export").text
    assert client.http.get("/export/labelled.csv").text.count("anomaly") == 1, "labels do not wait"


def test_learning_that_fails_is_said_by_the_export(
    fresh: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = answered(fresh, [0, 100])

    def fails(self: QueueHere) -> Any:
        reply = Future[Any]()
        reply.set_exception(LearningError("the disk is full"))
        return reply

    with monkeypatch.context() as patch:
        patch.setattr(QueueHere, "train", fails)
        reply = client.http.get("/export/triage.alarmnet")
        assert (reply.status_code, "the disk is full" in reply.text) == (503, True)
        assert "lacks 2 answers" in client.http.get("/learned").json()["html"]
    assert counts_of(client, tmp_path)["anomaly"] >= 1, "the next try learns them"


def test_the_page_begins_to_learn_when_the_exports_are_shown(fresh: App) -> None:
    client = answered(fresh, [0, 100])
    page = client.http.get("/export").text
    assert 'id="learned"' in page
    deadline = time.monotonic() + 30
    while fresh._desk.worker.unlearned and time.monotonic() < deadline:
        time.sleep(0.05)
    assert fresh._desk.worker.trained.answers == {"r-0": "anomaly", "r-100": "normal"}
