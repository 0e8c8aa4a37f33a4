"""Known anomalies of an earlier table, learned again: `refit_alarm(..., keep_known=True)`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from alarmnet import A3Detector, load
from alarmnet.networks.training import Schedule

Rows = NDArray[np.float64]
SHORT = Schedule(steps=30)


def drawn(count: int, seed: int, *, at: float = 0.0) -> Rows:
    return np.random.default_rng(seed).normal(at, 0.3 if at else 1.0, size=(count, 3))


def fitted(known: int, **parameters: Any) -> A3Detector:
    rows = np.concatenate([drawn(300, 0), drawn(known, 1, at=4.0)])
    y = np.repeat([0.0, 1.0], [300, known])
    return A3Detector(alarm_rate=0.05, random_state=0, target_schedule=SHORT, **parameters).fit(rows, y)


def later() -> tuple[Rows, Rows]:
    """A later table, of which the first six rows are anomalies of another kind, and its labels."""
    rows = np.concatenate([drawn(6, 2, at=-4.0), drawn(300, 3)])
    return rows, np.repeat([1.0, np.nan], [6, 300])


@pytest.mark.parametrize(("known", "reads"), [(70, "normality"), (6, "normality"), (70, "both")])
def test_earlier_anomalies_are_learned_again_with_new_ones(known: int, reads: str) -> None:
    first = fitted(known, reads=reads)
    kept = known if reads == "normality" else 35
    with_them = load_copy(first).refit_alarm(*later(), keep_known=True)
    without = load_copy(first).refit_alarm(*later())
    assert with_them.label_counts_["anomaly"] == 6 + kept
    assert without.label_counts_["anomaly"] == 6
    fresh = drawn(50, 4, at=4.0)
    assert (with_them.decision_function(fresh) > without.decision_function(fresh)).mean() > 0.9
    assert with_them.predict(np.concatenate([fresh, drawn(50, 5, at=-4.0)])).mean() > 0.9
    assert len(with_them.decision_scores_) == len(with_them.labels_) == 306


def load_copy(detector: A3Detector) -> A3Detector:
    return A3Detector.from_state(detector.fitted_state())


def test_they_are_named_as_those_of_earlier_data(tmp_path: Path) -> None:
    detector = fitted(12).refit_alarm(*later(), keep_known=True)
    detector.rename_known(np.arange(306) + 1_000)
    detector.save(tmp_path / "model")
    old, new = (
        load(tmp_path / "model").explain(np.concatenate([drawn(1, 4, at=4.0), drawn(1, 5, at=-4.0)])).rows
    )
    assert old.known is not None
    assert new.known is not None
    assert old.known[0].row is None
    assert "a known anomaly of earlier training data." in old.sentence
    assert 1_000 <= (new.known[0].row or 0) < 1_006


def test_a_row_labelled_normal_takes_back_an_earlier_anomaly_and_an_unlabelled_one_is_an_anomaly() -> None:
    anomalies = drawn(12, 1, at=4.0)
    rows, y = later()
    rows, y = np.concatenate([rows, anomalies[:3]]), np.concatenate([y, [0.0, np.nan, 1.0]])
    detector = fitted(12).refit_alarm(rows, y, keep_known=True)
    assert detector.label_counts_ == {
        "normal": 1,
        "anomaly": 6 + 2 + 9,
        "unlabelled": 300,
        "contradictory": 0,
    }


def test_a_model_without_known_anomalies_has_none_to_keep() -> None:
    detector = A3Detector(alarm_rate=0.05, random_state=0, target_schedule=SHORT).fit(drawn(300, 0))
    kept, alone = (load_copy(detector).refit_alarm(*later(), keep_known=of) for of in (True, False))
    assert kept.label_counts_ == alone.label_counts_
    np.testing.assert_array_equal(kept.decision_scores_, alone.decision_scores_)
