"""How many threads a network's steps are worth."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

WORTH_SHARING = 2e9
"""Floating-point operations a step below which threads wait for each other longer than they compute."""


CHOSEN_BY = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY"}
"""If one of these variables is set, alarmnet does not change the number of threads."""


def operations(network: nn.Module, rows: int, *, training: bool) -> float:
    """About how many floating-point operations one pass over `rows` rows takes.

    Networks that have counted theirs say so in `operations_a_row`; other convolutions count as many.
    """
    parts = list(network.modules())
    a_row: float
    counted = [getattr(part, "operations_a_row", 0.0) for part in parts]
    if any(counted):
        a_row = sum(counted)
    elif any(isinstance(part, nn.Conv1d | nn.Conv2d) for part in parts):
        return float("inf")
    else:
        a_row = 2.0 * sum(weight.numel() for weight in network.parameters())
    return (3.0 if training else 1.0) * rows * a_row


def cores() -> int:
    """The cores that this process may use; all cores if the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _most_threads(own: int) -> int:
    """The caller's number of threads, but one fewer if that is every core and the user did not choose it.

    Threads that wait for each other by spinning take eight times as long as one thread if another process holds
    one of their cores (measured). `OMP_WAIT_POLICY=PASSIVE` lets them sleep, and must be set before torch is
    imported: the command line does.
    """
    if CHOSEN_BY & os.environ.keys() or own < cores():
        return own
    return max(1, own - 1)


class _Caller(threading.local):
    threads: int | None = None
    """The number of this thread before alarmnet changed it; None if alarmnet has not."""


_CALLER = _Caller()
_SETTING = threading.Lock()


def _set_threads(threads: int, *, callers: int) -> None:
    """Set the number for this thread, and leave the caller's to threads that start meanwhile.

    PyTorch keeps a number for each thread, and another for new threads. Setting the first sets the second
    too; only another thread can put the second back.
    """
    torch.set_num_threads(threads)
    if threads != callers:
        putting_back = threading.Thread(target=torch.set_num_threads, args=(callers,))
        putting_back.start()
        putting_back.join()


@contextmanager
def threads_for(work: float) -> Iterator[None]:
    """One thread while the work is small, else as many as is wise; the caller's setting again afterwards."""
    with _SETTING:  # so that no thread takes over a number before it is put back
        before = torch.get_num_threads()
        wanted = 1 if work < WORTH_SHARING else _most_threads(before)
        outermost = _CALLER.threads is None
        callers = _CALLER.threads or before
        if wanted != before:
            _set_threads(wanted, callers=callers)
    _CALLER.threads = callers
    try:
        yield
    finally:
        if wanted != before:
            with _SETTING:
                _set_threads(before, callers=callers)
        if outermost:
            _CALLER.threads = None
