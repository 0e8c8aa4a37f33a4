"""The interface of a detector that a report uses."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from alarmnet.metrics import Estimate
from alarmnet.preprocessing.cells import Float32s

Floats = NDArray[np.float64]


class FittedDetector(Protocol):
    """The interface of a fitted detector that a report uses.

    Only table detectors need `input_names_` and `column_deviations`, only image detectors `reconstructions`. If the
    detector has `explain`, the report shows reasons; otherwise it lists each row's most unusual values.
    """

    threshold_: float
    alarm_rate_: float
    alarm_rate_held_: float
    calibration_scores_: Floats
    calibration_is_labelled_: bool
    allows_for_unclean_: bool
    label_counts_: Mapping[str, int]
    history_: Mapping[str, Sequence[Mapping[str, float]]]
    seed_: int
    encoder_: Any

    @property
    def input_names_(self) -> Sequence[str]:
        """The input columns of `column_deviations`, in order."""

    def unclean_share(self) -> Estimate | None:
        """Estimate the share of anomalies among unlabelled calibration rows; None if these rows are labelled."""

    def decision_function(self, X: Any) -> Floats:
        """Return one score a row, shape (N,): above 0 is an alarm."""

    def p_value(self, X: Any) -> Floats:
        """Return one conformal p-value a row, shape (N,): low is anomalous."""

    def column_deviations(self, X: Any) -> Floats:
        """Return how rare each cell is, shape (N, columns): 1 is 1 normal row in 10, 2 is 1 in 100."""

    def reconstructions(self, X: Any) -> Float32s:
        """Return encoded images as the target network reconstructs them, (N, C, H, W).

        Raises InputError with the code ``"no_reconstruction"`` if the target is not an autoencoder.
        """
