"""Warnings that name the user's line."""

import os
import sys
import warnings
from pathlib import Path
from types import FrameType

from alarmnet.errors import AlarmnetWarning

PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


def warn(sentence: str) -> None:
    """Warn at the nearest line outside this package, however deep the call is."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, AlarmnetWarning, stacklevel=level)
