"""Alarms on a table's columns, beside a detector's own."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.alarm_specs import DEFAULT_ALARMS, AlarmSpec, side_by_side
from alarmnet.alarms import AlarmMixture, log_bounded_odds
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.data import MEASURED_BY
from alarmnet.formats import stored_alarms
from alarmnet.piecewise import PiecewiseLinearEncoding

SHARE = DEFAULT_ALARMS["activations"][0].share
"""What the detector's own odds count, which are bounded, as A3's on activations are."""


class InputAlarms(nn.Module):
    """The alarms that `A3Detector` has on inputs and their pieces, with another detector's odds added.

    `above` (2,) are that detector's logits above which it gives better than even odds, a number a kind of score.

    Shapes
    ------
    Input: rows (B, F), and the detector's own logits (B,) less `above`. Output: (B,), higher is more anomalous.
    """

    above: Tensor

    def __init__(self, pieces: PiecewiseLinearEncoding, alarms: AlarmMixture) -> None:
        super().__init__()
        self.pieces = pieces
        self.alarms = alarms
        self.register_buffer("above", torch.zeros(2))

    @classmethod
    def trained(
        cls, training: AlarmTraining, specs: Sequence[AlarmSpec], history: dict[str, list[dict[str, float]]]
    ) -> Self:
        """Train them on known anomalies; what their losses were is put into `history`."""
        data = training.data
        pieces = PiecewiseLinearEncoding.learned_from(data.rows.take(data.usual(MEASURED_BY))).to(
            data.rows.device
        )
        alarms = []
        for spec in specs:
            alarm, history[spec.name] = training.train(spec, pieces)
            alarms.append(alarm)
        return cls(pieces, side_by_side(specs, alarms)).to(data.rows.device).eval()

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, inputs: int) -> Self:
        """As a model file holds them, for so many inputs."""
        pieces = PiecewiseLinearEncoding.stored(arrays, f"{prefix}pieces.", inputs)
        alarms = stored_alarms(arrays, f"{prefix}alarms.", shape=None)
        if any(end - start != inputs + len(pieces) for start, end in alarms.spans):
            raise ValueError("the alarms on inputs read other inputs")
        return cls(pieces, alarms)

    def forward(self, batch: Tensor, own: Tensor) -> Tensor:
        """Score a batch."""
        return self.alarms.with_bounded(self.pieces(batch), own, share=SHARE)

    def odds(self, batch: Tensor, own: Tensor) -> Tensor:
        """What the other detector and each of these alarms add to the odds, as logarithms (B, 1 + alarms)."""
        bounded = log_bounded_odds(own) + math.log(SHARE)
        return torch.cat([bounded[None], self.alarms.odds(self.pieces(batch))]).T
