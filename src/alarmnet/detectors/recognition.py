"""Rows that a model has seen in training, recognised by the encoded rows that it keeps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import KDTree

from alarmnet.detectors.scoring import ENCODED_AT_ONCE
from alarmnet.detectors.state import Encoder, FittedState
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.row_store import RowStore
from alarmnet.preprocessing.rows import Keys, indexable, row_keys, take

FEWEST, LEAST_SHARE = 5, 0.5
"""The fewest kept rows, and their least share of all kept rows, that show that data is training data.

On ten public tables (`benchmarks/few_label_tables.py`), models find all kept rows among the rows that they were
trained on. Among other rows they find at most 13 %, but 42 % if all columns are binary (CelebA's attributes).
"""


ALIKE = 1e-5
"""How far apart, in each encoded column, two rows may be to be taken for the same row with rounded numbers."""


def keys_of(rows: RowStore) -> Keys:
    """One hash for each encoded row (N,)."""
    return np.concatenate([row_keys(block.numpy(force=True)) for block in rows.blocks()])


def keys_with(rows: RowStore, kept: NDArray[np.float32], kept_keys: Keys) -> Keys:
    """One hash for each encoded row (N,), by which kept rows (M, ...) with their own hashes (M,) are found.

    A row within `ALIKE` of a kept row that is not there has that row's hash: the same numbers as float32 instead of
    float64 differ by their rounding.
    """
    keys = keys_of(rows)
    _, first = np.unique(kept_keys, return_index=True)
    lost = first[~np.isin(kept_keys[first], keys)]
    others = np.flatnonzero(~np.isin(keys, kept_keys))
    if len(lost) and len(others):
        tree = KDTree(kept[lost].reshape(len(lost), -1), balanced_tree=False)
        nearest = [
            tree.query(block.flatten(1).numpy(force=True), p=np.inf, distance_upper_bound=ALIKE)[1]
            for block in rows.blocks(torch.from_numpy(others))
        ]
        place = np.concatenate(nearest)
        found = place < len(lost)
        keys[others[found]] = kept_keys[lost[place[found]]]
    return keys


@dataclass(frozen=True)
class Recognised:
    """How many of the different rows that a model keeps were found in some data."""

    found: int
    kept: int

    def note(self, what: str = "row") -> str:
        """Say that the data is probably training data; an empty text if there is no sign of it."""
        if self.found < FEWEST or self.found < LEAST_SHARE * self.kept:
            return ""
        return (
            f"This data has {self.found:,} of the {self.kept:,} different {what}s that the model keeps from its "
            f"training (calibration {what}s and known anomalies). If the model was trained on these {what}s, the "
            f"measures are too good: measure on {what}s that training has not seen."
        )


class SeenRows:
    """Finds the rows that a model keeps (calibration rows and some known anomalies) in data, part by part.

    A row is found if it equals a kept row in every encoded column. Rows that are equal by chance are found too, so
    kept rows that occur twice among themselves do not count.
    """

    def __init__(self, state: FittedState) -> None:
        self._encoder: Encoder = state.encoder
        self._calibration = row_keys(state.calibration_rows)
        known = [] if state.known_rows is None else [row_keys(state.known_rows)]
        keys, counts = np.unique(np.concatenate([self._calibration, *known]), return_counts=True)
        self._kept = keys[counts == 1]
        self._found: NDArray[np.bool_] = np.zeros(len(self._kept), dtype=bool)

    def add(self, X: Any) -> NDArray[np.bool_]:
        """Look for rows in more data; give which of its rows calibrate the model (N,)."""
        n_rows, X = row_count(X), indexable(X)
        parts = (
            take(X, slice(start, min(start + ENCODED_AT_ONCE, n_rows)))
            for start in range(0, n_rows, ENCODED_AT_ONCE)
        )
        keys = np.concatenate([keys_of(self._encoder.store(part, torch.device("cpu"))) for part in parts])
        self._found |= np.isin(self._kept, keys)
        return np.isin(keys, self._calibration)

    @property
    def recognised(self) -> Recognised:
        """What was found so far."""
        return Recognised(int(self._found.sum()), len(self._kept))
