"""What the C library does with memory that is freed."""

import torch

FREED_BYTES = 31 * 2**20
"""glibc raises its threshold to at most 32 MiB."""


def keep_freed_memory() -> None:
    """Let freed memory be used again by this process, from now on, where it would go back to the system.

    glibc gives blocks above a threshold back at once, and whoever asks for them anew has them zeroed page by
    page: gradients at every step, distances at every block of rows that is scored. It raises the threshold to the
    size of what has been freed, so one block is freed here, which is never touched. Elsewhere this does nothing.
    """
    torch.empty(FREED_BYTES, dtype=torch.uint8, device="cpu")
