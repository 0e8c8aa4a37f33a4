"""The analyst's loop: rows nobody has looked at, ranked; a person answers; the ranking learns from the answers."""

from alarmnet.loop.queue import Curve, Queue, Remaining, Verdict

__all__ = ["Curve", "Queue", "Remaining", "Verdict"]
