"""How mixtures of a row and a normal row score by distances and a forest: what mixtures share is computed once."""

import numpy as np
import torch
from torch import Tensor

from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.detectors.scorer import by_block
from alarmnet.explain.mixtures import Bools, Floats, Index, Matrix, column_masks, differing, once
from alarmnet.networks.nearness import Nearness
from alarmnet.networks.reachable_leaves import reachable_leaves
from alarmnet.preprocessing.row_store import TensorRows

PAIRS = 64
"""Whose references are compared with stored rows at once: always as many, so that bits never depend on a batch."""


class NormalityMixtures:
    """Scores mixtures of rows and references, as the scorer scores them but for rounding.

    A mixture's squared distances to the stored rows are its reference's and a change for each column that is the
    row's. Of trees, only leaves are summed that a mixture of both can reach. The networks see every mixture.

    Parameters
    ----------
    scorer
        On the processor.
    rows, references
        Encoded, (P, F); row by row.
    places
        The column of each encoded number, (F,), ascending.
    """

    def __init__(self, scorer: NormalityScorer, rows: Matrix, references: Matrix, places: Index) -> None:
        self._scorer, self._rows, self._references, self._places = scorer, rows, references, places
        differs = differing(rows, references, places)
        self._columns = [np.flatnonzero(row) for row in differs]
        columns = (differs.cumsum(axis=1) - 1)[:, places]
        self._leaves = [reachable_leaves(forest, rows, references, columns) for forest in scorer.forests]
        self._distances = _Distances(scorer.nearness, rows, references, places)

    def __call__(self, numbers: Index, masks: Bools) -> Floats:
        """Score mixtures of pairs (V,), ascending, that have the row's columns where masks (V, C) say so."""
        starts = np.searchsorted(numbers, np.arange(len(self._rows) + 1))
        distances, said = np.empty((len(numbers), 2)), np.empty((len(self._leaves), len(numbers)))
        for first in range(0, len(self._rows), PAIRS):
            from_references = self._distances.from_references(first)
            for place in range(first, min(first + PAIRS, len(self._rows))):
                own = slice(starts[place], starts[place + 1])
                if own.start < own.stop:
                    chosen = masks[own][:, self._columns[place]]
                    distances[own] = self._distances.of(place, chosen, from_references[place - first])
                    said[:, own] = [leaves[place].said(chosen) for leaves in self._leaves]
        read = torch.from_numpy(self._read(numbers, masks))
        scorer = self._scorer
        with torch.inference_mode():
            near = scorer.nearness.measured(torch.from_numpy(distances), read[:, 0])
            odds = [
                forest.log_odds(of) for forest, of in zip(scorer.forests, torch.from_numpy(said), strict=True)
            ]
            found: Tensor = scorer.combined(near, torch.stack(odds).mean(0), read[:, 1:])
            return found.logsumexp(1).numpy()

    def _read(self, numbers: Index, masks: Bools) -> Floats:
        """What the scorer's `read` says, (V, n); each different row is computed once."""
        mixtures = column_masks(masks, self._rows[numbers], self._references[numbers], self._places)

        def read(rows: Matrix) -> Floats:
            stored = TensorRows(torch.from_numpy(rows))
            return by_block(self._scorer, self._scorer.read, stored).astype(np.float64)

        return once(read, mixtures)


class _Distances:
    """Of mixtures to their neighbours among stored rows; in float64, since squares are subtracted."""

    def __init__(self, nearness: Nearness, rows: Matrix, references: Matrix, places: Index) -> None:
        self._rows, self._references = (
            nearness.scaled(torch.from_numpy(of)).numpy().astype(np.float64) for of in (rows, references)
        )
        self._stored = np.ascontiguousarray(nearness.stored.numpy().T.astype(np.float64))  # (F, M)
        self._squares = (self._stored**2).sum(axis=0)
        self._neighbours = nearness.places(self._stored.shape[1])
        self._differs, self._places = rows != references, places

    def from_references(self, first: int) -> Floats:
        """Squared distances (PAIRS, M) of the references of pairs from `first` on."""
        block = np.zeros((PAIRS, self._references.shape[1]))
        part = self._references[first : first + PAIRS]
        block[: len(part)] = part
        squares: Floats = (block**2).sum(axis=1)[:, None] + self._squares - 2 * (block @ self._stored)
        return squares

    def of(self, place: int, chosen: Bools, from_reference: Floats) -> Floats:
        """Distances (V, 2) of mixtures of a pair; `chosen` (V, c) are those of its differing columns."""
        features = np.flatnonzero(self._differs[place])
        row, reference = self._rows[place, features], self._references[place, features]
        own = chosen[:, np.unique(self._places[features], return_inverse=True)[1]]  # (V, features)
        squares = (own * (2 * (reference - row))) @ self._stored[features]
        squares += from_reference
        squares += (own @ (row**2 - reference**2))[:, None]
        squares = squares.astype(np.float32)
        few, many = self._neighbours
        squares.partition(many, axis=1)
        nearest = np.sort(squares[:, : many + 1], axis=1)[:, [few, many]]
        return np.asarray(np.sqrt(np.maximum(nearest, 0).astype(np.float64)))
