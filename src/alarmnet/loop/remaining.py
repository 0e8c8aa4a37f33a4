"""How many anomalies remain among the rows that nobody has looked at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

Vector = NDArray[np.float64]

SURE = 0.95
"""The probability that an interval is to hold the number that remains."""

DOUBT = 1.5
"""Standard deviations of the logarithm of what the scores foretell."""

LAST = 20
"""Looks at the rows that came first whose yield bounds what remains, at least."""

FRUITLESS = 50
"""Looks in a row that find nothing, before the advice is to stop."""

FEW_RANDOM = 20
"""Random looks below which the advice asks for more."""


@dataclass(frozen=True)
class Look:
    """One answered look: how it was chosen, how many rows waited before it, its score then, and what it found."""

    at_random: bool
    waiting: int
    score: float
    found: bool


@dataclass(frozen=True)
class Remaining:
    """Anomalies among the rows that nobody has looked at: an estimate, an interval of 95 %, and advice.

    Attributes
    ----------
    estimate, low, high
        Rows.
    stop
        Whether looking further is unlikely to be worth it.
    advice
        A sentence for the reviewer.
    """

    estimate: float
    low: float
    high: float
    stop: bool
    advice: str


def remaining(looks: Sequence[Look], scores: Vector) -> Remaining:
    """Estimate what remains among waiting rows, whose scores are (W,).

    Every number from 0 to W is weighed by what makes it likely.

    1. A look at a random row among W' waiting ones finds an anomaly with probability R' / W', where R' anomalies
       were there then: those that remain now and those found since, however the other looks were chosen.
    2. Rows that the queue puts first are at least as likely to be anomalies as those that wait, so that the yield
       of the last looks bounds the share that remains from above, and says nothing of shares below it.
    3. The scores foretell a number: the verdicts so far say how likely each score is an anomaly.
    """
    counts = np.arange(len(scores) + 1, dtype=np.float64)
    share = counts / max(len(scores), 1)
    likely = _foretold(looks, scores, counts) + _bounded(looks, share)
    found_since = 0
    for look in reversed(looks):
        found_since += look.found
        if look.at_random:
            then = ((counts + found_since) / look.waiting).clip(max=1)
            with np.errstate(divide="ignore"):
                likely += np.log(then if look.found else 1 - then)
    weights = np.exp(likely - likely.max())
    below = weights.cumsum() / weights.sum()
    low, middle, high = (
        float(np.searchsorted(below, place)) for place in ((1 - SURE) / 2, 0.5, (1 + SURE) / 2)
    )
    return Remaining(middle, low, high, *_advice(looks, high))


def _foretold(looks: Sequence[Look], scores: Vector, counts: Vector) -> Vector:
    """How likely the scores make each number that may remain, as logarithms; equal until both verdicts came."""
    found = np.array([look.found for look in looks])
    if not 0 < found.sum() < len(found):
        return np.zeros_like(counts)
    model = LogisticRegression().fit([[look.score] for look in looks], found)
    total = (
        model.predict_proba(scores[:, None])[:, 1].sum()
        if model.coef_[0, 0] > 0
        else found.mean() * len(scores)
    )
    return np.asarray(-0.5 * ((np.log(counts + 1) - np.log(total + 1)) / DOUBT) ** 2 - np.log(counts + 1))


def _bounded(looks: Sequence[Look], share: Vector) -> Vector:
    """How likely the last looks at rows that came first make each share, where it is above their yield."""
    first = [look.found for look in looks if not look.at_random]
    fruitless = next((number for number, found in enumerate(reversed(first)) if found), len(first))
    last = first[-max(LAST, fruitless) :]
    if not last:
        return np.zeros_like(share)
    hits, misses = sum(last), len(last) - sum(last)
    above = np.maximum(share, hits / len(last))
    with np.errstate(divide="ignore", invalid="ignore"):
        likely = hits * np.log(above.clip(min=1e-12)) + np.where(misses, misses * np.log1p(-above), 0)
    return np.asarray(likely)


def _advice(looks: Sequence[Look], high: float) -> tuple[bool, str]:
    """Whether to stop, and why."""
    last = next((number for number, look in enumerate(reversed(looks)) if look.found), len(looks))
    random = sum(look.at_random for look in looks)
    said = f"The last {last} reviewed rows had no anomaly. " if last else ""
    if last >= FRUITLESS or high == 0:
        return True, f"{said}You may stop: further rows are unlikely to have many anomalies."
    if random < FEW_RANDOM:
        return (
            False,
            f"{said}Continue. The estimate needs {FEW_RANDOM} random rows; {random} are reviewed so far.",
        )
    return False, f"{said}Continue: more anomalies are likely."
