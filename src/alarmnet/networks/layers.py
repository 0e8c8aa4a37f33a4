"""Building blocks with seeded randomness: dropout and initial weights that draw from a given generator."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from alarmnet.networks.channels_last import lay_out

POSITIVE = ("running_var", "deviation")
"""Endings of the names of weights that divide, or whose square roots divide."""


class SeededDropout(nn.Module):
    """Dropout that draws from a generator of its own, so that no global random state is touched.

    Shapes
    ------
    Input and output: (B, ...). With `whole_channels`, a channel of (B, C, H, W) is kept or dropped whole.
    """

    generator: torch.Generator | None = None

    def __init__(self, rate: float, *, whole_channels: bool = False) -> None:
        super().__init__()
        self.rate = rate
        self.whole_channels = whole_channels

    def forward(self, batch: Tensor) -> Tensor:
        """Drop and rescale in training; the identity otherwise."""
        if not self.training or self.rate == 0:
            return batch
        shape = batch.shape[:2] + (1,) * (batch.dim() - 2) if self.whole_channels else batch.shape
        return batch * self._kept(torch.empty(shape, device=batch.device, dtype=batch.dtype)).div_(
            1 - self.rate
        )

    def _kept(self, mask: Tensor) -> Tensor:
        """Fill a mask with 1 for kept values; on the CPU from doubles, as `bernoulli_` does there, but faster."""
        if mask.is_cpu:
            drawn = torch.empty(mask.shape, dtype=torch.float64).uniform_(generator=self.generator)
            return mask.copy_(drawn.lt_(1 - self.rate))
        return mask.bernoulli_(1 - self.rate, generator=self.generator)


@contextmanager
def drawing_from(network: nn.Module, generator: torch.Generator | None) -> Iterator[None]:
    """Let every part of the network that draws (dropout, variational codes) draw from one generator."""
    drawing = [part for part in network.modules() if hasattr(part, "generator")]
    for part in drawing:
        setattr(part, "generator", generator)  # noqa: B010
    try:
        yield
    finally:
        for part in drawing:
            setattr(part, "generator", None)  # noqa: B010


def materialise(network: nn.Module, generator: torch.Generator) -> None:
    """Give a network built without memory its weights: Glorot-uniform with zero biases.

    That is Keras' initialisation and so the A3 paper's; PyTorch's own differs. Convolutions are laid out channels
    last, which is faster.
    """
    # not `to_empty`, which also empties what has numbers already
    network._apply(  # type: ignore[no-untyped-call]
        lambda of: torch.empty_like(of, device="cpu") if of.is_meta else of
    ).requires_grad_(True)
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.reset_parameters()
    lay_out(network)


def load_weights(network: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Give a network built without memory copies of its weights, by name, ready to score.

    Raises
    ------
    ValueError, RuntimeError
        Weights are missing, too many, of another shape or type, or are divided by and not positive.
    """
    own = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    for name, built in network.state_dict().items():
        if name in own and own[name].dtype != built.dtype:
            raise ValueError(f"{name} holds {own[name].dtype}, not {built.dtype}")
        if name.endswith(POSITIVE) and name in own and not (own[name] > 0).all():
            raise ValueError(f"{name} holds numbers that are not positive")
    network.load_state_dict(own, assign=True)
    lay_out(network.requires_grad_(False).eval())


class _Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While open, counts the floating-point operations of this thread.

    PyTorch's own counter hooks the modules of all threads.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        if count := flop_registry.get(function._overloadpacket):
            self.total += count(*args, **(kwargs or {}), out_val=output)
        return output


def count_operations(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Floating-point operations of one forward pass of one row, for a network built without memory.

    >>> count_operations(nn.Linear(3, 5, device="meta"), (3,))
    30
    """
    with _Operations() as counter:
        network(torch.empty((1, *shape), device="meta"))
    return int(counter.total)
