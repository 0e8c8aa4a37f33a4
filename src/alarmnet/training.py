"""The one training loop: target, generator and alarm all learn through it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._threads import operations, threads_for
from alarmnet._validation import check_real, check_whole
from alarmnet.errors import InputError, TrainingDivergedError
from alarmnet.layers import drawing_from

CHECKS = 20
"""How often a training run looks at its held-out rows."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast a network trains.

    Parameters
    ----------
    epochs, steps
        The length: passes over the rows, or optimiser steps. Give one of them.
    batch_size
        Rows a step.
    learning_rate
        Adam's.
    decay
        True lowers the learning rate along a half cosine to zero; False keeps it, as the A3 paper does.
    weight_decay
        Decoupled weight decay a step, in units of the learning rate.
    sparsity
        Every step brings each weight closer to zero by so much, in units of the learning rate, and no further: weights
        that do not help become zero (a proximal step of an L1 penalty). Biases are left alone.
    patience
        Stop after so many of the run's 20 checks without a lower validation loss, and take the best weights
        seen. None trains to the end and takes the last.

    Examples
    --------
    >>> Schedule(epochs=2, batch_size=100).total_steps(250)
    6
    """

    epochs: int | None = None
    steps: int | None = None
    batch_size: int = 256
    learning_rate: float = 1e-3
    decay: bool = False
    weight_decay: float = 0.0
    sparsity: float = 0.0
    patience: int | None = None

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.steps is None):
            raise InputError(f"Schedule takes epochs or steps, one of them; got {self.epochs=} {self.steps=}")
        for name in ("epochs", "steps", "batch_size", "patience"):
            if getattr(self, name) is not None:
                check_whole(self, name, getattr(self, name))
        check_real(self, "learning_rate", self.learning_rate, 0)
        check_real(self, "weight_decay", self.weight_decay, 0, open_ends=False)
        check_real(self, "sparsity", self.sparsity, 0, open_ends=False)

    def total_steps(self, rows: int) -> int:
        """Optimiser steps of a run over so many rows."""
        if self.epochs is not None:
            full, rest = divmod(rows, self.batch_size)
            return self.epochs * max(1, full + (rest > 1))  # as `batches` has them
        return self.steps or 0

    def learning_rate_at(self, share: float) -> float:
        """The learning rate after `share` of the run, in [0, 1]."""
        return self.learning_rate * (0.5 + 0.5 * math.cos(math.pi * share) if self.decay else 1.0)


class Progress(NamedTuple):
    """Where a training run stands; handed to the caller's progress function."""

    network: str
    step: int
    steps: int
    loss: float
    validation_loss: float | None


ProgressFunction = Callable[[Progress], None]


def batches(rows: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row numbers of one batch after the other, for ever: each pass is a fresh permutation.

    A last batch of one row is left out, since batch normalisation needs two.
    """
    least = min(2, rows, batch_size)
    while True:
        parts = torch.split(torch.randperm(rows, generator=generator), batch_size)
        yield from (part for part in parts if len(part) >= least)


class _Watch:
    """Keeps the best weights by validation loss, and says when patience is over."""

    def __init__(self, network: nn.Module, patience: int | None) -> None:
        self.network, self.patience = network, patience
        self.best, self.stale = math.inf, 0
        self.weights: dict[str, Tensor] | None = None

    def over(self, validation_loss: float | None) -> bool:
        if self.patience is None or validation_loss is None:
            return False
        self.stale += 1
        if validation_loss < self.best:
            self.best, self.stale = validation_loss, 0
            self.weights = {key: tensor.clone() for key, tensor in self.network.state_dict().items()}
        return self.stale >= self.patience

    def restore_best(self) -> None:
        if self.weights is not None:
            self.network.load_state_dict(self.weights)


def _evaluated(network: nn.Module, loss: Callable[[], Tensor]) -> float:
    network.eval()
    with torch.no_grad():
        value = float(loss())
    network.train()
    return value


def _shrink(network: nn.Module, by: float) -> None:
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1:
                weight.copy_(functional.softshrink(weight, by))


def train(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    *,
    name: str,
    rows: int,
    schedule: Schedule,
    generator: torch.Generator,
    noise: torch.Generator,
    validation_loss: Callable[[], Tensor] | None = None,
    progress: ProgressFunction | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place and leave it in evaluation mode.

    Parameters
    ----------
    loss
        Row numbers of a batch (B,), on the CPU, to a scalar.
    name
        What progress and errors call the network.
    rows
        Rows to draw from.
    generator
        Draws the batches; on the CPU.
    noise
        Draws dropout and the like; on the network's device.
    validation_loss
        The scalar to watch; called in evaluation mode, without gradients.

    Returns
    -------
    list of dict
        One entry a check: `step`, `loss` (mean since the last check) and, where watched, `validation_loss`.

    Raises
    ------
    TrainingDivergedError
        The loss stopped being finite.
    """
    total = schedule.total_steps(rows)
    check_every = math.ceil(total / CHECKS)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=schedule.learning_rate, weight_decay=schedule.weight_decay, fused=True
    )
    watch = _Watch(network, schedule.patience)
    history: list[dict[str, float]] = []
    losses: list[Tensor] = []
    network.train()
    work = operations(network, schedule.batch_size, training=True)
    with drawing_from(network, noise), threads_for(work):
        order = batches(rows, schedule.batch_size, generator)
        for step, index in zip(range(1, total + 1), order, strict=False):
            optimiser.param_groups[0]["lr"] = schedule.learning_rate_at((step - 1) / total)
            optimiser.zero_grad()
            value = loss(index)
            value.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if schedule.sparsity:
                _shrink(network, schedule.sparsity * optimiser.param_groups[0]["lr"])
            losses.append(value.detach())
            if step % check_every and step != total:
                continue
            check = {"step": float(step), "loss": float(torch.stack(losses).mean())}
            losses.clear()
            if validation_loss is not None:
                check["validation_loss"] = _evaluated(network, validation_loss)
            if not all(map(math.isfinite, check.values())):
                raise TrainingDivergedError(
                    f"the loss of the {name} network is no longer finite at step {step} of {total}: {check}; "
                    f"lower its learning rate ({schedule.learning_rate}) or look for extreme values in the data"
                )
            history.append(check)
            if progress is not None:
                progress(Progress(name, step, total, check["loss"], check.get("validation_loss")))
            if watch.over(check.get("validation_loss")):
                break
    watch.restore_best()
    network.eval()
    return history
