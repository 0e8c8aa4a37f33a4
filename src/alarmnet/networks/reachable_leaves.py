"""The leaves of a forest that mixtures of two rows can reach: all that is needed to score many such mixtures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alarmnet.networks.forests import Forest

BITS = 64
"""Columns in a word."""

Words = NDArray[np.uint64]
Index = NDArray[np.intp]


class Leaves(NamedTuple):
    """Leaves that mixtures of a pair of rows can reach, and whose of both rows the columns must be for it.

    Shapes
    ------
    `of_row` and `of_reference` (L, words) have a bit for each column, `values` is (L,). `always` is the sum of the
    leaves that every mixture reaches.
    """

    always: float
    of_row: Words
    of_reference: Words
    values: NDArray[np.float64]

    def said(self, chosen: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The sum over trees (V,) for mixtures with these columns (V, c) of the row."""
        reached = np.ones((len(chosen), len(self.values)), dtype=bool)
        for word, (of_row, of_reference) in enumerate(zip(self.of_row.T, self.of_reference.T, strict=True)):
            bits = chosen[:, word * BITS : (word + 1) * BITS]
            mask = (bits << np.arange(bits.shape[1], dtype=np.uint64)).sum(axis=1, dtype=np.uint64)
            reached &= mask[:, None] & (of_row | of_reference) == of_row
        return np.asarray(reached @ self.values + self.always)


def reachable_leaves(
    forest: Forest,
    rows: NDArray[np.float32],
    references: NDArray[np.float32],
    pairs: tuple[Index, Index],
    columns: Index,
) -> list[Leaves]:
    """Find those of every pair.

    Parameters
    ----------
    forest
        On the processor.
    rows, references
        (N, F) and (R, F).
    pairs
        The numbers of each pair's row and reference, (P,) each.
    columns
        The column of each number of a pair, (P, F), counted from 0; only where both rows differ is it read.
    """
    asked, cuts = forest.columns.numpy(), forest.cuts.numpy()
    left, right = forest.left.numpy(), forest.right.numpy()
    of_pair, other_of_pair = pairs
    trees, n_pairs, nodes = len(forest.roots), len(of_pair), len(asked)
    row_next, usual_next = (
        np.where(batch[:, asked] <= cuts, left, right).ravel() for batch in (rows, references)
    )
    pair, node = np.repeat(np.arange(n_pairs), trees), np.tile(forest.roots.numpy(), n_pairs)
    words = max(1, -(-(int(columns.max(initial=0)) + 1) // BITS))
    of_row, of_reference = np.zeros((2, len(pair), words), dtype=np.uint64)
    for _ in range(forest.depth):
        mine, usual = row_next[of_pair[pair] * nodes + node], usual_next[other_of_pair[pair] * nodes + node]
        split = np.flatnonzero(mine != usual)
        word, bit = np.divmod(columns[pair[split], asked[node[split]]], BITS)
        bit = np.uint64(1) << bit.astype(np.uint64)
        # a column that was asked for before is the row's or the reference's already
        taken, other = (of[split, word] & bit > 0 for of in (of_row, of_reference))
        node = mine
        node[split[other]] = usual[split[other]]
        free = ~taken & ~other
        split, word, bit = split[free], word[free], bit[free]
        pair, node = np.concatenate([pair, pair[split]]), np.concatenate([node, usual[split]])
        by_reference = np.arange(len(of_row), len(pair))
        of_row = np.concatenate([of_row, of_row[split]])
        of_reference = np.concatenate([of_reference, of_reference[split]])
        of_row[split, word] |= bit
        of_reference[by_reference, word] |= bit
    values = forest.values.numpy().astype(np.float64)[node]
    some = (of_row | of_reference).any(axis=1)
    always = np.bincount(pair[~some], values[~some], minlength=n_pairs)
    order = np.flatnonzero(some)[np.argsort(pair[some], kind="stable")]
    parts = np.split(order, np.searchsorted(pair[order], np.arange(1, n_pairs)))
    return [
        Leaves(float(said), of_row[part], of_reference[part], values[part])
        for said, part in zip(always, parts, strict=True)
    ]
