"""Streams lent to pyarrow's threads, and taken back.

pyarrow reads CSV ahead in threads of its own. If one of these threads holds a Python object when Python exits,
Python ends the thread in the middle of C++ code, and that aborts the process (SIGABRT).
"""

import atexit
import time
import weakref
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.csv

_COPIED_AT_ONCE = 1 << 16
_WAITS, _SECONDS = 10_000, 1e-4
"""Far more than a thread takes to let go: only a debugger that keeps a frame makes the wait this long."""

Batches = Generator[pa.RecordBatch, None, None]
_unfinished: weakref.WeakSet[Batches] = weakref.WeakSet()


class _Lent:
    """The only Python object that pyarrow's threads hold."""

    closed = False  # pyarrow reads this, and calls close() and readable()

    def __init__(self, read: Callable[[int], bytes | None]) -> None:
        self.read = read

    def readable(self) -> bool:
        """Say that the stream can be read."""
        return True

    def close(self) -> None:
        """Note that nobody will read more."""
        self.closed = True


def _batches(read: Callable[[int], bytes], options: Mapping[str, Any]) -> Batches:
    faults: list[BaseException] = []

    def read_or_keep(size: int) -> bytes | None:
        try:
            return read(size)
        except BaseException as error:  # pyarrow's threads would hold the error
            faults.append(error)
            return None  # not bytes: pyarrow stops with a TypeError that holds no Python object

    lent = _Lent(read_or_keep)
    # this stream copies, so that blocks are pyarrow's own memory
    stream = pa.BufferedInputStream(pa.PythonFile(lent, "r"), _COPIED_AT_ONCE)
    held = weakref.ref(lent)
    del lent
    try:
        yield from pyarrow.csv.open_csv(
            stream, **options
        )  # in this frame, since another frame in a traceback would hold the stream
    except pa.ArrowTypeError:
        if faults:
            raise faults.pop() from None
        raise
    finally:
        del stream
        for _ in range(_WAITS):
            if held() is None:
                break
            time.sleep(_SECONDS)


def csv_batches(read: Callable[[int], bytes], **options: Any) -> Batches:
    """Give what `pyarrow.csv.open_csv` makes of a stream, with these options; raise what `read` raises.

    When they end, however they end, pyarrow's threads hold nothing of Python's any more; those that somebody has
    begun and left are closed before Python ends.
    """
    batches = _batches(read, options)
    _unfinished.add(batches)
    return batches


@atexit.register
def _close_unfinished() -> None:
    for batches in list(_unfinished):
        with suppress(ValueError):  # a thread is running the generator
            batches.close()
