"""What a report asks of a detector."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from alarmnet.metrics import Estimate
from alarmnet.preprocessing.cells import Float32s

Floats = NDArray[np.float64]


class FittedDetector(Protocol):
    """What a report asks of a fitted detector.

    `input_names_` and `column_deviations` are asked of table detectors only, `reconstructions` of image detectors.
    Where it has `explain`, the report says why rows scored; else it lists their most unusual values.
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
        """Estimate the share of anomalies among unlabelled calibration rows; None where these are labelled."""

    def decision_function(self, X: Any) -> Floats:
        """Give one score a row, shape (N,): above 0 is an alarm."""

    def p_value(self, X: Any) -> Floats:
        """Give one conformal p-value a row, shape (N,): low is anomalous."""

    def column_deviations(self, X: Any) -> Floats:
        """Give how unusual each cell is, shape (N, columns): 1 is 1 normal row in 10, 2 is 1 in 100."""

    def reconstructions(self, X: Any) -> Float32s:
        """Give encoded images as the target network reconstructs them, (N, C, H, W).

        Raises InputError with the code ``"no_reconstruction"`` where it is no autoencoder.
        """
