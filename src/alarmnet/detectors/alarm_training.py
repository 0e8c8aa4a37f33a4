"""How the alarms of a fitted target are trained, but for what each reads."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from alarmnet._random import torch_generator
from alarmnet.alarms import DenseAlarm, DenseAlarmNetwork, alarm_loss
from alarmnet.detectors.base import MEASURED_BY, TrainingData, block_size
from alarmnet.detectors.known import KnownAnomalies
from alarmnet.detectors.readers import Reader
from alarmnet.generators import Generator, as_generator
from alarmnet.layers import materialise
from alarmnet.training import Schedule, TrainingContext, rows_at, train

KEPT_ACTIVATIONS = 2**28
"""Bytes of activations kept in memory during training; past it they are computed batch by batch."""

SPEAKS_AT = 0.999
"""The share of normal rows that a row must outscore before a bounded alarm gives it even odds."""

Read = Callable[[Tensor], Tensor]
"""Rows (B, ...) to what an alarm reads of them, (B, A)."""


def alarm_logits(alarm: nn.Module, read: Read, rows: Tensor, numbers: Tensor) -> Tensor:
    """An alarm's logits (N,) of the rows of these numbers (N,), a block of memory at a time."""
    blocks = torch.split(numbers, block_size(rows.shape[1:]))
    return torch.cat([alarm(read(rows[block])) for block in blocks])


def looked_up(rows: Tensor, read: Read) -> Read:
    """Row numbers to what an alarm reads: kept where all of it fits the memory budget, else computed."""
    width = read(rows[:1]).shape[1]
    if len(rows) * width * 4 > KEPT_ACTIVATIONS:
        return lambda index: read(rows_at(rows, index))
    kept = rows.new_empty((len(rows), width))
    size = block_size(rows.shape[1:])
    for block, into in zip(torch.split(rows, size), torch.split(kept, size), strict=True):
        into.copy_(read(block))
    return lambda index: rows_at(kept, index)


def speaks_above(logits: Tensor) -> float:
    """The logit above which a bounded alarm gives better than even odds, from the logits of normal rows."""
    return float(np.quantile(logits.numpy(force=True), SPEAKS_AT))


@dataclass(frozen=True, kw_only=True)
class AlarmTraining:
    """What alarms learn from.

    Parameters
    ----------
    data, seed, context
        Of the detector's fit.
    generator, generated_weight, shift_weight, known_weight, blend
        The detector's parameters, as `A3Detector` describes them.
    shape, schedule
        The user's; None: each reader has its own.
    """

    data: TrainingData
    seed: int
    context: TrainingContext
    generator: Generator | Callable[[Tensor], Tensor] | None = None
    generated_weight: float = 0.0
    shift_weight: float = 0.0
    known_weight: float | None = 1.0
    blend: float = 1.0
    shape: DenseAlarm | None = None
    schedule: Schedule | None = None

    def train(self, reader: Reader, read: Read) -> tuple[DenseAlarmNetwork, list[dict[str, float]]]:
        """Train one alarm on what it reads."""
        data, seed, name = self.data, self.seed, reader.name
        device = data.rows.device
        kept = looked_up(data.rows, read)
        labelled = len(data.known) + len(data.validation_known)
        schedule = self.schedule or reader.schedule_for(len(data.normal), labelled)
        normal, known, watched = self._parts(watch=bool(schedule.patience))
        sample = None
        if reader.hears_noise and self.generated_weight:
            recipe = as_generator(self.generator)
            sample = recipe.sampler_for(data.rows, normal, seed=seed, context=self.context)
        draws = torch_generator(seed, "generated anomalies", device)
        balanced = self.known_weight is not None
        shown = normal if balanced else torch.cat([normal, known])
        picked = KnownAnomalies(
            known if balanced else known[:0],
            kept,
            count=reader.known_at_once,
            blend=self.blend if reader.blends else 0.0,
            seed=seed,
        )
        alarm = self._built(reader, kept(normal[:0]).shape[1])

        def loss(index: Tensor) -> Tensor:
            rows, labels = shown[index], (index >= len(normal)).to(device, torch.float32)
            heard = picked(rows)
            if sample:
                heard = torch.cat([heard, read(sample(rows_at(data.rows, rows), draws))])
            sizes = [len(rows), picked.count, len(heard) - len(rows) - picked.count]
            logits = alarm(heard).split(sizes)
            doubted = data.unlabelled[rows].to(device) if reader.doubts else None
            return self._loss(logits[0], labels, *logits[1:], doubted=doubted)

        held_generated = sample(data.rows[watched], draws) if sample and len(watched) else data.rows[:0]
        all_generated = torch.arange(len(held_generated))

        def validation_loss() -> Tensor:
            real = alarm_logits(alarm, read, data.rows, watched)
            known = alarm_logits(alarm, read, data.rows, data.validation_known)
            generated = alarm_logits(alarm, read, held_generated, all_generated)
            return self._loss(real, torch.zeros(len(real), device=device), known, generated)

        history = train(
            alarm,
            loss,
            name=name,
            rows=len(shown),
            schedule=schedule,
            generator=torch_generator(seed, f"{name} batches"),
            noise=torch_generator(seed, f"{name} noise", device),
            draws=(draws, picked.draws),
            validation_loss=validation_loss if len(watched) else None,
            context=self.context,
        )
        return alarm, history

    def bound(self, alarm: DenseAlarmNetwork, read: Read) -> None:
        """Shift an alarm whose odds are bounded, so that it says nothing of usual rows."""
        with torch.no_grad():
            logits = alarm_logits(alarm, read, self.data.rows, self.data.usual(MEASURED_BY))
        alarm.output.bias.data -= speaks_above(logits)

    def _parts(self, *, watch: bool) -> tuple[Tensor, Tensor, Tensor]:
        """Numbers of the normal rows, the known anomalies, and the held-out rows that are watched, if any are."""
        data = self.data
        if watch:
            return data.normal, data.known, data.validation_normal
        normal, known = (data.normal, data.validation_normal), (data.known, data.validation_known)
        return torch.cat(normal), torch.cat(known), data.validation_normal[:0]

    def _built(self, reader: Reader, width: int) -> DenseAlarmNetwork:
        """An alarm with its first weights."""
        alarm = (self.shape or reader.shape).build(width)
        materialise(alarm, torch_generator(self.seed, f"{reader.name} weights"))
        if not alarm.hidden:
            nn.init.zeros_(alarm.output.weight)
        return alarm.to(self.data.rows.device)

    def _loss(
        self,
        real: Tensor,
        labels: Tensor,
        known: Tensor,
        generated: Tensor,
        *,
        doubted: Tensor | None = None,
    ) -> Tensor:
        """An alarm's loss on logits: of rows with their labels, of known anomalies and of counterexamples."""
        loss = alarm_loss(
            real,
            labels,
            known,
            generated,
            known_weight=self.known_weight or 1.0,
            generated_weight=self.generated_weight,
            doubted=doubted,
        )
        if self.shift_weight:
            loss = loss + self.shift_weight * (1 - real.sigmoid()).mean()
        return loss
