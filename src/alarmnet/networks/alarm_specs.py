"""Which alarms a detector trains, what each reads, and how it learns."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch

from alarmnet._shared.validation import check_choice, check_real, check_type, check_whole
from alarmnet.errors import InputError
from alarmnet.networks.alarms import BOUNDED_SHARE, AlarmMixture, DenseAlarm, DenseAlarmNetwork
from alarmnet.networks.checkpoints import stage_name
from alarmnet.networks.training import Schedule

Part = Literal["activations", "inputs", "residuals", "peaks"]
"""Of the target: its hidden activations, what it reads, what it could not reconstruct of that, and the largest
activation of each channel, wherever in an image it is."""

Reads = Literal["activations", "inputs", "everything", "both", "peaks"]

PARTS_READ: dict[Reads, tuple[Part, ...]] = {
    "activations": ("activations",),
    "inputs": ("inputs",),
    "everything": ("activations", "inputs", "residuals"),
    "both": ("activations", "inputs"),
    "peaks": ("peaks",),
}
"""What alarms read together, in order."""

PATIENCE = 5
"""Of a training run's 20 checks, how many may pass without a lower loss on held-out rows."""

MOST_SHOWN = 600
"""How often a row is shown to an alarm that watches held-out rows, at most."""

FEW = 25
"""Known anomalies that sparsity keeps from being learned by heart; from more of them an alarm may learn more."""

NOT_ALARMS = ("target", "generator", "joint")
"""Names of other parts that are trained."""

LONGEST = 4
"""How many times as long an alarm learns from many known anomalies as from a few, at most."""


@dataclass(frozen=True, kw_only=True)
class AlarmSpec:
    """One of the alarms that a detector trains, for its parameter `alarms`.

    Parameters
    ----------
    name
        The name in the history and in checkpoints: letters, digits, spaces, `-` and `_`. It also seeds the weights
        and the random draws.
    reads, shape, schedule
        Its inputs, its network, and the length and speed of its training.
    share, bounded
        The weight of its odds in the sum of all alarms' odds, and whether its odds are bounded.
    uses_synthetic
        Whether it trains on synthetic anomalies.
    known_at_once
        Known anomalies in each step, if `known_weight` is a number.
    blends
        Whether known anomalies are blended with normal rows for it.
    robust_to_unlabelled
        Whether the loss of unlabelled rows is bounded, because they may be anomalies.
    relaxes_with_labels
        Whether more known anomalies than a few lower its sparsity in proportion, and lengthen its training by the
        square root.

    Examples
    --------
    >>> shape, schedule = DenseAlarm(hidden=()), Schedule(steps=9)
    >>> AlarmSpec(name="linear", reads="activations", shape=shape, schedule=schedule).bounded
    False
    """

    name: str
    reads: Reads
    shape: DenseAlarm
    schedule: Schedule
    share: float = 1.0
    bounded: bool = False
    uses_synthetic: bool = False
    known_at_once: int = 32
    blends: bool = True
    robust_to_unlabelled: bool = False
    relaxes_with_labels: bool = False

    def __post_init__(self) -> None:
        check_type(self, "name", self.name, str)
        if not re.fullmatch(r"[\w -]+", self.name) or self.name in NOT_ALARMS:
            raise InputError(
                "The 'name' parameter of AlarmSpec may have letters, digits, spaces, - and _ only, and must not be "
                f"{' or '.join(NOT_ALARMS)}. Got {self.name!r} instead.",
                code="invalid_parameter",
            )
        check_choice(self, "reads", self.reads, tuple(name for name in PARTS_READ if name != "both"))
        check_type(self, "shape", self.shape, DenseAlarm)
        check_type(self, "schedule", self.schedule, Schedule)
        check_real(self, "share", self.share, 0)
        check_whole(self, "known_at_once", self.known_at_once)

    def schedule_for(self, rows: int, known: int) -> Schedule:
        """Few rows are not shown over and over to an alarm without sparsity, nor many anomalies too briefly.

        `rows` are the normal ones that it learns from, `known` all that are labelled anomalous, held out or not.

        Examples
        --------
        >>> [DEFAULT_ALARMS["activations"][0].schedule_for(rows, known=5).steps for rows in (20, 50, 1_000_000)]
        [150, 234, 600]
        >>> [DEFAULT_ALARMS["both"][2].schedule_for(10_000, known).steps for known in (5, 25, 100, 1_000)]
        [800, 800, 1600, 3200]
        """
        # min(600, MOST_SHOWN * rows / batch) steps show each row about MOST_SHOWN times; with k / FEW times as many
        # known anomalies as a few, an alarm takes sqrt(k / FEW) times the steps at FEW / k of the sparsity
        steps, batch, sparsity = self.schedule.steps, self.schedule.batch_size, self.schedule.sparsity
        if steps is None:
            return self.schedule
        if not sparsity:
            return replace(self.schedule, steps=round(min(steps, max(150, MOST_SHOWN * rows / batch))))
        more = max(1.0, known / FEW) if self.relaxes_with_labels else 1.0
        longer = min(math.sqrt(more), LONGEST)
        return replace(self.schedule, steps=round(steps * longer), sparsity=sparsity / more)


# Learns what known anomalies and noise have in common: whatever the target does not know (A3, section 3). Noise
# makes it sure of rare normal rows too, so that its odds are bounded by its share.
_ON_ACTIVATIONS = AlarmSpec(
    name="alarm",
    reads="activations",
    shape=DenseAlarm(hidden=(400, 100)),
    schedule=Schedule(steps=600, batch_size=128, learning_rate=3e-4, decay=True, patience=PATIENCE),
    share=BOUNDED_SHARE,
    bounded=True,
    uses_synthetic=True,
)
# Learn what known anomalies look like. A few labels would be learned by heart with all weights, so that sparsity
# drives most to zero; with half a share each the two count by their mean odds.
_ON_INPUTS = (
    AlarmSpec(
        name="second alarm",
        reads="inputs",
        shape=DenseAlarm(hidden=(), dropout=0.0),
        schedule=Schedule(steps=800, batch_size=128, learning_rate=3e-3, decay=True, sparsity=0.3),
        share=0.5,
        robust_to_unlabelled=True,
    ),
    AlarmSpec(
        name="third alarm",
        reads="inputs",
        shape=DenseAlarm(hidden=(64,), dropout=0.5),
        schedule=Schedule(steps=800, batch_size=128, learning_rate=1e-3, decay=True, sparsity=0.4),
        share=0.5,
        known_at_once=128,
        blends=False,
        robust_to_unlabelled=True,
        relaxes_with_labels=True,
    ),
)
# Finds a mark anywhere in an image that known anomalies had elsewhere: other alarms bind activations to places.
_ON_PEAKS = AlarmSpec(
    name="alarm on peaks",
    reads="peaks",
    shape=DenseAlarm(hidden=(), dropout=0.0),
    schedule=Schedule(steps=800, batch_size=128, learning_rate=3e-3, decay=True, sparsity=0.2),
    share=0.25,
    blends=False,
    robust_to_unlabelled=True,
    relaxes_with_labels=True,
)
DEFAULT_ALARMS: dict[Reads, tuple[AlarmSpec, ...]] = {
    "activations": (_ON_ACTIVATIONS,),
    "inputs": _ON_INPUTS,
    "everything": (replace(_ON_ACTIVATIONS, reads="everything"),),
    "both": (_ON_ACTIVATIONS, *_ON_INPUTS),
    "peaks": (_ON_PEAKS,),
}
"""The alarms, by what a detector reads."""


def parts_of(specs: Sequence[AlarmSpec]) -> tuple[Part, ...]:
    """What alarms read together: activations first, peaks last.

    >>> parts_of([*DEFAULT_ALARMS["peaks"], *DEFAULT_ALARMS["both"]])
    ('activations', 'inputs', 'peaks')
    """
    read = {part for spec in specs for part in PARTS_READ[spec.reads]}
    return tuple(part for part in get_args(Part) if part in read)


def check_alarms(owner: object, name: str, specs: object, *, reads: Sequence[Reads]) -> None:
    """Refuse a parameter that is not one alarm or more, with different names, that can read together."""
    given = list(specs) if isinstance(specs, tuple | list) else []
    listed = bool(given) and all(isinstance(spec, AlarmSpec) for spec in given)
    if not listed or len({stage_name(spec.name) for spec in given}) < len(given):
        raise InputError(
            f"The {name!r} parameter of {type(owner).__name__} must list one AlarmSpec or more, each with a name "
            "of its own (upper and lower case, and spaces and hyphens, are no difference). "
            f"Got {specs!r} instead.",
            code="invalid_parameter",
        )
    kinds = sorted({spec.reads for spec in given})
    if not set(kinds) <= set(reads) or ("everything" in kinds and len(kinds) > 1):
        raise InputError(
            f"The {name!r} parameter of {type(owner).__name__} lists alarms that read {', '.join(kinds)}; they "
            f"may read {', '.join(reads)}, and everything only by itself.",
            code="invalid_parameter",
        )


def side_by_side(specs: Sequence[AlarmSpec], alarms: Sequence[DenseAlarmNetwork]) -> AlarmMixture:
    """Alarms as their specs say, on what they read together (`parts_of`)."""
    # an alarm alone counts by its own odds: a share or a bound would only move the threshold along
    widths = {spec.reads: alarm.width for spec, alarm in zip(specs, alarms, strict=True)}
    kinds = list(PARTS_READ)
    before = {kind: sum(widths.get(earlier, 0) for earlier in kinds[: kinds.index(kind)]) for kind in kinds}
    return AlarmMixture(
        alarms,
        torch.tensor([spec.share if len(alarms) > 1 else 1.0 for spec in specs]),
        torch.tensor([before[spec.reads] for spec in specs]),
        torch.tensor([float(spec.bounded and len(alarms) > 1) for spec in specs]),
    )
