"""How far the looking has come, and what a refit changed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet.loop.queue import Verdict
from alarmnet.loop.remaining import Remaining

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 240, 96
"""Units of the drawn curve."""
WATCHED = 100
"""The next rows whose change is told after a refit."""
NAMED = 4
"""Rows that are named as risen, at most."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What a refit changed: how many of the next rows are new there, and which rose most (name, before, after)."""

    answers: int
    seconds: float
    fresh: int
    of: int
    risen: tuple[tuple[str, int, int], ...]


def ranks_of(scores: Floats) -> NDArray[np.int64]:
    """The rank of each row (N,), 0 for the highest score.

    >>> ranks_of(np.array([0.1, 3.0, 2.0]))
    array([2, 0, 1])
    """
    ranks = np.empty(len(scores), dtype=np.int64)
    ranks[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    return ranks


def change_of(
    before: Floats,
    after: Floats,
    *,
    answered: Sequence[int],
    names: Callable[[int], str],
    answers: int,
    seconds: float,
) -> Change:
    """Compare two rankings of the rows without an answer."""
    waiting = np.setdiff1d(np.arange(len(before)), np.array(answered, dtype=np.int64))
    old, new = ranks_of(before[waiting]), ranks_of(after[waiting])
    of = min(WATCHED, len(waiting))
    top = np.argsort(new, kind="stable")[:of]
    risen = [place for place in top if old[place] >= of]
    risen.sort(key=lambda place: new[place] - old[place])
    return Change(
        answers=answers,
        seconds=seconds,
        fresh=len(risen),
        of=of,
        risen=tuple(
            (names(int(waiting[place])), int(old[place]) + 1, int(new[place]) + 1) for place in risen[:NAMED]
        ),
    )


def expected_by_rank(
    ranks: NDArray[np.int64], verdicts: Mapping[int, Verdict], looks: int, remaining: Remaining
) -> Floats:
    """What looking in the order of `ranks` (N,) would have found after 1, 2, ... looks (looks,).

    Rows that were looked at count as what they are; others as the mean rate that is estimated to remain.
    """
    looked = np.sort(ranks[list(verdicts)])
    anomalies = np.sort(ranks[[place for place, verdict in verdicts.items() if verdict == "anomaly"]])
    left = max(len(ranks) - len(verdicts), 1)
    rate = remaining.estimate / left
    first = np.arange(1, looks + 1)
    known = np.searchsorted(anomalies, first - 1, side="right")
    unknown = first - np.searchsorted(looked, first - 1, side="right")
    return known + rate * unknown


def drawn_curve(found: Floats, expected: Floats | None) -> dict[str, Any]:
    """Two curves as the points of polylines, or one where nothing is known of what is expected."""
    top = max(float(found[-1]), 1.0 if expected is None else float(expected[-1]), 1.0)

    def points(values: Floats) -> str:
        chosen = np.unique(np.linspace(0, len(values) - 1, WIDTH).astype(int))
        x = (chosen + 1) / len(values) * WIDTH
        y = HEIGHT - 2 - values[chosen] / top * (HEIGHT - 6)
        return " ".join([f"0,{HEIGHT - 2}", *(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))])

    label = f"{found[-1]:.0f} anomalies found in {len(found):,} reviewed rows"
    if expected is None:
        return {"found": points(found), "static": "", "label": label}
    return {
        "found": points(found),
        "static": points(expected),
        "expected": float(expected[-1]),
        "label": f"{label}; the first ranking would have found about {expected[-1]:.1f}",
    }
