"""The scorer: a module from encoded rows to logits, and how rows are run through it."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet._shared.blocks import SMALL, SMALL_BLOCKS, block_size
from alarmnet._shared.freed_memory import keep_freed_memory
from alarmnet._shared.threads import operations, threads_for
from alarmnet.networks.channels_last import place
from alarmnet.networks.targets import TargetNetwork
from alarmnet.preprocessing.row_store import RowStore


class Scorer(nn.Module, ABC):
    """A target network and its alarms, as one module.

    Scoring keeps nothing on it, so that many threads may score at once, and takes gradients where these are on. Its
    weights are named in model files as they are here.

    Shapes
    ------
    Input: encoded rows (B, ...). Output: logits (B,), higher is more anomalous.
    """

    target: TargetNetwork

    def __init__(self) -> None:
        super().__init__()
        self.small: dict[Hashable, int] = {}
        """The number of rows in a small block; `by_block` finds it."""
        self.work: tuple[torch.device, float] | None = None
        """The device where the scorer was last, and the operations for a row there; `by_block` finds both."""

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "small": {}}  # a copy may go to another processor

    @abstractmethod
    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""

    def odds(self, batch: Tensor) -> Tensor:
        """What each alarm adds to the odds, as a logarithm (B, alarms); one alarm where a scorer has no parts."""
        logits: Tensor = self(batch)
        return logits[:, None]

    @property
    def known(self) -> Tensor | None:
        """Encoded known anomalies that it compares rows with, all that it learned up to a bound; None if none."""
        return None

    def reconstructed(self, batch: Tensor) -> Tensor | None:
        """What the target makes of rows (B, ...), on their scale; None where it is not an autoencoder."""
        made = self.target.reconstruction(self.target(self.target.inputs(batch)))
        return None if made is None else made[:, : batch.shape[1]]  # of the inputs, without their pieces


def by_block(scorer: Scorer, compute: Callable[[Tensor], Tensor], rows: RowStore) -> NDArray[Any]:
    """What `compute` makes of rows (N, ...) with a scorer, in padded blocks: (N, ...).

    What comes out for a row has the same bits in any batch and among any neighbours. Few rows are computed in small
    blocks instead of a full one, which takes as long for one row as for 512, if both give the same bits.
    """
    size = block_size(rows.shape)
    found = []
    keep_freed_memory()
    with torch.inference_mode(), threads_for(size * placed(scorer, rows.device)):
        for part in rows.blocks():
            small = _small(scorer, compute, part) if len(part) <= SMALL_BLOCKS * SMALL[-1] else 0
            at_once = small if 0 < len(part) <= SMALL_BLOCKS * small else size
            found.append(_in_blocks(compute, part, at_once).cpu().numpy())
    return np.concatenate(found)


def placed(scorer: Scorer, device: torch.device) -> float:
    """Bring a scorer to a device, and give its operations a row; looked up once, as that takes as long as a row."""
    if scorer.work is None or scorer.work[0] != device:
        place(scorer, device)
        scorer.work = device, sum(operations(part, 1, training=False) for part in scorer.children())
    return scorer.work[1]


def _in_blocks(compute: Callable[[Tensor], Tensor], rows: Tensor, size: int) -> Tensor:
    padded = nn.functional.pad(rows, (0, 0) * (rows.ndim - 1) + (0, -len(rows) % size))
    return torch.cat([compute(block) for block in torch.split(padded, size)])[: len(rows)]


def _small(scorer: Scorer, compute: Callable[[Tensor], Tensor], like: Tensor) -> int:
    """The size of small blocks that give a full block's bits: tried once, since processors' kernels differ."""
    key = (getattr(compute, "__name__", ""), like.device, torch.get_num_threads())
    if key not in scorer.small:
        full = block_size(like.shape[1:])
        sizes = [size for size in SMALL if SMALL_BLOCKS * size < full]
        drawn = torch.rand((64, *like.shape[1:]), generator=torch.Generator().manual_seed(0))
        scales = torch.linspace(0, 1, 64).view(-1, *[1] * (like.ndim - 1))
        probe = (drawn * scales).to(like.device)  # near and far from normal rows, since odds may be bounded

        def bits(rows: Tensor) -> Tensor:
            found = [compute(rows)]
            if compute is scorer:  # logits alone may be rounded to the same bits
                found += [scorer.odds(rows), *scorer.target.activations(scorer.target.inputs(rows))]
            return torch.cat([of.reshape(len(rows), -1) for of in found], dim=1)

        expected = _in_blocks(bits, probe, full) if sizes else probe
        alike = (
            size
            for size in sizes
            if all(map(torch.equal, map(bits, torch.split(probe, size)), torch.split(expected, size)))
        )
        scorer.small[key] = next(alike, 0)
    return scorer.small[key]
