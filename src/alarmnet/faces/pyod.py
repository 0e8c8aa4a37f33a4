"""A detector with PyOD's interface; needs the extra `pyod` (importing PyOD seeds NumPy's global random state)."""

from typing import Any, Self

from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.validation import check_type
from alarmnet.detectors import DETECTORS, A3Detector
from alarmnet.detectors import BaseDetector as AlarmnetDetector
from alarmnet.errors import MissingExtraError
from alarmnet.thresholds import Scores

try:
    from pyod.models.base import BaseDetector
except ImportError as error:
    raise MissingExtraError("alarmnet.faces.pyod needs PyOD: pip install 'alarmnet[pyod]'") from error


class PyODDetector(BaseDetector):  # type: ignore[misc]
    """A detector with PyOD's interface: `decision_scores_`, `labels_`, `threshold_`, `contamination`.

    Use it where code expects a PyOD model. High scores are anomalous, as in `A3Detector`. PyOD sets the threshold:
    the share `contamination` of the training rows scores above the threshold.

    Parameters
    ----------
    detector
        The detector to fit. None: `A3Detector()`. A copy is fitted; this object stays unchanged.
    contamination
        The share of the training rows that PyOD labels 1. It also sets the alarm rate of `detector_`, whatever rate
        the detector has of its own.

    Attributes
    ----------
    detector_
        The fitted detector.
    decision_scores_, threshold_, labels_
        Logits of the training rows (N,), PyOD's threshold for logits, and labels: 1 for rows above the threshold.

    Examples
    --------
    >>> import numpy as np
    >>> from alarmnet import Schedule
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> short = Schedule(steps=20)
    >>> face = PyODDetector(A3Detector(target_schedule=short, alarm_schedule=short), contamination=0.05)
    >>> int(face.fit(rows).labels_.sum())
    10
    """

    def __init__(self, detector: AlarmnetDetector | None = None, contamination: float = 0.1) -> None:
        super().__init__(contamination=contamination)
        self.detector = detector

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn normal rows and, if `y` is given, known anomalies (1 in `y`)."""
        check_type(self, "detector", self.detector, *DETECTORS.values())
        self._set_n_classes(None)
        detector = A3Detector() if self.detector is None else clone(self.detector)
        detector.set_params(alarm_rate=self.contamination)
        self.detector_ = detector.fit(X, y)
        self.decision_scores_ = detector.decision_scores_
        self._process_decision_scores()
        return self

    def decision_function(self, X: Any) -> Scores:
        """Logits (N,): high is anomalous."""
        check_is_fitted(self, "decision_scores_")
        return self.detector_.logits(X)
