"""How E2E-ConvA3 scores: an alarm on stacked maps, the reconstruction error, and alarms on inputs."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from alarmnet.detectors.scorer import Scorer
from alarmnet.networks.activations import stacked
from alarmnet.networks.alarms import BOUNDED_SHARE, AlarmMixture, ConvAlarmNetwork, log_bounded_odds
from alarmnet.networks.channels_last import FirstRows
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets.e2e import StridedAutoencoderNetwork

ReadHalf = Literal["encoder", "both"]
ScoreKind = Literal["alarm", "reconstruction", "combined"]
SCORES: tuple[ScoreKind, ...] = get_args(ScoreKind)
ALARMED: tuple[ScoreKind, ...] = ("alarm", "combined")
"""The scores that alarms have a part in."""


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
    """A mixture of alarms on a table's columns and their pieces, which a detector's own alarm joins.

    `above` (2,) are the own alarm's logits above which it gives better than even odds, one for each of `ALARMED`.

    Shapes
    ------
    Input: rows (B, F), and the own alarm's logits (B,). Output: (B,), higher is more anomalous.
    """

    above: Tensor

    def __init__(self, pieces: PiecewiseLinearEncoding, alarms: AlarmMixture) -> None:
        super().__init__()
        self.pieces, self.alarms = pieces, alarms
        self.register_buffer("above", torch.zeros(len(ALARMED)))

    def forward(self, batch: Tensor, own: Tensor, scored_by: ScoreKind) -> Tensor:
        """Score a batch."""
        return self.alarms.logits(self.pieces(batch), self._beyond(own, scored_by))

    def odds(self, batch: Tensor, own: Tensor, scored_by: ScoreKind) -> Tensor:
        """What the own alarm and each of these add to the odds, as logarithms (B, 1 + alarms)."""
        bounded = log_bounded_odds(self._beyond(own, scored_by)) + math.log(BOUNDED_SHARE)
        return torch.cat([bounded[None], self.alarms.odds(self.pieces(batch))]).T

    def _beyond(self, own: Tensor, scored_by: ScoreKind) -> Tensor:
        return own - self.above[ALARMED.index(scored_by)]


class ConvA3Scorer(Scorer):
    """A convolutional target, its alarm, and what else has a part in the score (E2E-ConvA3, section 3).

    Parameters
    ----------
    target, alarm, errors, inputs
        The networks; `inputs` None: there are no alarms on inputs.
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
        logits = self.own_logits(batch, self.scored_by)
        if self.inputs is None or self.scored_by not in ALARMED:
            return logits
        return self.inputs(batch, logits, self.scored_by)  # type: ignore[no-any-return]

    def odds(self, batch: Tensor) -> Tensor:
        """What the detector's own alarm and those on inputs add to the odds, as logarithms (B, alarms)."""
        own = self.own_logits(batch, self.scored_by)
        if self.inputs is None or self.scored_by not in ALARMED:
            return own[:, None]
        return self.inputs.odds(batch, own, self.scored_by)

    def own_logits(self, batch: Tensor, scored_by: ScoreKind) -> Tensor:
        """Without the alarms on inputs."""
        reconstructed = len(batch) if scored_by != "alarm" else 0
        maps, errors = read_maps(self.target, batch, self.reads, reconstructed=reconstructed)
        if scored_by == "alarm":
            return self.alarm(maps)  # type: ignore[no-any-return]
        scaled: Tensor = self.errors(errors)
        return scaled if scored_by == "reconstruction" else scaled + self.alarm(maps)


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
