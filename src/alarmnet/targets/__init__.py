"""Networks that learn what is normal; the alarm reads their hidden activations."""

from alarmnet.targets.base import Target, TargetNetwork
from alarmnet.targets.conv import ConvAutoencoder
from alarmnet.targets.dense import DenseAutoencoder
from alarmnet.targets.external import ExternalTarget
from alarmnet.targets.vae import VariationalAutoencoder

TARGETS: dict[str, type[DenseAutoencoder] | type[ConvAutoencoder] | type[VariationalAutoencoder]] = {
    recipe.kind: recipe for recipe in (DenseAutoencoder, ConvAutoencoder, VariationalAutoencoder)
}
"""Recipes that a model file may name."""

__all__ = [
    "TARGETS",
    "ConvAutoencoder",
    "DenseAutoencoder",
    "ExternalTarget",
    "Target",
    "TargetNetwork",
    "VariationalAutoencoder",
]
