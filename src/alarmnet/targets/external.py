"""A network the user already has, read as it is: a trained classifier, for instance (A3, experiment 3)."""

import copy
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from alarmnet.errors import InputError
from alarmnet.targets.base import Target, TargetNetwork


class ExternalTargetNetwork(TargetNetwork):
    """Wraps the user's module; it is never trained and always runs in evaluation mode."""

    trainable = False

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        super().__init__()
        self.module = module
        self.layers = tuple(f"module.{name}" for name in layers)

    def train(self, mode: bool = True) -> "ExternalTargetNetwork":
        """Stay in evaluation mode, whatever is asked."""
        return super().train(mode=False)

    def forward(self, batch: Tensor) -> Tensor:
        """Run the user's module without touching the global random state."""
        with torch.random.fork_rng(devices=[batch.device] if batch.is_cuda else []):
            output: Tensor = self.module(batch)
        return output

    def row_losses(self, batch: Tensor) -> Tensor:
        """Refuse: the module comes trained."""
        raise NotImplementedError("an external target is used as it is and never trained")


class ExternalTarget(Target):
    """Any `torch.nn.Module`, already trained on what is normal, with the layers to read.

    Parameters
    ----------
    module
        Takes the encoded rows, (B, F) or (B, C, H, W) float32 in about [0, 1]. Its weights are read, never
        changed.
    layers
        Names as `module.named_modules()` gives them; usually the hidden ReLUs.

    Examples
    --------
    >>> classifier = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> ExternalTarget(classifier, layers=["1"]).build((4,)).layers
    ('module.1',)
    """

    kind: ClassVar[str] = "external"

    def __init__(self, module: nn.Module, layers: Sequence[str]) -> None:
        self.module = module
        self.layers = tuple(layers)

    def __repr__(self) -> str:
        return f"ExternalTarget({type(self.module).__name__}, layers={list(self.layers)})"

    def build(self, shape: tuple[int, ...]) -> ExternalTargetNetwork:
        """Wrap the module; the shape has nothing to say here."""
        if not self.layers:
            raise InputError("ExternalTarget needs the names of the layers to read; got none")
        return ExternalTargetNetwork(copy.deepcopy(self.module), self.layers)
