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
    `of_row` and `of_reference` (L, words) have a bit for each column, `values` is (L,).
    """

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
        return np.asarray(reached @ self.values)


def reachable_leaves(
    forest: Forest, rows: NDArray[np.float32], references: NDArray[np.float32], columns: Index
) -> list[Leaves]:
    """Find those of every pair.

    Parameters
    ----------
    forest
        On the processor.
    rows, references
        (P, F); pair by pair.
    columns
        The column of each number of a pair, (P, F), counted from 0; only where both rows differ is it read.
    """
    asked, cuts = forest.columns.numpy(), forest.cuts.numpy()
    left, right = forest.left.numpy(), forest.right.numpy()
    row_says_yes, reference_says_yes = rows[:, asked] <= cuts, references[:, asked] <= cuts
    trees = len(forest.roots)
    pair, node = np.repeat(np.arange(len(rows)), trees), np.tile(forest.roots.numpy(), len(rows))
    words = max(1, -(-(int(columns.max(initial=0)) + 1) // BITS))
    of_row, of_reference = np.zeros((2, len(pair), words), dtype=np.uint64)
    for _ in range(forest.depth):
        yes, no = left[node], right[node]
        mine, usual = row_says_yes[pair, node], reference_says_yes[pair, node]
        split = np.flatnonzero((mine != usual) & (yes != no))
        column = columns[pair[split], asked[node[split]]]
        bit = np.zeros((len(split), words), dtype=np.uint64)
        bit[np.arange(len(split)), column // BITS] = np.uint64(1) << (column % BITS).astype(np.uint64)
        by_reference, other_bits = of_row[split], of_reference[split] | bit
        of_row[split] |= bit
        pair = np.concatenate([pair, pair[split]])
        node = np.concatenate([np.where(mine, yes, no), np.where(usual, yes, no)[split]])
        of_row = np.concatenate([of_row, by_reference])
        of_reference = np.concatenate([of_reference, other_bits])
        possible = ~(of_row & of_reference).any(axis=1)
        pair, node = pair[possible], node[possible]
        of_row, of_reference = of_row[possible], of_reference[possible]
    order = np.argsort(pair, kind="stable")
    values = forest.values.numpy().astype(np.float64)[node]
    parts = np.split(order, np.searchsorted(pair[order], np.arange(1, len(rows))))
    return [Leaves(of_row[part], of_reference[part], values[part]) for part in parts]
