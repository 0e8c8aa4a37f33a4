"""Networks that learn what is normal; the alarm reads their hidden activations."""

from alarmnet.targets.base import Target, TargetNetwork
from alarmnet.targets.conv import ConvAutoencoder
from alarmnet.targets.dense import DenseAutoencoder
from alarmnet.targets.e2e import StridedAutoencoder
from alarmnet.targets.external import ExternalTarget
from alarmnet.targets.vae import VariationalAutoencoder

AnyAutoencoder = DenseAutoencoder | ConvAutoencoder | StridedAutoencoder | VariationalAutoencoder

TARGETS: dict[str, type[AnyAutoencoder]] = {
    recipe.kind: recipe
    for recipe in (DenseAutoencoder, ConvAutoencoder, StridedAutoencoder, VariationalAutoencoder)
}
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
