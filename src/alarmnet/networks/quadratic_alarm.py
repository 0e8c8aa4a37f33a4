"""A quadratic alarm: a kernel alarm that reads columns together with measures of the whole row."""

import torch
from torch import Tensor, nn

from alarmnet._shared.evenly import evenly
from alarmnet.networks.kernel_alarm import MOST, KernelAlarm, quadratic


class QuadraticAlarm(nn.Module):
    """The log odds of an anomaly by a `KernelAlarm` with a quadratic kernel, on columns and measures.

    It weighs columns, measures, and products of two of them. Measures are distances, for example: of the whole
    row, and not in standard deviations yet.

    Parameters
    ----------
    normal, known
        How many normal rows and how many known anomalies it compares rows with; each at most `MOST`.
    columns, measures
        The numbers of a row.

    Shapes
    ------
    Input: columns in standard deviations from the mean of normal rows, (B, C), and measures (B, M). Output: (B,).

    Examples
    --------
    >>> generator = torch.Generator().manual_seed(0)
    >>> normal, far = torch.randn(100, 2, generator=generator), torch.rand(100, 1, generator=generator)
    >>> known = torch.randn(5, 2, generator=generator), torch.full((5, 1), 4.0)
    >>> alarm = QuadraticAlarm.learned((normal, far), known)
    >>> alarm(torch.zeros(2, 2), torch.tensor([[4.0], [0.5]])).sign()
    tensor([1., 0.])
    """

    mean: Tensor
    deviation: Tensor
    measures: Tensor

    def __init__(self, normal: int, known: int, columns: int, measures: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(measures))
        self.register_buffer("deviation", torch.ones(measures))
        self.register_buffer("measures", torch.zeros(normal, measures))
        self.alarm = KernelAlarm(normal, known, columns + measures, quadratic)

    @classmethod
    def learned(
        cls, normal: tuple[Tensor, Tensor], known: tuple[Tensor, Tensor], *, unlabelled: Tensor | None = None
    ) -> "QuadraticAlarm":
        """Learn to tell known anomalies from normal rows, of both of which it gets the columns and the measures.

        `unlabelled` is as in `KernelAlarm.learned`.
        """
        columns, measures = normal
        alarm = cls(0, 0, columns.shape[1], measures.shape[1]).to(columns.device)
        alarm.mean, alarm.deviation = measures.mean(0), measures.std(0, correction=0).clamp(min=1e-3)
        alarm.measures = alarm._scaled(measures[evenly(len(measures), MOST)])
        rows = alarm._rows(*normal), alarm._rows(*known)
        alarm.alarm = KernelAlarm.learned(*rows, quadratic, unlabelled=unlabelled)
        return alarm

    def compare(self, columns: Tensor) -> None:
        """Compare with normal rows of these columns (M, C), whose measures it has."""
        self.alarm.compare(torch.cat([columns[evenly(len(columns), MOST)], self.measures], dim=1))

    def forward(self, columns: Tensor, measures: Tensor) -> Tensor:
        """The log odds of rows."""
        log_odds: Tensor = self.alarm(self._rows(columns, measures))
        return log_odds

    def _rows(self, columns: Tensor, measures: Tensor) -> Tensor:
        return torch.cat([columns, self._scaled(measures)], dim=1)

    def _scaled(self, measures: Tensor) -> Tensor:
        return (measures - self.mean) / self.deviation
