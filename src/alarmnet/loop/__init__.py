"""The analyst's loop: rows nobody has looked at, ranked; a person answers; the ranking learns from the answers."""

from alarmnet.loop.queue import Curve, Queue, Verdict
from alarmnet.loop.remaining import Remaining
from alarmnet.loop.strategies import AtRandom, HighestCalibration, MostAnomalous, Strategy, Varied

__all__ = [
    "AtRandom",
    "Curve",
    "HighestCalibration",
    "MostAnomalous",
    "Queue",
    "Remaining",
    "Strategy",
    "Varied",
    "Verdict",
]
