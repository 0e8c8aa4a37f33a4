"""scikit-learn's own checks of every detector and of both faces, all of them, with the defaults."""

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import check_estimator

from alarmnet import A3Detector, ConvA3Detector, OutlierDetector


@pytest.mark.timeout(1800)  # about a hundred fits
@pytest.mark.filterwarnings("ignore::alarmnet.AlarmnetWarning")
@pytest.mark.parametrize(
    "estimator",
    [A3Detector(), ConvA3Detector(), OutlierDetector(), OutlierDetector(ConvA3Detector())],
    ids=["A3Detector", "ConvA3Detector", "OutlierDetector of A3", "OutlierDetector of ConvA3"],
)
def test_every_check_passes(estimator: BaseEstimator) -> None:
    results = check_estimator(estimator, on_fail=None, on_skip=None)
    assert len(results) > 40
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    assert not [result for result in results if result["status"] == "xfail"]
    skipped = [str(result["exception"]) for result in results if result["status"] == "skipped"]
    assert set(skipped) <= {"SCIPY_ARRAY_API is not set: not checking array_api input"}
