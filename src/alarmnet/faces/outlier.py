"""A detector as an outlier detector of scikit-learn: it predicts -1 and 1, and low scores are anomalous."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import OutlierMixin, clone
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.validation import check_type
from alarmnet.detectors import DETECTORS, A3Detector, BaseDetector
from alarmnet.networks.nested_parameters import Parameters
from alarmnet.thresholds import Scores


class OutlierDetector(OutlierMixin, Parameters):  # type: ignore[misc]
    """A detector with scikit-learn's interface for outliers: it learns from unlabelled rows.

    Use it where code expects an estimator such as `IsolationForest`. *Low* scores are anomalous here, unlike in
    `A3Detector`, and `predict` gives -1 for outliers. If you have labels, use the detector itself, which learns
    from them.

    Parameters
    ----------
    detector
        The detector to fit. None: `A3Detector(alarm_rate=0.1)`. A copy is fitted; this object stays unchanged.
    alarm_rate
        The share of normal rows that may be called outliers, in (0, 1). None: the detector's own.
    random_state
        The detector's seed, if the detector has no seed of its own.

    Attributes
    ----------
    detector_
        The fitted detector.

    Examples
    --------
    >>> import numpy as np
    >>> from alarmnet import Schedule
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> short = Schedule(steps=20)
    >>> detector = A3Detector(target_schedule=short, alarm_schedule=short, alarm_rate=0.1)
    >>> face = OutlierDetector(detector, random_state=0)
    >>> sorted(set(face.fit(rows).predict(rows).tolist()))
    [-1, 1]
    """

    def __init__(
        self,
        detector: BaseDetector | None = None,
        *,
        alarm_rate: float | None = None,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.detector = detector
        self.alarm_rate = alarm_rate
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> Self:
        """Learn what is normal. `y` is ignored, as in scikit-learn's outlier detectors."""
        check_type(self, "detector", self.detector, *DETECTORS.values())
        detector: BaseDetector = (
            self._default_of("detector") if self.detector is None else clone(self.detector)
        )
        if self.alarm_rate is not None:
            detector.set_params(alarm_rate=self.alarm_rate)
        if detector.random_state is None:
            detector.set_params(random_state=self.random_state)
        self.detector_ = detector.fit(X)
        self.n_features_in_ = detector.n_features_in_
        if hasattr(detector, "feature_names_in_"):
            self.feature_names_in_ = detector.feature_names_in_
        return self

    @property
    def offset_(self) -> float:
        """The score below which a row is an outlier: `decision_function(X) = score_samples(X) - offset_`."""
        return -self.detector_.threshold_

    def _default_of(self, name: str) -> Any:
        return A3Detector(alarm_rate=0.1) if name == "detector" else None

    def score_samples(self, X: Any) -> Scores:
        """The negated logits (N,): low is anomalous."""
        check_is_fitted(self)
        return -self.detector_.logits(X)

    def decision_function(self, X: Any) -> Scores:
        """How far below the alarm threshold each row scores (N,): a row below 0 is an outlier."""
        check_is_fitted(self)
        return -self.detector_.decision_function(X)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """-1 for outliers, 1 for inliers (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        return tags
