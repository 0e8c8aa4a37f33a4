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
from alarmnet.thresholds import Scores

Answers = NDArray[np.int8]

UNANSWERED, NORMAL, ANOMALY = -1, 0, 1

FEWEST_KNOWN = 3
"""Known anomalies that say where anomalies score, at least."""

TAIL = 0.3
"""The share of the highest rows, among which anomalies are looked for."""

STEPS = 100
"""Of expectation and maximisation."""

WIDTH = 3.0
"""Of the kernels around known anomalies' scores, in Scott's width: hidden anomalies score lower and vary more."""

PRIOR_ROWS = 5.0
"""Answers that the estimate without answers counts for."""

STEEPNESS, STEEPNESS_DEVIATION = 1.5, 0.7
"""Of the logarithm of how fast the odds of an anomaly fall with the logarithm of the rank."""

DRAWS = 50
"""Of calibration rows, for the interval of an estimate."""


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
    if start < 1 or scores[-1] <= scores[start - 1]:
        return weights
    beyond = scores[start:] - scores[start - 1]
    anomalies = _density_of_anomalies(beyond, known - scores[start - 1])
    scale, share = max(float(np.median(beyond)), 1e-9) / np.log(2), 0.02
    odd = np.zeros(len(beyond))
    for _ in range(STEPS):
        normal = (1 - share) * np.exp(-beyond / scale) / scale
        odd = share * anomalies / (share * anomalies + normal + 1e-300)
        share = float(odd.mean())
        scale = float(((1 - odd) @ beyond) / max((1 - odd).sum(), 1e-9)) or 1e-9
    weights[start:] = 1 - odd
    return weights


def _density_of_anomalies(beyond: Scores, known: Scores) -> Scores:
    """The density of anomalies' scores (M,) at the tail's."""
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
        return waiting
    doubt = np.cumsum(np.sqrt(weights[waiting] * (1 - weights[waiting])) + 0.1)
    return waiting[np.unique(np.searchsorted(doubt, (np.arange(count) + 0.5) / count * doubt[-1]))]


def hidden_share(scores: Scores, known: Scores, answers: Answers) -> Estimate:
    """Estimate the share of calibration rows that are anomalies, with the interval of 90 % of draws of the rows."""

    def share(drawn: NDArray[np.intp]) -> float:
        weights = weights_after_answers(weights_by_scores(scores[drawn], known), answers[drawn])
        return float(1 - weights.mean())

    generator = numpy_generator(0, "share of hidden anomalies")
    rows = len(scores)
    draws = [share(np.sort(generator.integers(rows, size=rows))) for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.05, 0.95])
    value = share(np.arange(rows))
    return Estimate(value, min(float(low), value), max(float(high), value))


def weights_of(scores: Scores, known: Scores, answers: Answers) -> Scores:
    """Give the weights by which rows calibrate.

    Without answers and with too few known anomalies, scores say too little of where anomalies begin: every row
    counts as normal, so that the rate is not above the one asked for.
    """
    if len(known) < FEWEST_KNOWN and (answers == UNANSWERED).all():
        return np.ones(len(scores))
    return weights_after_answers(weights_by_scores(scores, known), answers)
