"""The batches that an alarm learns from: rows, known anomalies beside them, and counterexamples."""

from collections.abc import Callable

import torch
from torch import Tensor

from alarmnet._shared.random_streams import torch_generator
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.known import KnownAnomalies
from alarmnet.networks.generators import Generator
from alarmnet.networks.training import TrainingContext


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
    weighted
        Whether known anomalies have a weight of their own, and so come beside the rows of each batch; else they are
        rows among the others.
    generator
        Makes the counterexamples; None: there are none.
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
        weighted: bool,
        generator: Generator | None,
        seed: int,
        context: TrainingContext,
    ) -> None:
        self.device = data.rows.device
        self._sample = generator and generator.sampler(data.rows.only(normal), seed=seed, context=context)
        self._generated = torch_generator(seed, "generated anomalies", self.device)
        self._numbers = normal if weighted else torch.cat([normal, known])
        self._normal = len(normal)
        beside = known if weighted else known[:0]
        self.known = KnownAnomalies(beside, read, count=known_at_once, blend=blend, seed=seed)
        self.draws = (self._generated, self.known.draws)

    def __len__(self) -> int:
        return len(self._numbers)

    def rows(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """A batch's places (B,) to its rows' numbers (B,), on the CPU, and their labels (B,)."""
        return self._numbers[index], (index >= self._normal).to(self.device, torch.float32)

    def counterexamples(self, rows: Tensor) -> Tensor:
        """Draw as many counterexamples as there are rows (B, ...), or none."""
        return self._sample(rows, self._generated) if self._sample and len(rows) else rows[:0]
