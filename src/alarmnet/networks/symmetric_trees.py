"""Boosted symmetric trees: all nodes of a level ask the same question."""

import math
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet._shared.threads import threads_for
from alarmnet.networks.category_order import CategoryOrder
from alarmnet.networks.trees import Trees

TREES, RATE = 200, 0.1
"""How many trees, and the share of its step that a tree takes."""

QUESTIONS = 128
"""The questions that a tree chooses from."""

APART = 1e-3
"""The share of a column's range by which cuts spread above equal values, so that rounding moves no row across."""

PENALTY = 10.0
"""Added to the weight of a leaf, so that a leaf with few rows takes a small step."""

MOST_ROWS = 2_000
"""About the most normal rows, and the most anomalies, that a tree sees."""

MOST_LEVELS = 8
"""The most questions of a tree: as many bits has the number of a leaf."""

EVENLY = 0.5
"""The share of a draw that is drawn evenly; the rest is drawn by how wrong trees are about a row."""


class SymmetricForest(Trees):
    """A forest of symmetric trees, whose log odds are added.

    Parameters
    ----------
    level_columns, level_cuts
        The question of each level, (trees, depth): whether this number of a row is above this cut.
    leaf_values
        Log odds, (trees, 2 ** depth); the answer of level i is bit i of a leaf's place.
    """

    level_columns: Tensor
    level_cuts: Tensor
    leaf_values: Tensor
    adds = True

    def __init__(self, level_columns: Tensor, level_cuts: Tensor, leaf_values: Tensor) -> None:
        super().__init__()
        self.register_buffer("level_columns", level_columns)
        self.register_buffer("level_cuts", level_cuts)
        self.register_buffer("leaf_values", leaf_values)

    def __len__(self) -> int:
        """How many trees there are."""
        return len(self.leaf_values)

    def said(self, batch: Tensor, trees: NDArray[np.intp] | slice = slice(None)) -> Tensor:
        """What each of some trees says of a batch: (B, trees); its bits are the same on every device."""
        columns = self._in_order(batch).T.contiguous()
        asked, cuts = self.level_columns[trees].T, self.level_cuts[trees].T
        above = columns.index_select(0, asked.flatten()) > cuts.reshape(-1, 1)
        answers = above.view(torch.uint8).view(*asked.shape, len(batch))
        bits = 2 ** torch.arange(len(asked), dtype=torch.uint8, device=batch.device)
        leaves = (answers * bits[:, None, None]).sum(0, dtype=torch.uint8)
        return self.leaf_values[trees].gather(1, leaves.long()).T.contiguous()

    def asks(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which tree asks about which column, (trees, C); `places` (F,) are the columns of a row's numbers."""
        places = self._places(places)
        found = np.zeros((len(self), int(places.max()) + 1), dtype=bool)
        found[np.arange(len(self))[:, None], places[self._array("level_columns")]] = True
        return found

    def weighted(self, weight: float) -> Self:
        """A forest whose log odds are so many times these."""
        return type(self)(self.level_columns, self.level_cuts, weight * self.leaf_values).after(self.order)

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, width: int) -> Self:
        """The trees of a model file, for rows of `width` numbers."""
        columns, cuts, values = (
            arrays[prefix + name] for name in ("level_columns", "level_cuts", "leaf_values")
        )
        if columns.dtype != np.int64 or cuts.dtype != np.float32 or values.dtype != np.float32:
            raise ValueError("levels of trees are of another type")
        if columns.ndim != 2 or not columns.size or columns.shape != cuts.shape:
            raise ValueError("trees do not ask one question on each level")
        if columns.shape[1] > MOST_LEVELS or values.shape != (len(columns), 2 ** columns.shape[1]):
            raise ValueError("trees have other leaves than their levels lead to")
        order = CategoryOrder.stored(arrays, f"{prefix}order.", width)
        if not ((columns >= 0) & (columns < (width if order is None else order.width))).all():
            raise ValueError("trees ask about columns that are not there")
        return cls(*(torch.from_numpy(array.copy()) for array in (columns, cuts, values))).after(order)


@torch.no_grad()
def boosted_symmetric(
    normal: Tensor, anomalies: Tensor, *, depths: Sequence[int], seed: int
) -> SymmetricForest:
    """Boost symmetric trees that separate anomalies from normal rows; each corrects those before it.

    A tree weights the rows at random, and chooses from random questions: whether a random column is above a random
    value between those of two rows. Few labels are therefore hard to memorise, and the time hardly depends on
    the number of columns. Of many rows, a tree sees a draw: half of it evenly, half by how wrong the trees so far
    are; weights make up for the draw. The log odds leave out those of the classes' sizes.

    Sources: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features" (2018), for boosting
    symmetric trees with random weights; Geurts, Ernst, Wehenkel, "Extremely randomized trees" (2006), for random
    questions; Ke et al., "LightGBM: A Highly Efficient Gradient Boosting Decision Tree" (2017), for draws by the
    error.

    Parameters
    ----------
    normal, anomalies
        Rows to separate, (N, F) and (K, F).
    depths
        How many questions trees ask by turns, each at most `MOST_LEVELS`: as many conditions can meet. A tree with
        fewer than the most asks its last one again.
    seed
        Of all draws.

    Examples
    --------
    >>> normal = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    >>> forest = boosted_symmetric(normal, normal[:5] + 1, depths=[2], seed=0)
    >>> forest(torch.tensor([[0.5, 0.5], [1.5, 1.5]])).sign()
    tensor([-1.,  1.])
    """
    generator = np.random.default_rng(seed)
    sizes = [len(normal), len(anomalies)]
    rows = torch.cat([normal, anomalies]).cpu().T.contiguous()
    labels = torch.tensor([0.0, 1.0]).repeat_interleave(torch.tensor(sizes))
    ranges = rows.amax(1) - rows.amin(1)
    varying = ranges.nonzero()[:, 0] if ranges.any() else torch.tensor([0])
    odds, deepest = torch.full((sum(sizes),), math.log(sizes[1] / sizes[0])), max(depths)
    columns, cuts, values = [], [], []
    with threads_for(0), torch.inference_mode():
        for depth in islice(cycle(depths), TREES):
            share = odds.sigmoid()
            errors = labels - share
            seen, weights = _drawn(errors.abs(), sizes, generator)
            drawn, part = len(seen) < len(odds), rows
            if drawn:
                part, share = rows.index_select(1, seen), odds[seen].sigmoid()
                errors = labels[seen] - share
            asked = varying[torch.from_numpy(generator.integers(len(varying), size=QUESTIONS))]
            ends = part[asked, torch.from_numpy(generator.integers(len(seen), size=(2, QUESTIONS)))]
            above = ends.amax(0) + APART * ranges[asked]
            cut = ends.amin(0).lerp(above, torch.from_numpy(generator.random(QUESTIONS, dtype=np.float32)))
            gradients = weights * errors
            chosen = _chosen(part.index_select(0, asked).gt_(cut[:, None]), gradients, weights, depth)
            chosen += chosen[-1:] * (deepest - depth)
            columns.append(asked[chosen])
            cuts.append(cut[chosen])
            leaves = _leaves(rows[columns[-1]] > cuts[-1][:, None])
            steps, curvature = (
                torch.zeros(2**deepest).index_add_(0, leaves[seen] if drawn else leaves, of)
                for of in (gradients, weights * share * (1 - share))
            )
            values.append(RATE * steps / (curvature + PENALTY))
            odds += values[-1][leaves]
    return SymmetricForest(torch.stack(columns), torch.stack(cuts), torch.stack(values))


def _drawn(errors: Tensor, sizes: list[int], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The numbers of the rows that a tree sees, and their random weights; errors (N + K,) are those so far."""
    if max(sizes) <= MOST_ROWS:
        return torch.arange(sum(sizes)), torch.from_numpy(generator.exponential(size=sum(sizes))).float()
    seen, stand_for = [], []
    for numbers in torch.split(torch.arange(sum(sizes)), sizes):
        chances = torch.ones(len(numbers))
        if len(numbers) > MOST_ROWS:
            wrong = errors[numbers]
            chances = (MOST_ROWS * (EVENLY / len(numbers) + (1 - EVENLY) * wrong / wrong.sum())).clamp(max=1)
            drawn = torch.from_numpy(generator.random(len(numbers), dtype=np.float32)) < chances
            numbers, chances = numbers[drawn], chances[drawn]
        seen.append(numbers)
        stand_for.append(1 / chances)
    weights = generator.exponential(size=sum(map(len, seen)))
    return torch.cat(seen), torch.cat(stand_for) * torch.from_numpy(weights).float()


def _chosen(answers: Tensor, gradients: Tensor, weights: Tensor, depth: int) -> list[int]:
    """Choose a question for each of so many levels: their numbers.

    Answers (Q, B) are 1 above a cut. A question gains the sum over nodes of the squared gradient by weight.
    """
    chosen = []
    leaves = torch.zeros(len(gradients), dtype=torch.int64)
    numbers = torch.stack([gradients, weights], dim=1)[..., None]
    for level in range(depth):
        nodes = 2**level
        of_nodes = torch.zeros(len(leaves), 2, nodes)
        of_nodes.scatter_(2, leaves[:, None, None].expand_as(numbers), numbers)
        of_nodes = of_nodes.flatten(1)
        above = answers @ of_nodes
        sides = torch.stack([above, of_nodes.sum(0) - above])
        gradient, weight = sides.chunk(2, dim=2)
        gain = (gradient.square() / (weight + PENALTY)).sum((0, 2))
        chosen.append(int(gain.argmax()))
        leaves.add_(answers[chosen[-1]].long(), alpha=nodes)
    return chosen


def _leaves(answers: Tensor) -> Tensor:
    """The leaves (B,) that answers (depth, B) lead to: the answer of a level is a bit."""
    return (answers.long() << torch.arange(len(answers))[:, None]).sum(0)
