"""Known anomalies, drawn anew for each training step."""

from collections.abc import Callable

import torch
from torch import Tensor

from alarmnet._shared.random_streams import torch_generator
from alarmnet.preprocessing.row_store import rows_at


class KnownAnomalies:
    """Anomalies that count by a weight of their own, however few; called with a batch, puts some of them behind it.

    Shapes
    ------
    Takes numbers of normal rows (B,); `numbers` are the anomalies' (K,), and all are on the CPU. Gives what `read`
    makes of the rows, then of min(K, `count`) anomalies: (B + so many, ...). Each anomaly is blended with one of
    the rows, of which it takes a share between 0 and `blend`.
    """

    def __init__(
        self, numbers: Tensor, read: Callable[[Tensor], Tensor], *, count: int, blend: float, seed: int
    ) -> None:
        self.numbers = numbers
        self.read = read
        self.count = min(len(numbers), count)
        self.blend = blend
        self.draws = torch_generator(seed, "known anomalies")

    def __call__(self, rows: Tensor) -> Tensor:
        """Draw known anomalies, and read these and the rows at once."""
        if not self.count:
            return self.read(rows)
        chosen = torch.randint(len(self.numbers), (self.count,), generator=self.draws)
        together = self.read(torch.cat([rows, rows_at(self.numbers, chosen)]))
        # also drawn without blending, so that blending changes no other draw
        partners = torch.randint(len(rows), (self.count,), generator=self.draws)
        share = self.blend * torch.rand((self.count, *[1] * (together.dim() - 1)), generator=self.draws)
        if self.blend:
            together[len(rows) :].lerp_(rows_at(together, partners), share.to(together.device))
        return together
