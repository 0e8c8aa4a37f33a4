"""How mixtures of a row and a normal row score by distances and a forest: what mixtures share is computed once."""

import numpy as np
import torch
from torch import Tensor

from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.detectors.scorer import by_block
from alarmnet.explain.mixtures import Bools, Floats, Index, Matrix, different, differing, mixtures_of, once
from alarmnet.networks.nearness import Nearness
from alarmnet.networks.reachable_leaves import reachable_leaves
from alarmnet.preprocessing.row_store import TensorRows

BLOCK = 64
"""References that are compared with stored rows at once: always as many, so that bits never depend on a batch."""


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
        (own, of_pair), (usual, other_of_pair) = different(rows), different(references)
        self._leaves = [
            reachable_leaves(forest, rows[own], references[usual], (of_pair, other_of_pair), columns)
            for forest in scorer.forests
        ]
        self._distances = _Distances(scorer.nearness, rows, references, places)

    def __call__(self, numbers: Index, masks: Bools) -> Floats:
        """Score mixtures of pairs (V,), ascending, that have the row's columns where masks (V, C) say so."""
        starts = np.searchsorted(numbers, np.arange(len(self._rows) + 1))
        distances, said = np.empty((len(numbers), 2)), np.empty((len(self._leaves), len(numbers)))
        for place in range(len(self._rows)):
            own = slice(starts[place], starts[place + 1])
            if own.start < own.stop:
                chosen = masks[own][:, self._columns[place]]
                distances[own] = self._distances.of(place, chosen)
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
        mixtures = mixtures_of(self._rows, self._references, self._places, numbers, masks)

        def read(rows: Matrix) -> Floats:
            stored = TensorRows(torch.from_numpy(rows))
            return by_block(self._scorer, self._scorer.read, stored).astype(np.float64)

        return once(read, mixtures)


class _Distances:
    """Of mixtures to their neighbours among stored rows; in float64, since squares are subtracted."""

    def __init__(self, nearness: Nearness, rows: Matrix, references: Matrix, places: Index) -> None:
        distinct, self._which = different(references)
        self._rows, self._references = (
            nearness.scaled(torch.from_numpy(of)).numpy().astype(np.float64)
            for of in (rows, references[distinct])
        )
        self._stored = np.ascontiguousarray(nearness.stored.numpy().T.astype(np.float64))  # (F, M)
        self._neighbours = nearness.places(self._stored.shape[1])
        self._differs, self._places = rows != references, places
        self._from_references = self._squares_from(self._references)

    def _squares_from(self, references: Floats) -> Floats:
        """Squared distances (R, M) of references (R, F)."""
        blocks = np.zeros((-(-len(references) // BLOCK), BLOCK, references.shape[1]))
        blocks.reshape(-1, references.shape[1])[: len(references)] = references
        products = np.concatenate([block @ self._stored for block in blocks])[: len(references)]
        own, stored = (references**2).sum(axis=1), (self._stored**2).sum(axis=0)
        return np.asarray(own[:, None] + stored - 2 * products)

    def of(self, place: int, chosen: Bools) -> Floats:
        """Distances (V, 2) of mixtures of a pair; `chosen` (V, c) are those of its differing columns."""
        features = np.flatnonzero(self._differs[place])
        row, reference = self._rows[place, features], self._references[self._which[place], features]
        columns = self._places[features]
        own = chosen[:, np.cumsum(np.diff(columns, prepend=columns[:1]) > 0)]  # (V, features)
        squares = (own * (2 * (reference - row))) @ self._stored[features]
        squares += self._from_references[self._which[place]]
        squares += (own @ (row**2 - reference**2))[:, None]
        squares = squares.astype(np.float32)
        few, many = self._neighbours
        squares.partition(many, axis=1)  # both at once take longer
        nearest = np.sort(squares[:, : many + 1], axis=1)[:, [few, many]]
        return np.asarray(np.sqrt(np.maximum(nearest, 0).astype(np.float64)))
