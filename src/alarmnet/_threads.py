"""How many threads a network's steps are worth."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

WORTH_SHARING = 2e9
"""Floating-point operations a step; below it threads wait for each other longer than they compute."""


CHOSEN_BY = {"OMP_NUM_THREADS", "OMP_WAIT_POLICY"}
"""Where one of these is set, the number of threads is left alone."""


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


def _cores() -> int:
    """Those that this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _most_threads(own: int) -> int:
    """The caller's own number, but one fewer where that is every core and nobody asked for it.

    Threads that wait for each other by spinning take eight times as long as one thread where another process holds
    one of their cores (measured). `OMP_WAIT_POLICY=PASSIVE` lets them sleep, and must be set before torch is
    imported: the command line does.
    """
    if CHOSEN_BY & os.environ.keys() or own < _cores():
        return own
    return max(1, own - 1)


class _Entered(threading.local):
    """Whether this Python thread has chosen a number of threads before."""

    once = False


_LOCK = threading.Lock()
_ENTERED = _Entered()
_ACTIVE: list[int] = []
"""The callers' own numbers of threads, one for each choice that is in force."""


def _own_setting() -> int:
    """What the caller has set.

    A Python thread begins with the number that was set last in any thread. That may be a choice made here for
    another thread: then it is what the caller of that one has.
    """
    first, _ENTERED.once = not _ENTERED.once, True
    return _ACTIVE[0] if first and _ACTIVE else torch.get_num_threads()


@contextmanager
def threads_for(work: float) -> Iterator[None]:
    """One thread while the work is small, else as many as is wise; the caller's setting again afterwards.

    PyTorch keeps the number for each Python thread, so that several may choose at once.
    """
    with _LOCK:
        before = _own_setting()
        _ACTIVE.append(before)
        torch.set_num_threads(1 if work < WORTH_SHARING else _most_threads(before))
    try:
        yield
    finally:
        with _LOCK:
            torch.set_num_threads(before)
            _ACTIVE.remove(before)
