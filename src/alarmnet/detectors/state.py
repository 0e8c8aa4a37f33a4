"""The whole state of a fitted detector, as plain values."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.labels import LARGEST_LABEL
from alarmnet.detectors.calibration_rows import CalibrationRows
from alarmnet.preprocessing import ImageScaler, TableEncoder
from alarmnet.thresholds import Scores

Encoder = TableEncoder | ImageScaler
Matrix = NDArray[np.float32]

EARLIER = -1
"""The number of a known anomaly that is not in the table given last, but in an earlier one."""

COUNTED = {"normal", "anomaly", "unlabelled"}


@dataclass(frozen=True, kw_only=True)
class FittedState:
    """What a detector has learned: a model file holds it, and a detector is made from it again.

    Parameters
    ----------
    method, parameters
        Which detector, and what its constructor takes.
    encoder
        Rows to what networks read.
    weights
        Of the networks, by the name of network and weight.
    classes
        What the user calls normal and anomaly, (2,).
    calibration_rows, calibration_scores
        The encoded rows that calibrate (N, ...), and their logits, ascending (N,).
    calibration_is_labelled
        Whether these rows were labelled normal.
    calibration_weights, calibrating
        How probably each is normal, in the order of the scores (N,), and which rows of the training table they are;
        the latter is None in files of older versions.
    known_rows, known_numbers
        Some known anomalies, encoded (K, ...), and their numbers in the training table (K,); None in files of older
        versions.
    seed, label_counts, history, notes
        As the detector's attributes of these names describe them.

    Raises
    ------
    ValueError, TypeError
        Values that no fit leads to, such as a damaged file may hold.
    """

    method: str
    parameters: Mapping[str, Any]
    encoder: Encoder
    weights: Mapping[str, NDArray[Any]]
    classes: NDArray[Any]
    calibration_rows: Matrix
    calibration_scores: Scores
    calibration_is_labelled: bool
    calibration_weights: Scores
    calibrating: CalibrationRows | None
    seed: int
    label_counts: dict[str, int]
    history: dict[str, list[dict[str, float]]]
    notes: dict[str, Any]
    known_rows: Matrix | None = None
    known_numbers: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        self._check_classes()
        self._check_calibration()
        self._check_weights()
        self._check_known()
        if type(self.seed) is not int or self.seed < 0:
            raise ValueError(f"seed is {self.seed!r}")
        self._check_notes()
        if not self.label_counts.keys() >= COUNTED:
            raise ValueError("label counts are not all there")
        if not all(type(count) is int for count in self.label_counts.values()):
            raise ValueError("label counts are not whole numbers")
        for checks in self.history.values():
            for check in checks:
                if not {"step", "loss"} <= check.keys() or not all(map(math.isfinite, check.values())):
                    raise ValueError("the history is damaged")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one encoded row."""
        encoder = self.encoder
        return encoder.shape_ if isinstance(encoder, ImageScaler) else (len(encoder.output_names_),)

    def _check_classes(self) -> None:
        classes = self.classes
        if classes.shape != (2,) or classes.dtype.kind not in "biufU" or classes[0] == classes[1]:
            raise ValueError("classes are not two labels")
        if classes.itemsize > LARGEST_LABEL:
            raise ValueError("the labels of the classes are too long")

    def _check_calibration(self) -> None:
        scores, rows = self.calibration_scores, self.calibration_rows
        if scores.ndim != 1 or not len(scores) or scores.dtype != np.float64 or (np.diff(scores) < 0).any():
            raise ValueError("calibration scores are not in order")
        if rows.shape != (len(scores), *self.shape) or rows.dtype != np.float32:
            raise ValueError("calibration rows do not fit the encoder")
        if type(self.calibration_is_labelled) is not bool:
            raise ValueError("whether the calibration rows were labelled is not said")

    def _check_weights(self) -> None:
        weights, rows = self.calibration_weights, len(self.calibration_scores)
        if weights.shape != (rows,) or weights.dtype != np.float64 or (np.abs(weights - 0.5) > 0.5).any():
            raise ValueError("the calibration rows' weights are damaged")
        if self.calibrating is not None and len(self.calibrating.numbers) != rows:
            raise ValueError("the numbers of the calibration rows do not fit their scores")

    def _check_notes(self) -> None:
        notes = self.notes
        if not isinstance(notes, dict):
            raise TypeError("notes are of another type")
        for name in ("ignored", "missing", "anomaly", "normal"):
            texts = notes.get(name, [])
            if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
                raise TypeError(f"the note {name!r} is not a list of texts")
        if not isinstance(notes.get("label"), str | None):
            raise TypeError("the note 'label' is not text")
        size = notes.get("resize", [1, 1])
        if not isinstance(size, list | tuple) or [type(side) for side in size] != [int, int] or min(size) < 1:
            raise TypeError("the note 'resize' is not a size")

    def _check_known(self) -> None:
        rows, numbers = self.known_rows, self.known_numbers
        if rows is None and numbers is None:
            return
        if rows is None or numbers is None:
            raise ValueError("known anomalies and their numbers are not both there")
        if rows.shape != (len(rows), *self.shape) or rows.dtype != np.float32:
            raise ValueError("known anomalies do not fit the encoder")
        if numbers.shape != (len(rows),) or numbers.dtype != np.int64 or (numbers < EARLIER).any():
            raise ValueError("the numbers of known anomalies are damaged")
