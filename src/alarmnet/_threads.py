"""How many threads a network's steps are worth."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

WORTH_SHARING = 2e9
"""Floating-point operations a step; below it threads wait for each other longer than they compute."""


def operations(network: nn.Module, rows: int, *, training: bool) -> float:
    """About how many floating-point operations one pass over `rows` rows takes; convolutions count as many."""
    if any(isinstance(layer, nn.Conv1d | nn.Conv2d) for layer in network.modules()):
        return float("inf")
    return (6.0 if training else 2.0) * rows * sum(weight.numel() for weight in network.parameters())


@contextmanager
def threads_for(work: float) -> Iterator[None]:
    """One thread while the work is small; the caller's own setting otherwise, and again afterwards."""
    before = torch.get_num_threads()
    if work < WORTH_SHARING:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
