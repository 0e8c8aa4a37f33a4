"""Known anomalies, drawn anew for each training step."""

import torch
from torch import Tensor

from alarmnet._random import torch_generator
from alarmnet.training import rows_at


class KnownAnomalies:
    """A handful of anomalies that count by a weight of their own; called with normal rows, gives some of them.

    Shapes
    ------
    `anomalies` (K, ...) and the normal rows (B, ...) to min(K, `count`) anomalies, each blended with a normal
    row, of which it takes a share between 0 and `blend`.
    """

    def __init__(self, anomalies: Tensor, *, count: int, blend: float, seed: int) -> None:
        self.anomalies = anomalies
        self.count = min(len(anomalies), count)
        self.blend = blend
        self.draws = torch_generator(seed, "known anomalies")

    def __call__(self, normal: Tensor) -> Tensor:
        """Draw."""
        if not self.count:
            return self.anomalies
        drawn = rows_at(
            self.anomalies, torch.randint(len(self.anomalies), (self.count,), generator=self.draws)
        )
        partners = torch.randint(len(normal), (self.count,), generator=self.draws)
        share = self.blend * torch.rand((self.count, *[1] * (drawn.dim() - 1)), generator=self.draws)
        if not self.blend:
            return drawn
        return torch.lerp(drawn, rows_at(normal, partners), share.to(drawn.device))
