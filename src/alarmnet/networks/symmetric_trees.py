"""Boosted symmetric trees: all nodes of a level ask the same question."""

import math
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet._shared.threads import threads_for
from alarmnet.networks.forests import DEEPEST, Forest

TREES, RATE = 200, 0.1
"""How many trees, and the share of its step that a tree takes."""

QUESTIONS = 128
"""The questions that a tree chooses from."""

APART = 1e-3
"""The share of a column's range by which cuts spread above equal values, so that rounding moves no row across."""

PENALTY = 10.0
"""Added to the weight of a leaf, so that a leaf with few rows takes a small step."""

MOST_ROWS = 2_000
"""The most normal rows, and the most anomalies, that a tree sees."""


class SymmetricForest(Forest):
    """A forest of symmetric trees; a model file holds each question once.

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
    in_files = False

    def __init__(self, level_columns: Tensor, level_cuts: Tensor, leaf_values: Tensor) -> None:
        super().__init__(**_nodes(level_columns, level_cuts, leaf_values))
        self.register_buffer("level_columns", level_columns)
        self.register_buffer("level_cuts", level_cuts)
        self.register_buffer("leaf_values", leaf_values)

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
        if columns.shape[1] > DEEPEST or values.shape != (len(columns), 2 ** columns.shape[1]):
            raise ValueError("trees have other leaves than their levels lead to")
        if not ((columns >= 0) & (columns < width)).all():
            raise ValueError("trees ask about columns that are not there")
        return cls(*(torch.from_numpy(array.copy()) for array in (columns, cuts, values)))


@torch.no_grad()
def boosted_symmetric(
    normal: Tensor, anomalies: Tensor, *, depth: int, seed: int, weight: float = 1.0
) -> SymmetricForest:
    """Boost symmetric trees that separate anomalies from normal rows; each corrects those before it.

    A tree weights the rows at random, and chooses from random questions: whether a random column is above a random
    value between those of two rows. Few labels are therefore hard to memorise, and the time hardly depends on
    the number of columns. The log odds leave out those of the classes' sizes.

    Sources: Prokhorenkova et al., "CatBoost: unbiased boosting with categorical features" (2018), for boosting
    symmetric trees with random weights; Geurts, Ernst, Wehenkel, "Extremely randomized trees" (2006), for random
    questions.

    Parameters
    ----------
    normal, anomalies
        Rows to separate, (N, F) and (K, F).
    depth
        How many questions a tree asks: as many conditions can meet.
    seed
        Of all draws.
    weight
        Of the log odds.

    Examples
    --------
    >>> normal = torch.rand(100, 2, generator=torch.Generator().manual_seed(0))
    >>> forest = boosted_symmetric(normal, normal[:5] + 1, depth=2, seed=0)
    >>> forest(torch.tensor([[0.5, 0.5], [1.5, 1.5]])).sign()
    tensor([-1.,  1.])
    """
    generator = np.random.default_rng(seed)
    sizes = [len(normal), len(anomalies)]
    rows = torch.cat([normal, anomalies]).cpu().T.contiguous()
    labels = torch.tensor([0.0, 1.0]).repeat_interleave(torch.tensor(sizes))
    ranges = rows.amax(1) - rows.amin(1)
    varying = ranges.nonzero()[:, 0] if ranges.any() else torch.tensor([0])
    odds = torch.full((sum(sizes),), math.log(sizes[1] / sizes[0]))
    columns, cuts, values = [], [], []
    with threads_for(0):
        for _ in range(TREES):
            seen, weights = _drawn(sizes, generator)
            part = rows if len(seen) == len(odds) else rows[:, seen]
            asked = varying[torch.from_numpy(generator.integers(len(varying), size=QUESTIONS))]
            ends = rows[asked, torch.from_numpy(generator.integers(len(odds), size=(2, QUESTIONS)))]
            above = ends.amax(0) + APART * ranges[asked]
            cut = ends.amin(0).lerp(above, torch.from_numpy(generator.random(QUESTIONS, dtype=np.float32)))
            share = odds[seen].sigmoid()
            gradients = weights * (labels[seen] - share)
            chosen, leaves = _chosen(part[asked].gt_(cut[:, None]), gradients, weights, depth)
            steps, curvature = (
                torch.zeros(2**depth).index_add_(0, leaves, of)
                for of in (gradients, weights * share * (1 - share))
            )
            columns.append(asked[chosen])
            cuts.append(cut[chosen])
            values.append(RATE * steps / (curvature + PENALTY))
            odds += values[-1][_leaves(rows[columns[-1]] > cuts[-1][:, None])]
    return SymmetricForest(torch.stack(columns), torch.stack(cuts), weight * torch.stack(values))


def _drawn(sizes: list[int], generator: np.random.Generator) -> tuple[Tensor, Tensor]:
    """The numbers of the rows that a tree sees, and their random weights; a few rows stand for a large class."""
    kept = [min(size, MOST_ROWS) for size in sizes]
    drawn = [
        np.arange(size) if size == count else generator.choice(size, count, replace=False)
        for size, count in zip(sizes, kept, strict=True)
    ]
    weights = np.repeat(np.divide(sizes, kept), kept) * generator.exponential(size=sum(kept))
    seen = np.concatenate([drawn[0], sizes[0] + drawn[1]])
    return torch.from_numpy(seen), torch.from_numpy(weights).float()


def _chosen(answers: Tensor, gradients: Tensor, weights: Tensor, depth: int) -> tuple[Tensor, Tensor]:
    """Choose a question for each level: their numbers (depth,), and each row's leaf (B,).

    Answers (Q, B) are 1 above a cut. A question gains the sum over nodes of the squared gradient by weight.
    """
    chosen = []
    leaves = torch.zeros(len(gradients), dtype=torch.int64)
    for level in range(depth):
        nodes = 2**level
        of_nodes = torch.zeros(len(leaves), 2 * nodes)
        of_nodes.scatter_(1, leaves[:, None], gradients[:, None])
        of_nodes.scatter_(1, nodes + leaves[:, None], weights[:, None])
        above = answers @ of_nodes
        sides = torch.stack([above, of_nodes.sum(0) - above])
        gain = (sides[..., :nodes].square() / (sides[..., nodes:] + PENALTY)).sum((0, 2))
        chosen.append(gain.argmax())
        leaves += answers[chosen[-1]].long() << level
    return torch.stack(chosen), leaves


def _leaves(answers: Tensor) -> Tensor:
    """The leaves (B,) that answers (depth, B) lead to: the answer of a level is a bit."""
    return (answers.long() << torch.arange(len(answers))[:, None]).sum(0)


def _nodes(columns: Tensor, cuts: Tensor, values: Tensor) -> dict[str, Tensor]:
    """Symmetric trees (T, depth), (T, depth) and (T, leaves) as lists of nodes, one level behind the other."""
    trees, depth = columns.shape
    levels = torch.arange(depth).repeat_interleave(2 ** torch.arange(depth))
    inner, leaves = len(levels), 2**depth
    path = torch.arange(inner) - (2**levels - 1)  # the answers so far, as bits
    left = 2 ** (levels + 1) - 1 + path
    ends = torch.arange(inner, inner + leaves)  # a leaf leads to itself
    roots = torch.arange(trees)[:, None] * (inner + leaves)

    def nodes(of_inner: Tensor, of_leaves: Tensor) -> Tensor:
        return torch.cat([of_inner.expand(trees, -1), of_leaves.expand(trees, -1)], dim=1).flatten()

    none = torch.zeros(leaves)
    return {
        "columns": nodes(columns[:, levels], none.long()),
        "cuts": nodes(cuts[:, levels], none),
        "left": nodes(left + roots, ends + roots),
        "right": nodes(left + 2**levels + roots, ends + roots),
        "values": nodes(torch.zeros(inner), values),
        "roots": roots[:, 0],
        "adds": torch.tensor(True),
    }
