"""Alarms on a table's columns, beside a detector's own."""

import math
from collections.abc import Mapping
from typing import Any, Self

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.alarms import AlarmNetworks, log_bounded_odds
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.data import MEASURED_BY
from alarmnet.detectors.readers import READERS, side_by_side
from alarmnet.formats import stored_alarms
from alarmnet.pieces import Pieces

SHARE = READERS["activations"][0].share
"""What the detector's own odds count, which are bounded, as A3's on activations are."""


class InputAlarms(nn.Module):
    """The alarms that `A3Detector` has on inputs and their pieces, with another detector's odds added.

    `above` (2,) are that detector's logits above which it gives better than even odds, a number a kind of score.

    Shapes
    ------
    Input: rows (B, F), and the detector's own logits (B,) less `above`. Output: (B,), higher is more anomalous.
    """

    above: Tensor

    def __init__(self, pieces: Pieces, alarms: AlarmNetworks) -> None:
        super().__init__()
        self.pieces = pieces
        self.alarms = alarms
        self.register_buffer("above", torch.zeros(2))

    @classmethod
    def trained(cls, training: AlarmTraining, history: dict[str, list[dict[str, float]]]) -> Self:
        """Train them on known anomalies; what their losses were is put into `history`."""
        data = training.data
        pieces = Pieces.learned_from(data.rows.take(data.usual(MEASURED_BY))).to(data.rows.device)
        alarms = []
        for reader in READERS["inputs"]:
            alarm, history[reader.name] = training.train(reader, pieces)
            alarms.append(alarm)
        return cls(pieces, side_by_side(READERS["inputs"], alarms)).to(data.rows.device).eval()

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, inputs: int) -> Self:
        """As a model file holds them, for so many inputs."""
        pieces = Pieces.stored(arrays, f"{prefix}pieces.", inputs)
        alarms = stored_alarms(arrays, f"{prefix}alarms.", shape=None)
        if any(end - start != inputs + len(pieces) for start, end in alarms.spans):
            raise ValueError("the alarms on inputs read other inputs")
        return cls(pieces, alarms)

    def forward(self, batch: Tensor, own: Tensor) -> Tensor:
        """Score a batch."""
        return torch.logaddexp(
            self.alarms.logits(self.pieces(batch)), log_bounded_odds(own) + math.log(SHARE)
        )
