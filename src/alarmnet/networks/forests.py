"""Forests as alarms: each tree is grown on the known anomalies and a small draw of normal rows."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from sklearn import config_context
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor
from torch import Tensor

from alarmnet.networks.category_order import CategoryOrder
from alarmnet.networks.compiled_trees import AVAILABLE, CompiledTrees, warn_of_slow_trees
from alarmnet.networks.trees import Trees

Matrix = NDArray[np.float32]
Draw = Callable[[np.random.Generator], Matrix]

TREES = 200
BAGS, ROUNDS, RATE = 20, 20, 0.2
"""The draws that trees are boosted on, the boosted trees for each, and the share of its step that a tree takes."""

BOOSTED_DEPTH, BOOSTED_INPUTS = 3, 0.3
"""The levels of a boosted tree, and the share of a row's numbers that it considers for a cut."""

FLATTEST = 1e-150
"""The least curvature of a leaf's loss for which the leaf takes a step."""

TYPES = {
    "columns": np.int64,
    "cuts": np.float32,
    "left": np.int64,
    "right": np.int64,
    "values": np.float32,
    "roots": np.int64,
    "adds": np.bool_,
}
"""The types of a forest's arrays."""

DEEPEST = 64
"""The most levels of a tree, so that a damaged file cannot make scoring endless."""

AT_ONCE = 2**15
"""Places in trees that tensors hold at once while scoring, so that these stay in the cache."""

MOST_DRAWN = 1_000
"""The most anomalies that a tree sees: with thousands, trees would be as large as the table."""


class Forest(Trees):
    """Trees as arrays: a node asks whether one number of a row is at most its cut.

    Parameters
    ----------
    columns, cuts, left, right
        A node's question, and where the answers yes and no lead, (nodes,); a leaf leads to itself.
    values
        A leaf's value, (nodes,): the share of anomalies, with equal weights of both classes, or log odds.
    roots
        Each tree's first node, (trees,).
    adds
        Whether log odds are added; otherwise shares are averaged, ().

    Shapes
    ------
    Input: (B, F). Output: (B,), log odds: higher is more anomalous.

    Examples
    --------
    >>> rows = np.linspace(0, 1, 100, dtype=np.float32)[:, None]
    >>> forest = grown(rows, bootstrapped(rows[-3:] + 1), considered=["sqrt"], normal_rows=50, seed=0)
    >>> forest(torch.tensor([[0.1], [2.0]])).sign()
    tensor([-1.,  1.])
    """

    columns: Tensor
    cuts: Tensor
    left: Tensor
    right: Tensor
    values: Tensor
    roots: Tensor
    adds: Tensor

    def __init__(self, **arrays: Tensor) -> None:
        super().__init__()
        for name, values in arrays.items():
            self.register_buffer(name, values)
        self.depth = _depth(*(self._array(name) for name in ("left", "right", "roots")))

    @classmethod
    def of(cls, trees: Sequence[Any], values: NDArray[np.floating[Any]], *, adds: bool) -> Self:
        """Put scikit-learn's trees (`tree_`) one behind the other; `values` are all their nodes'."""
        starts = np.cumsum([0, *(tree.node_count for tree in trees)])
        leaf = np.concatenate([tree.children_left < 0 for tree in trees])

        def children(name: str) -> NDArray[np.int64]:
            found = [getattr(tree, name) + start for tree, start in zip(trees, starts[:-1], strict=True)]
            return np.where(leaf, np.arange(starts[-1]), np.concatenate(found))

        arrays = {
            "columns": np.where(leaf, 0, np.concatenate([tree.feature for tree in trees])),
            "cuts": np.where(leaf, 0, np.concatenate([tree.threshold for tree in trees])).astype(np.float32),
            "left": children("children_left"),
            "right": children("children_right"),
            "values": values.astype(np.float32),
            "roots": starts[:-1],
            "adds": np.array(adds),
        }
        return cls(**{name: torch.from_numpy(array) for name, array in arrays.items()})

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, width: int) -> Self:
        """The trees of a model file, for rows of `width` numbers."""
        given = {name: arrays[prefix + name] for name in TYPES}
        order = CategoryOrder.stored(arrays, f"{prefix}order.", width)
        if any(array.dtype != TYPES[name] for name, array in given.items()):
            raise ValueError("nodes of trees are of another type")
        nodes = given["columns"].shape
        roots, left, right = given["roots"], given["left"], given["right"]
        lists = all(given[name].shape == nodes for name in ("cuts", "left", "right", "values"))
        if not lists or len(nodes) != 1 or roots.ndim != 1 or not len(roots) or given["adds"].shape:
            raise ValueError("trees are not one list of nodes and one of roots")
        known = (given["columns"] >= 0) & (given["columns"] < (width if order is None else order.width))
        ends = np.append(roots[1:], nodes[0])
        if not known.all() or roots[0] != 0 or not (roots < ends).all():
            raise ValueError("trees ask about columns, or begin at nodes, that are not there")
        own, end = np.arange(nodes[0]), np.repeat(ends, ends - roots)
        leaf = (left == own) & (right == own)
        if not (leaf | ((left > own) & (right > own) & (left < end) & (right < end))).all():
            raise ValueError("nodes of trees do not lead downwards in their tree")
        return cls(**{name: torch.from_numpy(array.copy()) for name, array in given.items()}).after(order)

    def __len__(self) -> int:
        """How many trees there are."""
        return len(self.roots)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_compiled"}

    def said(self, batch: Tensor, trees: NDArray[np.intp] | slice = slice(None)) -> Tensor:
        """What each of some trees says of a batch: (B, trees); its bits are the same on every device."""
        batch = self._in_order(batch)
        if batch.device.type == "cpu":
            if AVAILABLE:
                return torch.from_numpy(self._compiled.said(batch.numpy(force=True), trees))
            warn_of_slow_trees()
        at_once = max(1, AT_ONCE // max(1, len(batch)))
        split = torch.split(self.roots[trees], at_once)
        return torch.cat([self._said(batch, roots) for roots in split], dim=1)

    def asks(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which tree asks about which column, (trees, C); `places` (F,) are the columns of a row's numbers."""
        places = self._places(places)
        roots, own = self._array("roots"), np.arange(len(self.columns))
        inner = own[self._array("left") != own]
        found = np.zeros((len(roots), int(places.max()) + 1), dtype=bool)
        found[np.searchsorted(roots, inner, side="right") - 1, places[self._array("columns")[inner]]] = True
        return found

    def _said(self, batch: Tensor, roots: Tensor) -> Tensor:
        """The votes of the trees with these roots: (B, trees)."""
        node = roots.expand(len(batch), -1)
        for _ in range(self.depth):
            yes = batch.gather(1, self.columns[node]) <= self.cuts[node]
            node = torch.where(yes, self.left[node], self.right[node])
        return self.values[node]

    @functools.cached_property
    def _compiled(self) -> CompiledTrees:
        """The compiled trees, made when rows are first scored; a copy makes its own."""
        return CompiledTrees({name: self._array(name) for name in TYPES})


def _depth(left: NDArray[Any], right: NDArray[Any], roots: NDArray[Any]) -> int:
    """The most questions on a path from a root to a leaf; raises ValueError past `DEEPEST`."""
    nodes = roots
    for depth in range(DEEPEST + 1):
        nodes = nodes[left[nodes] != nodes]
        if not len(nodes):
            return depth
        reached = np.zeros(len(left), dtype=bool)
        reached[left[nodes]] = reached[right[nodes]] = True
        nodes = np.flatnonzero(reached)
    raise ValueError(f"trees are deeper than {DEEPEST} levels")


def grown(
    normal: Matrix,
    anomalies: Draw,
    *,
    considered: Sequence[str | float],
    normal_rows: int,
    seed: int,
    smallest_leaf: int = 1,
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
    normal_rows
        How many of the normal rows a tree sees; no fewer than anomalies.
    seed
        Of all draws.
    smallest_leaf
        The fewest rows of a leaf.
    """
    found = []
    random_state = np.random.RandomState()  # to seed one is faster than to make one
    with _unchecked():
        for place, (lesson, chance) in enumerate(_lessons(normal, anomalies, TREES, normal_rows, seed)):
            random_state.seed(chance)
            # of labels 0 and 1, squared errors choose the cuts that Gini impurity chooses, in less time
            tree = ExtraTreeRegressor(
                max_features=considered[place % len(considered)],
                min_samples_leaf=smallest_leaf,
                max_depth=DEEPEST,
                random_state=random_state,
            )
            found.append(lesson.learned_by(tree, lesson.labels))
    return Forest.of(found, np.concatenate([tree.value[:, 0, 0] for tree in found]), adds=False)


def boosted(normal: Matrix, anomalies: Draw, *, normal_rows: int, seed: int) -> Forest:
    """Boost small trees, anew on each of a few draws, and take the mean of their log odds.

    Source: EasyEnsemble (Liu, Wu, Zhou, "Exploratory Undersampling for Class-Imbalance Learning", 2009), with
    gradient boosting. Parameters are as in `grown`.
    """
    trees, values = [], []
    random_state = np.random.RandomState()
    with _unchecked():
        for lesson, chance in _lessons(normal, anomalies, BAGS, normal_rows, seed):
            random_state.seed(chance)
            odds = np.zeros(len(lesson.rows))
            for _ in range(ROUNDS):
                share = expit(odds)
                errors = lesson.labels - share
                tree = DecisionTreeRegressor(
                    max_depth=BOOSTED_DEPTH, max_features=BOOSTED_INPUTS, random_state=random_state
                )
                trees.append(lesson.learned_by(tree, errors))
                leaves = trees[-1].apply(lesson.rows)
                steps, curvature = (
                    np.bincount(leaves, lesson.weights * of, trees[-1].node_count)
                    for of in (errors, share * (1 - share))
                )
                steps = np.divide(steps, curvature, out=np.zeros_like(steps), where=curvature > FLATTEST)
                values.append(steps)
                odds += RATE * steps[leaves]
    return Forest.of(trees, np.concatenate(values) * (RATE / BAGS), adds=True)


def _unchecked() -> AbstractContextManager[None]:
    """Skip scikit-learn's checks of each tree, since many small trees are grown."""
    return config_context(skip_parameter_validation=True, assume_finite=True)  # type: ignore[no-any-return]


class Lesson(NamedTuple):
    """Rows to grow a tree on, (N, F); 1 for anomalies; and weights by which both classes count the same."""

    rows: Matrix
    labels: NDArray[np.float64]
    weights: NDArray[np.float64]

    def learned_by(self, tree: Any, values: NDArray[np.float64]) -> Any:
        """The `tree_` of one of scikit-learn's trees that learns these values of the rows, (N,)."""
        return tree.fit(self.rows, values, sample_weight=self.weights, check_input=False).tree_


def _lessons(
    normal: Matrix, anomalies: Draw, count: int, normal_rows: int, seed: int
) -> Iterator[tuple[Lesson, int]]:
    """Draws of normal rows and of anomalies, and a seed for what is grown on each."""
    generator = np.random.default_rng(seed)
    for _ in range(count):
        strange = anomalies(generator)
        most = min(max(normal_rows, len(strange)), len(normal))
        drawn = normal[generator.choice(len(normal), most, replace=False)]
        sizes = [len(drawn), len(strange)]
        weights = np.repeat([0.5 / size for size in sizes], sizes)
        lesson = Lesson(np.concatenate([drawn, strange]), np.repeat([0.0, 1.0], sizes), weights)
        yield lesson, int(generator.integers(2**31))


def bootstrapped(rows: Matrix) -> Draw:
    """As many of the rows as there are, and `MOST_DRAWN` at most, drawn with replacement."""
    count = min(len(rows), MOST_DRAWN)
    return lambda generator: rows[generator.integers(len(rows), size=count)]


def around(rows: Matrix, count: int, *, margin: float) -> Draw:
    """So many points drawn evenly from the box that holds the rows, widened by a share of its sides."""
    low, high = rows.min(axis=0), rows.max(axis=0)
    low, width = low - margin * (high - low), (1 + 2 * margin) * (high - low)
    return lambda generator: (low + width * generator.random((count, rows.shape[1]))).astype(np.float32)
