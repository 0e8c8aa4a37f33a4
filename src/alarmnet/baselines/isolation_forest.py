"""The isolation forest of scikit-learn."""

from typing import ClassVar

import numpy as np
from sklearn.ensemble import IsolationForest

from alarmnet._shared.labels import Labels
from alarmnet.baselines.base import Baseline, Matrix, Scores, flat


class IsolationForestBaseline(Baseline):
    """scikit-learn's `IsolationForest` with its defaults, fitted on all rows but the known anomalies.

    Use it as the first thing to beat: it needs no label and no setting. Both papers compare with it.

    Parameters
    ----------
    encoder, anomaly_label, random_state
        As in `A3Detector`.

    Examples
    --------
    >>> rows = np.append(np.random.default_rng(0).normal(size=(99, 2)), [[9.0, 9.0]], axis=0)
    >>> IsolationForestBaseline(random_state=0).fit(rows).decision_function(rows).argmax()
    np.int64(99)
    """

    name: ClassVar[str] = "isolation-forest"
    learns_from_labels: ClassVar[bool] = False

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        forest = IsolationForest(random_state=self.seed_)
        self._forest = forest.fit(flat(rows)[~labels.anomalous])

    def _scores(self, rows: Matrix) -> Scores:
        return -np.asarray(self._forest.score_samples(flat(rows)))
