"""The store of answers: appended as events, never overwritten, in an SQLite file or a PostgreSQL database."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Self, get_args

from alarmnet.errors import InputError, MissingExtraError
from alarmnet.loop.answers import Answer, Event, Said, check_answer
from alarmnet.loop.queue import Verdict

try:
    import sqlalchemy as sa
except ImportError as error:
    raise MissingExtraError("alarmnet.loop.store needs SQLAlchemy: pip install 'alarmnet[serve]'") from error

from alarmnet.loop.databases import check_whole, errors_in_words, open_database
from alarmnet.loop.migrations import ANSWERS, LEASES, prepare

AT_ONCE = 500
"""The most rows that one statement asks for."""


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


def _standing(rows: Sequence[str] | None = None) -> sa.Select[Any]:
    """Select each reviewer's latest answer of each row that was not withdrawn, oldest first."""
    later = ANSWERS.alias("later")
    withdrawal = sa.select(later.c.sequence).where(
        later.c.row == ANSWERS.c.row,
        later.c.reviewer == ANSWERS.c.reviewer,
        later.c.sequence > ANSWERS.c.sequence,
        later.c.verdict == "withdrawn",
        later.c.group.is_(None) | (later.c.group == ANSWERS.c.group),
    )
    latest = (
        sa.select(sa.func.max(ANSWERS.c.sequence))
        .where(ANSWERS.c.verdict != "withdrawn", ~withdrawal.exists())
        .group_by(ANSWERS.c.row, ANSWERS.c.reviewer)
    )
    if rows is not None:
        latest = latest.where(ANSWERS.c.row.in_(rows))
    return sa.select(ANSWERS).where(ANSWERS.c.sequence.in_(latest)).order_by(ANSWERS.c.sequence)


def _current() -> sa.Select[Any]:
    """Select the answer of each row that counts: the latest standing one."""
    standing = _standing().order_by(None).subquery()
    latest = sa.select(sa.func.max(standing.c.sequence)).group_by(standing.c.row)
    return sa.select(ANSWERS).where(ANSWERS.c.sequence.in_(latest))


def _now(connection: sa.Connection) -> datetime:
    """Give the time by the clock that all writers share."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    time: datetime = connection.scalars(sa.select(sa.func.clock_timestamp())).one()
    return time.astimezone(UTC)


def _check_key(answer: Answer, first: Answer) -> None:
    if (answer.row, answer.verdict, answer.reviewer) != (first.row, first.verdict, first.reviewer):
        raise InputError(
            f"the key {answer.key!r} belongs to {first.reviewer!r} saying {first.verdict!r} of row {first.row!r}, "
            f"and came again with {answer.reviewer!r} saying {answer.verdict!r} of row {answer.row!r}; make a new "
            "key for each answer.",
            code="answer_key",
        )


class AnswerStore:
    """Answers of reviewers, appended as events and never overwritten; several processes may use one store at once.

    Each reviewer has at most one standing answer for a row: the latest one that the reviewer did not withdraw. Of
    several reviewers' standing answers, the latest one counts as the row's verdict.

    When `append` returns, the answers are on disk. An answer that is sent again with the same key is stored once.

    Open a store with `AnswerStore.open`. Threads may share one; a process that is forked opens its own.

    Raises
    ------
    InputError
        From every method, where the database is damaged, cannot be written or cannot be reached.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, AnswerStore.open(f"{folder}/answers.sqlite") as store:
    ...     store.lease(["payment 17", "payment 3"], "ann", n=1, seconds=600)
    ...     store.append([Answer(key="8c6f", row="payment 17", verdict="anomaly", reviewer="ann")])
    ...     store.current()["payment 17"].verdict
    ['payment 17']
    [1]
    'anomaly'
    """

    def __init__(self, place: str, engine: sa.Engine) -> None:
        self.place = place
        self._engine = engine
        self._writer = engine.execution_options(writes=True)

    @classmethod
    def open(cls, place: str | os.PathLike[str]) -> Self:
        """Open a store, and make it where there is none.

        Parameters
        ----------
        place
            The path of an SQLite file on a local disk, or ``postgresql://USER:PASSWORD@HOST:PORT/DATABASE``. A
            database holds the answers for one data set.

        Raises
        ------
        InputError
            The store is damaged, of a newer version, another program's, or cannot be opened.
        MissingExtraError
            A PostgreSQL address without psycopg.
        """
        name, engine = open_database(place)
        store = cls(name, engine)
        try:
            with store._reading() as connection:
                check_whole(connection, name)
            with store._writing() as connection:
                prepare(connection, name)
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Close all connections; the store is not used again."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def append(self, answers: Sequence[Answer]) -> list[int]:
        """Store answers, all or none, and give their sequence numbers; those of a key known before are not stored.

        Raises
        ------
        InputError
            An answer that cannot be stored, or a key that an answer with another row, verdict or reviewer has.
        """
        for answer in answers:
            check_answer(answer)
        with self._writing() as connection:
            return self._add(connection, answers)

    def withdraw_group(self, group: str, reviewer: str) -> list[int]:
        """Withdraw the answers of a group that still stand, all or none; give the withdrawals' sequence numbers.

        A row that the reviewer answered before gets that answer back. A row that the reviewer answered again since
        keeps that answer. Calling it again withdraws nothing more.
        """
        with self._writing() as connection:
            wanted = (ANSWERS.c.group == group, ANSWERS.c.reviewer == reviewer)
            rows = connection.scalars(sa.select(ANSWERS.c.row).where(*wanted).distinct()).all()
            standing = [
                event
                for batch in _batches(rows)
                for event in self._events(connection, _standing(batch).where(*wanted))
            ]
            withdrawals = [
                Answer(
                    key=f"withdrawal of {event.sequence}",
                    row=event.row,
                    verdict="withdrawn",
                    reviewer=reviewer,
                    group=group,
                )
                for event in standing
            ]
            return self._add(connection, withdrawals)

    def current(self) -> dict[str, Event]:
        """Give the answer that counts for each row, oldest first; a row whose answers were withdrawn has none."""
        with self._reading() as connection:
            query = _current().order_by(ANSWERS.c.sequence)
            return {event.row: event for event in self._events(connection, query)}

    def counts(self) -> dict[Verdict, int]:
        """Count the rows of each verdict, by the answers that count."""
        current = _current().subquery()
        query = sa.select(current.c.verdict, sa.func.count()).group_by(current.c.verdict)
        with self._reading() as connection:
            counted: dict[Verdict, int] = dict.fromkeys(get_args(Verdict), 0)
            return counted | dict(connection.execute(query).all())

    def history(
        self,
        *,
        row: str | None = None,
        reviewer: str | None = None,
        verdict: Said | None = None,
        reason: str | None = None,
        group: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """Give all events that fit, latest first; `before` and `limit` page through them by sequence number."""
        fits = {"row": row, "reviewer": reviewer, "verdict": verdict, "reason": reason, "group": group}
        query = sa.select(ANSWERS).where(
            *(ANSWERS.c[name] == value for name, value in fits.items() if value is not None)
        )
        if before is not None:
            query = query.where(ANSWERS.c.sequence < before)
        with self._reading() as connection:
            return self._events(connection, query.order_by(ANSWERS.c.sequence.desc()).limit(limit))

    def last_of(self, prefix: str) -> Event | None:
        """Give the latest answer that stands, of all groups that begin with these characters."""
        fits = sa.func.substr(ANSWERS.c.group, 1, len(prefix)) == prefix
        query = _standing().where(fits).order_by(None).order_by(ANSWERS.c.sequence.desc()).limit(1)
        with self._reading() as connection:
            return next(iter(self._events(connection, query)), None)

    def since(self, sequence: int, limit: int | None = None) -> list[Event]:
        """Give the events after a sequence number, oldest first; 0 gives all. None appears later before these."""
        query = sa.select(ANSWERS).where(ANSWERS.c.sequence > sequence)
        with self._reading() as connection:
            return self._events(connection, query.order_by(ANSWERS.c.sequence).limit(limit))

    def disagreements(self) -> dict[str, list[Event]]:
        """Give the rows for which reviewers' standing verdicts differ, each with these answers, oldest first."""
        standing = _standing().order_by(None).subquery()
        differ = sa.func.count(standing.c.verdict.distinct()) > 1
        rows = sa.select(standing.c.row).group_by(standing.c.row).having(differ)
        found: dict[str, list[Event]] = {}
        with self._reading() as connection:
            for event in self._events(connection, _standing().where(ANSWERS.c.row.in_(rows))):
                found.setdefault(event.row, []).append(event)
        return found

    def lease(self, candidates: Iterable[str], reviewer: str, n: int = 1, seconds: float = 600) -> list[str]:
        """Lend up to `n` rows to a reviewer, the first of `candidates` that are free, for so many seconds.

        A row is free if nobody's answer for it stands and nobody else holds it. Rows that the reviewer holds are
        lent again, for the time given. Candidates are taken one after the other until `n` rows are found, while
        other writers wait.
        """
        lent: list[str] = []
        with self._writing() as connection:
            now = _now(connection)
            connection.execute(sa.delete(LEASES).where(LEASES.c.expires <= now))
            for batch in _batches(dict.fromkeys(candidates)):
                others = sa.select(LEASES.c.row).where(LEASES.c.row.in_(batch), LEASES.c.reviewer != reviewer)
                answered = _standing(batch).with_only_columns(ANSWERS.c.row)
                taken = {*connection.scalars(others), *connection.scalars(answered)}
                lent += [row for row in batch if row not in taken][: n - len(lent)]
                if len(lent) == n:
                    break
            if lent:
                self._return(connection, lent, reviewer)
                expires = now + timedelta(seconds=seconds)
                values = [{"row": row, "reviewer": reviewer, "expires": expires} for row in lent]
                connection.execute(sa.insert(LEASES), values)
        return lent

    def leased(self) -> dict[str, str]:
        """Give the rows that are lent now, and to whom."""
        with self._reading() as connection:
            query = sa.select(LEASES.c.row, LEASES.c.reviewer).where(LEASES.c.expires > _now(connection))
            return dict(connection.execute(query).all())

    def release(self, rows: Iterable[str], reviewer: str) -> None:
        """Give back rows that a reviewer holds; rows that others hold stay theirs."""
        with self._writing() as connection:
            self._return(connection, rows, reviewer)

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        with errors_in_words(self.place), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        with errors_in_words(self.place), self._engine.begin() as connection:
            yield connection

    @staticmethod
    def _events(connection: sa.Connection, query: sa.Select[Any]) -> list[Event]:
        return [Event(**values) for values in connection.execute(query).mappings()]

    def _add(self, connection: sa.Connection, answers: Sequence[Answer]) -> list[int]:
        """Store the answers whose keys are new, and give the sequence numbers of all."""
        known: dict[str, Event] = self._by_key(connection, answers)
        fresh: dict[str, Answer] = {}
        for answer in answers:
            _check_key(answer, known.get(answer.key) or fresh.setdefault(answer.key, answer))
        if fresh:
            time = _now(connection)
            values = [asdict(answer) | {"time": time} for answer in fresh.values()]
            connection.execute(sa.insert(ANSWERS), values)
            known |= self._by_key(connection, fresh.values())
        return [known[answer.key].sequence for answer in answers]

    def _by_key(self, connection: sa.Connection, answers: Iterable[Answer]) -> dict[str, Event]:
        return {
            event.key: event
            for keys in _batches(answer.key for answer in answers)
            for event in self._events(connection, sa.select(ANSWERS).where(ANSWERS.c.key.in_(keys)))
        }

    @staticmethod
    def _return(connection: sa.Connection, rows: Iterable[str], reviewer: str) -> None:
        for batch in _batches(rows):
            mine = (LEASES.c.row.in_(batch), LEASES.c.reviewer == reviewer)
            connection.execute(sa.delete(LEASES).where(*mine))
