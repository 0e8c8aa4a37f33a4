"""Logits to alarms, p-values and classes: what follows from the rows that calibrate."""

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.validation import check_real
from alarmnet.thresholds import Scores, conformal_p_values, conformal_threshold

Bits = NDArray[np.int64]


class Calibrated:
    """What a detector says of rows, once it gives them `logits` and has `calibration_scores_`."""

    alarm_rate: float
    classes_: NDArray[Any]
    calibration_scores_: Scores
    decision_scores_: Scores

    def logits(self, X: Any) -> Scores:
        """The score of each row before the threshold is taken off (N,)."""
        raise NotImplementedError

    def decision_function(self, X: Any) -> Scores:
        """How far each row lies above the alarm threshold, in logits (N,): above 0 is an alarm."""
        return self.logits(X) - self.threshold_

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row (N,): `classes_[1]` where it raises an alarm."""
        alarms = self.decision_function(X) > 0
        return self.classes_[alarms.astype(np.intp)]

    def predict_proba(self, X: Any) -> Scores:
        """The sigmoid of `decision_function` and its complement (N, 2); columns as in `classes_`.

        It agrees with `predict`; it is no calibrated probability (`p_value` is).
        """
        alarming = expit(self.decision_function(X))
        return np.column_stack([1 - alarming, alarming])

    def anomaly_score(self, X: Any) -> Scores:
        """The papers' y-hat (N,), in [0, 1]: high is anomalous. Independent of the alarm rate."""
        return np.asarray(expit(self.logits(X)))

    def p_value(self, X: Any) -> Scores:
        """The share of normal rows that would score as high (N,), in (0, 1]: low is anomalous.

        Split-conformal, from held-out normal rows: over fresh normal rows, P(p <= a) is at most a.
        """
        logits = self.logits(X)
        return conformal_p_values(self.calibration_scores_, logits)

    def set_alarm_rate(self, alarm_rate: float) -> Self:
        """Change the share of normal rows that may raise an alarm, without training.

        The calibration rows hold any rate from 1 / (their number + 1); below it the threshold is their largest
        score, a warning says so, and `alarm_rate_held_` has the rate that is held.
        """
        check_is_fitted(self)
        check_real(self, "alarm_rate", alarm_rate, 0, 1)
        self.alarm_rate = alarm_rate
        self._set_threshold()
        return self

    def _set_threshold(self) -> None:
        threshold = conformal_threshold(self.calibration_scores_, self.alarm_rate)
        self.threshold_, self.alarm_rate_held_ = threshold.value, threshold.held
        self.alarm_rate_ = float(self.alarm_rate)
        if hasattr(self, "decision_scores_"):
            self.labels_: Bits = (self.decision_scores_ > self.threshold_).astype(np.int64)
