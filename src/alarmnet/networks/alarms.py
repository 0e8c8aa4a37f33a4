"""The alarm networks: a target's activations to one logit a row, and the loss that they lower."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._shared.validation import MOST_LAYERS, check_real, check_sizes
from alarmnet.networks.channels_last import FlatMaps
from alarmnet.networks.layers import SeededDropout, count_operations

LARGEST_MAP = 4
"""A convolutional alarm averages maps larger than this a side, so that its last layer stays small."""

BOUNDED_SHARE = 10.0
"""What the bounded odds of an alarm on activations count at most."""

DOUBT = 0.5
"""The exponent of the generalised cross-entropy: 0 is cross-entropy, 1 the absolute error."""


def alarm_loss(
    real: Tensor,
    labels: Tensor,
    known: Tensor,
    generated: Tensor,
    *,
    known_weight: float,
    generated_weight: float,
    doubted: Tensor | None = None,
) -> Tensor:
    """L = BCE(y, alarm(x)) + lambda BCE(1, alarm(generated)) (A3, section 3.2), and known anomalies apart.

    Parameters
    ----------
    real, labels
        Logits (..., B) of the batch's rows, and their labels (B,).
    known
        Logits (..., K) of known anomalies that count by `known_weight`, however few they are; may be empty.
    generated
        Logits (..., G) of synthetic anomalies, which count by `generated_weight`, the paper's lambda; may be empty.
    doubted
        True (B,) where the label may be wrong: such a row's loss grows no further once the alarm contradicts it,
        so that it is not learned by heart (Zhang, Sabuncu, "Generalized Cross Entropy Loss", 2018).
    """
    losses = functional.binary_cross_entropy_with_logits(real, labels.expand_as(real), reduction="none")
    if doubted is not None:
        # (1 - p^q) / q, where p = exp(-BCE) is the probability given to the label and q is DOUBT
        losses = torch.where(doubted, (1 - (-DOUBT * losses).exp()) / DOUBT, losses)
    loss = losses.mean()
    for logits, weight in ((known, known_weight), (generated, generated_weight)):
        if logits.numel():
            loss = loss + weight * functional.softplus(-logits).mean()
    return loss


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
            self.hidden.add_module(f"relu{number}", nn.ReLU(inplace=True))
        self.dropout = SeededDropout(dropout)
        self.output = nn.Linear((width, *hidden)[-1], 1, device="meta")

    def forward(self, activations: Tensor) -> Tensor:
        """Score a batch."""
        logits: Tensor = self.output(self.dropout(self.hidden(activations)))
        return logits.squeeze(1)

    @property
    def first(self) -> nn.Linear:
        """The first layer."""
        return cast(nn.Linear, self.hidden[0]) if self.hidden else self.output

    def after_first(self, first: Tensor) -> Tensor:
        """Score a batch of which the first layer's output is known; it is kept."""
        logits: Tensor = self.output(self.hidden[1:](first.clone())) if self.hidden else first
        return logits.squeeze(1)


class AlarmMixture(nn.Module):
    """Alarms side by side, each reading some numbers of a row.

    Parameters
    ----------
    alarms
        The networks.
    shares
        What each alarm's odds count in those of all together, (alarms,).
    starts
        The number of a row that each alarm reads first, (alarms,).
    bounded
        1 for alarms whose odds count at most their share, however sure they are, else 0, (alarms,).

    Shapes
    ------
    Input: (B, A). Output: (alarms, B), a logit an alarm.
    """

    shares: Tensor
    starts: Tensor
    bounded: Tensor

    def __init__(
        self, alarms: Sequence[DenseAlarmNetwork], shares: Tensor, starts: Tensor, bounded: Tensor
    ) -> None:
        super().__init__()
        self.alarms = nn.ModuleList(alarms)
        self.register_buffer("shares", shares)
        self.register_buffer("starts", starts)
        self.register_buffer("bounded", bounded)
        places = zip(starts.tolist(), alarms, strict=True)
        self.spans = [(start, start + alarm.width) for start, alarm in places]
        self.width = max(end for _, end in self.spans)

    def forward(self, features: Tensor) -> Tensor:
        """Score a batch with each alarm."""
        read = [features[:, start:end] for start, end in self.spans]
        return torch.stack([alarm(part) for alarm, part in zip(self.alarms, read, strict=True)])

    def together(self, features: Tensor) -> Tensor:
        """The logit of all alarms together (B,): higher is more anomalous.

        Odds are summed, logit = log(sum over alarms of share * odds): one alarm that is sure is enough, and one
        that is not takes nothing away.
        """
        return self.odds(features).logsumexp(0)

    def odds(self, features: Tensor) -> Tensor:
        """What each alarm adds to the odds, as a logarithm (alarms, B)."""
        each: Tensor = self(features)
        each = torch.where(self.bounded[:, None] > 0, log_bounded_odds(each), each)
        # in logarithms, since the odds of a sure alarm, exp(logit), are beyond float32
        return each + self.shares.log()[:, None]


def log_bounded_odds(logits: Tensor) -> Tensor:
    """The logarithm of s / (1 + s), s = log(1 + odds): the odds where they are small, and below 1 in all.

    An alarm that learned from noise is as sure of a rare normal row as of an anomaly, so it may not outvote alarms
    that learned from known anomalies. Unlike a sigmoid's, the way of s / (1 + s) to 1 is long, so that alarms that
    are very sure stay in order. The formula is our own.
    """
    # s = log(1 + odds), without softplus, which gives other bits alone than among many
    grown = -functional.logsigmoid(-logits)
    # s underflows where odds are tiny; there log(s) is the logit itself. The bound keeps gradients finite
    return torch.where(logits < -30, logits, grown.clamp(min=1e-30).log()) - grown.log1p()


@dataclass(frozen=True, kw_only=True)
class DenseAlarm:
    """The dense alarm of the A3 paper (Table 2).

    Parameters
    ----------
    hidden
        Sizes of the hidden layers; none makes it linear. The paper's: (1000, 500, 200, 75).
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
        check_sizes(self, "hidden", self.hidden, least=0)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def build(self, width: int) -> DenseAlarmNetwork:
        """Make the network for so many activations; `materialise` then draws its weights."""
        return DenseAlarmNetwork(width, tuple(self.hidden), self.dropout)


def stored_alarm(
    shape: DenseAlarm | None, arrays: Mapping[str, NDArray[Any]], prefix: str
) -> DenseAlarmNetwork:
    """Of the shape asked for, else of the one that a model file holds: the default's may change."""
    hidden = [
        arrays[name]
        for number in range(1, MOST_LAYERS + 1)
        if (name := f"{prefix}hidden.linear{number}.weight") in arrays
    ]
    first, *_ = (*hidden, arrays[f"{prefix}output.weight"])
    return (shape or DenseAlarm(hidden=tuple(len(weight) for weight in hidden))).build(first.shape[1])


class ConvAlarmNetwork(nn.Module):
    """Convolutions with batch normalisation and ReLU, dropout, and one linear layer to a logit.

    Shapes
    ------
    Input: stacked activations (B, C, H, W), H = 1 for tables. Output: (B,), higher is more anomalous.
    """

    def __init__(self, shape: tuple[int, ...], channels: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        first, *sides = shape
        kernel, padding = ((1, 3), (0, 1)) if sides[0] == 1 else ((3, 3), (1, 1))
        self.hidden = nn.Sequential()
        for number, (narrow, wide) in enumerate(itertools.pairwise((first, *channels)), start=1):
            conv = nn.Conv2d(narrow, wide, kernel, padding=padding, bias=False, device="meta")
            self.hidden.add_module(f"conv{number}", conv)
            self.hidden.add_module(f"norm{number}", nn.BatchNorm2d(wide, device="meta"))
            self.hidden.add_module(f"relu{number}", nn.ReLU(inplace=True))
        kept = tuple(min(side, LARGEST_MAP) for side in sides)
        pooled = max(sides) > LARGEST_MAP
        if pooled:
            self.hidden.add_module("pool", nn.AdaptiveAvgPool2d(kept))
        self.flat = nn.Flatten() if pooled else FlatMaps()  # the pool lays the gradient out itself
        self.dropout = SeededDropout(dropout)
        self.output = nn.Linear(channels[-1] * math.prod(kept), 1, device="meta")
        self.operations_a_row = count_operations(self.eval(), shape)

    def forward(self, activations: Tensor) -> Tensor:
        """Score a batch."""
        logits: Tensor = self.output(self.dropout(self.flat(self.hidden(activations))))
        return logits.squeeze(1)


@dataclass(frozen=True, kw_only=True)
class ConvAlarm:
    """The convolutional alarm of E2E-ConvA3 (section 3.1), over activations stacked by channels.

    Parameters
    ----------
    channels
        Of the convolutions, one after the other.
    dropout
        Share dropped before the last layer.

    Examples
    --------
    >>> ConvAlarm(channels=(32, 64)).build((96, 1, 4)).output
    Linear(in_features=256, out_features=1, bias=True)
    """

    channels: tuple[int, ...] = (64, 128)
    dropout: float = 0.5

    def __post_init__(self) -> None:
        check_sizes(self, "channels", self.channels)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def build(self, shape: tuple[int, ...]) -> ConvAlarmNetwork:
        """Make the network for activations of `shape` (C, H, W)."""
        return ConvAlarmNetwork(shape, tuple(self.channels), self.dropout)
