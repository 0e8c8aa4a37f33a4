"""What scores rows: a module from encoded rows to logits, and how rows are run through it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet._shared.blocks import block_size
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

    @abstractmethod
    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""

    def odds(self, batch: Tensor) -> Tensor:
        """What each alarm adds to the odds, as a logarithm (B, alarms); one alarm where a scorer has no parts."""
        logits: Tensor = self(batch)
        return logits[:, None]

    def reconstructed(self, batch: Tensor) -> Tensor | None:
        """What the target makes of rows (B, ...), on their scale; None where it is no autoencoder."""
        made = self.target.reconstruction(self.target(self.target.inputs(batch)))
        return None if made is None else made[:, : batch.shape[1]]  # of the inputs, without their pieces


def by_block(network: nn.Module, compute: Callable[[Tensor], Tensor], rows: RowStore) -> NDArray[Any]:
    """What `compute` makes of rows (N, ...) with a network, in padded blocks of one size: (N, ...).

    So what comes out for a row has the same bits in any batch and among any neighbours.
    """
    place(network, rows.device)
    size = block_size(rows.shape)
    block = torch.empty((size, *rows.shape), device=rows.device)
    work = sum(operations(part, size, training=False) for part in network.children())
    found = []
    with torch.inference_mode(), threads_for(work):
        for part in rows.blocks():
            block[: len(part)].copy_(part)
            block[len(part) :].zero_()
            found.append(compute(block)[: len(part)].cpu().numpy())
    return np.concatenate(found)
