"""How the alarms of a fitted target are trained, whatever each reads."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from alarmnet._shared.blocks import block_size
from alarmnet._shared.random_streams import torch_generator
from alarmnet.detectors.data import MEASURED_BY, TrainingData
from alarmnet.detectors.lesson import AnomalyWeights, Lesson
from alarmnet.networks.alarm_specs import AlarmSpec, side_by_side
from alarmnet.networks.alarms import AlarmMixture, DenseAlarm, DenseAlarmNetwork
from alarmnet.networks.generators import Generator, as_generator
from alarmnet.networks.layers import materialise
from alarmnet.networks.linear_alarm import is_linear
from alarmnet.networks.training import Schedule, ScheduleChanges, TrainingContext, chosen_schedule, train
from alarmnet.preprocessing.row_store import RowStore, rows_at

KEPT_ACTIVATIONS = 2**28
"""Bytes of activations kept in memory during training; past it they are computed batch by batch."""

SPEAKS_AT = 0.999
"""The share of normal rows that a row must outscore before a bounded alarm gives it even odds."""

Read = Callable[[Tensor], Tensor]
"""Rows (B, ...) to what an alarm reads of them, (B, A)."""


def alarm_logits(alarm: nn.Module, read: Read, blocks: Iterable[Tensor]) -> Tensor:
    """An alarm's logits (N,) of rows that come in blocks."""
    return torch.cat([alarm(read(block)) for block in blocks])


def looked_up(rows: RowStore, read: Read) -> Read:
    """Row numbers to what an alarm reads: kept where all of it fits the memory budget, else computed."""
    width = read(rows.take(torch.tensor([0]))).shape[1]
    if len(rows) * width * 4 > KEPT_ACTIVATIONS:
        return lambda index: read(rows.take(index))
    kept = torch.empty((len(rows), width), device=rows.device)
    for block, into in zip(rows.blocks(), torch.split(kept, block_size(rows.shape)), strict=True):
        into.copy_(read(block))
    return lambda index: rows_at(kept, index)


@dataclass(frozen=True)
class Scale:
    """What an alarm reads, brought to mean 0 and deviation 1 of normal rows while it trains.

    Its first layer then takes the scale in, so that a trained alarm reads the numbers as they are.
    """

    mean: Tensor
    deviation: Tensor

    @classmethod
    def learned_from(cls, numbers: Tensor) -> Self:
        """Measure numbers of normal rows (N, A); a number that hardly varies among them is not magnified."""
        deviation = numbers.std(0, correction=0)
        return cls(numbers.mean(0), deviation.clamp(min=max(0.1 * float(deviation.mean()), 1e-6)))

    def after(self, read: Read) -> Read:
        """Scale what is read."""
        return lambda rows: (read(rows) - self.mean) / self.deviation

    def into(self, layer: nn.Linear) -> None:
        """Let a layer do the scaling, which was trained on scaled numbers."""
        with torch.no_grad():
            layer.weight.div_(self.deviation)
            layer.bias.sub_(layer.weight @ self.mean)


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
        The user's; None: each spec has its own.
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
    schedule: Schedule | ScheduleChanges | None = None

    def mixture(
        self,
        specs: Sequence[AlarmSpec],
        read: Callable[[AlarmSpec], Read],
        history: dict[str, list[dict[str, float]]],
    ) -> AlarmMixture:
        """Train alarms one after the other on what `read` says, and put their losses into `history`."""
        alarms = []
        for spec in specs:
            alarm, history[spec.name] = self.train(spec, read(spec))
            if spec.bounded and len(specs) > 1:
                self._bound(alarm, read(spec))
            alarms.append(alarm)
        return side_by_side(specs, alarms).to(self.data.rows.device)

    def train(self, spec: AlarmSpec, read: Read) -> tuple[DenseAlarmNetwork, list[dict[str, float]]]:
        """Train one alarm on what it reads."""
        data, name = self.data, spec.name
        default = spec.schedule_for(len(data.normal), len(data.known) + len(data.validation_known))
        schedule = chosen_schedule(self.schedule, default)
        loss = AlarmLoss(self, spec, read, watches=bool(schedule.patience))
        history = train(
            loss.alarm,
            loss,
            name=name,
            rows=len(loss.lesson),
            schedule=schedule,
            generator=torch_generator(self.seed, f"{name} batches"),
            noise=torch_generator(self.seed, f"{name} noise", data.rows.device),
            draws=loss.lesson.draws,
            validation_loss=loss.held_out if len(loss.watched) else None,
            context=self.context,
        )
        if loss.scale is not None:
            loss.scale.into(loss.alarm.first)
        return loss.alarm, history

    def speaks_above(self, logits: Callable[[Tensor], Tensor]) -> float:
        """The logit above which an alarm whose odds are bounded gives better than even odds.

        `logits` gives those of rows (B, ...), (B,).
        """
        return float(np.quantile(self.usual_logits(logits, MEASURED_BY).numpy(force=True), SPEAKS_AT))

    @torch.no_grad()
    def usual_logits(self, logits: Callable[[Tensor], Tensor], most: int) -> Tensor:
        """The logits (N,) of so many usual rows at most."""
        return torch.cat([logits(block) for block in self.data.rows.blocks(self.data.usual(most))])

    def _bound(self, alarm: DenseAlarmNetwork, read: Read) -> None:
        """Shift an alarm whose odds are bounded, so that it says nothing of usual rows."""
        alarm.output.bias.data -= self.speaks_above(lambda block: alarm(read(block)))


class AlarmLoss:
    """What one alarm of a fitted target lowers: called with a batch's places (B,), a scalar.

    Parameters
    ----------
    training, spec, read
        What it learns from, which alarm it is, and what it reads of rows.
    watches
        Whether held-out rows say when to stop; else they are learned from too.
    """

    def __init__(self, training: AlarmTraining, spec: AlarmSpec, read: Read, *, watches: bool) -> None:
        self._training, self._spec, self._read = training, spec, read
        self._data = data = training.data
        kept = looked_up(data.rows, read)
        self.scale = Scale.learned_from(kept(data.usual(MEASURED_BY))) if spec.reads == "peaks" else None
        if self.scale is not None:
            kept, self._read = self.scale.after(kept), self.scale.after(read)
        normal, known, self.watched = _parts(data, watches=watches)
        self._doubts = spec.robust_to_unlabelled and bool(data.unlabelled[normal].any())
        hears = spec.uses_synthetic and training.generated_weight
        self.lesson = Lesson(
            data,
            normal,
            known,
            read=kept,
            known_at_once=spec.known_at_once,
            blend=training.blend if spec.blends else 0.0,
            weights=AnomalyWeights(training.known_weight, training.generated_weight),
            generator=as_generator(training.generator) if hears else None,
            seed=training.seed,
            context=training.context,
        )
        self.alarm = self._built(kept(normal[:0]).shape[1])
        self._closed_form = is_linear(self.alarm) and not (hears or training.shift_weight)
        self._held_generated = self.lesson.counterexamples(data.rows.take(self.watched))

    def __call__(self, index: Tensor) -> Tensor:
        """The loss of a batch."""
        rows, labels = self.lesson.rows(index)
        heard = self.lesson.known(rows)
        doubted = rows if self._doubts else None
        if self._closed_form:
            return self.lesson.linear_loss(self.alarm, heard, labels, doubted=doubted)
        labelled = len(heard)
        if self._spec.uses_synthetic:
            generated = self.lesson.counterexamples(self._data.rows.take(rows))
            if len(generated):
                heard = torch.cat([heard, self._read(generated)])
        sizes = [len(rows), labelled - len(rows), len(heard) - labelled]
        return self._loss(self.alarm(heard).split(sizes), labels, doubted=doubted)

    def held_out(self) -> Tensor:
        """The loss on the rows that are watched."""
        data = self._data
        watched, known = data.rows.blocks(self.watched), data.rows.blocks(data.validation_known)
        generated = torch.split(self._held_generated, block_size(data.rows.shape))
        logits = tuple(alarm_logits(self.alarm, self._read, part) for part in (watched, known, generated))
        return self._loss(logits, torch.zeros_like(logits[0]))

    def _built(self, width: int) -> DenseAlarmNetwork:
        """An alarm with its first weights."""
        training, spec = self._training, self._spec
        alarm = (training.shape or spec.shape).build(width)
        materialise(alarm, torch_generator(training.seed, f"{spec.name} weights"))
        if not alarm.hidden:
            nn.init.zeros_(alarm.output.weight)
        return alarm.to(self._data.rows.device)

    def _loss(self, logits: tuple[Tensor, ...], labels: Tensor, *, doubted: Tensor | None = None) -> Tensor:
        loss, shift = self.lesson.loss(logits, labels, doubted=doubted), self._training.shift_weight
        return loss + shift * (1 - logits[0].sigmoid()).mean() if shift else loss


def _parts(data: TrainingData, *, watches: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the normal rows, the known anomalies, and the held-out rows that are watched, if any are."""
    if watches:
        return data.normal, data.known, data.validation_normal
    normal, known = (data.normal, data.validation_normal), (data.known, data.validation_known)
    return torch.cat(normal), torch.cat(known), data.validation_normal[:0]
