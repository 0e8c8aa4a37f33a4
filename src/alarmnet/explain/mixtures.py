"""Rows that have some columns of a row and the others of its reference, and what such mixtures score."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Index = NDArray[np.intp]

Score = Callable[[Matrix], Floats]
"""Encoded rows (N, F) to logits (N,)."""
ScoreMixtures = Callable[[Index, Bools], Floats]
"""Numbers of pairs (V,), in ascending order, and the columns that are the row's (V, C), to logits (V,)."""
Mix = Callable[[Matrix, Matrix, Index], ScoreMixtures]
"""Encoded rows and references (P, F), pair by pair, and the column of each encoded number (F,)."""


def column_masks(masks: Bools, rows: Matrix, references: Matrix, places: Index) -> Matrix:
    """Rows (P, F) where a mask (P, C) says so, else their reference; `places` is the column of each number (F,)."""
    return np.where(masks[:, places], rows, references)


def differing(rows: Matrix, references: Matrix, places: Index) -> Bools:
    """The columns in which a row differs from its reference (P, C)."""
    differs = np.zeros((len(rows), int(places.max()) + 1), dtype=bool)
    numbers, features = np.nonzero(rows != references)
    differs[numbers, places[features]] = True
    return differs


def once(compute: Score, rows: Matrix) -> Floats:
    """What `compute` makes of rows (N, F), each different row computed once: references agree in many columns."""
    places: dict[bytes, int] = {}
    same = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], dtype=np.intp)
    _, first = np.unique(same, return_index=True)
    return compute(rows[first])[same]


def mixed_by(score: Score) -> Mix:
    """Score each mixture as any row."""

    def mix(rows: Matrix, references: Matrix, places: Index) -> ScoreMixtures:
        def score_mixtures(numbers: Index, masks: Bools) -> Floats:
            return once(score, column_masks(masks, rows[numbers], references[numbers], places))

        return score_mixtures

    return mix
