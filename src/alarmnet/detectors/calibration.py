"""Logits to alarms, p-values and classes: what follows from the rows that calibrate."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.labels import learned_labels, read_labels
from alarmnet._shared.validation import check_real, check_whole
from alarmnet._shared.warn import called_from, warn
from alarmnet.detectors.calibration_rows import CalibrationRows
from alarmnet.detectors.cleanness import (
    ANOMALY,
    FEWEST_KNOWN,
    UNANSWERED,
    Answers,
    hidden_share,
    weights_after_answers,
    weights_by_scores,
    weights_of,
    worth_a_look,
)
from alarmnet.errors import InputError
from alarmnet.metrics import Estimate
from alarmnet.thresholds import Scores, conformal_p_values, conformal_threshold

Bits = NDArray[np.int64]


class CalibrationQueries(NamedTuple):
    """Calibration rows to look at: their numbers in the table given to `fit`, and their logits; both (n,)."""

    rows: NDArray[np.int64]
    logits: Scores


class Calibrated:
    """What a detector says of rows, once it gives them `logits` and has `calibration_scores_`."""

    alarm_rate: float
    alarm_rate_: float
    classes_: NDArray[Any]
    anomaly_label: object
    calibration_scores_: Scores
    calibration_weights_: Scores
    calibration_is_labelled_: bool
    label_counts_: dict[str, int]
    decision_scores_: Scores
    _calibrating: CalibrationRows | None

    def logits(self, X: Any) -> Scores:
        """The score of each row before the threshold is taken off (N,)."""
        raise NotImplementedError

    def decision_function(self, X: Any) -> Scores:
        """The margin of each row (N,): how far it lies above the threshold, in logits; above 0 is an alarm."""
        margins = self.logits(X) - self.threshold_
        self._warn_of_unsorted_classes()
        return margins

    def predict(self, X: Any) -> NDArray[Any]:
        """The class of each row (N,): `classes_[1]` where it raises an alarm."""
        alarms = self.logits(X) > self.threshold_
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

        Split-conformal, from held-out normal rows: over fresh normal rows, P(p <= a) is at most a. Where unlabelled
        rows calibrate, each counts for `calibration_weights_`.
        """
        return self.p_values_of(self.logits(X))

    def p_values_of(self, logits: Scores) -> Scores:
        """Give the p-values (N,) of rows with these logits (N,)."""
        return conformal_p_values(self.calibration_scores_, logits, self.calibration_weights_)

    def set_alarm_rate(self, alarm_rate: float) -> Self:
        """Change the share of normal rows that may raise an alarm, without training.

        The calibration rows hold any rate from 1 / (their number + 1); below it the threshold is their largest
        score, a warning says so, and `alarm_rate_held_` has the rate that is held.
        """
        check_is_fitted(self)
        check_real(self, "alarm_rate", alarm_rate, 0, 1)
        self.alarm_rate, self.alarm_rate_ = alarm_rate, float(alarm_rate)
        self._set_threshold()
        return self

    @property
    def allows_for_unclean_(self) -> bool:
        """Whether the threshold allows for those unlabelled calibration rows that score like known anomalies."""
        if self.calibration_is_labelled_ or self._calibrating is None:
            return False
        known, answered = self.label_counts_["anomaly"], (self._sorted_answers() != UNANSWERED).any()
        return bool(known >= FEWEST_KNOWN or answered)

    @property
    def calibration_is_reviewed_(self) -> bool:
        """Whether every calibration row is labelled normal, or has an answer or a label since."""
        return self.calibration_is_labelled_ or bool((self._sorted_answers() != UNANSWERED).all())

    @property
    def calibration_rows_(self) -> NDArray[np.int64]:
        """Row numbers of the calibration rows in the table given to `fit` (N,), by ascending score."""
        rows = self._known_calibration_rows()
        return rows.numbers[rows.order]

    def unclean_share(self) -> Estimate | None:
        """Estimate the share of anomalies among unlabelled calibration rows, with an interval; else None.

        It counts rows that score like anomalies. Anomalies that score like normal rows are not counted, and do not
        move the threshold. The interval tells how much the estimate varies with the rows that were drawn, and with
        the assumption on where anomalies score: like known ones, or anywhere among the highest rows.
        """
        check_is_fitted(self)
        if self.calibration_is_labelled_:
            return None
        return hidden_share(self.calibration_scores_, self._known_scores(), self._sorted_answers())

    def calibration_queries(self, n: int = 30) -> CalibrationQueries:
        """Choose unlabelled calibration rows whose labels would improve the threshold most; the highest first.

        Look at them in the table that was given to `fit`, then pass the answers to `set_calibration_labels`. Three
        rounds of ten rows improve the threshold more than one round of thirty.

        Parameters
        ----------
        n
            How many rows to choose, at most.

        Raises
        ------
        InputError
            The calibration rows are labelled normal already, or a file of an older version does not name them.
        """
        check_is_fitted(self)
        check_whole(self, "n", n)
        rows = self._known_calibration_rows()
        if self.calibration_is_labelled_:
            raise InputError(
                "the calibration rows are labelled normal: the alarm rate holds without reviewing them",
                code="labelled_calibration",
            )
        answers = self._sorted_answers()
        guess = weights_by_scores(self.calibration_scores_, self._known_scores())
        weights = weights_after_answers(guess, answers)
        places = worth_a_look(weights, answers, rate=self.alarm_rate_, count=n)
        return CalibrationQueries(rows.numbers[rows.order][places], self.calibration_scores_[places])

    def set_calibration_labels(self, rows: ArrayLike, labels: Any) -> Self:
        """Take answers about calibration rows and set the threshold anew, without training.

        Parameters
        ----------
        rows
            Row numbers, as `calibration_queries` gives them (n,).
        labels
            The labels that the detector has learned, or True and False; NaN / None for "no answer" (n,).

        Raises
        ------
        InputError
            A row that does not calibrate, labels that cannot be used, or no normal row is left.
        """
        check_is_fitted(self)
        known, numbers = self._known_calibration_rows(), np.asarray(rows)
        if numbers.ndim != 1:
            raise InputError(
                f"rows have shape {numbers.shape}; pass one row number for each label", code="wrong_shape"
            )
        given = read_labels(
            labels,
            rows=len(numbers),
            X=rows,
            learned=learned_labels(self),
            to_learn=False,
            called="rows",
        ).values
        calibrating = self.calibration_rows_
        places = np.flatnonzero(np.isin(calibrating, numbers))
        by_number: dict[Any, float] = {}
        for number, answer in zip(numbers.tolist(), given.tolist(), strict=True):
            if np.isnan(by_number.get(number, np.nan)):
                by_number[number] = answer
            elif answer == 1 - by_number[number]:
                raise InputError(
                    f"row {number!r} is labelled both normal and anomalous; give one answer for each row",
                    code="contradictory_labels",
                )
        own = set(calibrating.tolist())
        if strangers := [number for number in by_number if number not in own]:
            raise InputError(
                f"row {strangers[0]!r} does not calibrate this detector: give row numbers from "
                "calibration_queries, or on the command line from recalibrate --ask",
                code="not_calibrating",
                rows=[number for number in strangers if isinstance(number, int)],
            )
        values = np.array([by_number[number] for number in calibrating[places].tolist()], dtype=float)
        answers = np.where(np.isnan(values), UNANSWERED, values).astype(np.int8)
        answered = known.answered(places, answers)
        if (answered.answers == ANOMALY).all():
            raise InputError(
                "every calibration row is labelled anomalous now: fit the detector again", code="rows"
            )
        self._calibrating = answered
        self._weigh(self._known_scores())
        return self

    def _warn_of_unsorted_classes(self) -> None:
        """Warn where scikit-learn would take normal rows for anomalies."""
        normal, anomaly = self.classes_.tolist()
        if normal > anomaly and called_from("sklearn.metrics._scorer", "sklearn.calibration"):
            warn(
                f"Anomalies are labelled {anomaly!r}, and normal rows {normal!r}. scikit-learn takes the last one "
                f"in sorted order, {normal!r}, for the anomaly: scorers without pos_label are wrong (roc_auc is 1 "
                f"minus the right one), and CalibratedClassifierCV fails. Pass y == {anomaly!r} instead of y, and "
                "no anomaly_label."
            )

    def _known_calibration_rows(self) -> CalibrationRows:
        if self._calibrating is None:
            raise InputError(
                "the model file is of an older version, which does not name its calibration rows: fit the "
                "detector anew",
                code="old_model_file",
            )
        return self._calibrating

    def _known_scores(self) -> Scores:
        """Logits of the known anomalies that are kept (K,)."""
        raise NotImplementedError

    def _sorted_answers(self) -> Answers:
        """Answers about calibration rows, in the order of `calibration_scores_`."""
        if self._calibrating is None:
            return np.full(len(self.calibration_scores_), UNANSWERED, dtype=np.int8)
        return self._calibrating.answers[self._calibrating.order]

    def _calibrate(self, scores: Scores, known: Scores) -> None:
        """Calibrate with the scores of the calibration rows, in the order of these rows, and of known anomalies."""
        order = np.argsort(scores, kind="stable")
        self.calibration_scores_ = scores[order]
        if self._calibrating is not None:
            self._calibrating = self._calibrating.ordered(order)
        self._weigh(known)

    def _weigh(self, known: Scores) -> None:
        """Estimate the probability that each calibration row is normal, and set the threshold."""
        if self.calibration_is_labelled_ or self._calibrating is None:
            self.calibration_weights_ = np.ones(len(self.calibration_scores_))
        else:
            self.calibration_weights_ = weights_of(self.calibration_scores_, known, self._sorted_answers())
        self._set_threshold()

    def _set_threshold(self, *, quiet: bool = False) -> None:
        threshold = conformal_threshold(
            self.calibration_scores_, self.alarm_rate_, self.calibration_weights_, quiet=quiet
        )
        self.threshold_, self.alarm_rate_held_ = threshold.value, threshold.held
        if hasattr(self, "decision_scores_"):
            self.labels_: Bits = (self.decision_scores_ > self.threshold_).astype(np.int64)
