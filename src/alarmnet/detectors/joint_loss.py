"""The loss of E2E-ConvA3: reconstruction errors and the alarm's errors, together or the alarm's alone."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from alarmnet._shared.blocks import block_size
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.lesson import Lesson

FEWEST_WATCHED = 10
"""The fewest held-out known images that decide when to stop: fewer end training before the target reconstructs."""

Read = Callable[..., tuple[Tensor, Tensor]]
"""Rows (B, ...) to the maps that the alarm reads, and the errors of the first `reconstructed` rows."""


class JointLoss:
    """The loss of E2E-ConvA3 (section 3.3): called with a batch's places (B,), a scalar.

    Parameters
    ----------
    read, alarm
        The two networks: what the alarm reads, and the alarm.
    data, lesson
        The rows, and the batches of them.
    alarm_weight
        The paper's gamma; None: the target stays as it is, and the alarm's part is all.
    """

    def __init__(
        self,
        read: Read,
        alarm: nn.Module,
        data: TrainingData,
        lesson: Lesson,
        *,
        alarm_weight: float | None,
    ) -> None:
        self._read, self._alarm, self._data = read, alarm, data
        self._lesson, self._alarm_weight = lesson, alarm_weight
        self._weighted = lesson.weights.known is not None
        normal, known = data.validation_normal, data.validation_known
        self.watched = normal if self._weighted else torch.cat([normal, known])
        self._labels = (torch.arange(len(self.watched)) >= len(normal)).to(data.rows.device, torch.float32)
        self._held = data.rows.take(self.watched)
        self._others = (self._held_known(), lesson.counterexamples(self._held))

    def __call__(self, index: Tensor) -> Tensor:
        """The loss of a batch."""
        rows, labels = self._lesson.rows(index)
        read = self._lesson.known(rows)
        labelled = len(read)
        generated = self._lesson.counterexamples(read[: len(rows)])
        if len(generated):
            read = torch.cat([read, generated])
        lowers_errors = self._alarm_weight is not None
        maps, errors = self._read(read, reconstructed=len(rows) * lowers_errors)
        sizes = [len(rows), labelled - len(rows), len(read) - labelled]
        return self._loss(rows, errors, labels, self._alarm(maps).split(sizes))

    def held_out(self) -> Tensor:
        """The loss on the rows that are watched."""
        real, errors = self._blocks(self._held, reconstructed=self._alarm_weight is not None)
        others, _ = self._blocks(torch.cat(self._others), reconstructed=False)
        parts = (real, *torch.split(others, [len(rows) for rows in self._others]))
        return self._loss(self.watched, errors, self._labels, parts)

    def _held_known(self) -> Tensor:
        """Known anomalies to watch in addition to normal rows, if they have a weight of their own."""
        data = self._data
        known = data.validation_known if len(data.validation_known) else data.known
        few_images = len(data.rows.shape) > 1 and len(known) < FEWEST_WATCHED
        return data.rows.take(known[:0] if few_images or not self._weighted else known)

    def _blocks(self, rows: Tensor, *, reconstructed: bool) -> tuple[Tensor, Tensor]:
        """The alarm's logits, and the errors if `reconstructed`, a block at a time."""
        blocks = torch.split(rows, block_size(rows.shape[1:]))
        read = [self._read(block, reconstructed=len(block) * reconstructed) for block in blocks]
        return torch.cat([self._alarm(maps) for maps, _ in read]), torch.cat([errors for _, errors in read])

    def _loss(self, rows: Tensor, errors: Tensor, labels: Tensor, logits: tuple[Tensor, ...]) -> Tensor:
        alarm = self._lesson.loss(logits, labels, doubted=rows if self._weighted else None)
        if self._alarm_weight is None:
            return alarm
        return (errors * (1 - labels)).mean() + self._alarm_weight * alarm
