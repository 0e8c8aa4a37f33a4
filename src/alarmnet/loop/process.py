"""A queue in a process of its own, of low priority: learning holds up nobody who answers."""

import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import psutil
import torch
from numpy.typing import NDArray

from alarmnet._shared.standard_streams import warnings_as_lines
from alarmnet._shared.threads import CHOSEN_BY, cores
from alarmnet.detectors import BaseDetector
from alarmnet.errors import AlarmnetError
from alarmnet.loop.queue import Queue, Seen, Verdict
from alarmnet.loop.remaining import Remaining
from alarmnet.loop.strategies import AtRandom

NICE = 5
"""How far the process steps back from others."""
DRAWN_EVERY = 10
"""Of so many rows one is drawn at random, for an honest estimate of what remains."""


@dataclass(frozen=True, kw_only=True)
class Learned:
    """What a refit led to: scores (N,), from how many answers, and how long it took."""

    scores: NDArray[np.float64]
    answers: int
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A detector, and the answers that it has learned: the verdicts by row, without those that teach nothing."""

    detector: BaseDetector
    answers: Mapping[str, Verdict]


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Rows to look at next, best first, and which of them were drawn at random."""

    keys: list[str]
    drawn: frozenset[str]


Answered = Mapping[str, tuple[Verdict, Seen]]
"""What was said of rows, and what was so when they were looked at, in the order of the looks."""


class LearningError(AlarmnetError):
    """The queue's process failed or is gone; it says why."""


class QueueReplies:
    """The other side: a queue, asked over a pipe, that refits in a thread."""

    def __init__(self, connection: Connection, queue: Queue) -> None:
        self._connection, self._queue, self._sending = connection, queue, threading.Lock()

    def serve(self) -> None:
        """Reply until nobody asks any more."""
        while True:
            try:
                ticket, method, arguments = self._connection.recv()
            except (EOFError, OSError):
                os._exit(0)  # a refit may be running, and nobody waits for it any more
            if method in ("refit", "train"):
                threading.Thread(target=self._send, args=(ticket, method, arguments), daemon=True).start()
            else:
                self._send(ticket, method, arguments)

    def reply(self, method: str, *arguments: Any) -> Any:
        """Do what is asked for."""
        if method == "answer":
            key, verdict, seen = arguments
            return self._queue.answer(key, verdict, seen=seen)
        if method == "refit":
            return self._refit()
        if method == "train":
            return self._train()
        if method == "ahead":
            return self._ahead(*arguments)
        return getattr(self._queue, method)(*arguments)

    def _send(self, ticket: int, method: str, arguments: tuple[Any, ...]) -> None:
        try:
            reply: tuple[int, Any, str | None] = (ticket, self.reply(method, *arguments), None)
        except Exception as error:  # whatever it is, the page says it
            reply = (ticket, None, f"{error}\n{traceback.format_exc()}")
        try:
            with self._sending:
                self._connection.send(reply)
        except OSError:
            os._exit(0)  # nobody is there any more

    def _refit(self) -> Learned:
        began, answers = time.perf_counter(), int(np.isfinite(self._queue.labels()).sum())
        self._queue.refit()
        return Learned(scores=self._queue.scores, answers=answers, seconds=time.perf_counter() - began)

    def _ahead(self, count: int, skip: Sequence[Hashable]) -> Ahead:
        drawn = self._queue.next(count // DRAWN_EVERY, strategy=AtRandom())  # of all, skipped rows too
        keys: list[Any] = self._queue.next(count, skip=[*skip, *drawn])
        for number, key in enumerate(drawn):
            keys.insert(number * DRAWN_EVERY + DRAWN_EVERY // 2, key)
        return Ahead(keys=keys, drawn=frozenset(map(str, drawn)))

    def _train(self) -> Trained:
        self._queue.refit_detector()
        learned = {str(key): verdict for key, verdict in self._queue.learned_.items()}
        return Trained(detector=self._queue.detector_, answers=learned)


def queue_of(X: Any, detector: BaseDetector, keys: Sequence[str], *, answers: Answered, seed: int) -> Queue:
    """Make a queue that knows what was answered before."""
    queue = Queue(X, detector=detector, ids=keys, random_state=seed)
    for key, (verdict, seen) in answers.items():
        queue.answer(key, verdict, seen=seen)
    return queue


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the page, and the page ends this process
    own = psutil.Process()
    # Windows has classes of priority, no numbers
    own.nice(getattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", None) or min(own.nice() + NICE, 19))
    if not CHOSEN_BY & os.environ.keys():
        torch.set_num_threads(max(1, cores() - 1))  # one core is for whoever looks
    X, detector, keys, answers, seed = connection.recv()
    with warnings_as_lines():
        queue = queue_of(X, detector, keys, answers=answers, seed=seed)
        connection.send((0, queue.scores, None))
        QueueReplies(connection, queue).serve()


class QueueProcess:
    """A `Queue` in a process of its own.

    Parameters
    ----------
    X, detector, keys
        As for `Queue`; the detector is fitted.
    answers
        What is known already, in the order of the looks.
    seed
        Of all that the queue draws.

    Attributes
    ----------
    scores
        (N,), in the order of `X`, before the first refit; higher is more anomalous.

    Raises
    ------
    LearningError
        From any method, where the process failed or is gone.
    """

    def __init__(
        self,
        X: Any,
        detector: BaseDetector,
        keys: Sequence[str],
        *,
        answers: Answered,
        seed: int,
    ) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        with suppress(
            OSError
        ):  # the process is gone, which `_receive` says; `start` would wait for ever to send this
            self._connection.send((X, detector, keys, dict(answers), seed))
        self._sending, self._tickets = threading.Lock(), 0
        self._asked: dict[int, Future[Any]] = {0: Future()}
        self._receiver = threading.Thread(target=self._receive, daemon=True)
        self._receiver.start()
        self.scores: NDArray[np.float64] = self._asked[0].result()

    def answer(self, key: str, verdict: Verdict, seen: Seen) -> None:
        """Tell an answer; does not wait."""
        self._ask("answer", key, verdict, seen)

    def withdraw(self, key: str) -> None:
        """Take an answer back; does not wait."""
        self._ask("withdraw", key)

    def ahead(self, count: int, *, skip: Sequence[str] = ()) -> "Future[Ahead]":
        """Ask for up to `count` rows without an answer, best first, and for some drawn at random from all of these.

        Rows of `skip` are left out, unless they are drawn.
        """
        return self._ask("ahead", count, skip)

    def remaining(self) -> "Future[Remaining]":
        """Ask for the estimated number of anomalies among the unreviewed rows."""
        return self._ask("remaining")

    def refit(self) -> "Future[Learned]":
        """Start to rank the rows again by the answers so far; the queue stays usable."""
        return self._ask("refit")

    def train(self) -> "Future[Trained]":
        """Start to train the detector on the answers so far; the queue stays usable."""
        return self._ask("train")

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def close(self) -> None:
        """End the process."""
        self._process.kill()  # it holds nothing that is not in the store
        self._process.join()
        self._receiver.join()
        self._connection.close()

    def _ask(self, method: str, *arguments: Any) -> "Future[Any]":
        with self._sending:
            self._tickets += 1
            ticket, reply = self._tickets, Future[Any]()
            self._asked[ticket] = reply
            try:
                self._connection.send((ticket, method, arguments))
            except OSError:
                self._asked.pop(ticket, None)
                reply.set_exception(LearningError("the process that learns is gone"))
        return reply

    def _receive(self) -> None:
        try:
            while True:
                ticket, value, fault = self._connection.recv()
                reply = self._asked.pop(ticket)
                if fault is None:
                    reply.set_result(value)
                else:
                    reply.set_exception(LearningError(fault))
        except Exception:  # the pipe is closed, or a reply cannot be read
            gone = LearningError("the process that learns is gone; start the command again")
            for reply in list(self._asked.values()):
                reply.set_exception(gone)
