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
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from alarmnet.loop.page.server import listen, serve
from alarmnet.loop.page.starting import Wanted, guarded, made_ready
from alarmnet.loop.process import LearningError, QueueProcess, QueueReplies, queue_of
from alarmnet.loop.store import AnswerStore
from benchmarks.triage_client import Client, shown

VERDICTS = ("anomaly", "normal", "unsure")
MOST, LATEST = 16, 0.1
"""The most requests of a session before the request at which it is killed, and the most seconds from there."""


class QueueHere(QueueProcess):
    """A queue in this process, which starts at once."""

    alive = True

    def __init__(self, X: Any, detector: Any, keys: Any, *, answers: Any, seed: int) -> None:
        self._queue = queue_of(X, detector, keys, answers=answers, seed=seed)
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
        """Do nothing, since no process runs."""


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
    """What was sent: how many rows each request is for, and which requests were acknowledged.

    `undone` counts acknowledged undos by the row that came back and how many answers were taken back.
    """

    sent: dict[str, int] = field(default_factory=dict)
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    undone: Counter[tuple[str, int]] = field(default_factory=Counter)


def session(client: Client, told: Told, choice: random.Random, kill: Callable[[], None]) -> None:
    """Answer until the server is gone: single rows, and sometimes all similar rows; also take answers back."""
    left, key = choice.randrange(MOST), shown(client.get("/"))
    while key:
        if left == 0:
            threading.Timer(choice.uniform(0, LATEST), kill).start()
        left -= 1
        request, verdict, rows = uuid.uuid4().hex, choice.choice(VERDICTS), 1
        if choice.random() < 0.2:
            reply = client.post("/undo", {}, request)
            key = shown(reply["row"])
            for count in re.findall(r"Undone: ([\d,]+) ", reply["said"]):
                told.undone[key, int(count.replace(",", ""))] += 1
            continue
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
    """Run and kill sessions over one store; then compare the store with the acknowledged requests."""
    told, went_on = Told(), 0
    for number in range(kills):
        before = len(told.acknowledged)
        choice = random.Random(number)
        process, address = started(replace(wanted, labels=place))
        gone = contextlib.suppress(OSError, http.client.HTTPException, ValueError)
        with gone, contextlib.closing(Client(address)) as client:
            session(client, told, choice, process.kill)
        process.kill()
        process.join()
        went_on += len(told.acknowledged) > before
    return {"kills": kills, "sessions_with_answers": went_on, **_compared(place, told)}


def _compared(place: str | Path, told: Told) -> dict[str, int]:
    """Count what is wrong: acknowledged answers or undos that are lost, stored twice, or stored in part."""
    with AnswerStore.open(place) as store:
        events = store.since(0)
    groups: dict[str, list[tuple[str, str]]] = {}
    withdrawn: dict[str, list[str]] = {}
    for event in events:
        request = str(event.group).partition(".")[2]  # after the browser's name
        if event.verdict == "withdrawn":
            withdrawn.setdefault(request, []).append(event.row)
        else:
            groups.setdefault(request, []).append((event.row, event.verdict))
    undone = Counter((groups[group][0][0], len(rows)) for group, rows in withdrawn.items())
    together: list[list[Any]] = [*groups.values(), *withdrawn.values()]
    return {
        "acknowledged": len(told.acknowledged),
        "undone": told.undone.total(),
        "events": len(events),
        "lost": sum(said not in groups.get(key, ()) for key, said in told.acknowledged.items())
        + (told.undone - undone).total(),
        "twice": sum(len(rows) != len(set(rows)) for rows in together),
        "in_part": sum(len(rows) != told.sent[group] for group, rows in groups.items())
        + sum(len(rows) != told.sent[group] for group, rows in withdrawn.items()),
    }
