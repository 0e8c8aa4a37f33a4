"""Estimates the number of anomalies among the unreviewed rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from alarmnet._shared.phrases import counted

Vector = NDArray[np.float64]

SURE = 0.95
"""The probability that an interval covers the number of remaining anomalies."""

DOUBT = 1.5
"""The standard deviation of the logarithm of the number that the scores predict."""

LAST = 20
"""The fewest last rows, of those that the queue put first, whose share of anomalies bounds the remaining share."""

FRUITLESS = 50
"""The number of consecutive clear answers without an anomaly after which the advice is to stop."""

FEW_RANDOM = 20
"""The number of random rows with a clear answer below which the advice asks for more."""

BASIS, RANDOM_BASIS = 50, 5
"""Clear answers, and those for random rows, from which the intervals were measured (docs/research/loop.md)."""


@dataclass(frozen=True)
class Look:
    """A row with a clear answer: how it was chosen, how many rows were waiting, its score then, and the answer."""

    at_random: bool
    waiting: int
    score: float
    found: bool


@dataclass(frozen=True)
class Remaining:
    """The number of anomalies among the unreviewed rows: an estimate, a 95 % interval, and advice.

    Attributes
    ----------
    estimate, low, high
        Numbers of rows.
    stop
        Whether further review is unlikely to find many anomalies.
    advice
        A sentence for the reviewer.
    lacks
        What the estimate lacks as long as there are too few clear answers; empty once there are enough.
    """

    estimate: float
    low: float
    high: float
    stop: bool
    advice: str
    lacks: str


def remaining(looks: Sequence[Look], scores: Vector) -> Remaining:
    """Estimate the number of anomalies among waiting rows with these scores (W,).

    Every number from 0 to W is weighted by its likelihood:

    1. A random row among W' waiting rows is an anomaly with probability R' / W'. R' is the number of anomalies at
       that time: those that remain now and those found since.
    2. Rows that the queue puts first are at least as likely to be anomalies as waiting rows. So the share of
       anomalies among the last of them is an upper bound of the remaining share.
    3. The scores predict a number: the answers so far give the probability of an anomaly at each score.
    """
    if not len(scores):
        return Remaining(0, 0, 0, stop=True, advice="All rows are reviewed.", lacks="")
    counts = np.arange(len(scores) + 1, dtype=np.float64)
    share = counts / len(scores)
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
    return Remaining(middle, low, high, *_advice(looks, high), _lack(looks))


def _lack(looks: Sequence[Look]) -> str:
    random = sum(look.at_random for look in looks)
    if len(looks) >= BASIS and random >= RANDOM_BASIS:
        return ""
    return (
        f"The estimate needs {BASIS} clear answers (anomaly or normal), {RANDOM_BASIS} of them for rows drawn at "
        f"random; so far it has {len(looks)}, {random} of them for rows drawn at random."
    )


def _foretold(looks: Sequence[Look], scores: Vector, counts: Vector) -> Vector:
    """The log likelihood that the scores give each number that may remain; equal until both verdicts occurred."""
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
    """The log likelihood that the last looks at chosen rows give each share; equal below their own share."""
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
    said = f"The last {counted(last, 'clear answer')} found no anomaly. " if last else ""
    if last >= FRUITLESS or high == 0:
        return True, f"{said}You may stop: further rows are unlikely to have many anomalies."
    if random < FEW_RANDOM:
        return (
            False,
            f"{said}Continue. The estimate is rough below {FEW_RANDOM} random rows; {random} have clear answers.",
        )
    return False, f"{said}Continue: more anomalies are likely."
