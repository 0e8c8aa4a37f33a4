"""An alarm of trees: each sees few anomalies against a draw of normal rows, and all together vote."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.tree import ExtraTreeClassifier
from torch import Tensor, nn

Matrix = NDArray[np.float32]

DEEPEST = 64
"""Levels of a tree, at most: a damaged file cannot make scoring endless."""

AT_ONCE = 2**15
"""Places in trees that are held at once while scoring, so that these stay in the processor's cache."""

MOST_DRAWN = 1_000
"""Anomalies that a tree sees, at most: with thousands, trees would be as large as the table."""

SUREST = 1e-3
"""How near a vote comes to 0 or 1: even where all trees agree, their number is finite."""


class Forest(nn.Module):
    """Trees as arrays: a node asks whether one number of a row is at most its cut.

    Parameters
    ----------
    columns, cuts, left, right
        A node's question, and where the answers yes and no lead, (nodes,); a leaf leads to itself.
    shares
        The share of anomalies in a leaf, where both classes weigh the same, (nodes,).
    roots
        Each tree's first node, (trees,).

    Shapes
    ------
    Input: (B, F). Output: (B,), the log odds of the mean share: higher is more anomalous.

    Examples
    --------
    >>> rows = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    >>> settings = {"considered": ["sqrt"], "trees": 20, "normal_rows": 50, "smallest_leaf": 1, "seed": 0}
    >>> forest = grown(rows, bootstrapped(rows[-3:] + 1), **settings)
    >>> forest(torch.tensor([[0.1], [2.0]])).sign()
    tensor([-1.,  1.])
    """

    columns: Tensor
    cuts: Tensor
    left: Tensor
    right: Tensor
    shares: Tensor
    roots: Tensor

    def __init__(
        self, columns: Tensor, cuts: Tensor, left: Tensor, right: Tensor, shares: Tensor, roots: Tensor
    ) -> None:
        super().__init__()
        for name, values in {
            "columns": columns,
            "cuts": cuts,
            "left": left,
            "right": right,
            "shares": shares,
            "roots": roots,
        }.items():
            self.register_buffer(name, values)
        self.depth = _depth(left.numpy(force=True), right.numpy(force=True))

    @classmethod
    def of(cls, trees: Sequence[Any]) -> Self:
        """Put scikit-learn's trees (`tree_`) of two classes one behind the other."""
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        leaf = np.concatenate([tree.children_left < 0 for tree in trees])
        itself = np.arange(starts[-1])
        left, right = (
            np.where(leaf, itself, np.concatenate([getattr(tree, name) + start for tree, start in placed]))
            for name in ("children_left", "children_right")
            for placed in [list(zip(trees, starts[:-1], strict=True))]
        )
        value = np.concatenate([tree.value[:, 0, :] for tree in trees])
        columns = np.where(leaf, 0, np.concatenate([tree.feature for tree in trees]))
        cuts = np.where(leaf, 0, np.concatenate([tree.threshold for tree in trees]))
        arrays = (
            columns.astype(np.int64),
            cuts.astype(np.float32),
            left.astype(np.int64),
            right.astype(np.int64),
            (value[:, 1] / value.sum(axis=1)).astype(np.float32),
            starts[:-1].astype(np.int64),
        )
        return cls(*map(torch.from_numpy, arrays))

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, width: int) -> Self:
        """The trees that a model file holds, for rows of so many numbers."""
        names = ("columns", "cuts", "left", "right", "shares", "roots")
        columns, cuts, left, right, shares, roots = given = tuple(arrays[prefix + name] for name in names)
        nodes = len(columns)
        if not all(array.shape == (nodes,) for array in given[:-1]) or roots.ndim != 1 or not len(roots):
            raise ValueError("trees are not one list of nodes and one of roots")
        if any(array.dtype != np.int64 for array in (columns, left, right, roots)) or any(
            array.dtype != np.float32 for array in (cuts, shares)
        ):
            raise ValueError("nodes of trees are of another type")
        if not ((columns >= 0) & (columns < width)).all() or not ((roots >= 0) & (roots < nodes)).all():
            raise ValueError("trees ask about columns, or begin at nodes, that are not there")
        own = np.arange(nodes)
        leaf = (left == own) & (right == own)
        if not (leaf | ((left > own) & (right > own) & (left < nodes) & (right < nodes))).all():
            raise ValueError("nodes of trees do not lead downwards")
        if not ((shares >= 0) & (shares <= 1)).all():
            raise ValueError("shares of anomalies are not between 0 and 1")
        return cls(*(torch.from_numpy(array.copy()) for array in given))

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        trees = max(1, AT_ONCE // max(1, len(batch)))
        votes = torch.cat([self._shares(batch, roots) for roots in torch.split(self.roots, trees)], dim=1)
        return votes.mean(1).clamp(SUREST, 1 - SUREST).logit()

    def _shares(self, batch: Tensor, roots: Tensor) -> Tensor:
        """What the trees of these roots say: (B, trees)."""
        node = roots.expand(len(batch), -1)
        for _ in range(self.depth):
            yes = batch.gather(1, self.columns[node]) <= self.cuts[node]
            node = torch.where(yes, self.left[node], self.right[node])
        return self.shares[node]


def _depth(left: NDArray[Any], right: NDArray[Any]) -> int:
    """The most questions on a way from a root to a leaf; raises ValueError past `DEEPEST`."""
    depth = np.zeros(len(left), dtype=int)
    for node in range(len(left) - 1, -1, -1):
        if left[node] != node:
            depth[node] = 1 + max(depth[left[node]], depth[right[node]])
    if len(depth) and depth.max() > DEEPEST:
        raise ValueError(f"trees are deeper than {DEEPEST} levels")
    return int(depth.max(initial=0))


def grown(
    normal: Matrix,
    anomalies: Callable[[np.random.Generator], Matrix],
    *,
    considered: Sequence[str | float],
    trees: int,
    normal_rows: int,
    smallest_leaf: int,
    seed: int,
) -> Forest:
    """Grow a forest of extremely randomised trees (Geurts, Ernst, Wehenkel, 2006), each on a draw of its own.

    Few anomalies among many rows make trees that see little else than normal rows. A small draw of these for each
    tree mends that, and keeps most anomalies that nobody knows out of each. It is bagging for positive and
    unlabelled rows (Mordelet, Vert, 2014).

    Parameters
    ----------
    normal
        Rows taken as normal, (N, F).
    anomalies
        Draws a tree's anomalies, (K, F).
    considered
        How many of a row's numbers a tree considers for a cut, by turns, as scikit-learn's `max_features`.
    trees, normal_rows, smallest_leaf
        How many trees; how many of the normal rows each sees, and no fewer than anomalies; the fewest rows of a
        leaf.
    seed
        Of all draws.
    """
    generator = np.random.default_rng(seed)
    found = []
    for place in range(trees):
        strange = anomalies(generator)
        count = min(max(normal_rows, len(strange)), len(normal))
        drawn = normal[generator.choice(len(normal), count, replace=False)]
        rows = np.concatenate([drawn, strange])
        weights = np.repeat([1 / len(drawn), 1 / len(strange)], [len(drawn), len(strange)])
        tree = ExtraTreeClassifier(
            max_features=considered[place % len(considered)],
            min_samples_leaf=smallest_leaf,
            max_depth=DEEPEST,
            random_state=int(generator.integers(2**31)),
        )
        tree.fit(rows, np.repeat([0, 1], [len(drawn), len(strange)]), sample_weight=weights)
        found.append(tree.tree_)
    return Forest.of(found)


def bootstrapped(rows: Matrix) -> Callable[[np.random.Generator], Matrix]:
    """As many of the rows as there are, and `MOST_DRAWN` at most, drawn with replacement."""
    count = min(len(rows), MOST_DRAWN)
    return lambda generator: rows[generator.integers(len(rows), size=count)]


def around(rows: Matrix, count: int, *, margin: float) -> Callable[[np.random.Generator], Matrix]:
    """So many points drawn evenly from the box that holds the rows, widened by a share of its sides."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    low, width = low - margin * (high - low), (1 + 2 * margin) * (high - low)
    return lambda generator: (low + width * generator.random((count, rows.shape[1]))).astype(np.float32)
