"""How long trainings take, according to results, and whether there is time for another training."""

import itertools
import time
from statistics import median

import torch

from experiments.results import Job, Result


def device_name(device: str) -> str:
    """The name of a device in results."""
    on_gpu = device.startswith("cuda") or (device == "auto" and torch.cuda.is_available())
    return torch.cuda.get_device_name() if on_gpu else "cpu"


class Clock:
    """Guesses seconds from results of the same device, by method.

    Parameters
    ----------
    minutes
        The minutes after which nothing may run any more; None for no limit.
    """

    def __init__(self, found: list[Result], *, device: str, minutes: float | None = None) -> None:
        self.seconds: dict[str, list[float]] = {}
        self.end = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        for result in found:
            if result.get("device", "cpu") == device_name(device):
                self.add(result)

    def add(self, result: Result) -> None:
        """Learn from a result, unless its training was begun by another run."""
        if result.get("resumed"):
            return
        self.seconds.setdefault(result["method"], []).append(result["fit_seconds"])

    def expected(self, job: Job) -> float:
        """Expected seconds of a job: from jobs with the same method, otherwise from any; 0 before the first."""
        known = self.seconds.get(job.method) or [*itertools.chain(*self.seconds.values())]
        return median(known) if known else 0.0

    def allows(self, job: Job) -> bool:
        """Whether a job will be done in time."""
        return time.monotonic() + self.expected(job) < self.end
