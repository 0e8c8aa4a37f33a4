"""`alarmnet triage` as a command: what it reads, and where it keeps answers."""

import gzip
import json
import socket
import sqlite3
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks.triage_kills import QueueHere
from click.testing import CliRunner, Result
from psycopg import connect
from tests.stores import PASSWORD, place, postgres_url  # noqa: F401 - fixtures
from tests.triage import ANOMALIES, Client, table

from alarmnet import load
from alarmnet.cli import main
from alarmnet.data_files import TableFiles, write_table
from alarmnet.loop.page import server, starting
from alarmnet.loop.page.app import App
from alarmnet.loop.page.starting import Wanted

Run = Callable[..., Result]


def rows() -> pa.Table:
    """Numbers with -999 for a missing one, and a port."""
    data = table().select(["id", "c0", "c1"])
    values = data["c1"].to_numpy().copy()
    values[20:40] = -999
    ports = pa.array([str(80 + number % 3) for number in range(len(data))])
    return data.set_column(2, "c1", pa.array(values)).append_column("port", ports)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, small: Any) -> Run:
    """Runs the command with a detector that trains in a moment; `look` takes the place of serving."""
    monkeypatch.setattr(starting, "A3Detector", lambda **_: small())

    def run_command(
        *words: str, look: Callable[[App], None] = lambda app: None, identifier: str = "id", **options: Any
    ) -> Result:
        made_ready, guarded = starting.made_ready, starting.guarded
        seen: list[App] = []

        def guarded_and_seen(app: App, *rest: Any) -> Any:
            seen.append(app)
            return guarded(app, *rest)

        def instead(_: object, taken: socket.socket) -> None:
            taken.close()
            look(seen[0])

        with monkeypatch.context() as patch:
            patch.setattr(starting, "made_ready", lambda *given: made_ready(*given, start=QueueHere))
            patch.setattr(starting, "guarded", guarded_and_seen)
            patch.setattr(server, "serve", instead)
            return CliRunner().invoke(main, ["triage", *words, "--id", identifier], **options)

    return run_command


def text(data: pa.Table, mark: str = ",") -> str:
    lines = [data.column_names, *map(list, zip(*data.to_pydict().values(), strict=True))]
    return "\n".join(mark.join(map(str, line)) for line in lines)


def forms(folder: Path) -> dict[str, list[str]]:
    """The same rows in several forms: what comes after the command."""
    data = rows()
    (folder / "flows.csv").write_text(text(data))
    (folder / "flows.txt").write_text(text(data, "|"))
    (folder / "flows.jsonl").write_text("\n".join(map(json.dumps, data.to_pylist())))
    (folder / "flows.csv.gz").write_bytes(gzip.compress(text(data).encode()))
    with zipfile.ZipFile(folder / "flows.zip", "w") as archive:
        archive.writestr("flows.csv", text(data))
    (folder / "parts").mkdir()
    for part in range(2):
        write_table(folder / "parts" / f"{part}.parquet", [data.slice(part * 120, 120)])
    store = ["--labels", str(folder / "answers.sqlite")]
    with closing(sqlite3.connect(folder / "flows.db")) as database:
        data.to_pandas().to_sql("flows", database, index=False)
    return {
        "csv": [str(folder / "flows.csv")],
        "pipes": [str(folder / "flows.txt"), "--delimiter", "|"],
        "json": [str(folder / "flows.jsonl")],
        "gzip": [str(folder / "flows.csv.gz")],
        "zip": [str(folder / "flows.zip")],
        "folder": [str(folder / "parts")],
        "pattern": [str(folder / "parts" / "*.parquet"), *store],
        "stdin": ["-", *store],
        "sqlite": [str(folder / "flows.db"), "--query", "SELECT * FROM flows"],
    }


@pytest.mark.parametrize(
    "form", ["csv", "pipes", "json", "gzip", "zip", "folder", "pattern", "stdin", "sqlite"]
)
def test_it_reads_what_fit_and_score_read(form: str, run: Run, tmp_path: Path) -> None:
    words = [*forms(tmp_path)[form], "--missing", "-999", "--category", "port"]
    out = tmp_path / "out"
    out.mkdir()

    def look(app: App) -> None:
        assert len(app._desk.pool) == 240
        assert app._desk.pool.X["c1"].null_count == 20
        encoder: Any = app._desk.worker.trained.detector.encoder_
        assert encoder.kinds_["port"] == "category"
        client = Client(app)
        for key in ("r-0", "r-100"):
            client.http.get(f"/?row={key}")
            client.answer("anomaly" if int(key[2:]) < ANOMALIES else "normal")
        app._exports.write(out)

    result = run(*words, look=look, input=text(rows()) if form == "stdin" else None)
    assert result.exit_code == 0, result.output
    labelled = TableFiles(out / "labelled.csv", kinds={"c1": "text", "verdict": "text"}).read()
    said = dict(zip(labelled["id"].to_pylist(), labelled["verdict"].to_pylist(), strict=True))
    assert {key: verdict for key, verdict in said.items() if verdict} == {"r-0": "anomaly", "r-100": "normal"}
    assert [float(cell) for cell in labelled["c1"].to_pylist()].count(-999) == 20, "cells are as they were"
    refit = CliRunner().invoke(
        main, ["refit", str(out / "triage.alarmnet"), str(out / "labelled.csv"), "--json"]
    )
    assert refit.exit_code == 0, refit.output
    assert json.loads(refit.stdout)["labels"]["anomaly"] == 1
    store = tmp_path / "answers.sqlite"
    if "--labels" not in words:
        store = Path(f"{words[0]}.answers.sqlite")
    assert store.exists()


def test_a_model_reads_missing_words_too_and_the_export_remembers_them(
    run: Run, tmp_path: Path, small: Any
) -> None:
    (tmp_path / "flows.csv").write_text(text(rows()))
    small().fit(table().select(["c0", "c1"])).save(tmp_path / "flows.model")

    def look(app: App) -> None:
        assert app._desk.pool.X["c1"].null_count == 20
        assert app._desk.worker.trained.detector.notes_["missing"] == ["-999"]

    words = [str(tmp_path / "flows.csv"), "--model", str(tmp_path / "flows.model"), "--ignore", "port"]
    result = run(*words, "--missing", "-999", look=look)
    assert result.exit_code == 0, result.output
    for option in ("--category", "--keep"):
        refused = run(*words, option, "port")
        assert refused.exit_code == 2
        assert f"{option} is for fitting a model" in refused.output


@pytest.mark.parametrize("form", ["csv", "json", "folder"])
def test_ignored_columns_are_shown_as_they_are_written(form: str, run: Run, tmp_path: Path) -> None:
    pages: list[str] = []

    def look(app: App) -> None:
        pool = app._desk.pool
        assert pool.X.column_names == ["c0"]
        assert pool.unread.column_names == ["c1", "port"]
        assert [float(cell) for cell in pool.unread["c1"].to_pylist()] == rows()["c1"].to_pylist()
        assert pool.unread["port"].to_pylist() == rows()["port"].to_pylist()
        pages.append(Client(app).http.get("/?row=r-121").text)

    words = [*forms(tmp_path)[form], "--ignore", "c1", "--ignore", "port", "--missing", "-999"]
    result = run(*words, look=look)
    assert result.exit_code == 0, result.output
    shown = pages[0].partition("<bdi>port</bdi>")[2].partition("</li>")[0]
    assert "not used" in shown
    assert f">{rows()['port'][121].as_py()}</bdi>" in shown


def test_columns_with_labels_are_not_shown(run: Run, tmp_path: Path, small: Any) -> None:
    data = rows()
    for name in ("state", "Is_Fraud"):
        data = data.append_column(name, pa.array(["bad"] * ANOMALIES + ["fine"] * (240 - ANOMALIES)))
    write_table(tmp_path / "flows.csv", [data])
    model = small().fit(table().select(["c0", "c1"]))
    model.notes_ = {"label": "state"}
    model.save(tmp_path / "flows.model")
    seen: list[list[str]] = []
    result = run(
        *(str(tmp_path / "flows.csv"), "--model", str(tmp_path / "flows.model")),
        *("--ignore", "state", "--ignore", "Is_Fraud", "--ignore", "port"),
        look=lambda app: seen.append(app._desk.pool.unread.column_names),
    )
    assert result.exit_code == 0, result.output
    assert seen == [["port"]]


def test_ignored_columns_that_cannot_be_read_are_not_shown(run: Run, tmp_path: Path) -> None:
    lists = pa.array([[number] for number in range(240)])
    times = pa.array(range(240), pa.timestamp("us", "GMT+3"))  # a zone that Arrow does not know
    data = rows().append_column("lists", lists).append_column("times", times)
    write_table(tmp_path / "flows.parquet", [data])
    seen: list[list[str]] = []
    result = run(
        str(tmp_path / "flows.parquet"),
        *("--ignore", "lists", "--ignore", "times", "--ignore", "port"),
        look=lambda app: seen.append(app._desk.pool.unread.column_names),
    )
    assert result.exit_code == 0, result.output
    assert seen == [["port"]]


@pytest.mark.parametrize("kept", [[], ["--keep", "count"]])
def test_a_column_that_would_be_left_out_can_be_kept(kept: list[str], run: Run, tmp_path: Path) -> None:
    data = rows().append_column("count", pa.array(range(240)))
    (tmp_path / "flows.csv").write_text(text(data))
    seen: list[bool] = []

    def look(app: App) -> None:
        encoder: Any = app._desk.worker.trained.detector.encoder_
        seen.append("count" in encoder.source_columns_)

    result = run(str(tmp_path / "flows.csv"), *kept, look=look)
    assert result.exit_code == 0, result.output
    assert seen == [bool(kept)]
    assert ("'count'. To keep a column" in result.output) != bool(kept)


@pytest.mark.parametrize(
    ("again", "said"),
    [("r-3", "'r-3' is in rows 3, 7, 200"), ("", "there is no id in rows 7, 200")],
)
def test_ids_that_cannot_name_rows_are_refused_before_any_work(
    again: str, said: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = rows()
    names = data["id"].to_pylist()
    names[7] = names[200] = again
    names[150] = "r-100"
    parts = data.set_column(0, "id", pa.array(names))
    for number, part in enumerate((parts.slice(0, 120), parts.slice(120))):
        (tmp_path / f"{number}.csv").write_text(text(part))
    monkeypatch.setattr(starting, "_fitted", lambda *_: pytest.fail("it works before it refuses"))
    result = run(str(tmp_path / "0.csv"), str(tmp_path / "1.csv"))
    assert result.exit_code == 2
    assert "0.csv and 1 more: column 'id' names the rows" in result.output
    assert said in result.output
    assert not list(tmp_path.glob("*.sqlite*"))


def test_a_column_of_ids_that_is_not_there_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text(text(rows()))
    result = run(str(tmp_path / "flows.csv"), identifier="nope")
    assert result.exit_code == 2
    assert "--id 'nope': there is no such column" in result.output


def test_options_that_cannot_be_used_are_refused_before_there_is_a_store(run: Run, tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text(text(rows()))
    np.save(tmp_path / "images.npy", np.zeros((20, 8, 8), dtype=np.uint8))
    for words, said in (
        (["flows.csv", "--ignore", "absent"], "--ignore 'absent': there is no such column"),
        (["flows.csv", "--category", "absent"], "--category 'absent': there is no such column"),
        (["flows.csv", "--reason", "é" * 201], "--reason takes a text of 1 to 125 characters"),
        (["flows.csv", "--reviewer", "a\0b"], "--reviewer takes a text of 1 to 125 characters"),
        (["flows.csv", "--keep", "absent"], "--keep 'absent': there is no such column"),
        (["images.npy"], "--id names a column, and images have none"),
    ):
        result = run(str(tmp_path / words[0]), *words[1:])
        assert (result.exit_code, said in result.output) == (2, True), result.output
    assert not list(tmp_path.glob("*.sqlite*"))


@pytest.mark.parametrize("data", ["-", "{}/*.csv"])
def test_data_without_a_place_of_its_own_needs_a_store(data: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "flows.csv").write_text(text(rows()))
    result = run(data.format(tmp_path), input=text(rows()))
    assert result.exit_code == 2
    assert "name one with --labels STORE" in result.output


def test_answers_about_rows_of_other_data_are_not_taken_for_answers_about_these(
    run: Run, tmp_path: Path
) -> None:
    flows, store = tmp_path / "flows.csv", str(tmp_path / "answers.sqlite")
    data = rows()
    flows.write_text(text(data))
    run(str(flows), "--labels", store, look=lambda app: Client(app).answer("normal"))
    other = data.set_column(0, "id", pa.array([f"other {number}" for number in range(len(data))]))
    flows.write_text(text(other))
    seen: list[int] = []

    def look(app: App) -> None:
        seen.append(app._desk.worker.fresh)
        app._exports.write(tmp_path)

    result = run(str(flows), "--labels", store, look=look)
    assert TableFiles(tmp_path / "answers.csv").read()["row_number"].to_pylist() == [None]
    assert "has answers for 1 row, and none is in this data" in result.output
    assert seen == [0]


@pytest.mark.parametrize("place", ["postgres"], indirect=True)
def test_a_server_gives_the_rows_and_keeps_the_answers(place: str, run: Run, postgres_url: str) -> None:  # noqa: F811
    with connect(postgres_url, autocommit=True) as database, database.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE looked_at (id TEXT, c0 DOUBLE PRECISION, c1 DOUBLE PRECISION, port TEXT)"
        )
        cursor.executemany(
            "INSERT INTO looked_at VALUES (%(id)s, %(c0)s, %(c1)s, %(port)s)", rows().to_pylist()
        )

    def look(app: App) -> None:
        assert len(app._desk.pool) == 240
        Client(app).answer("normal")

    words = [postgres_url, "--query", "SELECT * FROM looked_at ORDER BY id"]
    for said in ("", "has answers for 1 row"):
        result = run(*words, "--labels", place, look=look)
        assert result.exit_code == 0, result.output
        assert said in result.output
        assert PASSWORD not in result.output
    refused = run(*words)
    assert refused.exit_code == 2
    assert "name one with --labels STORE" in refused.output
    assert PASSWORD not in refused.output


@pytest.mark.parametrize("known", [ANOMALIES, 0])
def test_the_exported_model_also_learns_the_anomalies_of_the_first_model(
    known: int, run: Run, tmp_path: Path, small: Any
) -> None:
    (tmp_path / "flows.csv").write_text(text(rows()))
    labels = (np.arange(240) < known).astype(float) if known else None
    small().fit(table().select(["c0", "c1"]), labels).save(tmp_path / "flows.model")

    def look(app: App) -> None:
        Client(app).answer("anomaly")
        app._exports.write(tmp_path)

    words = [str(tmp_path / "flows.csv"), "--model", str(tmp_path / "flows.model"), "--ignore", "port"]
    result = run(*words, "--missing", "-999", look=look)
    assert result.exit_code == 0, result.output
    said = (
        "12 anomalies. The model that the page exports learns from those that are in its file, and from the"
    )
    assert (said in result.output) == bool(known)
    assert load(tmp_path / "triage.alarmnet").label_counts_["anomaly"] == (known or 1)


def test_label_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,class\n1,x\n2,y\n")
    result = CliRunner().invoke(main, ["triage", str(tmp_path / "t.csv"), "--label", "class"])
    assert result.exit_code == 2
    assert "triage reads no labels" in result.stderr
    assert "Take the column 'class' out of the data" in result.stderr


def test_it_says_when_the_process_that_learns_does_not_start(triage_data: Wanted, tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "from alarmnet.cli import main\n\nmain()\n"
    )  # a process that imports this starts triage again
    words = [str(triage_data.data[0]), "--model", str(triage_data.model), "--id", "id"]
    words += ["--labels", str(tmp_path / "answers.sqlite")]
    ended = subprocess.run(
        [sys.executable, str(script), "triage", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.endswith("Error: the process that learns is gone; start the command again\n")
