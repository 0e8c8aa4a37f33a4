"""A method in a process of its own, so that what it takes is measured apart and what it breaks stays there."""

import multiprocessing
import os
import signal
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from alarmnet.baselines import OwnMethod
from alarmnet.data_files import Reading
from alarmnet.errors import AlarmnetError, AlarmnetWarning, InputError
from alarmnet.sources.comparison.folds import METHODS, FoldResult, folds_of, judge, keep_columns
from alarmnet.sources.labels import Labelling
from alarmnet.sources.memory import peak_bytes
from alarmnet.sources.opened import open_to_train


@dataclass(frozen=True)
class Task:
    """A method, by name or as ``"module:Class"``, and the files and folds to try it on."""

    method: str
    data: Sequence[Path]
    labels_file: Path | None
    labelling: Labelling
    ignored: Sequence[str]
    folds: int
    seed: int
    device: str
    kept: Sequence[str] = ()
    categories: Sequence[str] = ()
    reading: Reading | None = None


@dataclass
class Outcome:
    """What came out: a result a fold, the bytes that the process held at most, before and in all, or a fault."""

    method: str
    folds: list[FoldResult] = field(default_factory=list)
    bytes_before: int = 0
    peak_bytes: int = 0
    fault: str | None = None


def _made(task: Task) -> Any:
    own = task.method not in METHODS
    kind = OwnMethod if own else METHODS[task.method]
    wanted: dict[str, Any] = {"random_state": task.seed, "device": task.device, "own": task.method}
    taken = kind().get_params(deep=False)
    model = kind(**{name: value for name, value in wanted.items() if name in taken})
    keep_columns(model, task.kept)
    return model


def _end_with_parent() -> None:
    """End this process when the parent is gone, however that ended."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(task: Task, connection: Connection) -> None:
    """Send the bytes held before training, then a result and the bytes so far for each fold, or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    threading.Thread(target=_end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore", AlarmnetWarning)
    try:
        rows = open_to_train(
            task.data,
            task.labelling,
            labels_file=task.labels_file,
            ignored=task.ignored,
            categories=task.categories,
            reading=task.reading,
        )
        labels = rows.labels(task.labelling, given=()).values
        X, _ = rows.to_learn()
        connection.send(peak_bytes())
        for learned, judged in folds_of(labels, folds=task.folds, seed=task.seed):
            result = judge(_made(task), X, labels, learned=learned, judged=judged)
            connection.send((result, peak_bytes()))
    except AlarmnetError as error:
        connection.send(error)
    except Exception as error:  # whatever a method of the user's own raises
        if task.method in METHODS:
            raise
        traceback.print_exc()
        connection.send(AlarmnetError(f"{type(error).__name__}: {error}"))


def _work_apart(task: Task, connection: Connection) -> None:
    os.dup2(2, 1)  # what a method prints must not mix with the command's output
    _work(task, connection)


def _collect(outcome: Outcome, receiving: Connection, on_fold: Callable[[], None]) -> None:
    while True:
        try:
            message = receiving.recv()
        except EOFError:
            return
        if isinstance(message, InputError):
            raise message
        if isinstance(message, AlarmnetError):
            outcome.fault = str(message)
        elif isinstance(message, int):
            outcome.bytes_before = message
        else:
            result, outcome.peak_bytes = message
            outcome.folds.append(result)
            on_fold()


def _killed(by: signal.Signals) -> str:
    hint = "; often because memory did not suffice" if by.name == "SIGKILL" else ""
    return f"killed by {by.name}{hint}"


def run(task: Task, *, on_fold: Callable[[], None]) -> Outcome:
    """Cross-validate a method in a new process; `on_fold` is called after each fold.

    Raises
    ------
    InputError
        The data was refused, which no other method would take either.
    RuntimeError
        The process failed unexpectedly; its traceback is on standard error.
    """
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_work_apart, args=(task, sending), daemon=True)
    process.start()
    sending.close()
    outcome = Outcome(task.method)
    try:
        _collect(outcome, receiving, on_fold)
        process.join()
    finally:
        process.terminate()
    if outcome.fault is None and len(outcome.folds) < task.folds:
        code = process.exitcode or 0
        if code >= 0 and task.method in METHODS:
            raise RuntimeError(f"{task.method} ended with exit code {code}")
        outcome.fault = f"ended with exit code {code}" if code >= 0 else _killed(signal.Signals(-code))
    return outcome
