"""The detectors, and how a saved one is loaded."""

from os import PathLike

from alarmnet._shared.validation import check_type
from alarmnet.detectors.a3 import A3Detector
from alarmnet.detectors.base import BaseDetector
from alarmnet.detectors.conv_a3 import ConvA3Detector
from alarmnet.detectors.files import as_model_file_errors, read_state
from alarmnet.networks.targets import Target

DETECTORS: dict[str, type[BaseDetector]] = {kind.method: kind for kind in (A3Detector, ConvA3Detector)}
"""Detectors by the name that model files and the command line use."""


def load(path: str | PathLike[str], *, target: Target | None = None) -> BaseDetector:
    """Load a detector from a file that `save` wrote. It gives the same scores on any machine's CPU or GPU.

    Loading runs no code from the file and imports nothing that it names.

    Parameters
    ----------
    path
        The model file.
    target
        The target network, for a detector that was trained with an `ExternalTarget`: the file has the network's
        weights, but never its code.

    Raises
    ------
    ModelFileError
        The file is damaged, no model, or from a newer alarmnet; names the file and the reason.
    InputError
        The file needs `target`, or `target` is no target network.

    Examples
    --------
    >>> detector = load("fraud.alarmnet")  # doctest: +SKIP
    >>> detector.p_value(rows)  # doctest: +SKIP
    array([0.73, 0.0004, 0.21])
    """
    check_type(load, "target", target, Target)
    state = read_state(path, target=target)
    with as_model_file_errors(path):
        return DETECTORS[state.method].from_state(state)


__all__ = ["DETECTORS", "A3Detector", "BaseDetector", "ConvA3Detector", "load"]
