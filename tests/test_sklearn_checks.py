"""All of scikit-learn's own checks of every detector and of both faces: trained shortly, and with the defaults."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

from alarmnet import A3Detector, ConvA3Detector, OutlierDetector, Schedule

SHORT = Schedule(steps=20)
DETECTORS = {
    "A3, short": A3Detector(target_schedule=SHORT, alarm_schedule=SHORT),
    "ConvA3, short": ConvA3Detector(schedule=SHORT),
    "A3": A3Detector(),
    "ConvA3": ConvA3Detector(),
}
FACES = {f"face of {name}": OutlierDetector(it, alarm_rate=0.1) for name, it in DETECTORS.items()}
ESTIMATORS = DETECTORS | FACES | {"face of A3": OutlierDetector()}


@pytest.mark.timeout(1800)  # about a hundred fits
@pytest.mark.filterwarnings("ignore::alarmnet.AlarmnetWarning")
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if "short" in name else pytest.mark.full) for name in ESTIMATORS],
)
def test_every_check_passes(name: str) -> None:
    results = check_estimator(ESTIMATORS[name], on_fail=None, on_skip=None)
    assert len(results) > 40
    failed = {result["check_name"]: result["exception"] for result in results if result["status"] == "failed"}
    assert not failed
    assert not [result for result in results if result["status"] == "xfail"]
    skipped = [str(result["exception"]) for result in results if result["status"] == "skipped"]
    assert set(skipped) <= {"SCIPY_ARRAY_API is not set: not checking array_api input"}
