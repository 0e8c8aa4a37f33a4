"""Scores mixtures of a row and a normal row: what the mixtures share is computed once."""

import numpy as np
import torch
from torch import Tensor

from alarmnet.detectors.column_changes import ColumnChanges
from alarmnet.detectors.scorer import by_block
from alarmnet.detectors.table_scorer import TableScorer
from alarmnet.explain.mixtures import Bools, Floats, Index, Matrix, different, once
from alarmnet.networks.nearness import StoredRows, neighbour_places
from alarmnet.preprocessing.row_store import TensorRows

BLOCK = 64
"""Rows that are compared with stored rows at once: always this number, so that bits never depend on a batch."""

MIXTURES = 128
"""Mixtures whose distances are found at once, so that the distances stay in the cache."""


class NormalityMixtures:
    """Scores mixtures of rows and references, with the scorer's results up to rounding.

    A mixture is its *start*, the row or the reference, with some columns of the other one: the fewer. Its squared
    distances to the stored rows are those of its start, updated for the changed columns. If one column is changed,
    the first layers of networks are also updated, and only trees that ask about this column walk.

    Parameters
    ----------
    scorer
        On the processor.
    rows, references
        Encoded, (P, F); row by row.
    places
        The column of each encoded number, (F,), ascending.
    """

    def __init__(self, scorer: TableScorer, rows: Matrix, references: Matrix, places: Index) -> None:
        both = np.concatenate([rows, references])
        first, which = different(both)
        self._scorer, self._places = scorer, places
        self._ends, (self._rows, self._references) = both[first], which.reshape(2, -1)
        columns = (self._ends[:, places == column] for column in range(int(places.max()) + 1))
        # numbers of the different values of each column, (ends, C)
        self._values = np.stack(
            [np.unique(of, axis=0, return_inverse=True)[1].reshape(-1) for of in columns], axis=1
        )
        self._distances = _Distances(scorer.nearness, self._ends)
        self._changes = ColumnChanges(scorer, self._ends, places)

    def __call__(self, numbers: Index, masks: Bools) -> Floats:
        """Score mixtures of pairs (V,) that have the row's columns where masks (V, C) say so."""
        rows, references = self._rows[numbers], self._references[numbers]
        differs = self._values[rows] != self._values[references]
        given, missing = differs & masks, differs & ~masks
        from_rows = missing.sum(axis=1) < given.sum(axis=1)
        starts, others = np.where(from_rows, [rows, references], [references, rows])
        changed = np.where(from_rows[:, None], missing, given)
        single = changed.sum(axis=1) == 1
        found = np.empty(len(numbers))
        for some, score in ((single, self._single), (~single, self._several)):
            if some.any():
                found[some] = score(starts[some], others[some], changed[some])
        return found

    def _single(self, starts: Index, others: Index, changed: Bools) -> Floats:
        """Score starts (V,) with the one changed column (V, C) taken from others; equal mixtures once."""
        columns = changed.argmax(axis=1)
        ends, count = self._values.shape
        same_value = (starts * count + columns) * ends + self._values[others, columns]
        _, first, same = np.unique(same_value, return_index=True, return_inverse=True)
        starts, others, columns = starts[first], others[first], columns[first]
        features = self._places == columns[:, None]
        mixtures = np.where(features, self._ends[others], self._ends[starts])
        seen = self._changes.seen(mixtures, starts, others, columns)
        return self._logits(starts, others, features, seen)[same]

    def _several(self, starts: Index, others: Index, changed: Bools) -> Floats:
        """Score starts (V,) with the changed columns (V, C) taken from others."""
        features = changed[:, self._places]
        mixtures = np.where(features, self._ends[others], self._ends[starts])
        return self._logits(starts, others, features, once(self._changes.seen_of_any, mixtures))

    def _logits(self, starts: Index, others: Index, changed: Bools, seen: Floats) -> Floats:
        """Logits of mixtures (V,) from distances and the outputs of forests and the scorer's `read`, (V, 1 + n)."""
        distances = torch.from_numpy(self._distances(starts, others, changed))
        width = distances.shape[1]

        def logits(block: Tensor) -> Tensor:
            read = block[:, width:]
            return self._scorer.odds_of(block[:, :width], read[:, 0], read[:, 1:]).logsumexp(1)

        rows = TensorRows(torch.cat([distances, torch.from_numpy(seen)], dim=1))
        return by_block(self._scorer, logits, rows).astype(np.float64)


class _Distances:
    """Distances of mixtures to their neighbours among stored rows; in float64, since squares are subtracted."""

    def __init__(self, nearness: StoredRows, ends: Matrix) -> None:
        self._ends = nearness.scaled(torch.from_numpy(ends)).double()
        self._stored = nearness.stored.T.double().contiguous()  # (F, M)
        self._neighbours = neighbour_places(nearness.neighbours, self._stored.shape[1])
        padded = torch.nn.functional.pad(self._ends, (0, 0, 0, -len(ends) % BLOCK))
        products = torch.cat([block @ self._stored for block in torch.split(padded, BLOCK)])[: len(ends)]
        own, stored = self._ends.square().sum(1), self._stored.square().sum(0)
        self._squares = own[:, None] + stored - 2 * products  # (K, M)

    def __call__(self, starts: Index, others: Index, changed: Bools) -> Floats:
        """Distances (V, n) of starts (V,) with the encoded numbers of others that are changed, (V, F)."""
        found = np.empty((len(starts), len(self._neighbours)))
        ends = self._ends.numpy()
        changed = changed & (ends[starts] != ends[others])
        none = ~changed.any(axis=1)  # without a change, a number is changed to itself
        changed[none, 0], others = True, np.where(none, starts, others)
        for start in range(0, len(starts), MIXTURES):
            some = slice(start, start + MIXTURES)
            found[some] = self._of(*(torch.from_numpy(of[some]) for of in (starts, others, changed)))
        return found

    def _of(self, starts: Tensor, others: Tensor, changed: Tensor) -> Floats:
        """Distances (V, n) of mixtures in which at least one number is changed."""
        mixture, features = changed.nonzero(as_tuple=True)
        old, new = self._ends[starts[mixture], features], self._ends[others[mixture], features]
        # (new - stored)^2 - (old - stored)^2, summed over the numbers that change
        squares = self._squares[starts]
        squares.index_add_(0, mixture, self._stored[features].mul_((2 * (old - new))[:, None]))
        added = old.new_zeros(len(starts)).index_add_(0, mixture, new.square() - old.square())
        found = squares.add_(added[:, None]).float().numpy()
        most = max(self._neighbours)
        found.partition(most, axis=1)  # all at once take longer
        nearest = np.sort(found[:, : most + 1], axis=1)[:, self._neighbours]
        return np.asarray(np.sqrt(np.maximum(nearest, 0).astype(np.float64)))
