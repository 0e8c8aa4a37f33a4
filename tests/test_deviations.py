"""How unusual each column of a row is."""

import numpy as np
import pytest

from alarmnet.detectors.deviations import NormalProfile

NORMAL = np.linspace(0, 1, 99, dtype=np.float32)[:, None]


def deviation(value: float) -> float:
    return float(NormalProfile(NORMAL, ["a"]).deviations(np.array([[value]], np.float32))[0, 0])


def test_by_hand() -> None:
    assert deviation(0.5) == 0
    # 9 of 99 normal rows lie at or beyond 0.915, and as many on the other side
    assert deviation(0.915) == pytest.approx(-np.log10(2 * (9 + 1) / 100))
    assert deviation(1.0) == pytest.approx(-np.log10(2 * (1 + 1) / 100))


def test_either_side_counts_alike() -> None:
    assert deviation(0.1) == pytest.approx(deviation(0.9))
    assert deviation(-3) == pytest.approx(deviation(4))


def test_beyond_every_normal_row_it_grows_with_the_distance() -> None:
    values = [deviation(value) for value in (0.9, 1.0, 1.1, 2.0, 100.0, 1e30)]
    assert (np.diff(values) > 0).all()
    assert np.isfinite(values).all()
    assert values[3] == pytest.approx(-np.log10(2 / 100) + np.log10(2))


def test_of_an_input_columns_parts_the_highest_counts() -> None:
    normal = np.repeat(NORMAL, 3, axis=1)
    profile = NormalProfile(normal, ["a", "b", "a"])
    assert profile.names == ["a", "b"]
    found = profile.deviations(np.array([[0.5, 0.5, 9.0], [9.0, 0.5, 0.5]], np.float32))
    assert found[0, 0] == found[1, 0] == pytest.approx(deviation(9.0))
    assert (found[:, 1] == 0).all()


def test_a_constant_column_is_usual_where_it_is_as_ever() -> None:
    profile = NormalProfile(np.ones((50, 1), np.float32), ["a"])
    usual, other = profile.deviations(np.array([[1.0], [0.0]], np.float32))[:, 0]
    assert usual == 0
    assert other > 1
    assert np.isfinite(other)
