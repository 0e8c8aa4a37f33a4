"""The alarm network: a target's activations to one logit a row."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alarmnet._validation import check_real, check_sizes
from alarmnet.layers import SeededDropout


class DenseAlarmNetwork(nn.Module):
    """Linear and ReLU layers to one logit.

    Shapes
    ------
    Input: (B, A). Output: (B,), higher is more anomalous.
    """

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.width = width
        self.hidden = nn.Sequential()
        for number, (before, after) in enumerate(itertools.pairwise((width, *hidden)), start=1):
            self.hidden.add_module(f"linear{number}", nn.Linear(before, after, device="meta"))
            self.hidden.add_module(f"relu{number}", nn.ReLU())
        self.dropout = SeededDropout(dropout)
        self.output = nn.Linear(hidden[-1], 1, device="meta")

    def forward(self, activations: Tensor) -> Tensor:
        """Score a batch."""
        logits: Tensor = self.output(self.dropout(self.hidden(activations)))
        return logits.squeeze(1)


class AlarmNetworks(nn.Module):
    """Alarms side by side, each reading the first so many numbers of a row.

    Shapes
    ------
    Input: (B, A). Output: (alarms, B), a logit an alarm; `logits` is their mean (B,).
    """

    def __init__(self, alarms: Sequence[DenseAlarmNetwork]) -> None:
        super().__init__()
        self.alarms = nn.ModuleList(alarms)

    def forward(self, features: Tensor) -> Tensor:
        """Score a batch with each alarm."""
        return torch.stack([alarm(features[:, : alarm.width]) for alarm in self.alarms])

    def logits(self, features: Tensor) -> Tensor:
        """The alarms' mean logit (B,): higher is more anomalous."""
        return self(features).mean(0)  # type: ignore[no-any-return]


@dataclass(frozen=True, kw_only=True)
class DenseAlarm:
    """The dense alarm of the A3 paper (Table 2); the same for every data set there.

    Parameters
    ----------
    hidden
        Sizes of the hidden layers. The paper's: (1000, 500, 200, 75).
    dropout
        Share dropped before the last layer.

    Examples
    --------
    >>> DenseAlarm(hidden=(10, 5)).build(725).output
    Linear(in_features=5, out_features=1, bias=True)
    """

    hidden: tuple[int, ...] = (1000, 500, 200, 75)
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", self.hidden)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def build(self, width: int) -> DenseAlarmNetwork:
        """Make the network for so many activations; `materialise` then draws its weights."""
        return DenseAlarmNetwork(width, tuple(self.hidden), self.dropout)
