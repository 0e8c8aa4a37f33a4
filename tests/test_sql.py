"""Queries of SQLite, DuckDB and PostgreSQL as data, and scores written back."""

import re
import sqlite3
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import psycopg
import pyarrow as pa
import pytest
from click.testing import CliRunner
from tests.stores import PASSWORD, postgres_url  # noqa: F401 - a fixture

import alarmnet
from alarmnet.cli import main
from alarmnet.data_files import Reading, database_at, local_files, refuse_existing, write_to_database
from alarmnet.errors import InputError, MissingExtraError

QUERY = "SELECT * FROM flows ORDER BY id"
KINDS = ("sqlite", "duckdb", "postgresql")


def _rows() -> list[tuple[int, float, str, str]]:
    values = np.random.default_rng(0).normal(size=80)
    return [
        (number, float(value), ("http", "dns")[number % 2], "bad" if number < 4 else "fine")
        for number, value in enumerate(values)
    ]


class Place:
    """A database with a table of flows; `ask` gives rows."""

    def __init__(self, kind: str, address: str, target: str) -> None:
        self.kind, self.address, self._target = kind, address, target
        for statement in ("DROP TABLE IF EXISTS flows", "DROP TABLE IF EXISTS scores", "CREATE TABLE flows "):
            number = "NUMERIC" if kind == "postgresql" else "DOUBLE"
            columns = f"(id INTEGER, bytes {number}, service TEXT, label TEXT)"
            self.ask(statement + (columns if "CREATE" in statement else ""))
        values = ", ".join(map(str, _rows()))
        self.ask(f"INSERT INTO flows VALUES {values}")

    def ask(self, statement: str) -> list[Any]:
        connect: Any = {"sqlite": sqlite3, "duckdb": duckdb, "postgresql": psycopg}[self.kind].connect
        connection = connect(self._target)
        try:
            found = connection.execute(statement)
            rows = found.fetchall() if statement.startswith("SELECT") else []
            connection.commit()
        except duckdb.TransactionException:
            pass
        finally:
            connection.close()
        return list(rows)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "postgresql":
        address: str = request.getfixturevalue("postgres_url")
        return Place("postgresql", address, address)
    file = tmp_path / "flows.db"
    return Place(request.param, f"{request.param}:///{file}", str(file))


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, result.output
    assert PASSWORD not in result.output
    return result.output


def test_a_query_is_fitted_evaluated_scored_and_written_back(place: Place, tmp_path: Path) -> None:
    data = (place.address, "--query", QUERY)
    model, file = tmp_path / "model", tmp_path / "scores.parquet"
    labels = ("--label", "label", "--anomaly", "bad")
    run("fit", *data, *labels, "--ignore", "id", "--alarm-rate", 0.2, "--out", model)
    run("evaluate", model, *data)
    run("refit", model, *data, "--out", tmp_path / "again")
    run("score", model, *data, "--id", "id", "--out", file)
    back = ("--out", place.address, "--table", "scores")
    assert "table 'scores' of" in run("score", model, *data, "--id", "id", *back)
    expected = pa.parquet.read_table(file)
    rows = place.ask("SELECT id, score FROM scores ORDER BY CAST(id AS INTEGER)")
    assert [int(row[0]) for row in rows] == [*range(80)]
    np.testing.assert_allclose([row[1] for row in rows], expected["score"].to_numpy())
    assert "already" in run("score", model, *data, "--id", "id", *back, code=2)
    assert len(place.ask("SELECT * FROM scores")) == 80
    scored = alarmnet.score_files(
        model, place.address, out=file, reading=Reading(query=QUERY), ignored=["id"]
    )
    assert scored.rows == 80


def test_an_error_that_repeats_the_password_is_told_without_it(postgres_url: str) -> None:  # noqa: F811
    with (
        pytest.raises(InputError, match=r"\*\*\*") as refused,
        local_files([postgres_url], f"SELECT CAST('{PASSWORD}' AS INTEGER)"),
    ):
        pass
    assert PASSWORD not in str(refused.value)


def test_types_and_values_arrive_as_they_are(place: Place) -> None:
    with local_files([place.address], QUERY) as files:
        table = pa.parquet.read_table(files[0])
    np.testing.assert_allclose(table["bytes"].to_numpy(), [row[1] for row in _rows()])
    assert table["service"].to_pylist() == [row[2] for row in _rows()]


def test_numbers_of_arbitrary_precision_keep_the_digits_of_ids(postgres_url: str) -> None:  # noqa: F811
    numbers = "(123456789012345678, 1.25), (123456789012345679, NULL), (7, 'NaN')"
    query = f"SELECT a::NUMERIC AS a, b::NUMERIC AS b FROM (VALUES {numbers}) AS t (a, b)"
    with local_files([postgres_url], query) as files:
        table = pa.parquet.read_table(files[0])
    assert table["a"].to_pylist() == ["123456789012345678", "123456789012345679", "7"]
    np.testing.assert_array_equal(table["b"].to_numpy(), [1.25, np.nan, np.nan])


def test_numbers_of_arbitrary_precision_keep_the_digits_of_ids_in_late_rows(postgres_url: str) -> None:  # noqa: F811
    rows, first = 60_000, 123456789012345670
    number = f"CASE WHEN g > {rows - 2} THEN {first} + g ELSE g END"
    query = f"SELECT ({number})::NUMERIC AS a, repeat('x', 500) AS t FROM generate_series(1, {rows}) AS g"
    with local_files([postgres_url], query) as files:
        table = pa.parquet.read_table(files[0], columns=["a"])
    expected = [str(first + number) for number in (rows - 1, rows)]
    assert table["a"].to_pylist()[-3:] == [str(rows - 2), *expected]


@pytest.mark.parametrize("place", ["duckdb", "postgresql"], indirect=True)
def test_columns_with_units_of_their_own_need_a_cast(place: Place) -> None:
    types = {"INTERVAL '1 day 0.5 s'": ('EXTRACT(EPOCH FROM "a")', 86_400.5)}
    if place.kind == "postgresql":
        types["'12.34'::money"] = ('"a"::numeric', 12.34)
    for value, (cast, number) in types.items():
        query = f"SELECT {{}} AS a FROM (SELECT {value} AS a) AS t"
        with (
            pytest.raises(InputError, match=re.escape(f"write {cast} in the query")) as refused,
            local_files([place.address], query.format("a")),
        ):
            pass
        assert (refused.value.code, refused.value.column) == ("column_type", "a")
        with local_files([place.address], query.format(cast)) as files:
            assert pa.parquet.read_table(files[0])["a"].to_pylist() == [number]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM absent",
        "SELECT",
        "SELECT * FROM flows WHERE id < 0",
        "DELETE FROM flows",
        "DELETE FROM flows RETURNING id",
        "DROP TABLE flows",
    ],
)
def test_queries_that_fail_change_nothing_and_say_so(place: Place, query: str) -> None:
    with pytest.raises(InputError) as refused, local_files([place.address], query):
        pass
    assert refused.value.code == "query"
    assert PASSWORD not in str(refused.value)
    assert len(place.ask("SELECT * FROM flows")) == 80


def test_a_database_file_is_told_by_its_contents_and_needs_a_query(tmp_path: Path) -> None:
    for kind in ("sqlite", "duckdb"):
        file = tmp_path / f"{kind}.data"
        Place(kind, str(file), str(file))
        with local_files([file], QUERY) as files:
            assert f"{files[0]}" == f"the query on {file}"
            assert pa.parquet.read_table(files[0]).num_rows == 80
        with pytest.raises(InputError, match="--query"), local_files([file]):
            pass
    (tmp_path / "t.csv").write_text("a\n1\n")
    with pytest.raises(InputError, match="is not a database"), local_files([tmp_path / "t.csv"], QUERY):
        pass
    with pytest.raises(InputError, match="does not exist"), local_files([f"sqlite:///{tmp_path}/no"], QUERY):
        pass
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:s3cr3t@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?user=me&password=s3cr3t",
        "postgresql://me:a/s3cr3t@127.0.0.1:1/d",
        "postgresql://me:a?s3cr3t@127.0.0.1:1/d",
        "postgresql://me:a@s3cr3t@127.0.0.1:1/d",
        "postgresql://127.0.0.1:1/d?password=a@s3cr3t",
        "postgresql://me:s3cr3t@127.0.0.1:port/d",
        "mysql://me:s3cr3t@host/d",
    ],
)
def test_no_message_shows_a_password(address: str, tmp_path: Path) -> None:
    out = run("fit", address, "--query", "SELECT 1", "--out", tmp_path / "m", code=2)
    assert "s3cr3t" not in out
    with pytest.raises(InputError) as refused:
        refuse_existing(database_at(address), "t")  # type: ignore[arg-type]
    assert "s3cr3t" not in str(refused.value)
    assert "s3cr3t" not in repr(refused.value)


def test_a_table_and_a_database_need_each_other(tmp_path: Path) -> None:
    for out in (("scores.csv", "--table", "t"), (f"sqlite:///{tmp_path}/s.db",)):
        assert "--table NAME" in run("score", "m", "t.csv", "--out", *out, code=2)
    for file, kind in (("s.db", "sqlite"), ("s.duckdb", "duckdb")):
        said = run("score", "m", "t.csv", "--out", file, "--table", "t", code=2)
        assert f"a new one is {kind}:///{file}" in said


def test_a_new_database_is_made_only_with_its_table(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n1\n")
    for kind in ("sqlite", "duckdb"):
        words = ("score", tmp_path / "no-model", tmp_path / "t.csv", "--table", "t", "--out")
        run(*words, f"{kind}:///{tmp_path}/new.db", code=2)
        assert not (tmp_path / "new.db").exists()
        assert "folder does not exist" in run(*words, f"{kind}:///{tmp_path}/no/new.db", code=2)


@pytest.mark.parametrize("there", [True, False])
def test_a_name_that_the_database_refuses_is_refused_before_any_work(there: bool, tmp_path: Path) -> None:
    for kind, name in (("sqlite", "sqlite_x"), ("sqlite", "a\udcff"), ("duckdb", "a\udcff")):
        file = tmp_path / f"{kind}.db"
        if there:
            Place(kind, str(file), str(file))
        words = ("score", tmp_path / "no-model", tmp_path, "--out", f"{kind}:///{file}", "--table", name)
        assert "cannot be written" in run(*words, code=2)
        assert file.exists() == there


def test_trying_a_name_leaves_no_table(place: Place) -> None:
    database = database_at(place.address)
    assert database
    for _ in range(2):
        refuse_existing(database, "scores")


def test_a_table_that_may_not_be_read_is_there(postgres_url: str) -> None:  # noqa: F811 - the fixture
    Place("postgresql", postgres_url, postgres_url)
    other = postgres_url.replace("//tests:", "//guest:")
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE ROLE guest LOGIN PASSWORD '{PASSWORD}'")
        try:
            with pytest.raises(InputError, match="has a table 'flows' already"):
                refuse_existing(database_at(other), "flows")  # type: ignore[arg-type]
            with pytest.raises(InputError, match="permission denied"):
                refuse_existing(database_at(other), "no such table")  # type: ignore[arg-type]
        finally:
            server.execute("DROP ROLE guest")


def test_a_damaged_database_is_refused_before_any_work(tmp_path: Path) -> None:
    place = Place("sqlite", str(tmp_path / "f.db"), str(tmp_path / "f.db"))
    content = bytearray((tmp_path / "f.db").read_bytes())
    content[100:4096] = bytes(range(256)) * 15 + bytes(156)
    (tmp_path / "f.db").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot be written: .*malformed"):
        refuse_existing(database_at(place.address), "t")  # type: ignore[arg-type]


def test_a_name_of_a_table_is_a_name(tmp_path: Path) -> None:
    place = Place("sqlite", str(tmp_path / "f.db"), str(tmp_path / "f.db"))
    database = database_at(place.address)
    assert database
    place.ask('CREATE TABLE "a""b" (x)')
    with pytest.raises(InputError, match="already"):
        refuse_existing(database, 'a"b')
    refuse_existing(database, 'x"; DROP TABLE flows; --')
    assert len(place.ask("SELECT * FROM flows")) == 80


@pytest.mark.parametrize(("kind", "module"), [("duckdb", "duckdb"), ("sqlite", "adbc_driver_sqlite.dbapi")])
def test_a_missing_driver_names_the_extra(
    kind: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").touch()
    monkeypatch.setitem(sys.modules, module, None)
    with (
        pytest.raises(MissingExtraError, match=r"alarmnet\[sql\]"),
        local_files([f"{kind}:///{tmp_path}/f"], "x"),
    ):
        pass


def test_decimal_ids_are_written_in_full(place: Place, tmp_path: Path) -> None:
    ids = pa.array([Decimal(10**20 + number) for number in range(3)], pa.decimal128(30, 0))
    path = tmp_path / "ids.parquet"
    pa.parquet.write_table(pa.table({"id": ids}), path)
    found = database_at(place.address)
    assert found
    write_to_database(found, "ids", path)
    assert [int(row[0]) for row in place.ask("SELECT id FROM ids ORDER BY id")] == [
        int(one.as_py()) for one in ids
    ]


def _stored(tmp_path: Path, *rows: tuple[Any, ...]) -> pa.Table:
    """What is read of rows in SQLite, in columns without a type."""
    names = ", ".join("abcdef"[: len(rows[0])])
    with closing(sqlite3.connect(tmp_path / "t.db")) as connection:
        connection.execute(f"CREATE TABLE t ({names})")
        connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(rows[0]))})", rows)
        connection.commit()
    with local_files([tmp_path / "t.db"], "SELECT * FROM t") as files:
        return pa.parquet.read_table(files[0])


def test_numbers_beside_text_in_sqlite_keep_every_digit(tmp_path: Path) -> None:
    # an import of CSV into SQLite leaves empty cells as empty text in columns of numbers
    table = _stored(tmp_path, (6405920.71, 12345678), ("", 0.5), (3.0, "x"), (None, b"y"))
    assert table["a"].to_pylist() == ["6405920.71", "", "3", None]
    assert table["b"].to_pylist() == [b"12345678", b"0.5", b"x", b"y"]


def test_types_of_sqlite_are_those_of_all_rows(tmp_path: Path) -> None:
    table = _stored(tmp_path, *[(None, 1, 1.5, 2, None)] * 9_000, (0.25, 0.5, "x", None, None))
    kinds = ("double", "double", "string", "int64", "int64")
    assert [str(kind) for kind in table.schema.types] == [*kinds]
    assert table.slice(8_999).to_pylist() == [
        {"a": None, "b": 1.0, "c": "1.5", "d": 2, "e": None},
        {"a": 0.25, "b": 0.5, "c": "x", "d": None, "e": None},
    ]
