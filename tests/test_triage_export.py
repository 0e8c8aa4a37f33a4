"""What the triage page exports: every answer is learned, and nothing is measured on rows that were chosen."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partialmethod
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.triage_kills import QueueHere
from tests.triage import ANOMALIES, Client, table

from alarmnet import load
from alarmnet.data_files import TableFiles, write_table
from alarmnet.loop.page import export
from alarmnet.loop.page.app import App
from alarmnet.loop.page.starting import Wanted, made_ready
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


def test_the_exported_model_numbers_known_anomalies_by_the_rows_of_the_files(
    triage_data: Wanted, tmp_path: Path
) -> None:
    rows = table()
    bad = pa.array(np.where(np.arange(240) >= 200, np.inf, rows["c0"].to_numpy()))
    rows = rows.set_column(1, "c0", bad)
    write_table(tmp_path / "flows.csv", [rows.slice(200), rows.slice(0, 200)])
    wanted = replace(triage_data, data=[tmp_path / "flows.csv"], labels=str(tmp_path / "answers.sqlite"))
    with made_ready(wanted, start=QueueHere) as app:
        for _ in range(2):
            assert counts_of(answered(app, [0, 1, 8, 100]), tmp_path)["anomaly"] == 3
            known = load(tmp_path / "model").fitted_state().known_numbers
            np.testing.assert_array_equal(known, [40, 41, 48])


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
        assert (
            reply.status_code,
            "Learning failed: the disk is full. The exported labels" in reply.text,
        ) == (503, True)
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


@pytest.mark.parametrize("form", ["csv", "parquet"])
@pytest.mark.parametrize("identifier", ["id", None])
def test_labels_go_to_the_rows_that_were_answered_or_nowhere(
    identifier: str | None, form: str, triage_data: Wanted, tmp_path: Path
) -> None:
    rows, data = TableFiles(triage_data.data).read(), tmp_path / f"flows.{form}"
    write_table(data, [rows])
    store = str(tmp_path / "answers.sqlite")
    wanted = replace(triage_data, data=[data], identifier=identifier, labels=store)

    def labels_of(client: Client) -> list[tuple[str, str]]:
        for name in ("labelled.csv", "labelled.parquet"):
            reply = client.http.get(f"/export/{name}")
            assert reply.status_code == 200, reply.text
            (tmp_path / name).write_bytes(reply.content)
            exported = TableFiles(tmp_path / name, kinds={"verdict": "text"}).read(["id", "verdict"])
            found = [(row["id"], row["verdict"]) for row in exported.to_pylist() if row["verdict"]]
        return sorted(found)

    with made_ready(wanted, start=QueueHere) as app:
        client, keys = Client(app), app._desk.pool.keys
        for place, verdict in ((0, "anomaly"), (100, "normal"), (239, "normal"), (7, "unsure")):
            client.post("/change", {"key": keys[place], "verdict": verdict})
        right = [("r-0", "anomaly"), ("r-100", "normal"), ("r-239", "normal")]
        assert labels_of(client) == right
        write_table(data, [rows, rows.slice(0, 1).set_column(0, "id", pa.array(["r-240"]))])
        assert labels_of(client) == right, "rows may come after those that were answered"
        for changed in (rows.take(list(range(240))[::-1]), rows.slice(0, 239), rows.slice(1)):
            write_table(data, [changed])
            for name in ("labelled.csv", "labelled.parquet"):
                reply = client.http.get(f"/export/{name}")
                assert (reply.status_code, "has changed since triage started" in reply.text) == (400, True)
        write_table(data, [rows.take(list(range(240))[::-1])])
    with made_ready(wanted, start=QueueHere) as app:
        assert labels_of(Client(app)) == right, "the answers are kept"


def test_labels_go_to_equal_rows_in_any_part_of_the_data(
    triage_data: Wanted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TableFiles, "batches", partialmethod(TableFiles.batches, rows=100))
    rows, data = TableFiles(triage_data.data).read().drop_columns(["id"]), tmp_path / "flows.csv"
    write_table(data, [rows, rows.slice(100, 1)])
    store = str(tmp_path / "answers.sqlite")
    wanted = replace(triage_data, data=[data], identifier=None, labels=store)
    with made_ready(wanted, start=QueueHere) as app:
        client, keys = Client(app), app._desk.pool.keys
        for place, verdict in ((240, "anomaly"), (0, "anomaly"), (100, "normal"), (199, "normal")):
            client.post("/change", {"key": keys[place], "verdict": verdict})
        (tmp_path / "labelled.csv").write_bytes(client.http.get("/export/labelled.csv").content)
    exported = TableFiles(tmp_path / "labelled.csv", kinds={"verdict": "text"}).read(["verdict"])
    found = {place: said for place, said in enumerate(exported["verdict"].to_pylist()) if said}
    assert found == {0: "anomaly", 100: "normal", 199: "normal", 240: "anomaly"}
