"""Groups of columns whose effects cannot be separated."""

from collections import Counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alarmnet.explain.attribution import Attribution
from alarmnet.explain.explanation import Group
from alarmnet.explain.mixtures import Floats

Acts = Literal["together", "either"]

NEEDED = 0.2
"""The least share of the whole difference that each column of a group adds with the others."""


def groups_of(found: Attribution, names: tuple[str, ...]) -> list[tuple[Group, ...]]:
    """Find the groups of each row (N): those that appear for all of its close references.

    A group acts together if each column adds at least twice as much with the others as alone in the
    reference. Either is enough if resetting each column has at least twice the effect after the others were reset.
    """
    votes: list[Counter[tuple[frozenset[int], Acts]]] = [Counter() for _ in found.values]
    size = found.game.candidates.shape[1]
    close = len(found.game.candidates) // max(len(votes), 1)
    set_, reset = found.game.with_candidates_set(), found.game.with_candidates_reset()
    whole = reset[:, 0] - set_[:, 0]
    orders: tuple[tuple[Acts, Floats], ...] = (
        ("together", set_ - set_[:, :1]),
        ("either", reset[:, :1] - reset),
    )
    for acts, effects in orders:
        for subset in range(2**size):
            members = [member for member in range(size) if subset >> member & 1]
            if len(members) > 1:
                for pair in np.flatnonzero(_act_as_one(effects, subset, members, whole)):
                    columns = frozenset(found.game.candidates[pair, members].tolist())
                    votes[pair // close][columns, acts] += 1
    return [_largest(vote, close, row, names) for vote, row in zip(votes, found.values, strict=True)]


def _act_as_one(effects: Floats, subset: int, members: list[int], whole: Floats) -> NDArray[np.bool_]:
    """Whether each member has more effect with the others than alone; `effects` (P, 2**m): of each combination."""
    as_one = whole > 0
    for member in members:
        gain = effects[:, subset] - effects[:, subset ^ (1 << member)]
        as_one &= (gain >= NEEDED * whole) & (gain >= 2 * effects[:, 1 << member])
    return as_one


def _largest(
    votes: Counter[tuple[frozenset[int], Acts]], close: int, values: Floats, names: tuple[str, ...]
) -> tuple[Group, ...]:
    """The largest groups that share no column."""
    agreed = [key for key, count in votes.items() if count == close]
    agreed.sort(
        key=lambda key: (-len(key[0]), -sum(values[column] for column in key[0]), key[1], sorted(key[0]))
    )
    taken: set[int] = set()
    groups = []
    for columns, acts in agreed:
        if taken.isdisjoint(columns):
            taken |= columns
            ordered = sorted(columns, key=lambda column: -values[column])
            groups.append(
                Group(
                    columns=tuple(names[column] for column in ordered),
                    acts=acts,
                    contribution=float(sum(values[column] for column in columns)),
                )
            )
    return tuple(groups)
