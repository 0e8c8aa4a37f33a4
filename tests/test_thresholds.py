"""The alarm rate is held, with few rows and with many, and p-values agree with alarms."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from alarmnet import AlarmnetWarning
from alarmnet.thresholds import (
    ROUNDING,
    Threshold,
    conformal_p_values,
    conformal_threshold,
    drift_note,
    highest,
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
    found = conformal_threshold(np.arange(float(n)), rate)
    assert found.held == expected.held
    assert found.value == pytest.approx(expected.value + ROUNDING * (1 + expected.value))


def test_too_few_rows_warn_and_hold_what_they_can() -> None:
    with pytest.warns(
        AlarmnetWarning, match=r"9 calibration rows are too few for an alarm rate of 0\.05: .* is 0\.1,"
    ):
        threshold = conformal_threshold(np.arange(9.0), 0.05)
    assert threshold == Threshold(8 + 9 * ROUNDING, 0.1)


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


CLOSE = st.lists(
    st.tuples(st.integers(-3, 3), st.floats(-2.5, 2.5)).map(lambda pair: pair[0] + pair[1] * ROUNDING),
    min_size=1,
    max_size=15,
)
"""Scores of which some lie about as far apart as rounding."""


@given(CLOSE.map(sorted), st.floats(-0.99, 0.99), st.floats(0.05, 0.95))
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore:.* too few for an alarm rate")
def test_rounding_of_calibration_rows_moves_no_alarm_and_no_p_value(
    calibration: list[float], share: float, rate: float
) -> None:
    """The same rows on another processor, which rounds sums another way."""
    normal = np.array(calibration)
    elsewhere = normal + share * ROUNDING * (1 + np.abs(normal))
    threshold = conformal_threshold(normal, rate).value
    np.testing.assert_array_equal(elsewhere > threshold, normal > threshold)
    np.testing.assert_array_equal(conformal_p_values(normal, elsewhere), conformal_p_values(normal, normal))


@given(CLOSE.map(sorted), CLOSE, st.floats(0.05, 0.95))
@settings(max_examples=200, deadline=None)
@pytest.mark.filterwarnings("ignore:.* too few for an alarm rate")
def test_with_close_scores_p_values_still_agree_with_alarms(
    calibration: list[float], scores: list[float], rate: float
) -> None:
    normal, rows = np.array(calibration), np.array(scores)
    threshold = conformal_threshold(normal, rate)
    np.testing.assert_array_equal(
        rows > threshold.value, conformal_p_values(normal, rows) <= threshold.held * (1 + 1e-12)
    )


@given(st.lists(st.sampled_from([-1.0, 0.0, 2.0, 5.0, np.nan]), min_size=1, max_size=12), st.integers(1, 14))
def test_the_highest_are_the_same_however_sums_are_rounded(scores: list[float], count: int) -> None:
    """Equal rows are chosen in their order, also where rounding made their scores differ."""
    exact = np.array(scores)
    noise = np.random.default_rng(len(scores)).uniform(-0.4, 0.4, len(scores))
    rounded = exact + noise * ROUNDING * (1 + np.abs(exact))
    chosen = highest(exact, count)
    np.testing.assert_array_equal(highest(rounded, count), chosen)
    assert chosen.sum() == min(count, np.count_nonzero(~np.isnan(exact)))
    if chosen.any() and not chosen.all():
        left = exact[~chosen & ~np.isnan(exact)]
        assert not len(left) or left.max() <= exact[chosen].min()


@pytest.mark.parametrize(("n", "rate"), [(20, 0.05), (200, 0.01), (400, 0.05), (2000, 0.01), (10_000, 0.001)])
@pytest.mark.parametrize("fresh", [50, 1000, 20_000])
def test_data_like_the_training_data_is_hardly_ever_said_to_differ(n: int, rate: float, fresh: int) -> None:
    """The threshold of each run comes from calibration rows of its own, as the alarms come from fresh rows."""
    generator = np.random.default_rng(n + fresh)
    above = max(1, math.floor(rate * (n + 1)))
    shares = generator.beta(above, n + 1 - above, size=4000)  # of rows beyond the k-th highest of n
    said = [
        bool(drift_note(int(alarms), fresh, calibration_rows=n, held=above / (n + 1)))
        for alarms in generator.binomial(fresh, shares)
    ]
    assert np.mean(said) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 4000)


def test_data_that_differs_is_said_to() -> None:
    """Three times as many alarms as are held, from a threshold of 400 calibration rows."""
    generator = np.random.default_rng(0)
    shares = generator.beta(20, 381, size=500)
    alarms = generator.binomial(10_000, np.minimum(3 * shares, 1))
    said = [bool(drift_note(int(count), 10_000, calibration_rows=400, held=20 / 401)) for count in alarms]
    assert np.mean(said) > 0.95


def test_of_rows_without_labels_it_is_said_that_they_may_be_anomalies() -> None:
    assert not drift_note(80, 1000, calibration_rows=400, held=20 / 401, normal=False)
    assert drift_note(150, 1000, calibration_rows=400, held=20 / 401, normal=False) == (
        "More rows raise an alarm than chance explains for normal rows: 15.00%, at a calibrated rate of 4.99%. "
        "They may be anomalies, or this data may differ from the training data: review some of them."
    )
