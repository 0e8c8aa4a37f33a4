"""A third detector, made as docs/contributing/ says, gets everything that detectors share."""

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from torch import Tensor

from alarmnet import DenseAutoencoder, Schedule
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.files import read_state
from alarmnet.detectors.scorer import Scorer
from alarmnet.detectors.shared import SharedParameters
from alarmnet.networks.layers import materialise
from alarmnet.networks.targets import TargetNetwork
from alarmnet.networks.training import TrainingContext, check_schedule, train


class ErrorScorer(Scorer):
    """Scores a row by how badly the target reconstructs it."""

    def __init__(self, target: TargetNetwork) -> None:
        super().__init__()
        self.target = target

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.target.row_losses(batch).log()


class ReconstructionDetector(BaseDetector):
    """Anomalies are what a dense autoencoder of normal rows reconstructs badly."""

    method: ClassVar[str] = "reconstruction"

    def __init__(self, *, schedule: Schedule, **shared: Unpack[SharedParameters]) -> None:
        super().__init__(**shared)
        self.schedule = schedule

    def _check_parameters(self) -> None:
        check_schedule(self, "schedule", self.schedule)

    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> Scorer:
        return ErrorScorer(DenseAutoencoder(hidden=(8, 2), loss="squared").build(shape))

    def _build_target(self, data: TrainingData) -> TargetNetwork:
        return self._build_scorer(data.rows.shape, {}).target

    def _fit_scorer(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> Scorer:
        generator = torch.Generator().manual_seed(self.seed_)
        materialise(target, generator)
        self.history_["target"] = train(
            target,
            lambda index: target.mean_loss(data.rows.take(data.normal[index])),
            name="target",
            rows=len(data.normal),
            schedule=self.schedule,
            generator=generator,
            noise=generator,
            context=context,
        )
        return ErrorScorer(target.requires_grad_(False))

    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> Scorer:
        return self._scorer


def test_it_fits_alarms_and_goes_through_a_file(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 5))
    rows[-10:] += 6
    y = np.repeat([0.0, 1.0], [190, 10])
    schedule = Schedule(steps=100, learning_rate=1e-2)
    detector = ReconstructionDetector(schedule=schedule, alarm_rate=0.1, random_state=0).fit(rows, y)
    assert detector.predict(rows)[-10:].all()
    assert (detector.p_value(rows[-10:]) <= 0.1).all()
    detector.save(tmp_path / "some.model")
    again = ReconstructionDetector.from_state(read_state(tmp_path / "some.model", target=None))
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))
    np.testing.assert_array_equal(again.refit_alarm(rows, y).logits(rows), detector.logits(rows))
    batch = torch.zeros(3, 5, requires_grad=True)
    again._scorer(batch).sum().backward()
    assert batch.grad is not None


def test_its_parameters_are_its_own_and_the_shared_ones() -> None:
    detector = ReconstructionDetector(schedule=Schedule(steps=1), alarm_rate=0.2)
    assert set(detector.get_params(deep=False)) == {"schedule", *SharedParameters.__annotations__}
    assert clone(detector).alarm_rate == 0.2
    with pytest.raises(TypeError, match="unexpected keyword argument 'rate'"):
        ReconstructionDetector(schedule=Schedule(steps=1), rate=0.2)  # type: ignore[call-arg]


def test_it_takes_sixty_lines_at_most() -> None:
    lines = [
        line for part in (ErrorScorer, ReconstructionDetector) for line in inspect.getsourcelines(part)[0]
    ]
    assert len(lines) <= 60
