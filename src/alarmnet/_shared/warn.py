"""Warnings that name the user's line."""

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

from alarmnet.errors import AlarmnetWarning

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


def called_from(*modules: str) -> bool:
    """Whether a function of one of these modules is among the callers."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_globals.get("__name__") not in modules:
        frame = frame.f_back
    return frame is not None


def warn(sentence: str) -> None:
    """Warn at the nearest line outside this package, however deep the call is."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, AlarmnetWarning, stacklevel=level)
