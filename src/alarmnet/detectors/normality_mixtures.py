"""How mixtures of a row and a normal row score: what their distances to stored rows share is computed once."""

import numpy as np
import torch
from torch import Tensor

from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.detectors.scorer import by_block
from alarmnet.explain.mixtures import Bools, Floats, Index, Matrix, different, differing, mixtures_of, once
from alarmnet.networks.nearness import Nearness, neighbour_places
from alarmnet.preprocessing.row_store import TensorRows

BLOCK = 64
"""References that are compared with stored rows at once: always as many, so that bits never depend on a batch."""


class NormalityMixtures:
    """Scores mixtures of rows and references, with the scorer's results up to rounding.

    A mixture's squared distances to the stored rows are its reference's and a change for each column that is the
    row's. Trees and networks see every mixture.

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
        self._distances = _Distances(scorer.nearness, rows, references, places)

    def __call__(self, numbers: Index, masks: Bools) -> Floats:
        """Score mixtures of pairs (V,), ascending, that have the row's columns where masks (V, C) say so."""
        starts = np.searchsorted(numbers, np.arange(len(self._rows) + 1))
        distances = np.empty((len(numbers), 2))
        for place in range(len(self._rows)):
            own = slice(starts[place], starts[place + 1])
            if own.start < own.stop:
                chosen = masks[own][:, self._columns[place]]
                distances[own] = self._distances.of(place, chosen)
        seen = torch.from_numpy(self._seen(numbers, masks))
        scorer = self._scorer
        with torch.inference_mode():
            near = scorer.nearness.measured(torch.from_numpy(distances), seen[:, 1])
            found: Tensor = scorer.combined(near, seen[:, 0], seen[:, 2:])
            return found.logsumexp(1).numpy()

    def _seen(self, numbers: Index, masks: Bools) -> Floats:
        """What the forests say, and what the scorer's `read` does, (V, 1 + n); each different row once."""
        mixtures = mixtures_of(self._rows, self._references, self._places, numbers, masks)
        scorer = self._scorer

        def see(block: Tensor) -> Tensor:
            return torch.cat([scorer.votes(block)[:, None], scorer.read(block)], dim=1)

        def all_seen(rows: Matrix) -> Floats:
            return by_block(scorer, see, TensorRows(torch.from_numpy(rows))).astype(np.float64)

        return once(all_seen, mixtures)


class _Distances:
    """Of mixtures to their neighbours among stored rows; in float64, since squares are subtracted."""

    def __init__(self, nearness: Nearness, rows: Matrix, references: Matrix, places: Index) -> None:
        distinct, self._which = different(references)
        self._rows, self._references = (
            nearness.scaled(torch.from_numpy(of)).numpy().astype(np.float64)
            for of in (rows, references[distinct])
        )
        self._stored = np.ascontiguousarray(nearness.stored.numpy().T.astype(np.float64))  # (F, M)
        self._neighbours = neighbour_places(nearness.neighbours, self._stored.shape[1])
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
