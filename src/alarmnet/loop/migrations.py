"""The tables of a store of answers, and how a store of an older version gets them.

To change the tables: change them here, and append to `STEPS` a function that changes a store of the version before.
Never change its statements later, since they only run on stores of that version.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from alarmnet.errors import InputError


class UtcTime(sa.TypeDecorator[datetime]):
    """Times in UTC. SQLite gives them back without a zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """Give the time its zone."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


_METADATA = sa.MetaData()

ANSWERS = sa.Table(
    "alarmnet_answers",
    _METADATA,
    sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("row", sa.Text, nullable=False, quote=True),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("model", sa.Text, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("group", sa.Text, index=True),
    sa.Column("at_random", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("time", UtcTime, nullable=False),
    sqlite_autoincrement=True,  # numbers are never given twice
)
sa.Index("ix_alarmnet_answers_row", ANSWERS.c.row, ANSWERS.c.reviewer, ANSWERS.c.sequence)

LEASES = sa.Table(
    "alarmnet_leases",
    _METADATA,
    sa.Column("row", sa.Text, primary_key=True, quote=True),
    sa.Column("reviewer", sa.Text, nullable=False),
    sa.Column("expires", UtcTime, nullable=False),
)

_SCHEMA = sa.Table("alarmnet_schema", _METADATA, sa.Column("version", sa.Integer, nullable=False))

Step = Callable[[sa.Connection], None]


def _say_what_was_drawn(connection: sa.Connection) -> None:
    """Version 2 says which rows were drawn at random; for earlier answers this is unknown."""
    connection.execute(
        sa.text("ALTER TABLE alarmnet_answers ADD COLUMN at_random BOOLEAN NOT NULL DEFAULT FALSE")
    )


STEPS: Sequence[Step] = (_say_what_was_drawn,)
"""Changes a store of version 1 into one of version 2, then that into version 3, ..."""


def prepare(connection: sa.Connection, place: str) -> None:
    """Give a store its tables, in the transaction of `connection`, which no other writer is in.

    Raises
    ------
    InputError
        The store is of a newer version, is damaged, or is a database of another program.
    """
    newest = 1 + len(STEPS)
    if not sa.inspect(connection).has_table(_SCHEMA.name):
        _check_unused(connection, place)
        _METADATA.create_all(connection)
        connection.execute(sa.insert(_SCHEMA), {"version": newest})
        return
    version: Any = connection.scalar(sa.select(_SCHEMA.c.version))
    if version is None or version < 1:
        raise InputError(
            f"the store of answers {place} does not say its version, so it is damaged; restore it from a copy.",
            code="store_damaged",
        )
    if version > newest:
        raise InputError(
            f"the store of answers {place} has version {version}, but this alarmnet knows versions up to {newest}; "
            "update alarmnet.",
            code="store_newer",
        )
    for step in STEPS[version - 1 :]:
        step(connection)
    if version < newest:
        connection.execute(sa.update(_SCHEMA).values(version=newest))


def _check_unused(connection: sa.Connection, place: str) -> None:
    """Refuse a file with tables of another program; a server's database may well have some."""
    names = sa.inspect(connection).get_table_names() if connection.dialect.name == "sqlite" else []
    if names:
        raise InputError(
            f"{place} is an SQLite database of another program (it has the table {names[0]!r}); name a file of its "
            "own for the answers.",
            code="unknown_format",
        )
