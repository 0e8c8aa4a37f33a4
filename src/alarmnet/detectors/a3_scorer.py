"""How A3 scores: alarms read the target's activations, and what it reads itself."""

from collections.abc import Sequence

from torch import Tensor

from alarmnet.detectors.scorer import Scorer
from alarmnet.errors import ModelFileError
from alarmnet.networks.activations import flattened, peaks
from alarmnet.networks.alarm_specs import Part
from alarmnet.networks.alarms import AlarmMixture
from alarmnet.networks.targets import TargetNetwork


class A3Scorer(Scorer):
    """A target and alarms on parts of it (A3, section 3).

    Parameters
    ----------
    target, alarm
        The networks.
    parts
        What the alarms read together, in order.
    """

    def __init__(self, target: TargetNetwork, alarm: AlarmMixture, parts: Sequence[Part]) -> None:
        super().__init__()
        self.target, self.alarm, self.parts = target, alarm, tuple(parts)

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.alarm.together(self._features(batch))

    def odds(self, batch: Tensor) -> Tensor:
        """What each alarm adds to the odds, as a logarithm (B, alarms)."""
        return self.alarm.odds(self._features(batch)).T

    def _features(self, batch: Tensor) -> Tensor:
        """What the alarms read (B, A)."""
        features = read_parts(self.target, batch, self.parts)
        if features.shape[1] != self.alarm.width:
            raise ModelFileError(
                f"the model's alarms read {self.alarm.width} numbers a row, but its target gives "
                f"{features.shape[1]}: its file is damaged or hostile; take another file, or fit it again"
            )
        return features


def read_parts(target: TargetNetwork, batch: Tensor, parts: Sequence[Part]) -> Tensor:
    """What alarms read of rows (B, ...): (B, A), one part after the other."""
    inputs = target.inputs(batch)
    if tuple(parts) == ("inputs",):
        return inputs.flatten(1)
    found: dict[Part, list[Tensor]] = {"inputs": [inputs]}
    if "residuals" in parts:
        found["activations"], output = target.read(inputs)
        made = target.reconstruction(output)
        found["residuals"] = [] if made is None else [inputs - made]
    else:
        found["activations"] = target.activations(inputs)
    if "peaks" in parts:
        found["peaks"] = [peaks(part) for part in found["activations"]]
    return flattened([numbers for part in parts for numbers in found[part]])
