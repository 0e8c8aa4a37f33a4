"""How E2E-ConvA3 scores: an alarm on stacked maps, the reconstruction error, and other alarms."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from alarmnet.detectors.scorer import Scorer
from alarmnet.networks.activations import peaks, stacked
from alarmnet.networks.alarms import BOUNDED_SHARE, AlarmMixture, ConvAlarmNetwork, log_bounded_odds
from alarmnet.networks.channels_last import FirstRows
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets.e2e import StridedAutoencoderNetwork

ReadHalf = Literal["encoder", "both"]
ScoreKind = Literal["alarm", "reconstruction", "combined"]
SCORES: tuple[ScoreKind, ...] = get_args(ScoreKind)
ALARMED: tuple[ScoreKind, ...] = ("alarm", "combined")
"""The scores that alarms contribute to."""


class ErrorScale(nn.Module):
    """How far a row's reconstruction error lies above those of normal rows, in their standard deviations of log.

    Shapes
    ------
    Input and output: (B,).
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def learn(self, errors: Tensor) -> None:
        """Take what is usual from the errors of normal rows."""
        logs = self._logs(errors)
        self.mean, self.deviation = logs.mean(), logs.std(correction=0).clamp(min=1e-3)

    def forward(self, errors: Tensor) -> Tensor:
        """Scale errors."""
        return (self._logs(errors) - self.mean) / self.deviation

    @staticmethod
    def _logs(errors: Tensor) -> Tensor:
        return errors.clamp(min=1e-12).log()


class InputAlarms(nn.Module):
    """A mixture of alarms, which a detector's own alarm joins.

    On a table they read its columns and their pieces. The own alarm's odds are then bounded, and `above` (2,) are
    its logits above which it gives better than even odds, one for each of `ALARMED`. On images they read the peaks
    of the maps. The own alarm's logits then count in `deviation`s (2,) above the mean of normal rows, `above`.

    Shapes
    ------
    Input: rows (B, ...), their maps (B, C, H, W), and the own alarm's logits (B,). Output: (B,), higher is more
    anomalous.
    """

    above: Tensor
    deviation: Tensor | None

    def __init__(self, pieces: PiecewiseLinearEncoding | None, alarms: AlarmMixture) -> None:
        super().__init__()
        self.pieces, self.alarms = pieces, alarms
        self.register_buffer("above", torch.zeros(len(ALARMED)))
        self.register_buffer("deviation", torch.ones(len(ALARMED)) if pieces is None else None)

    def forward(self, batch: Tensor, maps: Tensor, own: Tensor, scored_by: ScoreKind) -> Tensor:
        """Score a batch."""
        others = self.alarms.together(self._read(batch, maps))
        # logaddexp gives a number other bits alone than among many
        return torch.stack([others, self._counted(own, scored_by)]).logsumexp(0)

    def odds(self, batch: Tensor, maps: Tensor, own: Tensor, scored_by: ScoreKind) -> Tensor:
        """What the own alarm and each of these add to the odds, as logarithms (B, 1 + alarms)."""
        return torch.cat([self._counted(own, scored_by)[None], self.alarms.odds(self._read(batch, maps))]).T

    def _read(self, batch: Tensor, maps: Tensor) -> Tensor:
        return peaks(maps) if self.pieces is None else self.pieces(batch)

    def _counted(self, own: Tensor, scored_by: ScoreKind) -> Tensor:
        """What the own alarm adds to the odds, as a logarithm (B,)."""
        place = ALARMED.index(scored_by)
        beyond = own - self.above[place]
        if self.deviation is None:
            return log_bounded_odds(beyond) + math.log(BOUNDED_SHARE)
        return beyond / self.deviation[place]


class ConvA3Scorer(Scorer):
    """A convolutional target, its alarm, and what else has a part in the score (E2E-ConvA3, section 3).

    Parameters
    ----------
    target, alarm, errors, inputs
        The networks; `inputs` None: the detector's own alarm is the only one.
    reads, scored_by
        As `ConvA3Detector` describes them.
    """

    target: StridedAutoencoderNetwork
    inputs: InputAlarms | None

    def __init__(
        self,
        target: StridedAutoencoderNetwork,
        alarm: ConvAlarmNetwork,
        errors: ErrorScale,
        inputs: InputAlarms | None,
        *,
        reads: ReadHalf,
        scored_by: ScoreKind,
    ) -> None:
        super().__init__()
        self.target, self.alarm, self.errors, self.inputs = target, alarm, errors, inputs
        self.reads, self.scored_by = reads, scored_by

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        own, maps = self._own(batch, self.scored_by)
        if self.inputs is None or self.scored_by not in ALARMED:
            return own
        return self.inputs(batch, maps, own, self.scored_by)  # type: ignore[no-any-return]

    def odds(self, batch: Tensor) -> Tensor:
        """What the detector's own alarm and the others add to the odds, as logarithms (B, alarms)."""
        own, maps = self._own(batch, self.scored_by)
        if self.inputs is None or self.scored_by not in ALARMED:
            return own[:, None]
        return self.inputs.odds(batch, maps, own, self.scored_by)

    def own_logits(self, batch: Tensor, scored_by: ScoreKind) -> Tensor:
        """Without the other alarms."""
        return self._own(batch, scored_by)[0]

    def _own(self, batch: Tensor, scored_by: ScoreKind) -> tuple[Tensor, Tensor]:
        """The detector's own logits, and the maps that its alarm reads."""
        reconstructed = len(batch) if scored_by != "alarm" else 0
        maps, errors = read_maps(self.target, batch, self.reads, reconstructed=reconstructed)
        if scored_by == "alarm":
            return self.alarm(maps), maps
        scaled: Tensor = self.errors(errors)
        return (scaled if scored_by == "reconstruction" else scaled + self.alarm(maps)), maps


def read_maps(
    target: StridedAutoencoderNetwork, batch: Tensor, reads: ReadHalf, *, reconstructed: int
) -> tuple[Tensor, Tensor]:
    """What the alarm reads of rows (B, ...), and the errors of the first `reconstructed` of them."""
    codes, found = target.encode(batch)
    if reads == "both":
        output, more = target.decode(codes)
        return stacked([*found, *more]), target.losses(output, codes, batch)[:reconstructed]
    maps = stacked(found)
    if not reconstructed:
        return maps, maps.new_zeros(0)
    first: Tensor = FirstRows.apply(codes, reconstructed)  # type: ignore[no-untyped-call]
    output, _ = target.decode(first)
    return maps, target.losses(output, first, batch[:reconstructed])
