"""A third detector, made as docs/contributing.md says, gets everything that detectors share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet import DenseAutoencoder, Schedule, TableEncoder
from alarmnet._shared.random_streams import torch_generator
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.files import read_state
from alarmnet.detectors.scorer import Scorer
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

    def __init__(
        self,
        *,
        schedule: Schedule,
        encoder: TableEncoder | None = None,
        alarm_rate: float = 0.1,
        device: str = "cpu",
        verbose: bool = False,
        checkpoint: str | None = None,
    ) -> None:
        self.schedule, self.encoder, self.alarm_rate = schedule, encoder, alarm_rate
        self.device, self.verbose, self.checkpoint = device, verbose, checkpoint
        self.calibration_share, self.unlabelled, self.anomaly_label, self.random_state = (
            0.2,
            "normal",
            None,
            0,
        )

    def _check_parameters(self) -> None:
        check_schedule(self, "schedule", self.schedule)

    def _validation_share(self) -> float:
        return 0.0

    def _default_encoder(self) -> TableEncoder:
        return TableEncoder(scaling="minmax")

    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> Scorer:
        return ErrorScorer(DenseAutoencoder(hidden=(8, 2), loss="squared").build(shape))

    def _build_target(self, data: TrainingData) -> TargetNetwork:
        return self._build_scorer(data.rows.shape, {}).target

    def _fit_scorer(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> Scorer:
        materialise(target, torch_generator(self.seed_, "target weights"))
        self.history_["target"] = train(
            target,
            lambda index: target.mean_loss(data.rows.take(data.normal[index])),
            name="target",
            rows=len(data.normal),
            schedule=self.schedule,
            generator=torch_generator(self.seed_, "target batches"),
            noise=torch_generator(self.seed_, "target noise"),
            context=context,
        )
        return ErrorScorer(target.requires_grad_(False))

    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> Scorer:
        return self._scorer


def test_it_fits_alarms_and_goes_through_a_file(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 5))
    rows[-10:] += 6
    y = np.repeat([0.0, 1.0], [190, 10])
    detector = ReconstructionDetector(schedule=Schedule(steps=100, learning_rate=1e-2)).fit(rows, y)
    assert detector.predict(rows)[-10:].all()
    assert (detector.p_value(rows[-10:]) <= 0.1).all()
    detector.save(tmp_path / "some.model")
    again = ReconstructionDetector.from_state(read_state(tmp_path / "some.model", target=None))
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))
    batch = torch.zeros(3, 5, requires_grad=True)
    again._scorer(batch).sum().backward()
    assert batch.grad is not None
