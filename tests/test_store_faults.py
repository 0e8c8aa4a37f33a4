"""Stores of answers that cannot be opened, read or written: each says so in a sentence."""

import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from alarmnet.errors import InputError, MissingExtraError
from alarmnet.loop import databases, migrations
from alarmnet.loop.answers import Answer
from alarmnet.loop.store import AnswerStore

ANSWER = Answer(key="a", row="1", verdict="normal", reviewer="ann")


def refused(code: str, action: Callable[[], object]) -> str:
    with pytest.raises(InputError) as caught:
        action()
    assert caught.value.code == code, caught.value
    return str(caught.value)


def add_a_column(connection: sa.Connection) -> None:
    connection.execute(sa.text("ALTER TABLE alarmnet_answers ADD COLUMN colour TEXT"))


VERSION_1 = """
CREATE TABLE alarmnet_answers (
    sequence {number}, key TEXT NOT NULL UNIQUE, "row" TEXT NOT NULL, verdict TEXT NOT NULL,
    reviewer TEXT NOT NULL, reason TEXT NOT NULL, note TEXT NOT NULL, model TEXT NOT NULL, score {score},
    "group" TEXT, time {time} NOT NULL
);
CREATE INDEX "ix_alarmnet_answers_group" ON alarmnet_answers ("group");
CREATE INDEX ix_alarmnet_answers_row ON alarmnet_answers ("row", reviewer, sequence);
CREATE TABLE alarmnet_leases ("row" TEXT PRIMARY KEY, reviewer TEXT NOT NULL, expires {time} NOT NULL);
CREATE TABLE alarmnet_schema (version INTEGER NOT NULL);
INSERT INTO alarmnet_schema VALUES (1);
INSERT INTO alarmnet_answers (key, "row", verdict, reviewer, reason, note, model, score, "group", time)
VALUES ('a', '1', 'normal', 'ann', '', 'an early one', 'm', 0.5, 'g', '2026-11-01 12:00:00.000000');
"""
SQLITE = {"number": "INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT", "score": "DOUBLE", "time": "DATETIME"}
POSTGRESQL = {
    "number": "BIGSERIAL PRIMARY KEY",
    "score": "DOUBLE PRECISION",
    "time": "TIMESTAMP WITH TIME ZONE",
}


def test_a_store_of_version_1_is_read_and_says_from_then_on_what_was_drawn(place: str) -> None:
    _, engine = databases.open_database(place)
    with engine.execution_options(writes=True).begin() as connection:
        for statement in VERSION_1.format_map(SQLITE if engine.name == "sqlite" else POSTGRESQL).split(";"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()
    drawn = Answer(key="b", row="2", verdict="anomaly", reviewer="ann", at_random=True)
    for _ in range(2):
        with AnswerStore.open(place) as store:
            store.append([drawn])
            events = store.since(0)
            assert [(event.key, event.at_random) for event in events] == [("a", False), ("b", True)]
            assert (events[0].note, events[0].score, events[0].sequence) == ("an early one", 0.5, 1)
    with AnswerStore.open(place) as store:
        assert len(store.withdraw_group("g", "ann")) == 1
        assert set(store.current()) == {"2"}


def test_a_store_brought_up_to_date_has_the_tables_of_a_new_one(tmp_path: Path) -> None:
    columns = []
    for name in ("new", "old"):
        _, engine = databases.open_database(tmp_path / name)
        with engine.begin() as connection:
            for statement in VERSION_1.format_map(SQLITE).split(";") if name == "old" else ():
                connection.exec_driver_sql(statement)
        AnswerStore.open(tmp_path / name).close()
        described = sa.inspect(engine).get_columns("alarmnet_answers")
        columns.append({(one["name"], str(one["type"]), one["nullable"]) for one in described})
        engine.dispose()
    assert columns[0] == columns[1]


def test_a_newer_store_is_refused(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as later:
        later.setattr(migrations, "STEPS", (*migrations.STEPS, add_a_column))
        AnswerStore.open(place).close()
    message = refused("store_newer", lambda: AnswerStore.open(place))
    assert "has version 3, but this alarmnet knows versions up to 2; update alarmnet" in message


def test_an_older_store_is_brought_up_to_date_once(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with AnswerStore.open(place) as store:
        store.append([ANSWER])
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add_a_column))
    for _ in range(2):
        with AnswerStore.open(place) as store:
            assert store.current()["1"].key == "a"


def test_a_step_that_fails_leaves_the_older_store_as_it_was(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(connection: sa.Connection) -> None:
        raise KeyboardInterrupt

    with AnswerStore.open(place) as store:
        store.append([ANSWER])
    with monkeypatch.context() as later:
        later.setattr(migrations, "STEPS", (*migrations.STEPS, add_a_column, stop))
        with pytest.raises(KeyboardInterrupt):
            AnswerStore.open(place)
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, add_a_column))
    with AnswerStore.open(place) as store:
        assert store.append([ANSWER]) == [1]


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    place = tmp_path / "answers.sqlite"
    place.write_bytes(b"time,amount\n" * 200)
    message = refused("store_damaged", lambda: AnswerStore.open(place))
    assert message.startswith(
        f"the store of answers {place} is damaged or is not a database (file is not a database)"
    )
    assert place.read_bytes() == b"time,amount\n" * 200


@pytest.mark.parametrize("first", [4096, 8192, 12288])
def test_a_damaged_file(tmp_path: Path, first: int) -> None:
    place = tmp_path / "answers.sqlite"
    with AnswerStore.open(place) as store:
        store.append([Answer(key=str(n), row=str(n), verdict="normal", reviewer="ann") for n in range(500)])
    content = bytearray(place.read_bytes())
    content[first : first + 4096] = b"\xa5" * 4096
    place.write_bytes(content)
    refused("store_damaged", lambda: AnswerStore.open(place))


def test_a_file_cut_short(tmp_path: Path) -> None:
    place = tmp_path / "answers.sqlite"
    with AnswerStore.open(place) as store:
        store.append([Answer(key=str(n), row=str(n), verdict="normal", reviewer="ann") for n in range(500)])
    place.write_bytes(place.read_bytes()[:-5000])
    refused("store_damaged", lambda: AnswerStore.open(place))


def test_another_programs_database(tmp_path: Path) -> None:
    place = tmp_path / "sales.sqlite"
    with sqlite3.connect(place) as connection:
        connection.execute("CREATE TABLE sales (amount REAL)")
    connection.close()
    message = refused("unknown_format", lambda: AnswerStore.open(place))
    assert "another program (it has the table 'sales')" in message


def test_no_folder_and_no_file(tmp_path: Path) -> None:
    refused("missing_folder", lambda: AnswerStore.open(tmp_path / "none" / "answers.sqlite"))
    refused("not_a_file", lambda: AnswerStore.open(tmp_path))


def test_a_writer_that_waits_too_long(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "WAIT", 1)
    with AnswerStore.open(place) as store, AnswerStore.open(place) as other, store._writing():
        assert other.since(0) == []  # readers do not wait
        message = refused("store_busy", lambda: other.append([ANSWER]))
    assert "nothing was stored, try again" in message


def test_a_new_file_that_another_process_prepares_just_now(tmp_path: Path) -> None:
    place = tmp_path / "answers.sqlite"
    other = sqlite3.connect(place, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")  # SQLite would not wait for it before it switches to a write-ahead log
    threading.Timer(0.2, other.execute, ["COMMIT"]).start()
    AnswerStore.open(place).close()
    other.close()


@pytest.mark.parametrize(
    "address",
    ["mysql://a:secret@b/c", "postgresql://a:secret@b:port/c", "postgres://a:secret@b/c", "://secret"],
)
def test_an_address_that_is_none(address: str) -> None:
    message = refused("invalid_parameter", lambda: AnswerStore.open(address))
    assert "secret" not in message


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("not-a-secret", "wrong-secret", "password authentication failed"),
        ("/postgres", "/none", "does not exist"),
    ],
)
def test_a_server_that_refuses(postgres_url: str, old: str, new: str, reason: str) -> None:
    message = refused("store_unavailable", lambda: AnswerStore.open(postgres_url.replace(old, new)))
    assert reason in message
    assert "secret" not in message
    assert "tests:***@127.0.0.1" in message


def test_a_server_that_is_not_there() -> None:
    address = "postgresql://ann:secret@127.0.0.1:1/answers?password=secret2"
    message = refused("store_unavailable", lambda: AnswerStore.open(address))
    assert "secret" not in message
    assert "answers postgresql://ann" in message


def test_a_database_that_may_not_be_written(postgres_url: str) -> None:
    address = f"{postgres_url}?options=-cdefault_transaction_read_only%3Don"
    refused("unwritable", lambda: AnswerStore.open(address))


def test_a_database_beside_other_tables(place: str, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url.replace("postgresql", "postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS sales (amount REAL)"))
    engine.dispose()
    with AnswerStore.open(postgres_url) as store:
        store.append([ANSWER])


def test_no_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'alarmnet\[postgres\]'"):
        AnswerStore.open("postgresql://ann@localhost/answers")
