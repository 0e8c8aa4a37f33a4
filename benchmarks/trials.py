"""Loading and scoring spoiled model files in child processes, so that a crash or a hang is seen and counted."""

import multiprocessing
import resource
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from alarmnet import InputError, ModelFileError, load
from benchmarks.golden_files import Golden, golden

HANG_SECONDS = 2
"""Processor seconds after which a file counts as hanging: other work on the machine does not count."""

ANSWER_SECONDS = 20
"""Seconds without an answer after which a child is killed, and also counts as hanging."""

ROOM = 4 << 30
"""Bytes that a child may allocate before allocations fail: it protects the machine, not the measurement."""

SOUND = ("refused", "scored", "refused when scoring", "for other rows")
"""Sound outcomes of a file with a right digest. The last one is a sound model of another table."""


class Outcome(NamedTuple):
    """The outcome of one file.

    `verdict` is one of `SOUND`, or a fault: "crash", "hang", or what went wrong. `seconds` are processor
    seconds. `megabytes` is the most memory that the child has taken so far, beyond what it takes to load and
    score a good file.
    """

    verdict: str
    said: str
    seconds: float
    megabytes: float


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _verdict(path: Path, good: Golden) -> tuple[str, str]:
    try:
        detector = load(path)
    except ModelFileError as error:
        reason = str(error).removeprefix(str(path))
        return ("refused" if str(path) in str(error) and len(reason) > 10 else "no name or reason"), str(
            error
        )
    try:
        scores = detector.decision_function(good.rows)
    except ModelFileError as error:
        return "refused when scoring", str(error)
    except InputError as error:  # a sound model of another table
        return "for other rows", str(error)
    return ("scored" if np.isfinite(scores).all() else "scores that are not finite"), ""


def _attempt(path: Path, good: Golden) -> tuple[str, str]:
    try:
        return _verdict(path, good)
    except Exception as error:
        return f"another error: {type(error).__name__}", str(error)


def _work(connection: Connection, name: str) -> None:
    """Judge one file after the other, each with the rows of a golden file; first the golden file itself."""
    warnings.simplefilter("ignore")
    good = golden(name)
    assert _verdict(good.path, good)[0] == "scored"
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))
    start = _peak_megabytes()
    connection.send("ready")
    while True:
        path = connection.recv()
        begun = time.process_time()
        verdict, said = _attempt(path, good)
        seconds = time.process_time() - begun
        connection.send(Outcome(verdict, said, seconds, _peak_megabytes() - start))


def _clear(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    path.unlink(missing_ok=True)


class Trials:
    """Tries files in a child process; after a crash or a hang, in a new one.

    Parameters
    ----------
    folder
        Where the files are made.
    name
        The golden file whose rows they score.
    """

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / "spoiled.alarmnet"
        self.name = name
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["alarmnet.detectors", "pandas"])
        self._connection, theirs = context.Pipe()
        self._child = context.Process(target=_work, args=(theirs, self.name), daemon=True)
        self._child.start()
        theirs.close()
        assert self._connection.recv() == "ready"

    def attempt(self, write: Callable[[Path], object]) -> Outcome:
        """Make a file, and give its outcome."""
        _clear(self.path)
        write(self.path)
        try:
            self._connection.send(self.path)
            if self._connection.poll(ANSWER_SECONDS):
                outcome: Outcome = self._connection.recv()
                return outcome if outcome.seconds < HANG_SECONDS else outcome._replace(verdict="hang")
            fault = "hang"
        except (EOFError, OSError):
            fault = "crash"
        self.close()
        self._start()
        return Outcome(fault, "", ANSWER_SECONDS, 0.0)

    def close(self) -> None:
        """End the child."""
        self._child.kill()
        self._child.join()
        self._connection.close()
