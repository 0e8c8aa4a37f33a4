"""A3: an alarm network reads the hidden activations of a frozen target (A3, section 3)."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._random import torch_generator
from alarmnet._validation import check_real
from alarmnet.activations import flat_activations
from alarmnet.alarms import DenseAlarm, DenseAlarmNetwork
from alarmnet.detectors.base import BaseDetector, TrainingData
from alarmnet.errors import InputError
from alarmnet.generators import CallableGenerator, ColumnSwap, GaussianNoise, Generator
from alarmnet.layers import materialise
from alarmnet.preprocessing import TableEncoder
from alarmnet.targets import ConvAutoencoder, DenseAutoencoder, Target, TargetNetwork
from alarmnet.training import ProgressFunction, Schedule, train

KEPT_ACTIVATIONS = 2**30
"""Bytes of activations kept in memory during training; past it they are computed batch by batch."""

VALIDATION_SHARE = 0.1

TARGET_SCHEDULE = Schedule(steps=2000, batch_size=256, learning_rate=1e-3, decay=True)
ALARM_SCHEDULE = Schedule(steps=1500, batch_size=256, learning_rate=1e-3, decay=True)
ALARM = DenseAlarm(hidden=(256, 128, 64), standardise=True)


class A3Detector(BaseDetector):
    """TODO."""

    method: ClassVar[str] = "a3"
    _target: TargetNetwork
    _alarm: DenseAlarmNetwork

    def __init__(
        self,
        *,
        target: Target | None = None,
        generator: Generator | Callable[[Tensor], Tensor] | None = None,
        alarm: DenseAlarm | None = None,
        residual: bool = True,
        generated_weight: float = 1.0,
        known_weight: float | None = 1.0,
        shift_weight: float = 0.0,
        target_schedule: Schedule | None = None,
        alarm_schedule: Schedule | None = None,
        encoder: TableEncoder | None = None,
        alarm_rate: float = 0.01,
        calibration_share: float = 0.2,
        unlabelled: Literal["normal", "ignore"] = "normal",
        anomaly_label: object = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: bool | ProgressFunction = False,
    ) -> None:
        self.target = target
        self.generator = generator
        self.alarm = alarm
        self.residual = residual
        self.generated_weight = generated_weight
        self.known_weight = known_weight
        self.shift_weight = shift_weight
        self.target_schedule = target_schedule
        self.alarm_schedule = alarm_schedule
        self.encoder = encoder
        self.alarm_rate = alarm_rate
        self.calibration_share = calibration_share
        self.unlabelled = unlabelled
        self.anomaly_label = anomaly_label
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    @classmethod
    def as_published(cls, *, hidden: tuple[int, ...] = (200, 100, 50, 25), batch_size: int = 256, **parameters: Any) -> Self:
        """The settings of the A3 paper (Table 2, section 4.5 and the authors' code), to compare with."""
        published: dict[str, Any] = {
            "target": DenseAutoencoder(hidden=hidden),
            "generator": GaussianNoise(),
            "alarm": DenseAlarm(),
            "residual": False,
            "known_weight": None,
            "target_schedule": Schedule(epochs=30, batch_size=batch_size, learning_rate=1e-3),
            "alarm_schedule": Schedule(epochs=60, batch_size=batch_size, learning_rate=1e-5),
            "encoder": TableEncoder(scaling="minmax"),
            "calibration_share": 0.05,
        }
        return cls(**(published | parameters))

    def _check_parameters(self) -> None:
        check_real(self, "generated_weight", self.generated_weight, 0, open_ends=False)
        check_real(self, "shift_weight", self.shift_weight, 0, open_ends=False)
        if self.known_weight is not None:
            check_real(self, "known_weight", self.known_weight, 0)

    def _validation_share(self) -> float:
        schedules = (self.target_schedule or TARGET_SCHEDULE, self.alarm_schedule or ALARM_SCHEDULE)
        return VALIDATION_SHARE if any(schedule.patience for schedule in schedules) else 0.0

    def _default_encoder(self) -> TableEncoder:
        return TableEncoder(scaling="quantile")

    def _networks(self) -> dict[str, nn.Module]:
        return {"target": self._target, "alarm": self._alarm}

    def _build(self, shape: tuple[int, ...], stored: Mapping[str, NDArray[Any]] | None = None) -> None:
        recipe = self.target or (DenseAutoencoder() if len(shape) == 1 else ConvAutoencoder())
        self._target = recipe.build(shape)
        if stored is not None:
            self._alarm = (self.alarm or ALARM).build(len(stored["alarm.shift"]))

    def _fit_networks(self, data: TrainingData, progress: ProgressFunction | None) -> None:
        target = self._target
        if target.trainable:
            materialise(target, torch_generator(self.seed_, "target weights"))
            target.to(data.rows.device)
            self.history_["target"] = train(
                target,
                lambda index: target.row_losses(data.rows[data.normal[index]]).mean(),
                name="target",
                rows=len(data.normal),
                schedule=self.target_schedule or TARGET_SCHEDULE,
                generator=torch_generator(self.seed_, "target batches"),
                noise=torch_generator(self.seed_, "target noise", data.rows.device),
                validation_loss=(lambda: target.row_losses(data.rows[data.validation_normal]).mean())
                if len(data.validation_normal)
                else None,
                progress=progress,
            )
        target.to(data.rows.device).requires_grad_(False).eval()
        self._fit_alarm(data, progress)

    def _fit_alarm(self, data: TrainingData, progress: ProgressFunction | None) -> None:
        """The two-part loss, L = BCE(y, alarm(x)) + lambda BCE(1, alarm(generated)) (A3, section 3.2)."""
        device, seed = data.rows.device, self.seed_
        sample = self._generator().sampler(data.rows[data.normal], seed=seed, progress=progress)
        features = self._feature_source(data.rows)
        recipe = self.alarm or ALARM
        some = features(data.normal[:4096])
        alarm = recipe.build(some.shape[1])
        materialise(alarm, torch_generator(seed, "alarm weights"))
        alarm.to(device).standardise(some if recipe.standardise else None)
        self._alarm = alarm
        draws = torch_generator(seed, "generated anomalies", device)
        picks = torch_generator(seed, "known anomalies")
        schedule = self.alarm_schedule or ALARM_SCHEDULE
        balanced = self.known_weight is not None
        real_rows = data.normal if balanced else torch.cat([data.normal, data.known])
        n_known = min(len(data.known), max(1, schedule.batch_size // 4)) if balanced else 0

        def loss_of(real: Tensor, known: Tensor, generated: Tensor, labels: Tensor) -> Tensor:
            logits = alarm(torch.cat([real, known, generated]))
            of_real, of_known, of_generated = logits.split([len(real), len(known), len(generated)])
            loss = functional.binary_cross_entropy_with_logits(of_real, labels)
            if len(known):
                loss = loss + (self.known_weight or 0) * functional.softplus(-of_known).mean()
            if len(generated):
                loss = loss + self.generated_weight * functional.softplus(-of_generated).mean()
            if self.shift_weight:
                loss = loss + self.shift_weight * (1 - of_real.sigmoid()).mean()
            return loss

        def counterexamples(rows: Tensor) -> Tensor:
            if not self.generated_weight:
                return some[:0]
            return self._features(sample(data.rows[rows], draws))

        def loss(index: Tensor) -> Tensor:
            rows = real_rows[index]
            labels = (index >= len(data.normal)).to(device, torch.float32)
            known = data.known[torch.randint(len(data.known), (n_known,), generator=picks)] if n_known else rows[:0]
            return loss_of(features(rows), features(known), counterexamples(rows), labels)

        self.history_["alarm"] = train(
            alarm,
            loss,
            name="alarm",
            rows=len(real_rows),
            schedule=schedule,
            generator=torch_generator(seed, "alarm batches"),
            noise=torch_generator(seed, "alarm noise", device),
            progress=progress,
        )

    def _generator(self) -> Generator:
        if self.generator is None:
            return ColumnSwap()
        return self.generator if isinstance(self.generator, Generator) else CallableGenerator(self.generator)

    def _features(self, batch: Tensor) -> Tensor:
        """What the alarm reads: (B, ...) to (B, A)."""
        with torch.no_grad():
            activations, _ = flat_activations(self._target, self._target.layers, batch)
            reconstruction = self._target.reconstruct(batch) if self.residual else None
            if reconstruction is None:
                return activations
            return torch.cat([activations, (batch - reconstruction).flatten(1)], dim=1)

    def _feature_source(self, rows: Tensor) -> Callable[[Tensor], Tensor]:
        """Row numbers to features: looked up where all of them fit the memory budget, else computed."""
        width = self._features(rows[:1]).shape[1]
        if len(rows) * width * 4 > KEPT_ACTIVATIONS:
            return lambda index: self._features(rows[index])
        kept = torch.cat([self._features(part) for part in rows.split(4096)])
        return lambda index: kept[index]

    def _block_logits(self, block: Tensor) -> Tensor:
        logits: Tensor = self._alarm(self._features(block))
        return logits
