"""The alarms of a model file of any format."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from alarmnet.networks.alarms import AlarmMixture, DenseAlarm, DenseAlarmNetwork, stored_alarm


class MeanAlarms(AlarmMixture):
    """Alarms of which the scores' mean counts, as it did before alarms had shares."""

    def __init__(self, alarms: Sequence[DenseAlarmNetwork]) -> None:
        nothing = torch.zeros(len(alarms), dtype=torch.int64)
        super().__init__(alarms, shares=nothing, starts=nothing, bounded=nothing)
        for name in ("shares", "starts", "bounded"):
            self.register_buffer(name, nothing, persistent=False)

    def together(self, features: Tensor) -> Tensor:
        """The logit of the mean score (B,)."""
        each: Tensor = self(features)
        yes, no = functional.logsigmoid(each), functional.logsigmoid(-each)
        return yes.logsumexp(0) - no.logsumexp(0)


def stored_alarms(arrays: Mapping[str, NDArray[Any]], prefix: str, shape: DenseAlarm | None) -> AlarmMixture:
    """Make the alarms that a file's arrays hold, without their weights.

    Raises
    ------
    ValueError, LookupError
        The arrays do not fit each other.
    """
    each = f"{prefix}alarms."
    count = len({name.removeprefix(each).split(".")[0] for name in arrays if name.startswith(each)})
    alarms = [stored_alarm(shape, arrays, f"{each}{place}.") for place in range(count)]
    if f"{prefix}shares" not in arrays:
        return MeanAlarms(alarms)
    starts = arrays[f"{prefix}starts"]
    if starts.shape != (count,) or starts.dtype != np.int64 or (starts < 0).any():
        raise ValueError("alarms begin at numbers that are not there")
    return AlarmMixture(alarms, torch.ones(count), torch.from_numpy(starts.copy()), torch.ones(count))
