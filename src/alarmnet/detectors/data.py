"""Encoded rows, and the role of each row."""

from dataclasses import dataclass

import torch
from torch import Tensor

from alarmnet._shared.evenly import evenly
from alarmnet.errors import InputError
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets import TargetNetwork
from alarmnet.preprocessing.row_store import RowStore

MEASURED_BY = 100_000
"""The most normal rows that quantiles are computed from."""

TRUSTED = 0.75
"""The share of normal rows that says what is normal if some of them are unlabelled; otherwise all rows do."""


@dataclass(frozen=True)
class TrainingData:
    """Encoded rows, the row numbers that serve for what, and whether each is unlabelled (N,)."""

    rows: RowStore
    normal: Tensor
    known: Tensor
    validation_normal: Tensor
    validation_known: Tensor
    unlabelled: Tensor

    @property
    def doubted(self) -> bool:
        """Whether some of the normal rows are unlabelled."""
        return bool(self.unlabelled[torch.cat([self.normal, self.validation_normal])].any())

    @property
    def trusted(self) -> float:
        """The share of normal rows that says what is normal."""
        return TRUSTED if self.doubted else 1.0

    def usual(self, most: int) -> Tensor:
        """So many of the normal rows' numbers at most, evenly spaced: enough to say what is usual."""
        return _spaced(self.normal, most)

    def all_known(self, most: int) -> Tensor:
        """The numbers of at most `most` known anomalies, evenly spaced; validation rows are among them."""
        return _spaced(torch.cat([self.known, self.validation_known]), most)

    def all_normal(self, most: int) -> Tensor:
        """The numbers of at most `most` normal rows, evenly spaced; validation rows are among them."""
        return _spaced(torch.cat([self.normal, self.validation_normal]).sort().values, most)

    def pieces(self) -> PiecewiseLinearEncoding:
        """The pieces of the columns' distributions among usual rows."""
        return PiecewiseLinearEncoding.learned_from(self.rows.take(self.usual(MEASURED_BY)))

    def errors_of(self, target: TargetNetwork, numbers: Tensor) -> Tensor:
        """What the target's training lowers, of the rows of these numbers (N,), a block at a time."""
        with torch.no_grad():
            return torch.cat([target.row_losses(block) for block in self.rows.blocks(numbers)])

    def check_anomalies(self, generated_weight: float) -> None:
        """Refuse to train an alarm that would see no anomaly, known or generated."""
        if not generated_weight and not len(self.known):
            raise InputError(
                "no anomaly to learn from: no row is labelled anomalous and generated_weight is 0",
                code="no_anomalies",
            )


def _spaced(numbers: Tensor, most: int) -> Tensor:
    """At most so many of the numbers (N,), evenly spaced."""
    return numbers[evenly(len(numbers), most)]
