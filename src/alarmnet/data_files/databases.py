"""Queries of PostgreSQL, SQLite and DuckDB as Arrow batches, and tables written back."""

import os
import re
import sqlite3
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from alarmnet.data_files.sqlite_rows import batches_of
from alarmnet.errors import InputError, MissingExtraError

_ROWS_AT_ONCE = 1 << 16
_SQLITE, _DUCKDB = b"SQLite format 3\0", b"DUCK"
_URL = re.compile(r"(?:[^@?/:]*(?::(?P<password>[^@?/]*))?@)?(?P<place>[^@?]*)(?:\?(?P<options>[^@]*))?")
_COUNT = {
    "sqlite": "SELECT count(*) FROM sqlite_master WHERE lower(name) = lower({})",
    "duckdb": "SELECT count(*) FROM information_schema.tables WHERE table_catalog = current_catalog() "
    "AND table_schema = current_schema() AND lower(table_name) = lower({})",
    "postgresql": "SELECT count(to_regclass({}))",
}
"""Counts the tables of a name, whether or not they may be read."""
_CASTS = {
    "money": ("in units that depend on the server's settings", "{}::numeric"),
    "interval": ("as months, days and nanoseconds", "EXTRACT(EPOCH FROM {})"),
}
"""Types that arrive as other numbers than the database shows, how, and what to write in a query instead."""
_EXAMPLES = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, sqlite:///FILE, duckdb:///FILE or a database file"


@dataclass(frozen=True)
class Database:
    """A database: its kind, what opens it, and how messages call it, without passwords."""

    kind: str
    address: str = field(repr=False)
    shown: str
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @contextmanager
    def connected(self, *, code: str, doing: str, write: bool = False) -> Iterator[Any]:
        """Connect while the block runs; errors of the database are refusals with `code`."""
        connect, failures = _driver(self.kind)
        try:
            with closing(connect(self._target(write=write), write)) as connection:
                yield connection
        except (*failures, pa.ArrowException, OSError, UnicodeEncodeError) as error:
            raise InputError(f"{self.shown}: {doing}: {self._safe(str(error))}", code=code) from None

    def _target(self, *, write: bool) -> str:
        if self.kind == "sqlite":
            return f"{Path(self.address).resolve().as_uri()}?mode={'rwc' if write else 'ro'}"
        return self.address

    def _safe(self, message: str) -> str:
        for secret in sorted(filter(None, self.secrets), key=len, reverse=True):
            message = message.replace(secret, "***")
        return " ".join(message.split())


def _driver(kind: str) -> tuple[Any, tuple[type[Exception], ...]]:
    """Give what connects to a kind of database, and the errors that it raises."""
    try:
        if kind == "duckdb":
            import duckdb

            return lambda file, write: duckdb.connect(file, read_only=not write), (duckdb.Error,)
        import adbc_driver_manager

        driver = import_module(f"adbc_driver_{kind}.dbapi")
    except ImportError as error:
        raise MissingExtraError(
            f"databases ({kind}) need drivers that are not installed; pip install 'alarmnet[sql]'"
        ) from error
    if kind == "sqlite":
        # to read, Python's own module: ADBC's writes numbers among text with seven digits
        return (
            lambda address, write: driver.connect(address) if write else sqlite3.connect(address, uri=True),
            (adbc_driver_manager.Error, sqlite3.Error),
        )
    return lambda address, write: driver.connect(address), (adbc_driver_manager.Error,)


def _server(address: str) -> Database:
    found = _URL.fullmatch(address.partition("://")[2])
    if found is None:
        raise InputError(
            "the address of the PostgreSQL database cannot be read; write @, / and ? in a user name or password as "
            "%40, %2F and %3F",
            code="invalid_parameter",
        )
    passwords = [found["password"] or "", *re.findall(r"password=([^&]*)", found["options"] or "")]
    secrets = (*passwords, *map(unquote, passwords))
    return Database("postgresql", address, f"postgresql://{found['place']}", secrets)


def _kind_of_file(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        head = stream.read(16)
    return "sqlite" if head == _SQLITE else "duckdb" if head[8:12] == _DUCKDB else None


def database_at(place: str | os.PathLike[str]) -> Database | None:
    """Give the database that an address or a file is; None where it is none.

    Raises
    ------
    InputError
        An address of another kind, or one that cannot be read.

    Examples
    --------
    >>> database_at("postgresql://me:secret@host/flows").shown
    'postgresql://host/flows'
    """
    text = os.fspath(place)
    scheme, mark, rest = text.partition("://")
    if not mark:
        kind = _kind_of_file(Path(text))
        return Database(kind, text, text) if kind else None
    if scheme in ("postgresql", "postgres"):
        return _server(text)
    if scheme in ("sqlite", "duckdb") and rest.startswith("/") and len(rest) > 1:
        return Database(scheme, rest[1:], rest[1:])
    raise InputError(f"an address that is not read; expected {_EXAMPLES}", code="invalid_parameter")


def _is_numeric(column: pa.Array) -> bool:
    """Whether a column is of PostgreSQL's numbers of arbitrary precision, which arrive as text."""
    return getattr(column.type, "type_name", "") == "numeric"


def _long_numbers(batch: pa.RecordBatch) -> list[bool]:
    """Which columns are of numbers with more digits than float64 holds, such as ids of 18 digits."""
    return [
        _is_numeric(column) and bool(pc.any(pc.match_substring_regex(column.storage, r"^-?\d{16}")).as_py())
        for column in batch.columns
    ]


def _plain(batch: pa.RecordBatch, long: Sequence[bool]) -> pa.RecordBatch:
    """Give numbers of arbitrary precision as float64, `long` ones and the database's other own types as stored."""
    columns = []
    for column, is_long in zip(batch.columns, long, strict=True):
        stored = column.storage if isinstance(column.type, pa.BaseExtensionType) else column
        columns.append(stored.cast(pa.float64()) if _is_numeric(column) and not is_long else stored)
    return pa.record_batch(columns, names=batch.schema.names)


def _found(database: Database, connection: Any, query: str) -> Generator[pa.RecordBatch]:
    if database.kind == "duckdb":
        found = connection.sql(query)
        yield from found.to_arrow_reader(_ROWS_AT_ONCE) if found is not None else ()
    elif database.kind == "sqlite":
        yield from batches_of(connection.execute(query))
    else:
        with closing(connection.cursor()) as cursor:
            cursor.execute("SET TRANSACTION READ ONLY")
            cursor.execute(query)
            yield from cursor.fetch_record_batch()


def _in_shown_units(database: Database, batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch, and refuse columns whose numbers would not be those that the database shows."""
    for column in batch.schema:
        kind = (column.metadata or {}).get(b"POSTGRESQL:type", b"").decode()
        if pa.types.is_interval(column.type):
            kind = "interval"
        if kind in _CASTS:
            how, cast = _CASTS[kind]
            raise InputError(
                f"{database.shown}: column {column.name!r} is of the type {kind}, which arrives {how}; write "
                f"{cast.format(_quoted(column.name))} in the query, or leave the column out of it",
                code="column_type",
                column=column.name,
            )
    return batch


def _with_all_digits(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Give batches with plain types, which are those of all rows.

    Where numbers have arbitrary precision, all rows are read, into a temporary file, before the types are known.
    """
    first = next(batches, None)
    if first is None:
        return
    long = _long_numbers(first)
    batches = chain([first], batches)
    if not any(map(_is_numeric, first.columns)):
        yield from (_plain(batch, long) for batch in batches)
        return
    with TemporaryFile() as spool:
        with pa.ipc.new_stream(spool, first.schema) as stream:
            for batch in batches:
                stream.write_batch(batch)
                long = [*map(max, long, _long_numbers(batch))]
        spool.seek(0)
        yield from (_plain(batch, long) for batch in pa.ipc.open_stream(spool))


@contextmanager
def queried(database: Database, query: str) -> Iterator[tuple[pa.Schema, Iterator[pa.RecordBatch]]]:
    """Run a query, and give its columns and its rows in batches while the block runs; nothing is changed.

    Raises
    ------
    InputError
        The database cannot be reached, the query fails, or it gives no row.
    """
    if database.kind != "postgresql" and not Path(database.address).is_file():
        raise InputError(f"{database.shown} does not exist", code="missing_file")
    with (
        database.connected(code="query", doing="the query failed") as connection,
        closing(_found(database, connection, query)) as found,
    ):
        batches = _with_all_digits(_in_shown_units(database, batch) for batch in found if len(batch))
        first = next(batches, None)
        if first is None or not first.num_columns:
            raise InputError(
                f"{database.shown}: the query gives no rows; expected a SELECT that does", code="query"
            )
        yield first.schema, chain([first], batches)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def refuse_existing(database: Database, table: str) -> None:
    """Refuse, before any work, a table that is there already or cannot be created, and a database not in reach.

    Raises
    ------
    InputError
        Says which.
    """
    if database.kind == "postgresql" or Path(database.address).exists():
        _try_to_create(database, table)
        return
    if not Path(database.address).parent.is_dir():
        raise InputError(
            f"{database.shown}: its folder does not exist; create it first", code="missing_folder"
        )
    with TemporaryDirectory(prefix="alarmnet-") as folder:
        _try_to_create(replace(database, address=f"{folder}/new"), table)


def _try_to_create(database: Database, table: str) -> None:
    """Create a table and take it back."""
    with (
        database.connected(
            code="database", doing=f"the table {table!r} cannot be written", write=True
        ) as connection,
        closing(connection.cursor()) as cursor,
    ):
        name = _quoted(table) if database.kind == "postgresql" else table
        cursor.execute(_COUNT[database.kind].format("'" + name.replace("'", "''") + "'"))
        (count,) = cursor.fetchone()
        if count:
            raise InputError(
                f"{database.shown} has a table {table!r} already; choose another name or drop it",
                code="table_exists",
            )
        if database.kind == "duckdb":  # the drivers of the others begin a transaction by themselves
            cursor.execute("BEGIN")
        cursor.execute(f"CREATE TABLE {_quoted(table)} (score FLOAT)")
        cursor.execute("ROLLBACK")


def _writable(field: pa.Field, database: Database) -> pa.Field:
    """The field as the database takes it: SQLite's driver has no decimals, so that these become text."""
    is_text = database.kind == "sqlite" and pa.types.is_decimal(field.type)
    return field.with_type(pa.string()) if is_text else field


def write_to_database(database: Database, table: str, path: Path) -> None:
    """Write a Parquet file as a new table, in one transaction.

    Raises
    ------
    InputError
        The table is there already, or the database refuses it.
    """
    with (
        pyarrow.parquet.ParquetFile(path) as file,
        database.connected(
            code="database", doing=f"the table {table!r} was not written", write=True
        ) as connection,
    ):
        schema = pa.schema([_writable(field, database) for field in file.schema_arrow])
        tables = (pa.Table.from_batches([part]).cast(schema) for part in file.iter_batches(_ROWS_AT_ONCE))
        reader = pa.RecordBatchReader.from_batches(
            schema, (part for one in tables for part in one.to_batches())
        )
        if database.kind == "duckdb":
            connection.register("alarmnet_rows", reader)
            connection.execute(f"CREATE TABLE {_quoted(table)} AS SELECT * FROM alarmnet_rows")  # noqa: S608 - a quoted name
            return
        with closing(connection.cursor()) as cursor:
            cursor.adbc_ingest(table, reader, mode="create")
        connection.commit()
