"""The batches that an alarm learns from: rows, known anomalies with them, and synthetic anomalies."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from alarmnet._shared.random_streams import torch_generator
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.known import KnownAnomalies
from alarmnet.networks.alarms import DenseAlarmNetwork, alarm_loss
from alarmnet.networks.generators import Generator
from alarmnet.networks.linear_alarm import linear_alarm_loss
from alarmnet.networks.training import TrainingContext
from alarmnet.preprocessing.row_store import rows_at


@dataclass(frozen=True)
class AnomalyWeights:
    """How much the mean losses of known and of synthetic anomalies count relative to the rows' loss.

    `known` None: known anomalies are rows among the others.
    """

    known: float | None
    generated: float


class Lesson:
    """What an alarm is shown, step by step.

    Parameters
    ----------
    data
        The encoded rows.
    normal, known
        Numbers of the rows that are taken as normal, and of the known anomalies.
    read
        Numbers of rows to what the alarm, or what comes before it, reads of them.
    known_at_once, blend
        Known anomalies a step, and how far each is blended with a normal row.
    weights
        Known anomalies with a weight are added to the rows of each batch.
    generator
        Makes the synthetic anomalies; None: there are none.
    seed, context
        Of the fit.
    """

    def __init__(
        self,
        data: TrainingData,
        normal: Tensor,
        known: Tensor,
        *,
        read: Callable[[Tensor], Tensor],
        known_at_once: int,
        blend: float,
        weights: AnomalyWeights,
        generator: Generator | None,
        seed: int,
        context: TrainingContext,
    ) -> None:
        self._unlabelled, self.weights = data.unlabelled, weights
        weighted = weights.known is not None
        self._sample = generator and generator.sampler(data.rows.only(normal), seed=seed, context=context)
        self._generated = torch_generator(seed, "generated anomalies", data.rows.device)
        self._numbers = normal if weighted else torch.cat([normal, known])
        anomalous = torch.arange(len(self._numbers)) >= len(normal)
        self._labels = anomalous.to(data.rows.device, torch.float32)
        weighted_known = known if weighted else known[:0]
        self.known = KnownAnomalies(weighted_known, read, count=known_at_once, blend=blend, seed=seed)
        self.draws = (self._generated, self.known.draws)

    def __len__(self) -> int:
        return len(self._numbers)

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """A batch's places (B,) to its rows' numbers (B,), on the CPU, and their labels (B,)."""
        return rows_at(self._numbers, index), rows_at(self._labels, index)

    def counterexamples(self, rows: Tensor) -> Tensor:
        """Draw as many synthetic anomalies as there are rows (B, ...), or none."""
        return self._sample(rows, self._generated) if self._sample and len(rows) else rows[:0]

    def loss(self, logits: tuple[Tensor, ...], labels: Tensor, *, doubted: Tensor | None = None) -> Tensor:
        """What the alarm lowers.

        `logits` are those of a batch's rows, known and synthetic anomalies, `labels` (B,) the rows'.
        `doubted` are the rows' numbers (B,) where the loss of those that nobody has labelled is bounded.
        """
        real, known, generated = logits
        return alarm_loss(
            real,
            labels,
            known,
            generated,
            known_weight=self.weights.known or 1.0,
            generated_weight=self.weights.generated,
            doubted=self._unlabelled_at(doubted, real.device),
        )

    def linear_loss(
        self, alarm: DenseAlarmNetwork, heard: Tensor, labels: Tensor, *, doubted: Tensor | None = None
    ) -> Tensor:
        """What a linear alarm lowers, from what it reads of a batch's rows and of known anomalies."""
        return linear_alarm_loss(
            alarm,
            heard,
            labels,
            known_weight=self.weights.known or 1.0,
            doubted=self._unlabelled_at(doubted, heard.device),
        )

    def _unlabelled_at(self, rows: Tensor | None, device: torch.device) -> Tensor | None:
        return None if rows is None else rows_at(self._unlabelled, rows).to(device)
