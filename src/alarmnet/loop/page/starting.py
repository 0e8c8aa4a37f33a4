"""The page made ready: files, model, store and the process that learns."""

import secrets
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from starlette.types import ASGIApp

from alarmnet._shared.containers import decoded
from alarmnet._shared.phrases import counted
from alarmnet.data_files import Reading, TableFiles, holds_images
from alarmnet.detectors import A3Detector, BaseDetector
from alarmnet.errors import InputError
from alarmnet.loop.answers import LONGEST, is_storable
from alarmnet.loop.page.app import App
from alarmnet.loop.page.desk import Desk
from alarmnet.loop.page.export import Exports, Source
from alarmnet.loop.page.security import Guard
from alarmnet.loop.page.views import Views
from alarmnet.loop.page.worker import Worker
from alarmnet.loop.pool import Pool, pool_from_files, sampled
from alarmnet.loop.process import QueueProcess
from alarmnet.loop.store import AnswerStore
from alarmnet.loop.unique_ids import check_ids
from alarmnet.preprocessing import ImageScaler
from alarmnet.sources import Rows, load_model, open_to_run, open_to_train
from alarmnet.sources.comparison import keep_columns
from alarmnet.sources.tables import named_as_labels

LOCAL = ("127.0.0.1", "localhost", "::1")
EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - compared with, not bound to

Say = Callable[[str], object]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked for; see `alarmnet triage --help`."""

    data: Sequence[Path]
    reading: Reading
    categories: Sequence[str]
    model: Path | None
    labels: str
    identifier: str | None
    ignored: Sequence[str]
    kept: Sequence[str]
    reviewer: str
    reasons: Sequence[str]
    seed: int
    device: str


def _data_name(wanted: Wanted) -> str:
    first, others = wanted.data[0].name, len(wanted.data) - 1
    return f"{first} and {others:,} more" if others else first


def _rows_to_train(wanted: Wanted) -> Rows:
    return open_to_train(
        wanted.data,
        None,
        labels_file=None,
        ignored=wanted.ignored,
        kept=wanted.kept,
        identifier=wanted.identifier,
        categories=wanted.categories,
        reading=wanted.reading,
        classes=not holds_images(wanted.data[0]),
    )


def _rows_to_run(wanted: Wanted, detector: BaseDetector) -> Rows:
    return open_to_run(
        detector,
        wanted.data,
        identifier=wanted.identifier,
        ignored=wanted.ignored,
        reading=wanted.reading,
    )


def _opened(wanted: Wanted) -> tuple[BaseDetector | None, Rows]:
    """The model, if there is one, and the data, to run the model on or to learn from.

    What cannot be used is refused here, before any work and before there is a store.
    """
    for option, words in (("--reviewer", (wanted.reviewer,)), ("--reason", wanted.reasons)):
        if any(not 0 < len(text) <= LONGEST or not is_storable(text) for text in words):
            raise InputError(
                f"{option} takes a text of 1 to {LONGEST} characters, without a NUL character or half of a "
                "surrogate pair.",
                code="options",
            )
    if wanted.identifier and holds_images(wanted.data[0]):
        raise InputError("--id names a column, and images have none.", code="options")
    model = load_model(wanted.model, device=wanted.device) if wanted.model else None
    rows = _rows_to_run(wanted, model) if model else _rows_to_train(wanted)
    if column := wanted.identifier:
        files = TableFiles(wanted.data, kinds={column: "text"}, reading=wanted.reading, ids=[column])
        check_ids(files, column, place=_data_name(wanted))
    return model, rows


def _fitted(wanted: Wanted, rows: Rows, say: Say) -> BaseDetector:
    """A detector fitted without labels on rows drawn from the files."""
    sample = sampled(rows, seed=wanted.seed)
    if sample is None or len(sample) < 2:
        raise InputError("fewer than 2 rows can be used; give more data", code="too_few_rows")
    say(f"Learning what is normal from {len(sample):,} rows, without labels.")
    detector = A3Detector(random_state=wanted.seed, device=wanted.device)
    keep_columns(detector, wanted.kept)
    detector.fit(sample)
    detector.notes_ = {"ignored": [*wanted.ignored, *([wanted.identifier] if wanted.identifier else [])]}
    return detector


def _can_be_shown(files: TableFiles, column: str) -> bool:
    try:
        decoded(next(files.batches(rows=1, columns=[column])).table[column]).cast(pa.string())
    except InputError as error:
        if error.code != "column_type":
            raise
        return False
    except pa.ArrowInvalid:  # times of a zone that Arrow does not know
        return False
    return True


def _unread(wanted: Wanted, detector: BaseDetector, pool: Pool) -> pa.Table:
    """The cells of ignored columns in the rows of a pool, as text; labels would tell reviewers what to say."""
    notes = detector.notes_
    ignored = {*wanted.ignored, *notes.get("ignored", ())} - {wanted.identifier, notes.get("label")}
    ignored = {name for name in ignored if not named_as_labels(name)}
    if not ignored:
        return pa.table({})
    reading = replace(wanted.reading, missing=())
    files = TableFiles(wanted.data, kinds=dict.fromkeys(ignored, "text"), reading=reading)
    unread = ignored.difference(pool.X.column_names)
    columns = [name for name in files.columns if name in unread and _can_be_shown(files, name)]
    found: dict[str, list[str | None]] = {name: [] for name in columns}
    for batch in files.batches(columns=columns):
        here = slice(*np.searchsorted(pool.numbers, [batch.first_row, batch.first_row + len(batch.table)]))
        rows = pa.array(pool.numbers[here] - batch.first_row)
        for name, cells in found.items():
            cells += decoded(batch.table[name]).take(rows).cast(pa.string()).to_pylist()
    return pa.table(found)


def _note_missing_words(detector: BaseDetector, reading: Reading) -> None:
    """Let a detector remember the words that mean missing."""
    missing = dict.fromkeys([*detector.notes_.get("missing", ()), *reading.missing])
    if missing:
        detector.notes_ = {**detector.notes_, "missing": [*missing]}


def _said_of_answers(place: str, noun: str, worker: Worker) -> str:
    """Say how many answers of the store are about rows of this data."""
    stored, here = len(worker.answers), worker.answered
    has = f"{place} has answers for {here or stored:,} {noun}{'s' * ((here or stored) != 1)}"
    if not here:
        return (
            f"Warning: {has}, and none is in this data. Give the same data, --id and --ignore as before, or "
            "another store with --labels."
        )
    others = f" The answers about {stored - here:,} more are not about this data." if here < stored else ""
    return f"{has}; the queue continues from there.{others}"


@contextmanager
def made_ready(
    wanted: Wanted, say: Say = lambda words: None, *, start: type[QueueProcess] = QueueProcess
) -> Iterator[App]:
    """Make everything ready, give the page, and end what runs behind it; `start` starts the queue."""
    model, rows = _opened(wanted)
    with AnswerStore.open(wanted.labels) as store:
        detector = model or _fitted(wanted, rows, say)
        _note_missing_words(detector, wanted.reading)
        if known := detector.label_counts_["anomaly"]:
            say(
                f"The model has learned {counted(known, 'anomaly', 'anomalies')}. The model that the page exports "
                "learns from those that are in its file, and from the answers."
            )
        say("Scoring all rows.")
        rows = rows if model else _rows_to_run(wanted, detector)
        pool = pool_from_files(detector, rows, answered=store.current().keys(), seed=wanted.seed)
        pool = replace(pool, unread=_unread(wanted, detector, pool))
        say(pool.described())
        worker = Worker(pool, detector, store, seed=wanted.seed, start=start)
        try:
            say(
                _said_of_answers(store.place, pool.noun, worker)
                if worker.answers
                else f"Answers are stored in {store.place}."
            )
            data_name = _data_name(wanted)
            desk = Desk(pool, worker, store, reviewer=wanted.reviewer)
            source = Source(
                paths=wanted.data,
                reading=wanted.reading,
                identifier=wanted.identifier,
                ignored=wanted.ignored,
                images=isinstance(detector.encoder_, ImageScaler),
                data_name=data_name,
            )
            views = Views(desk, title="Triage", data_name=data_name, reasons=wanted.reasons)
            yield App(desk, views, Exports(desk, source))
        finally:
            worker.close()


def guarded(app: App, host: str, taken: socket.socket) -> tuple[ASGIApp, str]:
    """Put the guard before a page, and give both it and the address to open."""
    port = taken.getsockname()[1]
    token = secrets.token_urlsafe(32)
    every = host in EVERY_ADDRESS
    names = {host, *(LOCAL if host in LOCAL or every else ()), *([socket.gethostname()] if every else [])}
    guard = Guard(app.starlette(), token=token, hosts=names, port=port, any_address=every)
    shown = socket.gethostname() if every else f"[{host}]" if ":" in host else host
    return guard, f"http://{shown}:{port}/?token={token}"
