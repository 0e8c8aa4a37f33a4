"""Warnings that name the user's line, and the words for those who use Python and for those who run a command."""

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


def by_caller(*, command: str, python: str) -> str:
    """Choose the words for a command of alarmnet, if one runs, or those for Python."""
    return command if called_from("alarmnet.cli.terminal") else python


def warn(sentence: str) -> None:
    """Warn at the nearest line outside this package, however deep the call is."""
    level = 1
    frame: FrameType | None = sys._getframe()
    while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, AlarmnetWarning, stacklevel=level)
