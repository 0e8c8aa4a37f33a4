"""Known anomalies, drawn anew for each training step."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from alarmnet._random import torch_generator
from alarmnet.training import rows_at


class KnownAnomalies:
    """Anomalies that count by a weight of their own, however few; called with normal rows, gives some of them.

    Shapes
    ------
    The anomalies' row `numbers` (K,), on the CPU, which `read` turns into (K, ...), and the normal rows (B, ...) to
    min(K, `count`) anomalies, each blended with a normal row, of which it takes a share between 0 and `blend`.
    """

    def __init__(
        self, numbers: Tensor, read: Callable[[Tensor], Tensor], *, count: int, blend: float, seed: int
    ) -> None:
        if len(numbers) <= count:
            numbers, read = torch.arange(len(numbers)), partial(rows_at, read(numbers))  # once, not each step
        self.numbers = numbers
        self.read = read
        self.count = min(len(numbers), count)
        self.blend = blend
        self.draws = torch_generator(seed, "known anomalies")

    def __call__(self, normal: Tensor) -> Tensor:
        """Draw."""
        if not self.count:
            return normal[:0]
        chosen = torch.randint(len(self.numbers), (self.count,), generator=self.draws)
        drawn = self.read(self.numbers[chosen])
        partners = torch.randint(len(normal), (self.count,), generator=self.draws)
        share = self.blend * torch.rand((self.count, *[1] * (drawn.dim() - 1)), generator=self.draws)
        if not self.blend:  # by the same draws
            return drawn
        return torch.lerp(drawn, rows_at(normal, partners), share.to(drawn.device))
