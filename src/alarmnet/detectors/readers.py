"""The alarms that an A3 detector trains: what each reads, and how it learns where the user says nothing."""

import math
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

FEW = 25
"""Known anomalies that sparsity keeps from being learned by heart; from more of them an alarm may learn more."""

LONGEST = 4
"""How many times as long an alarm learns from many known anomalies as from a few, at most."""


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
    known_at_once
        Known anomalies a step, where they count by a weight of their own.
    blends
        Whether known anomalies are blended with normal rows for it.
    doubts
        Whether rows that nobody has labelled may be anomalies.
    eases
        Whether sparsity holds it back less by as much as there are more known anomalies than a few, and it trains
        longer by the square root of that.
    """

    name: str
    reads: Reads
    shape: DenseAlarm
    schedule: Schedule
    share: float = 1.0
    bounded: bool = False
    hears_noise: bool = False
    known_at_once: int = 32
    blends: bool = True
    doubts: bool = False
    eases: bool = False

    def schedule_for(self, rows: int, known: int) -> Schedule:
        """Few rows are not shown over and over to an alarm without sparsity, nor many anomalies too briefly.

        `rows` are the normal ones that it learns from, `known` all that are labelled anomalous, held out or not.

        >>> [READERS["activations"][0].schedule_for(rows, known=5).steps for rows in (20, 50, 1_000_000)]
        [150, 234, 600]
        >>> [READERS["both"][2].schedule_for(10_000, known).steps for known in (5, 25, 100, 1_000)]
        [800, 800, 1600, 3200]
        """
        steps, batch, sparsity = self.schedule.steps, self.schedule.batch_size, self.schedule.sparsity
        if steps is None:
            return self.schedule
        if not sparsity:
            return replace(self.schedule, steps=round(min(steps, max(150, MOST_SHOWN * rows / batch))))
        more = max(1.0, known / FEW) if self.eases else 1.0
        longer = min(math.sqrt(more), LONGEST)
        return replace(self.schedule, steps=round(steps * longer), sparsity=sparsity / more)


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
        known_at_once=128,
        blends=False,
        doubts=True,
        eases=True,
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
    widths = {reader.reads: alarm.width for reader, alarm in zip(readers, alarms, strict=True)}
    return AlarmNetworks(
        alarms,
        torch.tensor([reader.share if len(alarms) > 1 else 1.0 for reader in readers]),
        torch.tensor([widths.get("activations", 0) * (reader.reads == "inputs") for reader in readers]),
        torch.tensor([float(reader.bounded and len(alarms) > 1) for reader in readers]),
    )
