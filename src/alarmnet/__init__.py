"""alarmnet finds anomalies from a handful of labels by reading a neural network's hidden activations.

The public names are below; each is imported when it is first used, so that `alarmnet --help` need not wait for
PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alarmnet.data_files import Reading
    from alarmnet.detectors import A3Detector, ConvA3Detector, load
    from alarmnet.errors import (
        AlarmnetError,
        AlarmnetWarning,
        InputError,
        InputTypeError,
        MissingExtraError,
        ModelFileError,
        TrainingDivergedError,
    )
    from alarmnet.faces import OutlierDetector
    from alarmnet.networks.alarm_specs import AlarmSpec
    from alarmnet.networks.alarms import ConvAlarm, DenseAlarm
    from alarmnet.networks.generators import ColumnSwap, GaussianNoise, UniformNoise, VaeAnomalies
    from alarmnet.networks.targets import (
        ConvAutoencoder,
        DenseAutoencoder,
        ExternalTarget,
        StridedAutoencoder,
        VariationalAutoencoder,
    )
    from alarmnet.networks.training import Schedule
    from alarmnet.preprocessing import TableEncoder
    from alarmnet.report import make_report
    from alarmnet.sources.scoring import score_files

_HOMES = {
    "data_files": ("Reading",),
    "networks.alarm_specs": ("AlarmSpec",),
    "networks.alarms": ("ConvAlarm", "DenseAlarm"),
    "detectors": ("A3Detector", "ConvA3Detector", "load"),
    "errors": (
        "AlarmnetError",
        "AlarmnetWarning",
        "InputError",
        "InputTypeError",
        "MissingExtraError",
        "ModelFileError",
        "TrainingDivergedError",
    ),
    "faces": ("OutlierDetector",),
    "networks.generators": ("ColumnSwap", "GaussianNoise", "UniformNoise", "VaeAnomalies"),
    "preprocessing": ("TableEncoder",),
    "report": ("make_report",),
    "sources.scoring": ("score_files",),
    "networks.targets": (
        "ConvAutoencoder",
        "DenseAutoencoder",
        "ExternalTarget",
        "StridedAutoencoder",
        "VariationalAutoencoder",
    ),
    "networks.training": ("Schedule",),
}

__all__ = [
    "A3Detector",
    "AlarmSpec",
    "AlarmnetError",
    "AlarmnetWarning",
    "ColumnSwap",
    "ConvA3Detector",
    "ConvAlarm",
    "ConvAutoencoder",
    "DenseAlarm",
    "DenseAutoencoder",
    "ExternalTarget",
    "GaussianNoise",
    "InputError",
    "InputTypeError",
    "MissingExtraError",
    "ModelFileError",
    "OutlierDetector",
    "Reading",
    "Schedule",
    "StridedAutoencoder",
    "TableEncoder",
    "TrainingDivergedError",
    "UniformNoise",
    "VaeAnomalies",
    "VariationalAutoencoder",
    "load",
    "make_report",
    "score_files",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"alarmnet.{home}"), name)
    raise AttributeError(f"module 'alarmnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
