"""The alarms that an A3 detector trains: what each reads, and how it learns where the user says nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from alarmnet.alarms import AlarmNetworks, DenseAlarm, DenseAlarmNetwork
from alarmnet.training import Schedule

Part = Literal["activations", "inputs", "residuals"]
"""Of the target: its hidden activations, what it reads, and what it could not reconstruct of that."""

Reads = Literal["activations", "inputs", "everything", "both"]

PARTS_READ: dict[Reads, tuple[Part, ...]] = {
    "activations": ("activations",),
    "inputs": ("inputs",),
    "everything": ("activations", "inputs", "residuals"),
    "both": ("activations", "inputs"),
}
"""What alarms read together, in order."""

PATIENCE = 5
"""Of a training run's 20 checks, how many may pass without a lower loss on held-out rows."""

MOST_SHOWN = 600
"""How often a row is shown to an alarm that watches held-out rows, at most."""


@dataclass(frozen=True, kw_only=True)
class Reader:
    """One alarm.

    Parameters
    ----------
    name
        In the history and in checkpoints; it seeds the weights and draws too.
    reads, shape, schedule
        What it reads, its network, and how long and how fast it trains.
    share, bounded
        What its odds count beside other alarms', and whether they are bounded there.
    hears_noise
        Whether it learns from counterexamples.
    blends
        Whether known anomalies are blended with normal rows for it.
    doubts
        Whether rows that nobody has labelled may be anomalies.
    """

    name: str
    reads: Reads
    shape: DenseAlarm
    schedule: Schedule
    share: float = 1.0
    bounded: bool = False
    hears_noise: bool = False
    blends: bool = True
    doubts: bool = False

    def schedule_for(self, rows: int) -> Schedule:
        """Few rows are not shown over and over to an alarm without sparsity.

        >>> [READERS["activations"][0].schedule_for(rows).steps for rows in (20, 50, 1_000_000)]
        [150, 234, 600]
        """
        steps, batch = self.schedule.steps, self.schedule.batch_size
        if self.schedule.sparsity or steps is None:
            return self.schedule
        return replace(self.schedule, steps=round(min(steps, max(150, MOST_SHOWN * rows / batch))))


_ON_ACTIVATIONS = Reader(
    name="alarm",
    reads="activations",
    shape=DenseAlarm(hidden=(400, 100)),
    schedule=Schedule(steps=600, batch_size=128, learning_rate=3e-4, decay=True, patience=PATIENCE),
    share=10.0,
    bounded=True,
    hears_noise=True,
)
_ON_INPUTS = (
    Reader(
        name="second alarm",
        reads="inputs",
        shape=DenseAlarm(hidden=(), dropout=0.0),
        schedule=Schedule(steps=800, batch_size=128, learning_rate=3e-3, decay=True, sparsity=0.3),
        share=0.5,
        doubts=True,
    ),
    Reader(
        name="third alarm",
        reads="inputs",
        shape=DenseAlarm(hidden=(64,), dropout=0.5),
        schedule=Schedule(steps=800, batch_size=128, learning_rate=1e-3, decay=True, sparsity=0.4),
        share=0.5,
        blends=False,
        doubts=True,
    ),
)
READERS: dict[Reads, tuple[Reader, ...]] = {
    "activations": (_ON_ACTIVATIONS,),
    "inputs": _ON_INPUTS,
    "everything": (replace(_ON_ACTIVATIONS, reads="everything"),),
    "both": (_ON_ACTIVATIONS, *_ON_INPUTS),
}
"""The alarms, by what a detector reads."""


def side_by_side(readers: Sequence[Reader], alarms: Sequence[DenseAlarmNetwork]) -> AlarmNetworks:
    """Alarms as their readers say, on what they read together: activations first."""
    if len(alarms) == 1:
        return AlarmNetworks(alarms, torch.ones(1))
    widths = {reader.reads: alarm.width for reader, alarm in zip(readers, alarms, strict=True)}
    return AlarmNetworks(
        alarms,
        torch.tensor([reader.share for reader in readers]),
        torch.tensor([widths.get("activations", 0) * (reader.reads == "inputs") for reader in readers]),
        torch.tensor([float(reader.bounded) for reader in readers]),
    )
