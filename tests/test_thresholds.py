"""The alarm rate is held, with few rows and with many, and p-values agree with alarms."""

import math
from bisect import bisect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from alarmnet import AlarmnetWarning
from alarmnet.thresholds import (
    CHANCE,
    Threshold,
    chance_of_alarms,
    conformal_p_values,
    conformal_threshold,
    drift_note,
)

SCORES = st.lists(st.integers(-3, 3).map(float), min_size=4, max_size=15)


@pytest.mark.parametrize(
    ("n", "rate", "expected"),
    [
        (9, 0.1, Threshold(8.0, 0.1)),
        (9, 0.35, Threshold(6.0, 0.3)),
        (99, 0.01, Threshold(98.0, 0.01)),
        (99, 0.07, Threshold(92.0, 0.07)),
        (999, 0.003, Threshold(996.0, 0.003)),
        (9, 0.9, Threshold(0.0, 0.9)),
        (9, 1 - 1e-15, Threshold(0.0, 0.9)),
    ],
)
def test_by_hand(n: int, rate: float, expected: Threshold) -> None:
    assert conformal_threshold(np.arange(float(n)), rate) == expected


def test_too_few_rows_warn_and_hold_what_they_can() -> None:
    with pytest.warns(
        AlarmnetWarning, match=r"9 calibration rows cannot hold an alarm rate of 0\.05: .* is 0\.1,"
    ):
        threshold = conformal_threshold(np.arange(9.0), 0.05)
    assert threshold == Threshold(8.0, 0.1)


@given(SCORES, st.floats(0.3, 0.95))
@settings(max_examples=100, deadline=None)
def test_of_exchangeable_scores_at_most_the_rate_raise_an_alarm(scores: list[float], rate: float) -> None:
    """Each score in turn against all others: the guarantee, without chance and with ties."""
    alarms = sum(
        score > conformal_threshold(np.sort(np.delete(scores, place)), rate).value
        for place, score in enumerate(scores)
    )
    assert alarms <= rate * len(scores) * (1 + 1e-9)


@pytest.mark.parametrize("n", [20, 99, 2000])
def test_the_rate_is_held_on_average_over_draws(n: int) -> None:
    draws = np.sort(np.random.default_rng(n).normal(size=(1000, n)), axis=1)
    thresholds = [conformal_threshold(draw, 0.05) for draw in draws]
    shares = stats.norm.sf([threshold.value for threshold in thresholds])
    error = 3 * shares.std() / math.sqrt(len(shares))
    assert shares.mean() <= 0.05 + error
    assert shares.mean() == pytest.approx(thresholds[0].held, abs=error)


@given(SCORES.map(sorted), SCORES, st.floats(0.3, 0.95))
@settings(max_examples=100, deadline=None)
def test_p_values_are_in_range_monotone_and_agree_with_alarms(
    calibration: list[float], scores: list[float], rate: float
) -> None:
    normal, rows = np.array(calibration), np.sort(scores)
    p = conformal_p_values(normal, rows)
    threshold = conformal_threshold(normal, rate)
    assert p.min() >= 1 / (len(normal) + 1)
    assert p.max() <= 1
    assert (np.diff(p) <= 0).all()
    np.testing.assert_array_equal(rows > threshold.value, p <= threshold.held)


@given(SCORES.map(sorted))
@settings(max_examples=50, deadline=None)
def test_a_higher_rate_never_raises_the_threshold(calibration: list[float]) -> None:
    found = [conformal_threshold(np.array(calibration), rate) for rate in np.linspace(0.25, 0.95, 15)]
    assert (np.diff([threshold.value for threshold in found]) <= 0).all()
    assert (np.diff([threshold.held for threshold in found]) >= 0).all()


# --- whether data differs ---

SIZES = [
    (1, 1, 50),
    (19, 1, 400),
    (99, 1, 10_000),
    (400, 20, 10_000),
    (400, 20, 30),
    (10_000, 100, 2000),
    (50, 45, 900),
]


@pytest.mark.parametrize(("n", "k", "rows"), SIZES)
def test_the_chance_of_alarms_is_the_beta_binomials(n: int, k: int, rows: int) -> None:
    for alarms in {0, 1, rows // 20, rows // 3, rows}:
        exact = stats.betabinom.sf(alarms - 1, rows, k, n + 1 - k)
        found = chance_of_alarms(alarms, rows, calibration_rows=n, held=k / (n + 1))
        assert found == pytest.approx(exact, abs=1e-4)


def share_said(n: int, k: int, rows: int, *, shift: float) -> float:
    """How often data is said to differ whose scores, normal as those of calibration, are moved by `shift`."""
    generator, runs, held = np.random.default_rng(0), 2000, k / (n + 1)
    threshold = stats.norm.isf(generator.beta(k, n + 1 - k, runs))  # the k-th largest of n
    alarms = generator.binomial(rows, stats.norm.sf(threshold - shift))
    counts = range(rows + 1)
    fewest = bisect(
        counts, False, key=lambda a: drift_note(a, rows, calibration_rows=n, held=held) is not None
    )
    return float((alarms >= fewest).mean())


@pytest.mark.parametrize(("n", "k", "rows"), SIZES)
def test_data_that_does_not_differ_is_hardly_ever_said_to(n: int, k: int, rows: int) -> None:
    assert share_said(n, k, rows, shift=0) <= CHANCE + 3 * math.sqrt(CHANCE / 2000)


@pytest.mark.parametrize(
    ("n", "k", "rows", "shift"), [(400, 20, 1000, 1), (2000, 20, 2000, 1), (400, 20, 100, 2)]
)
def test_data_that_differs_is_said_to(n: int, k: int, rows: int, shift: float) -> None:
    assert share_said(n, k, rows, shift=shift) > 0.95
