"""alarmnet finds anomalies from a handful of labels by reading a neural network's hidden activations."""

from alarmnet.alarms import DenseAlarm
from alarmnet.detectors import A3Detector, load
from alarmnet.errors import (
    AlarmnetError,
    AlarmnetWarning,
    InputError,
    InputTypeError,
    MissingExtraError,
    ModelFileError,
    TrainingDivergedError,
)
from alarmnet.generators import ColumnSwap, GaussianNoise, UniformNoise, VaeAnomalies
from alarmnet.preprocessing import TableEncoder
from alarmnet.targets import ConvAutoencoder, DenseAutoencoder, ExternalTarget, VariationalAutoencoder
from alarmnet.training import Schedule

__all__ = [
    "A3Detector",
    "AlarmnetError",
    "AlarmnetWarning",
    "ColumnSwap",
    "ConvAutoencoder",
    "DenseAlarm",
    "DenseAutoencoder",
    "ExternalTarget",
    "GaussianNoise",
    "InputError",
    "InputTypeError",
    "MissingExtraError",
    "ModelFileError",
    "Schedule",
    "TableEncoder",
    "TrainingDivergedError",
    "UniformNoise",
    "VaeAnomalies",
    "VariationalAutoencoder",
    "load",
]
