"""Networks that learn what is normal; the alarm reads their hidden activations."""

from alarmnet.networks.targets.base import Target, TargetNetwork
from alarmnet.networks.targets.conv import ConvAutoencoder
from alarmnet.networks.targets.dense import DenseAutoencoder
from alarmnet.networks.targets.e2e import StridedAutoencoder
from alarmnet.networks.targets.external import ExternalTarget
from alarmnet.networks.targets.vae import VariationalAutoencoder

AnyAutoencoder = DenseAutoencoder | ConvAutoencoder | StridedAutoencoder | VariationalAutoencoder

TARGETS: tuple[type[AnyAutoencoder], ...] = (
    DenseAutoencoder,
    ConvAutoencoder,
    StridedAutoencoder,
    VariationalAutoencoder,
)
"""Recipes that a model file may name."""

__all__ = [
    "TARGETS",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "ExternalTarget",
    "StridedAutoencoder",
    "Target",
    "TargetNetwork",
    "VariationalAutoencoder",
]
