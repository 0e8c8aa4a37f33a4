"""A column's categories as one number, for trees."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn


class CategoryOrder(nn.Module):
    """Replaces the numbers of a column's categories by one: the place of the row's category in an order.

    A question about this number separates several categories from the others. A question about the number of one
    category separates that category alone. All other numbers stay as they are.

    Parameters
    ----------
    places
        The place in the output of each number of the input, (F,); numbers with the same place are added.
    factors
        What each number is multiplied by first, (F,): a category's place in its order, or 1.

    Attributes
    ----------
    width
        How many numbers the output has, C.

    Shapes
    ------
    Input: (B, F). Output: (B, C).

    Examples
    --------
    >>> order = CategoryOrder.of([[1.0], [0.5, 1.0]])  # a number; then a column with two categories
    >>> order(torch.tensor([[7.0, 1.0, 0.0], [8.0, 0.0, 1.0]])).tolist()
    [[7.0, 0.5], [8.0, 1.0]]
    """

    places: Tensor
    factors: Tensor

    def __init__(self, places: Tensor, factors: Tensor) -> None:
        super().__init__()
        self.width = int(places[-1]) + 1
        self.register_buffer("places", places)
        self.register_buffer("factors", factors)

    @classmethod
    def of(cls, groups: Iterable[Sequence[float]]) -> Self | None:
        """From groups of factors, side by side: a group's numbers are added. None if each group has one number."""
        groups = list(groups)
        if all(len(group) == 1 for group in groups):
            return None
        places = torch.arange(len(groups)).repeat_interleave(torch.tensor([len(group) for group in groups]))
        return cls(places, torch.tensor([factor for group in groups for factor in group]))

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, width: int) -> Self | None:
        """That of a model file, for rows of `width` numbers; None if it has none."""
        if f"{prefix}places" not in arrays:
            return None
        places, factors = arrays[f"{prefix}places"], arrays[f"{prefix}factors"]
        if places.dtype != np.int64 or factors.dtype != np.float32:
            raise ValueError("an order of categories is of another type")
        if places.shape != (width,) or factors.shape != (width,):
            raise ValueError("an order of categories is of other columns")
        if not np.isfinite(factors).all():
            raise ValueError("an order of categories is not finite")
        if not width or places[0] != 0 or not np.isin(np.diff(places), (0, 1)).all():
            raise ValueError("an order of categories leaves out a place")
        return cls(torch.from_numpy(places.copy()), torch.from_numpy(factors.copy()))

    def forward(self, rows: Tensor) -> Tensor:
        """Put each row's categories in order."""
        found = rows.new_zeros(len(rows), self.width)
        return found.index_add_(1, self.places, rows * self.factors)

    def columns(self, sources: NDArray[np.intp]) -> NDArray[np.intp]:
        """The columns (C,) of the output's numbers; `sources` (F,) are those of the input's."""
        found = np.empty(self.width, dtype=np.intp)
        found[self.places.numpy(force=True)] = sources
        return found
