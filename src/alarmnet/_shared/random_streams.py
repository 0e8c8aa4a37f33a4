"""One seed, many independent random streams, and no global state.

Every use of chance names its purpose ("target weights", "alarm batches"), so that adding one never shifts
the others.
"""

import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

SEED_LIMIT = 2**31 - 1


def resolve_seed(random_state: int | np.integer | np.random.RandomState | np.random.Generator | None) -> int:
    """One integer seed from what scikit-learn accepts as ``random_state``; None draws a fresh one.

    >>> resolve_seed(7)
    7
    """
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0] % SEED_LIMIT)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(SEED_LIMIT))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(SEED_LIMIT))
    return int(random_state)


def _entropy(seed: int, purpose: str) -> np.random.SeedSequence:
    return np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])


def numpy_generator(seed: int, purpose: str) -> np.random.Generator:
    """A NumPy generator of its own for one purpose."""
    return np.random.default_rng(_entropy(seed, purpose))


_GLOBAL = threading.RLock()


@contextmanager
def global_random_state(device: torch.device, seed: int | None = None) -> Iterator[None]:
    """Run code that is not ours and may draw from PyTorch's global state, which is as before afterwards.

    One thread at a time: with two, either's draws would be the other's.
    """
    with _GLOBAL, torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        if seed is not None:
            torch.manual_seed(seed)
        yield


def torch_generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A PyTorch generator of its own for one purpose, on one device."""
    generator = torch.Generator(device=device)
    generator.manual_seed(int(_entropy(seed, purpose).generate_state(1, np.uint64)[0] >> np.uint64(1)))
    return generator
