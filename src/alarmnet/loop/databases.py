"""SQLite files and PostgreSQL servers as engines whose writers take turns, and their errors in sentences."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from alarmnet.errors import InputError, MissingExtraError

WAIT = 30
"""Seconds that a writer waits for its turn."""

# The first eight bits of SQLite's codes, and the first two or all five characters of PostgreSQL's.
_CODES = {
    5: "busy",  # BUSY
    6: "busy",  # LOCKED
    8: "unwritable",  # READONLY
    10: "unwritable",  # IOERR
    13: "unwritable",  # FULL
    14: "unwritable",  # CANTOPEN
    11: "damaged",  # CORRUPT
    26: "damaged",  # NOTADB
    "55P03": "busy",  # lock_timeout
    "53": "unwritable",  # disk full, out of memory, too many connections
    "25006": "unwritable",  # read only
    "42501": "unwritable",  # no privilege
    "58": "unwritable",  # input and output
    "XX": "damaged",
}


def open_database(place: str | os.PathLike[str]) -> tuple[str, sa.Engine]:
    """Give a place without its password, for messages, and an engine.

    Its connections with the execution option ``writes`` take turns, across processes, for a transaction each.
    """
    text = os.fspath(place)
    return _server(text) if "://" in text else _file(Path(text))


def _file(path: Path) -> tuple[str, sa.Engine]:
    if not path.parent.is_dir():
        raise InputError(
            f"the folder of the store of answers {path} does not exist; create it first.",
            code="missing_folder",
        )
    if path.exists() and not path.is_file():
        raise InputError(
            f"the store of answers {path} is not a regular file; name a file, or a postgresql:// address.",
            code="not_a_file",
        )
    engine = sa.create_engine(
        sa.URL.create("sqlite", database=str(path)), connect_args={"timeout": WAIT}, hide_parameters=True
    )

    @sa.event.listens_for(engine, "connect")
    def settle(connection: Any, record: Any) -> None:
        connection.isolation_level = None  # transactions begin with the statement below
        _write_ahead(connection)
        connection.execute("PRAGMA synchronous=FULL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return str(path), engine


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Make a file keep a write-ahead log. While another process does so, SQLite refuses at once, so ask again."""
    until = time.monotonic() + WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if _kind(error) != "busy" or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _server(address: str) -> tuple[str, sa.Engine]:
    try:
        url = sa.make_url(address)
    except (ArgumentError, ValueError):
        url = sa.URL.create("unreadable")
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise InputError(
            "the store of answers has an address that cannot be used; expected a path, or "
            "postgresql://USER:PASSWORD@HOST:PORT/DATABASE.",
            code="invalid_parameter",
        )
    url = url.set(drivername="postgresql+psycopg")
    url = url.update_query_dict({"connect_timeout": "10"} | dict(url.query))
    try:
        engine = sa.create_engine(
            url, pool_pre_ping=True, hide_parameters=True, isolation_level="READ COMMITTED"
        )
    except ImportError as error:
        raise MissingExtraError(
            "answers in PostgreSQL need psycopg, which is not installed; pip install 'alarmnet[postgres]'"
        ) from error

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        if connection.get_execution_options().get("writes"):
            connection.exec_driver_sql(
                f"SET LOCAL lock_timeout = '{WAIT}s'; SET LOCAL synchronous_commit = on; "
                "SELECT pg_advisory_xact_lock(2104)"  # a number that only alarmnet uses
            )

    shown = url.set(query={}, drivername="postgresql")
    return shown.render_as_string(hide_password=True), engine


def check_whole(connection: sa.Connection, place: str) -> None:
    """Refuse a damaged SQLite file; a server checks its own files."""
    if connection.dialect.name != "sqlite":
        return
    fault = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if fault != "ok":
        raise _refusal(place, "damaged", " ".join(str(fault).split()))


@contextmanager
def errors_in_words(place: str) -> Iterator[None]:
    """Errors of the database in the block become sentences."""
    try:
        yield
    except NoConnectionError as error:
        raise _refusal(place, "busy", "too many calls at once") from error
    except DBAPIError as error:
        raise _refusal(place, _kind(error.orig), str(error.orig).strip().partition("\n")[0]) from error


def _kind(error: Any) -> str:
    state = getattr(error, "sqlstate", None)
    if state:
        return _CODES.get(state) or _CODES.get(state[:2], "unavailable")
    return _CODES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF, "unavailable")


def _refusal(place: str, kind: str, reason: str) -> InputError:
    store = f"the store of answers {place}"
    if kind == "busy":
        return InputError(
            f"{store} was busy for {WAIT} seconds ({reason}); nothing was stored, try again.",
            code="store_busy",
        )
    if kind == "unwritable":
        return InputError(
            f"{store} cannot be written ({reason}); nothing was stored. Make room or allow writing, and try again.",
            code="unwritable",
        )
    if kind == "damaged":
        return InputError(
            f"{store} is damaged or is not a database ({reason}); restore it from a copy, or name another file.",
            code="store_damaged",
        )
    return InputError(
        f"{store} cannot be used ({reason}); check its address and that its server runs, and try again.",
        code="store_unavailable",
    )
