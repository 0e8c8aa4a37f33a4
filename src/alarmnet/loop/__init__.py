"""Review in a loop: unreviewed rows are ranked, a person answers, and the ranking learns from the answers."""

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
