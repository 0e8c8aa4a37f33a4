"""The leaves of a forest that mixtures of two rows can reach: all that is needed to score many such mixtures."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from alarmnet.networks.forests import Forest

BITS = 64
"""Columns in a word."""
AT_ONCE = 256
"""Pairs that walk down the trees together: few enough for the processor's cache."""

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
    found: list[Leaves] = []
    for start in range(0, len(columns), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        found += _of_some(forest, rows, references, (pairs[0][some], pairs[1][some]), columns[some])
    return found


def _of_some(
    forest: Forest,
    rows: NDArray[np.float32],
    references: NDArray[np.float32],
    pairs: tuple[Index, Index],
    columns: Index,
) -> list[Leaves]:
    asked, cuts = forest.columns.numpy().astype(np.int32), forest.cuts.numpy()
    children = np.stack([forest.right.numpy(), forest.left.numpy()], axis=1).astype(np.int32)
    is_leaf = children[:, 0] == np.arange(len(children))
    n_pairs = len(pairs[0])
    row_of, reference_of = ((numbers * rows.shape[1]).astype(np.int32) for numbers in pairs)
    flat_rows, flat_references = rows.ravel(), references.ravel()
    pair = np.repeat(np.arange(n_pairs, dtype=np.int32), len(forest.roots))
    node = np.tile(forest.roots.numpy().astype(np.int32), n_pairs)
    words = max(1, -(-(int(columns.max(initial=0)) + 1) // BITS))
    of_row, of_reference = np.zeros((2, len(pair), words), dtype=np.uint64)
    found = []
    while True:
        there = is_leaf[node]
        if there.any():
            found.append((pair[there], node[there], of_row[there], of_reference[there]))
            pair, node, of_row, of_reference = (part[~there] for part in (pair, node, of_row, of_reference))
        if not len(pair):
            break
        feature, cut = asked[node], cuts[node]
        row_says_yes = flat_rows[row_of[pair] + feature] <= cut
        reference_says_yes = flat_references[reference_of[pair] + feature] <= cut
        split = np.flatnonzero(row_says_yes != reference_says_yes)
        usual = children[node[split], reference_says_yes[split].view(np.int8)]
        node = children[node, row_says_yes.view(np.int8)]
        word, bit = np.divmod(columns[pair[split], feature[split]], BITS)
        bit = np.uint64(1) << bit.astype(np.uint64)
        # a column that was asked for before is the row's or the reference's already
        taken, other = (of[split, word] & bit > 0 for of in (of_row, of_reference))
        node[split[other]] = usual[other]
        free = ~taken & ~other
        split, word, bit, usual = split[free], word[free], bit[free], usual[free]
        new = np.arange(len(pair), len(pair) + len(split))
        pair, node = np.concatenate([pair, pair[split]]), np.concatenate([node, usual])
        of_row = np.concatenate([of_row, of_row[split]])
        of_reference = np.concatenate([of_reference, of_reference[split]])
        of_row[split, word] |= bit
        of_reference[new, word] |= bit
    pair, node, of_row, of_reference = (np.concatenate(parts) for parts in zip(*found, strict=True))
    values = forest.values.numpy().astype(np.float64)[node]
    some = (of_row | of_reference).any(axis=1)
    always = np.bincount(pair[~some], values[~some], minlength=n_pairs)
    order = np.flatnonzero(some)[np.argsort(pair[some], kind="stable")]
    parts = np.split(order, np.searchsorted(pair[order], np.arange(1, n_pairs)))
    return [
        Leaves(float(sum_), of_row[part], of_reference[part], values[part])
        for sum_, part in zip(always, parts, strict=True)
    ]
