"""Sessions at the triage page that a `kill -9` ends at a random moment.

The server is the real one, in a process of its own, over HTTP. The queue is in the same process, and the modules
are imported before, so that a session begins within a second.
"""

import contextlib
import http.client
import multiprocessing
import random
import re
import threading
import uuid
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from alarmnet.loop.page.server import listen, serve
from alarmnet.loop.page.starting import Wanted, guarded, made_ready
from alarmnet.loop.process import LearningError, QueueProcess, QueueReplies
from alarmnet.loop.queue import Queue
from alarmnet.loop.store import AnswerStore
from benchmarks.triage_client import Client, shown

VERDICTS = ("anomaly", "normal", "unsure")
LONGEST = 1.5
"""Seconds until a session is killed, at most."""


class QueueHere(QueueProcess):
    """The queue in this process: it starts at once."""

    alive = True

    def __init__(self, X: Any, detector: Any, keys: Any, *, answers: Any, seed: int) -> None:
        self._queue = Queue(X, detector=detector, ids=keys, random_state=seed)
        for key, verdict in answers.items():
            self._queue.answer(key, verdict)
        self.scores = self._queue.scores
        self._other = QueueReplies(None, self._queue)  # type: ignore[arg-type]

    def _ask(self, method: str, *arguments: Any) -> "Future[Any]":
        reply = Future[Any]()
        try:
            reply.set_result(self._other.reply(method, *arguments))
        except Exception as error:
            reply.set_exception(LearningError(str(error)))
        return reply

    def close(self) -> None:
        """Nothing runs."""


def _serve(wanted: Wanted, connection: Connection) -> None:
    with made_ready(wanted, start=QueueHere) as app:
        taken = listen("127.0.0.1", 0)
        guard, address = guarded(app, "127.0.0.1", taken)
        connection.send(address)
        serve(guard, taken)


def started(wanted: Wanted) -> tuple[BaseProcess, str]:
    """Start a server, and give its process and address."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(wanted, there), daemon=True)
    process.start()
    there.close()
    with here:
        address: str = here.recv()
    return process, address


@dataclass
class Told:
    """What was sent: how many rows each request is for, and which requests were acknowledged."""

    sent: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)


def session(client: Client, told: Told, choice: random.Random) -> None:
    """Answer until the server is gone: single rows, and now and then all that are alike."""
    key = shown(client.get("/"))
    while key:
        request, verdict, rows = uuid.uuid4().hex, choice.choice(VERDICTS), 1
        group = choice.random() < 0.2
        if group:
            alike = client.post("/alike", {"key": key})["html"]
            rows += int(re.findall(r"<h2>(\d+) ", alike)[0])
        told.sent[request] = rows
        body = {"key": key, "verdict": verdict, "group": group}
        reply = client.post("/answer", body, request)
        told.acknowledged[request] = (key, verdict)
        key = shown(reply["row"])


def killed_sessions(wanted: Wanted, place: str, kills: int) -> dict[str, int]:
    """Hold so many sessions over one store, each killed; then compare the store with what was acknowledged."""
    told, went_on = Told(), 0
    for number in range(kills):
        before = len(told.acknowledged)
        choice = random.Random(number)
        process, address = started(replace(wanted, labels=place))
        timer = threading.Timer(choice.uniform(0, LONGEST), process.kill)
        timer.start()
        gone = contextlib.suppress(OSError, http.client.HTTPException, ValueError)
        with gone, contextlib.closing(Client(address)) as client:
            session(client, told, choice)
        process.kill()
        process.join()
        timer.cancel()
        went_on += len(told.acknowledged) > before
    return {"kills": kills, "sessions_with_answers": went_on, **_compared(place, told)}


def _compared(place: str | Path, told: Told) -> dict[str, int]:
    """Count what is wrong: acknowledged answers that are lost, answers stored twice, groups stored in part."""
    with AnswerStore.open(place) as store:
        events = store.since(0)
    groups: dict[str, list[tuple[str, str]]] = {}
    for event in events:
        groups.setdefault(str(event.group), []).append((event.row, event.verdict))
    return {
        "acknowledged": len(told.acknowledged),
        "events": len(events),
        "lost": sum(said not in groups.get(key, ()) for key, said in told.acknowledged.items()),
        "twice": sum(len(rows) != len(set(rows)) for rows in groups.values()),
        "in_part": sum(len(rows) != told.sent[group] for group, rows in groups.items()),
    }
