"""Files of every format still load, and score as they did."""

import numpy as np
import pytest
from benchmarks.golden_files import NAMES, golden

from alarmnet import load
from alarmnet._shared.persistence import FORMAT_VERSION

SMALL = ("a3-format-1", "conv-a3-format-1", "a3-images-format-1", "conv-a3-format-2", "a3-format-3")
"""Without pieces of tables."""


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_scores_as_when_it_was_made(name: str) -> None:
    good = golden(name)
    detector = load(good.path)
    expected = 1 / (1 + np.exp(-np.array(good.logits)))
    # distances to stored images differ by 3e-6 between PyTorch 2.6 and 2.13
    np.testing.assert_allclose(detector.anomaly_score(good.rows), expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(detector.logits(good.rows), good.logits, rtol=1e-4, atol=1e-6)
    assert detector.threshold_ == pytest.approx(
        good.threshold, abs=1e-3
    )  # which was a calibration row's own score
    np.testing.assert_array_equal(detector.predict(good.rows), good.predictions)


@pytest.mark.parametrize("name", NAMES)
def test_a_golden_file_is_explained_without_the_known_anomalies_that_it_lacks(name: str) -> None:
    good = golden(name)
    found = load(good.path).explain(good.rows)
    gap = found.values.reshape(len(found), -1).sum(axis=1) - (found.logits - found.base_value)
    np.testing.assert_allclose(gap, 0, atol=1e-4)
    assert all(row.known is None for row in found.rows) or int(name.rpartition("-")[2]) >= 4


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_are_of_the_format_that_they_are_named_by_and_small(name: str) -> None:
    path = golden(name).path
    assert int.from_bytes(path.read_bytes()[8:12], "little") == int(name.rpartition("-")[2]) <= FORMAT_VERSION
    joint = name in [f"a3-format-{number}" for number in range(7, FORMAT_VERSION + 1)]
    most = 600_000 if joint else 300_000
    assert path.stat().st_size < (100_000 if name in SMALL else most)
