"""Rows of any kind to logits: encoded in parts, run through the scorer in blocks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from alarmnet._shared.devices import chosen_device
from alarmnet.detectors.calibration import Calibrated
from alarmnet.detectors.deviations import NormalProfile
from alarmnet.detectors.scorer import Scorer, by_block
from alarmnet.detectors.state import Encoder, Matrix
from alarmnet.errors import InputError, ModelFileError, rows_counted_from
from alarmnet.explain import Explainer, Explanation
from alarmnet.explain.mixtures import Mix
from alarmnet.explain.model import Scored
from alarmnet.preprocessing import ImageScaler
from alarmnet.preprocessing.column_groups import ColumnGroups
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.row_store import RowStore, TensorRows
from alarmnet.preprocessing.rows import indexable, take
from alarmnet.thresholds import Scores

ENCODED_AT_ONCE = 16_384
"""Rows encoded at once while scoring: bounds the memory a large table takes."""


class Scoring(Calibrated):
    """What a detector says of rows, once it has a scorer, an encoder and encoded rows that calibrate."""

    device: str
    encoder_: Encoder
    _scorer: Scorer
    _calibration_matrix: Matrix
    _known_matrix: Matrix | None
    _known_numbers: NDArray[np.int64] | None

    def _earlier(self) -> Matrix:
        """All known anomalies that the model has."""
        if self._scorer.known is not None:
            return self._scorer.known.numpy(force=True)
        return self._calibration_matrix[:0] if self._known_matrix is None else self._known_matrix

    def _alarm_names(self) -> list[str]:
        """The names of the alarms whose odds the scorer gives, in order."""
        return ["alarm"]

    def logits(self, X: Any) -> Scores:
        """The score of each row before the threshold is taken off (N,): high is anomalous, whatever the alarm rate.

        A row's logit depends on that row alone: bit for bit the same in any batch and among any neighbours.
        """
        check_is_fitted(self)
        n_rows, X = row_count(X), indexable(X)
        if n_rows <= ENCODED_AT_ONCE:
            return self._finite_logits(self.encoder_.store(X, self._device()))
        starts = range(0, n_rows, ENCODED_AT_ONCE)
        return np.concatenate(
            [self._part_logits(X, start, min(start + ENCODED_AT_ONCE, n_rows)) for start in starts]
        )

    def explain(self, X: Any, rows: Sequence[int] | None = None, columns: int = 10) -> Explanation:
        """Say why rows scored as they did: by column of a table, by pixel of images.

        Contributions are in logits and count from similar and from representative normal rows; see
        docs/guides/explanations.md.

        Parameters
        ----------
        X
            Rows as for `decision_function`.
        rows
            Numbers of the rows to explain, counted from 0, or a mask, one value for each row; None: all.
        columns
            How many columns are named for each row, at most.
        """
        return Explainer(self.scored_encoded())(X, rows, columns)

    def scored_encoded(self) -> Scored:
        """The detector as a function of encoded rows, for `alarmnet.explain`."""
        check_is_fitted(self)

        def stored(encoded: Matrix) -> RowStore:
            return TensorRows(torch.from_numpy(np.ascontiguousarray(encoded)).to(self._device()))

        return Scored(
            score=lambda encoded: self._finite_logits(stored(encoded)),
            odds=lambda encoded: by_block(self._scorer, self._scorer.odds, stored(encoded)),
            alarm_names=self._alarm_names(),
            threshold=self.threshold_,
            encoder=self.encoder_,
            normal=self._calibration_matrix,
            known=self._known_matrix,
            known_numbers=self._known_numbers,
            mix=self._mix(),
        )

    def _mix(self) -> Mix | None:
        """A function that scores mixtures of rows faster than one by one, if there is one."""
        return None

    def column_deviations(self, X: Any) -> Scores:
        """How unusual each input column of a row is, compared with held-out normal rows (N, columns): high is odd.

        Columns are named by `input_names_`. It describes the row; it does not take the score apart.
        """
        check_is_fitted(self)
        return self._profile().deviations(self.encoder_.transform(X))

    def reconstructions(self, X: Any) -> Matrix:
        """What the target network makes of rows, (N, F) or (N, C, H, W), to compare with `encoder_.transform`.

        Raises
        ------
        InputError
            The target is not an autoencoder.
        """
        check_is_fitted(self)

        def reconstruct(block: Tensor) -> Tensor:
            made = self._scorer.reconstructed(block)
            if made is None:
                raise InputError("the target network is not an autoencoder", code="no_reconstruction")
            return made

        return by_block(self._scorer, reconstruct, self.encoder_.store(X, self._device()))

    @property
    def input_names_(self) -> list[str]:
        """The input columns of `column_deviations`, in order."""
        return [*ColumnGroups.of(self._source_columns()).names]

    def _profile(self) -> NormalProfile:
        return NormalProfile(self._calibration_matrix, self._source_columns())

    def _source_columns(self) -> tuple[str, ...]:
        if isinstance(self.encoder_, ImageScaler):
            raise InputError("images have no columns to compare", code="wrong_kind_of_data")
        return self.encoder_.source_columns_

    def _device(self) -> torch.device:
        return chosen_device(self.device, parameter=f"The 'device' parameter of {type(self).__name__}")

    def _part_logits(self, X: Any, start: int, stop: int) -> Scores:
        with rows_counted_from(start):
            return self._finite_logits(self.encoder_.store(take(X, slice(start, stop)), self._device()))

    def _stored_logits(self, rows: RowStore) -> Scores:
        """Encoded rows (N, ...) to logits (N,)."""
        return by_block(self._scorer, self._scorer, rows).astype(np.float64)

    def _finite_logits(self, rows: RowStore) -> Scores:
        logits = self._stored_logits(rows)
        if not np.isfinite(logits).all():
            raise ModelFileError(
                "the model gives no finite score: the weights in its file are damaged or hostile; take another "
                "file, or fit it again"
            )
        return logits
