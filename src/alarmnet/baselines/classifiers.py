"""Simple rivals that learn from labels: scikit-learn's gradient boosting and random forest."""

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from alarmnet._shared.labels import Labels
from alarmnet.baselines.base import Baseline, Matrix, Scores, flat


class _Classifier(Baseline):
    """A scikit-learn classifier: known anomalies against all other rows."""

    learns_from_labels: ClassVar[bool] = True

    @abstractmethod
    def _classifier(self, anomalies: int) -> Any:
        """Make the classifier for this number of known anomalies."""

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        classifier = self._classifier(int(labels.anomalous.sum()))
        self._fitted = classifier.fit(flat(rows), labels.anomalous)

    def _scores(self, rows: Matrix) -> Scores:
        return np.asarray(self._fitted.predict_proba(flat(rows))[:, 1])


class GradientBoosting(_Classifier):
    """scikit-learn's `HistGradientBoostingClassifier` with its defaults. Unlabelled rows count as normal.

    Use it where many rows of a table are labelled; few methods are more accurate there.

    Parameters
    ----------
    encoder, anomaly_label, random_state
        As in `A3Detector`.

    Examples
    --------
    >>> rows = np.append(np.random.default_rng(0).normal(size=(80, 2)), np.full((40, 2), 9.0), axis=0)
    >>> scores = GradientBoosting(random_state=0).fit(rows, np.repeat([0, 1], [80, 40])).decision_function(rows)
    >>> bool(scores[80:].min() > scores[:80].max())
    True
    """

    name: ClassVar[str] = "gradient-boosting"

    def _classifier(self, anomalies: int) -> Any:
        # Early stopping holds out rows of each class, which a single anomaly does not allow.
        stopping = "auto" if anomalies > 1 else False
        return HistGradientBoostingClassifier(random_state=self.seed_, early_stopping=stopping)


class RandomForest(_Classifier):
    """scikit-learn's `RandomForestClassifier` with its defaults. Unlabelled rows count as normal.

    Parameters
    ----------
    encoder, anomaly_label, random_state
        As in `A3Detector`.

    Examples
    --------
    >>> rows = np.append(np.random.default_rng(0).normal(size=(99, 2)), [[9.0, 9.0]], axis=0)
    >>> scores = RandomForest(random_state=0).fit(rows, np.repeat([0, 1], [99, 1])).decision_function(rows)
    >>> scores.argmax()
    np.int64(99)
    """

    name: ClassVar[str] = "random-forest"

    def _classifier(self, anomalies: int) -> Any:
        return RandomForestClassifier(random_state=self.seed_)
