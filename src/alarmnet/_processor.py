"""How memory and numbers are handled while networks train."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

KEPT = 31 * 2**20
"""Bytes; glibc raises its threshold to at most 32 MiB."""


def keep_freed_memory() -> None:
    """Let freed memory be used again, where it would go back to the system.

    glibc gives blocks above a threshold back at once, and whoever asks for them anew has them zeroed page by
    page: gradients, at every step. It raises the threshold to the size of what has been freed, so one block is
    freed here, which is never touched. Elsewhere this does nothing.
    """
    torch.empty(KEPT, dtype=torch.uint8, device="cpu")


@contextmanager
def flushing_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for zero in this thread; the caller's setting again afterwards.

    Adam's moments of weights whose gradients have become zero decay to such numbers, with which processors compute
    many times slower. No weight is changed by them.
    """
    flushed = float(torch.tensor(1e-39, device="cpu") + 0) == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(flushed)
