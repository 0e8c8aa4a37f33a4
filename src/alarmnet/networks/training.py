"""The one training loop: target, generator and alarm all learn through it."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, NamedTuple

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._shared.freed_memory import keep_freed_memory
from alarmnet._shared.threads import operations, threads_for
from alarmnet._shared.validation import check_real, check_type, check_whole
from alarmnet.errors import InputError, TrainingDivergedError
from alarmnet.networks.checkpoints import Checkpoint
from alarmnet.networks.layers import drawing_from
from alarmnet.networks.optimiser import AdamW

CHECKS = 20
"""How many times a training run looks at its held-out rows."""

VALIDATION_SHARE = 0.1
"""The share of training rows that is held out for validation if a schedule has patience."""

LENGTHS = {"epochs", "steps"}
"""The settings of a schedule's length: a schedule has exactly one of them."""


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
        Adam's learning rate.
    decay
        True lowers the learning rate along a half cosine to zero; False keeps it, as the A3 paper does.
    weight_decay
        Decoupled weight decay a step, in units of the learning rate.
    sparsity
        Every step moves each weight towards zero by this amount, in units of the learning rate (a proximal step of
        an L1 penalty). Weights that do not help become zero. Biases do not change.
    patience
        Stop after this number of the run's 20 checks without a lower validation loss, and take the best weights.
        None trains to the end and takes the last weights.

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
            raise InputError(
                f"Schedule takes epochs or steps, one of them; got epochs={self.epochs!r} and steps={self.steps!r}",
                code="invalid_parameter",
            )
        for name in ("epochs", "steps", "batch_size", "patience"):
            if getattr(self, name) is not None:
                check_whole(self, name, getattr(self, name))
        check_real(self, "learning_rate", self.learning_rate, 0)
        check_real(self, "weight_decay", self.weight_decay, 0, open_ends=False)
        check_real(self, "sparsity", self.sparsity, 0, open_ends=False)

    def changed(self, **settings: Any) -> "Schedule":
        """The same with other settings; a length takes the place of the one there was."""
        lengths: dict[str, Any] = dict.fromkeys(LENGTHS) if settings.keys() & LENGTHS else {}
        return replace(self, **(lengths | settings))

    def total_steps(self, rows: int) -> int:
        """Optimiser steps of a run over so many rows."""
        if self.epochs is not None:
            full, rest = divmod(rows, self.batch_size)
            return self.epochs * max(1, full + (rest > 1))  # as `batches` forms them
        return self.steps or 0

    def learning_rate_at(self, share: float) -> float:
        """The learning rate after `share` of the run, in [0, 1]."""
        return self.learning_rate * (0.5 + 0.5 * math.cos(math.pi * share) if self.decay else 1.0)


@dataclass(frozen=True)
class ScheduleChanges:
    """Settings, (name, value), by which a schedule differs from one that is only chosen in `fit`.

    Examples
    --------
    >>> ScheduleChanges().changed(steps=9).of(Schedule(epochs=2, decay=True))
    Schedule(epochs=None, steps=9, batch_size=256, learning_rate=0.001, decay=True, ...)
    """

    changes: tuple[tuple[str, Any], ...] = ()

    def __post_init__(self) -> None:
        self.of(Schedule(steps=1))  # refuses settings that no schedule can have

    def changed(self, **settings: Any) -> "ScheduleChanges":
        """The same with more changes."""
        replaced = settings.keys() | (LENGTHS if settings.keys() & LENGTHS else ())
        kept = {name: value for name, value in self.changes if name not in replaced}
        return ScheduleChanges(tuple((kept | settings).items()))

    def of(self, default: Schedule) -> Schedule:
        """The schedule, where the other one would be chosen."""
        return default.changed(**dict(self.changes))


def check_schedule(owner: object, name: str, value: object) -> None:
    """Refuse a parameter that is no schedule, nor what changes one, and not None."""
    if not isinstance(value, ScheduleChanges):
        check_type(owner, name, value, Schedule)


def chosen_schedule(given: Schedule | ScheduleChanges | None, default: Schedule) -> Schedule:
    """The user's schedule, as far as there is one."""
    return given.of(default) if isinstance(given, ScheduleChanges) else given or default


class Progress(NamedTuple):
    """Where a training run stands; handed to the caller's progress function."""

    network: str
    step: int
    steps: int
    loss: float
    validation_loss: float | None
    stops: bool = False
    """Whether training stops early, since held-out rows no longer improve."""


ProgressFunction = Callable[[Progress], None]


@dataclass(frozen=True)
class TrainingContext:
    """What goes along with every training run of one fit: who is told of it, and where it is kept."""

    progress: ProgressFunction | None = None
    checkpoint: Checkpoint | None = None


ALONE = TrainingContext()
"""A context that reports no progress and keeps no checkpoint."""


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


def _shrink(weights: Iterable[Tensor], by: float) -> None:
    with torch.no_grad():
        for weight in weights:
            if weight.dim() > 1:
                weight.copy_(functional.softshrink(weight, by))


Optimiser = Callable[[float], object]
"""Takes a step at a learning rate, by the gradients that the weights have."""


@dataclass
class _State:
    """All that a training run changes, to be kept and restored.

    The order of the batches is not kept: it is drawn again from the seed, up to the step.
    """

    network: nn.Module
    optimiser: Optimiser
    watch: _Watch
    generators: Sequence[torch.Generator]
    step: int = 0
    losses: list[Tensor] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)
    finished: bool = False

    def check(self, validation_loss: Callable[[], Tensor] | None) -> dict[str, float]:
        """The losses since the last check, noted in the history."""
        check = {"step": float(self.step), "loss": float(torch.stack(self.losses).mean())}
        self.losses.clear()
        if validation_loss is not None:
            check["validation_loss"] = _evaluated(self.network, validation_loss)
        self.history.append(check)
        return check

    def kept(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """JSON-ready facts, and arrays; of a finished run only the result."""
        watch, facts = self.watch, {"step": self.step, "finished": self.finished, "history": self.history}
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        if not self.finished:
            facts |= {"best": watch.best if watch.weights else None, "stale": watch.stale}
            tensors |= {f"best.{name}": tensor for name, tensor in (watch.weights or {}).items()}
            tensors |= {f"generator.{n}": drawn.get_state() for n, drawn in enumerate(self.generators)}
            tensors["losses"] = torch.stack(self.losses) if self.losses else torch.empty(0)
            if isinstance(self.optimiser, AdamW):
                tensors |= {f"optimiser.{name}": tensor for name, tensor in self.optimiser.kept().items()}
        return facts, {name: tensor.numpy(force=True) for name, tensor in tensors.items()}

    def restore(self, facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Go back to what `kept` gave."""
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}

        def under(first: str) -> dict[str, Tensor]:
            parts = (name.partition(".") for name in tensors)
            return {rest: tensors[f"{first}.{rest}"] for part, _, rest in parts if part == first}

        self.network.load_state_dict(under("network"))
        self.step, self.finished, self.history = facts["step"], facts["finished"], facts["history"]
        if self.finished:
            return
        for number, generator in enumerate(self.generators):
            generator.set_state(tensors[f"generator.{number}"])
        if facts["best"] is not None:
            self.watch.best, self.watch.weights = facts["best"], under("best")
        self.watch.stale = facts["stale"]
        self.losses = list(tensors["losses"].to(next(self.network.parameters()).device))
        if isinstance(self.optimiser, AdamW):
            kept = under("optimiser")
            for name, tensor in self.optimiser.kept().items():
                tensor.copy_(kept[name])


def train(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    *,
    name: str,
    rows: int,
    schedule: Schedule,
    generator: torch.Generator,
    noise: torch.Generator,
    draws: Sequence[torch.Generator] = (),
    validation_loss: Callable[[], Tensor] | None = None,
    context: TrainingContext = ALONE,
    optimiser: Optimiser | None = None,
) -> list[dict[str, float]]:
    """Train `network` in place and leave it in evaluation mode.

    Parameters
    ----------
    loss
        Row numbers of a batch (B,), on the CPU, to a scalar; one without a gradient has given the weights theirs.
    name
        What progress, checkpoints and errors call the network.
    rows
        Rows to draw from.
    generator
        Draws the batches; on the CPU, and fresh from its seed.
    noise
        Draws dropout and the like; on the network's device.
    draws
        What else the loss draws from.
    validation_loss
        The scalar to watch; called in evaluation mode, without gradients.
    context
        Who is told, and where the run is kept: one that was interrupted goes on from there.
    optimiser
        Changes the network's weights, each step; None is AdamW. A checkpoint keeps no other.

    Returns
    -------
    list of dict
        One entry a check: `step`, `loss` (mean since the last check of what `loss` gave) and, where watched,
        `validation_loss`.

    Raises
    ------
    TrainingDivergedError
        The loss stopped being finite.
    """
    total = schedule.total_steps(rows)
    check_every = math.ceil(total / CHECKS)
    optimiser = optimiser or AdamW(network, weight_decay=schedule.weight_decay)
    watch = _Watch(network, schedule.patience)
    state = _State(network, optimiser, watch, (noise, *draws))
    stage = context.checkpoint.stage(name, total) if context.checkpoint else None
    if stage and (kept := stage.read()):
        state.restore(*kept)
    if state.finished:
        network.eval()
        return state.history
    network.train()
    weights = list(network.parameters())
    keep_freed_memory()
    work = operations(network, schedule.batch_size, training=True)
    with drawing_from(network, noise), threads_for(work):
        for index in islice(batches(rows, schedule.batch_size, generator), state.step, total):
            learning_rate = schedule.learning_rate_at(state.step / total)
            for weight in weights:
                weight.grad = None
            value = loss(index)
            if value.requires_grad:
                value.backward()  # type: ignore[no-untyped-call]
            optimiser(learning_rate)
            if schedule.sparsity:
                _shrink(weights, schedule.sparsity * learning_rate)
            state.losses.append(value.detach())
            state.step += 1
            if state.step % check_every == 0 or state.step == total:
                check = state.check(validation_loss)
                if not all(map(math.isfinite, check.values())):
                    kept_by = (
                        f"; {stage.path} keeps what was before that" if stage and stage.path.exists() else ""
                    )
                    raise TrainingDivergedError(
                        f"the loss of the {name} network is no longer finite at step {state.step} of {total}: "
                        f"{check}; lower its learning rate ({schedule.learning_rate}) or look for extreme values "
                        f"in the data{kept_by}"
                    )
                stops = watch.over(check.get("validation_loss")) and state.step < total
                if context.progress is not None:
                    context.progress(
                        Progress(name, state.step, total, check["loss"], check.get("validation_loss"), stops)
                    )
                if stops:
                    break
            if stage and stage.due():
                stage.write(*state.kept())
    watch.restore_best()
    network.eval()
    state.finished = True
    if stage:
        stage.write(*state.kept())
    return state.history
