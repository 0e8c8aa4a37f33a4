"""The alarm network: a target's activations to one logit a row."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alarmnet._validation import check_real, check_sizes
from alarmnet.layers import SeededDropout


class DenseAlarmNetwork(nn.Module):
    """Linear and ReLU layers to one logit; the inputs are shifted and scaled by fixed numbers first.

    Shapes
    ------
    Input: (B, A). Output: (B,), higher is more anomalous.
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, width: int, hidden: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        self.register_buffer("shift", torch.empty(width, device="meta"))
        self.register_buffer("scale", torch.empty(width, device="meta"))
        self.hidden = nn.Sequential()
        for number, (before, after) in enumerate(itertools.pairwise((width, *hidden)), start=1):
            self.hidden.add_module(f"linear{number}", nn.Linear(before, after, device="meta"))
            self.hidden.add_module(f"relu{number}", nn.ReLU())
        self.dropout = SeededDropout(dropout)
        self.output = nn.Linear(hidden[-1], 1, device="meta")

    def standardise(self, inputs: Tensor | None) -> None:
        """Learn the shift and scale that bring inputs (N, A) to mean 0 and deviation 1; None: leave as is."""
        if inputs is None:
            self.shift.zero_()
            self.scale.fill_(1)
        else:
            deviation, mean = torch.std_mean(inputs, dim=0, correction=0)
            self.shift.copy_(mean)
            self.scale.copy_(1 / deviation.clamp_min(1e-2))

    def forward(self, activations: Tensor) -> Tensor:
        """Score a batch."""
        inputs = (activations - self.shift) * self.scale
        logits: Tensor = self.output(self.dropout(self.hidden(inputs)))
        return logits.squeeze(1)


@dataclass(frozen=True, kw_only=True)
class DenseAlarm:
    """The dense alarm of the A3 paper (Table 2); the same for every data set there.

    Parameters
    ----------
    hidden
        Sizes of the hidden layers. The paper's: (1000, 500, 200, 75).
    dropout
        Share dropped before the last layer.

    standardise
        Whether the activations are brought to mean 0 and deviation 1 over the normal training rows first;
        the paper leaves them as they are.

    Examples
    --------
    >>> DenseAlarm(hidden=(10, 5)).build(725).output
    Linear(in_features=5, out_features=1, bias=True)
    """

    hidden: tuple[int, ...] = (1000, 500, 200, 75)
    dropout: float = 0.1
    standardise: bool = False

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", self.hidden)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def build(self, width: int) -> DenseAlarmNetwork:
        """Make the network for so many activations; `materialise` then draws its weights."""
        return DenseAlarmNetwork(width, tuple(self.hidden), self.dropout)
