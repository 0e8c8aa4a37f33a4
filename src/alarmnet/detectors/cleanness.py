"""How probably each unlabelled calibration row is normal, and which rows tell most about it.

Everywhere, `scores` are those of the calibration rows (N,), ascending, and weights are the rows' probabilities of
being normal (N,). The numbers below were chosen on development halves (docs/guides/alarm-rates.md).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from alarmnet._shared.random_streams import numpy_generator
from alarmnet.metrics import Estimate
from alarmnet.thresholds import ROUNDING, Scores

Answers = NDArray[np.int8]

UNANSWERED, NORMAL, ANOMALY = -1, 0, 1

FEWEST_KNOWN = 3
"""The fewest known anomalies that show where anomalies score."""

TAIL = 0.3
"""The share of rows, those with the highest scores, among which anomalies are looked for."""

STEPS = 100
"""Steps of expectation and maximisation."""

WIDTH = 3.0
"""The kernels' width around known scores, in units of Scott's: hidden anomalies score lower and vary more."""

PRIOR_ROWS = 5.0
"""The number of answers that the estimate without answers counts for."""

STEEPNESS, STEEPNESS_DEVIATION = 1.5, 0.7
"""The prior of the logarithm of the slope of an anomaly's log odds over the logarithm of the rank."""

DRAWS = 30
"""Draws of calibration rows for an interval."""


def weights_by_scores(scores: Scores, known: Scores) -> Scores:
    """Give the weights that follow from scores alone.

    The highest rows are a mixture. Normal rows' scores fall off exponentially there; anomalies score
    like known ones (K,), or anywhere in the tail where too few are known.

    >>> scores = np.sort(np.concatenate([np.random.default_rng(0).exponential(size=980), np.full(20, 15.0)]))
    >>> bool(abs(weights_by_scores(scores, np.array([13.0, 15.0, 16.0])).sum() - 980) < 2)
    True
    """
    weights = np.ones(len(scores))
    start = len(scores) - round(TAIL * len(scores))
    if start < 1 or scores[-1] - scores[start - 1] < ROUNDING:
        return weights
    beyond = scores[start:] - scores[start - 1]
    smallest = ROUNDING * float(beyond[-1])
    anomalies = _density_of_anomalies(beyond, known - scores[start - 1])
    scale, share = max(float(np.median(beyond)), smallest) / np.log(2), 0.02
    odd = np.zeros(len(beyond))
    for _ in range(STEPS):
        normal = (1 - share) * np.exp(-beyond / scale) / scale
        odd = share * anomalies / (share * anomalies + normal + 1e-300)
        share = float(odd.mean())
        scale = max(float(((1 - odd) @ beyond) / max((1 - odd).sum(), ROUNDING)), smallest)
    weights[start:] = 1 - odd
    return weights


def _density_of_anomalies(beyond: Scores, known: Scores) -> Scores:
    """The density of anomalies' scores (M,) at each score of the tail."""
    if len(known) < FEWEST_KNOWN:
        return np.full(len(beyond), 1 / beyond[-1])
    width = WIDTH * max(float(known.std()), 1e-3) * len(known) ** -0.2
    bells = np.exp(-0.5 * ((beyond[:, None] - known) / width) ** 2)
    return np.asarray(bells.mean(axis=1) / (width * np.sqrt(2 * np.pi)) + 1e-12)


def weights_after_answers(weights: Scores, answers: Answers) -> Scores:
    """Give the weights that follow from answers (N,) and, as far as these leave it open, from `weights`.

    Answered rows are known. Among the others, the log odds of an anomaly fall with the logarithm of the rank.

    >>> answers = np.full(200, UNANSWERED, dtype=np.int8)
    >>> answers[-20:] = ANOMALY
    >>> answers[150:170] = NORMAL
    >>> after = weights_after_answers(np.ones(200), answers)
    >>> float(after[-20:].max()), bool(after[:150].mean() > 0.95)
    (0.0, True)
    """
    answered = np.flatnonzero(answers != UNANSWERED)
    if not len(answered):
        return weights
    rows = len(weights)
    depths = np.log(np.arange(rows, 0, -1.0))
    guessed = rows - np.unique(np.geomspace(1, max(rows / 2, 1), 12).astype(int))
    places = np.concatenate([answered, guessed])
    odd = np.concatenate([answers[answered] == ANOMALY, 1 - weights[guessed]])
    counts = np.repeat([1.0, PRIOR_ROWS / len(guessed)], [len(answered), len(guessed)])

    def loss(line: NDArray[np.float64]) -> float:
        logits = line[0] - np.exp(line[1]) * depths[places]
        fit = counts @ (np.logaddexp(0, logits) - odd * logits)
        return float(fit + 0.5 * ((line[1] - STEEPNESS) / STEEPNESS_DEVIATION) ** 2)

    height, steepness = minimize(loss, [2.0, STEEPNESS]).x
    after = expit(np.exp(steepness) * depths - height)
    after[answered] = answers[answered] == NORMAL
    return np.asarray(after)


def worth_a_look(weights: Scores, answers: Answers, *, rate: float, count: int) -> NDArray[np.intp]:
    """Choose up to `count` unanswered rows that tell most about the threshold for `rate`, the highest first.

    They are spread over the rows that the threshold may come to lie among, more densely where it is uncertain
    whether rows are normal.
    """
    above = np.cumsum(weights[::-1])
    deep = int(np.searchsorted(above, 1.5 * rate * (above[-1] + 1))) + 1
    deep = min(max(deep, count + int((answers != UNANSWERED).sum())), len(weights))
    waiting = np.arange(len(weights) - 1, len(weights) - deep - 1, -1)
    waiting = waiting[answers[waiting] == UNANSWERED]
    if len(waiting) <= count:
        return np.asarray(waiting)
    doubt = np.cumsum(np.sqrt(weights[waiting] * (1 - weights[waiting])) + 0.1)
    places = np.arange(count)
    chosen = np.searchsorted(doubt, (places + 0.5) / count * doubt[-1])
    # where one row is chosen twice, the next one is chosen too
    chosen = np.maximum.accumulate(chosen - places) + places
    return np.asarray(waiting[np.minimum(chosen, len(waiting) - count + places)])


def hidden_share(scores: Scores, known: Scores, answers: Answers) -> Estimate:
    """Estimate the share of calibration rows that are anomalies, and an interval.

    It goes from the lower to the higher end of 90 % of draws of the rows, under two assumptions: anomalies score
    like known ones, and they score anywhere in the tail. With too few known anomalies and no answer it starts at 0.
    """

    def share(drawn: NDArray[np.intp], known: Scores) -> float:
        weights = weights_after_answers(weights_by_scores(scores[drawn], known), answers[drawn])
        return float(1 - weights.mean())

    generator = numpy_generator(0, "share of hidden anomalies")
    rows = len(scores)
    draws = [np.sort(generator.integers(rows, size=rows)) for _ in range(DRAWS)]
    ends = [
        np.quantile([share(drawn, assumed) for drawn in draws], [0.05, 0.95])
        for assumed in (known, known[:0])
    ]
    value = share(np.arange(rows), known)
    guessed = len(known) < FEWEST_KNOWN and not (answers != UNANSWERED).any()
    return Estimate(
        value, 0.0 if guessed else min(float(np.min(ends)), value), max(float(np.max(ends)), value)
    )


def weights_of(scores: Scores, known: Scores, answers: Answers) -> Scores:
    """Give the weights by which rows calibrate.

    Without answers and with too few known anomalies, scores say too little of where anomalies begin: every row
    counts as normal, so that the rate is not above the one asked for.
    """
    if len(known) < FEWEST_KNOWN and (answers == UNANSWERED).all():
        return np.ones(len(scores))
    return weights_after_answers(weights_by_scores(scores, known), answers)
