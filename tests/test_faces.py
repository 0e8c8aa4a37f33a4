"""The detector behind scikit-learn's and PyOD's interfaces for outlier detection."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError

from alarmnet import A3Detector, InputError, MissingExtraError
from alarmnet.faces import OutlierDetector

Make = Callable[..., A3Detector]
Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def face(small: Make, rows: Floats) -> OutlierDetector:
    return OutlierDetector(small(), alarm_rate=0.2).fit(rows[:190])


def test_low_scores_are_outliers(face: OutlierDetector, rows: Floats) -> None:
    decisions, scores, verdicts = face.decision_function(rows), face.score_samples(rows), face.predict(rows)
    assert set(verdicts) == {-1, 1}
    np.testing.assert_array_equal(verdicts == -1, decisions < 0)
    np.testing.assert_allclose(decisions, scores - face.offset_)
    assert (verdicts[190:] == -1).mean() > (verdicts[:190] == -1).mean()
    assert scores[190:].mean() < scores[:190].mean()


def test_it_is_the_detector_with_its_sign_turned(face: OutlierDetector, small: Make, rows: Floats) -> None:
    detector = small(alarm_rate=0.2).fit(rows[:190])
    np.testing.assert_array_equal(face.decision_function(rows), -detector.decision_function(rows))
    np.testing.assert_array_equal(face.predict(rows) == -1, detector.predict(rows) == 1)


def test_the_alarm_rate_is_held_on_normal_rows(face: OutlierDetector) -> None:
    fresh = np.random.default_rng(1).normal(size=(2000, 5))
    assert (face.predict(fresh) == -1).mean() < 0.4


def test_the_detectors_own_rate_counts_unless_the_face_has_one(small: Make, rows: Floats) -> None:
    own = small(alarm_rate=0.3)
    for face, rate in (
        (OutlierDetector(own), 0.3),
        (OutlierDetector(own, alarm_rate=0.2), 0.2),
        (OutlierDetector(clone(own)).set_params(detector__alarm_rate=0.4), 0.4),
        (OutlierDetector(), 0.1),
    ):
        assert face.fit(rows).detector_.alarm_rate_ == rate


def test_the_offset_follows_the_alarm_rate(small: Make, rows: Floats) -> None:
    face = OutlierDetector(small(alarm_rate=0.1)).fit(rows)
    before = face.offset_
    face.detector_.set_alarm_rate(0.3)
    assert face.offset_ > before
    np.testing.assert_array_equal(face.decision_function(rows), face.score_samples(rows) - face.offset_)


def test_fit_predict_ignores_y_and_keeps_parameters(small: Make, rows: Floats) -> None:
    detector = small(random_state=None)
    face = OutlierDetector(detector, random_state=3)
    first = face.fit_predict(rows)
    np.testing.assert_array_equal(face.fit(rows, np.ones(200)).predict(rows), first)
    assert face.detector is detector
    assert detector.random_state is None
    assert not hasattr(detector, "threshold_")
    assert face.detector_.seed_ == 3


def test_the_detectors_own_seed_goes_first(small: Make, rows: Floats) -> None:
    assert OutlierDetector(small(random_state=5), random_state=3).fit(rows).detector_.seed_ == 5


def test_names_and_missing_values_pass_through(small: Make, rows: Floats) -> None:
    frame = pd.DataFrame(rows, columns=list("abcde")).mask(rows > 2)
    face = OutlierDetector(small()).fit(frame)
    assert face.feature_names_in_.tolist() == list("abcde")
    assert face.n_features_in_ == 5
    assert np.isfinite(face.score_samples(frame)).all()


def test_scoring_before_fitting(rows: Floats) -> None:
    for method in ("predict", "decision_function", "score_samples"):
        with pytest.raises(NotFittedError, match="This OutlierDetector instance is not fitted yet"):
            getattr(OutlierDetector(), method)(rows)


def test_clones_are_unfitted_and_equal(face: OutlierDetector) -> None:
    twin = clone(face)
    assert not hasattr(twin, "detector_")
    assert twin.get_params()["detector__alarm"] == face.get_params()["detector__alarm"]


def test_pyod(small: Make, rows: Floats, labels: Floats) -> None:
    pytest.importorskip("pyod", reason="the extra 'pyod' is not installed")
    from alarmnet.faces.pyod import PyODDetector

    face = PyODDetector(small(), contamination=0.05)
    twin = clone(face)
    assert twin.contamination == 0.05
    assert twin.fit(rows, labels) is twin
    assert not hasattr(face, "decision_scores_")
    assert not hasattr(face.detector, "threshold_")
    assert twin.labels_.sum() == 10
    np.testing.assert_array_equal(twin.labels_, twin.decision_scores_ > twin.threshold_)
    np.testing.assert_allclose(twin.decision_function(rows), twin.decision_scores_)
    np.testing.assert_array_equal(twin.predict(rows), twin.labels_)
    assert twin.decision_scores_[-10:].mean() > twin.decision_scores_[:190].mean()
    probabilities = twin.predict_proba(rows)
    assert probabilities.shape == (200, 2)
    np.testing.assert_array_equal(np.argsort(probabilities[:, 1]), np.argsort(twin.decision_scores_))
    unlabelled = clone(face).fit(rows)
    assert unlabelled.labels_.sum() == 10
    assert unlabelled.detector_.alarm_rate_ == 0.05


def test_pyod_before_fitting(rows: Floats) -> None:
    pytest.importorskip("pyod", reason="the extra 'pyod' is not installed")
    from alarmnet.faces.pyod import PyODDetector

    with pytest.raises(NotFittedError, match="This PyODDetector instance is not fitted yet"):
        PyODDetector().decision_function(rows)


@pytest.mark.parametrize("detector", [IsolationForest(), A3Detector, "a3"])
@pytest.mark.parametrize("face", ["outlier.OutlierDetector", "pyod.PyODDetector"])
def test_what_is_no_detector_of_alarmnet_is_refused(face: str, detector: Any, rows: Floats) -> None:
    home, name = face.split(".")
    if home == "pyod":
        pytest.importorskip("pyod", reason="the extra 'pyod' is not installed")
    kind = getattr(import_module(f"alarmnet.faces.{home}"), name)
    with pytest.raises(
        InputError, match=r"'detector' parameter of .* must be a A3Detector or ConvA3Detector"
    ):
        kind(detector).fit(rows)


def test_without_pyod_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyod.models.base", None)
    monkeypatch.delitem(sys.modules, "alarmnet.faces.pyod", raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'alarmnet\[pyod\]'"):
        import alarmnet.faces.pyod  # noqa: F401
