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
MADE = 512
"""Mixtures made at once: more take longer, as their memory is new each time."""
Mix = Callable[[Matrix, Matrix, Index], ScoreMixtures]
"""Encoded rows and references (P, F), pair by pair, and the column of each encoded number (F,)."""


def mixtures_of(rows: Matrix, references: Matrix, places: Index, numbers: Index, masks: Bools) -> Matrix:
    """Mixtures (V, F) of pairs: columns are the row's where masks (V, C) say so, else the reference's.

    `numbers` (V,) are those of the pairs (P, F), `places` is the column of each encoded number (F,).
    """
    found = np.empty((len(numbers), len(places)), dtype=np.float32)
    for start in range(0, len(numbers), MADE):
        some = slice(start, start + MADE)
        chosen = numbers[some]
        found[some] = np.where(masks[some][:, places], rows[chosen], references[chosen])
    return found


def differing(rows: Matrix, references: Matrix, places: Index) -> Bools:
    """The columns in which a row differs from its reference (P, C)."""
    differs = np.zeros((len(rows), int(places.max()) + 1), dtype=bool)
    numbers, features = np.nonzero(rows != references)
    differs[numbers, places[features]] = True
    return differs


def different(rows: Matrix) -> tuple[Index, Index]:
    """The numbers of the different rows (K,) of rows (N, F), and which of these each row is (N,)."""
    places: dict[bytes, int] = {}
    same = np.array([places.setdefault(row.tobytes(), len(places)) for row in rows], dtype=np.intp)
    return np.unique(same, return_index=True)[1], same


def once(compute: Score, rows: Matrix) -> Floats:
    """What `compute` makes of rows (N, F), each different row computed once: references agree in many columns."""
    first, same = different(rows)
    return compute(rows[first])[same]


def mixed_by(score: Score) -> Mix:
    """Score each mixture as any row."""

    def mix(rows: Matrix, references: Matrix, places: Index) -> ScoreMixtures:
        def score_mixtures(numbers: Index, masks: Bools) -> Floats:
            return once(score, mixtures_of(rows, references, places, numbers, masks))

        return score_mixtures

    return mix
