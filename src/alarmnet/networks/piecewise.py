"""Numbers as pieces of their distribution: a first layer that is learned by counting, not by training."""

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

SHARES = (0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5)
"""The shares of rows below the knots up to one half; the knots above are their mirror image. Knots are close in
the tails, where anomalies are."""

MOST_PIECES = 4_000
"""The most pieces of all columns: networks on thousands of columns would read mostly pieces, and train slowly."""


class PiecewiseLinearEncoding(nn.Module):
    """Piecewise linear encoding: the inputs, then where each number lies among the quantiles of normal rows.

    A number becomes one piece for each gap between neighbouring knots: 0 below the gap, 1 above it, and linear
    within, so that a linear layer can weigh every range of a number by itself. Columns of two values stay as they
    are, and each of many columns has fewer pieces. Source: Gorishniy, Rubachev, Babenko, "On Embeddings for
    Numerical Features" (2022), section 3.2.

    Shapes
    ------
    Input: (B, F). Output: (B, F + pieces).

    Examples
    --------
    >>> pieces = PiecewiseLinearEncoding.learned_from(torch.arange(5.0)[:, None])
    >>> pieces(torch.tensor([[4.0]])).min()
    tensor(1.)
    """

    columns: Tensor
    low: Tensor
    width: Tensor

    def __init__(self, columns: Tensor, low: Tensor, width: Tensor) -> None:
        super().__init__()
        self.register_buffer("columns", columns)
        self.register_buffer("low", low)
        self.register_buffer("width", width)

    @classmethod
    def learned_from(cls, rows: Tensor) -> Self:
        """Learn the knots of every column of (N, F)."""
        matrix = rows.numpy(force=True)
        shares = np.array([*SHARES, *(1 - share for share in SHARES[-2::-1])])
        numbers = [place for place, column in enumerate(matrix.T) if len(np.unique(column)) > 2]
        most = min(len(shares) - 1, MOST_PIECES // max(1, len(numbers)))
        chosen = shares[np.linspace(0, len(shares) - 1, most + 1).round().astype(int)]
        columns, knots = [], []
        for place in numbers if most > 1 else []:  # one piece says no more than the number itself
            found = np.unique(np.quantile(matrix[:, place], chosen).astype(np.float32))
            if len(found) > 1:
                columns.append(np.full(len(found) - 1, place))
                knots.append(np.stack([found[:-1], np.diff(found)]))
        if not columns:
            return cls(
                *(torch.zeros(0, dtype=dtype) for dtype in (torch.int64, torch.float32, torch.float32))
            )
        low, width = np.concatenate(knots, axis=1)
        return cls(*map(torch.from_numpy, (np.concatenate(columns), low.copy(), width.copy())))

    @classmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, inputs: int) -> Self:
        """The pieces of so many inputs that a model file holds."""
        columns, low, width = (arrays[prefix + name] for name in ("columns", "low", "width"))
        if not (columns.ndim == 1 and columns.shape == low.shape == width.shape):
            raise ValueError("pieces are not one list of columns, ends and widths")
        if not ((columns >= 0) & (columns < inputs)).all() or not (width > 0).all():
            raise ValueError("pieces are of columns that are not there, or not wider than nothing")
        return cls(*(torch.from_numpy(array.copy()) for array in (columns, low, width)))

    def __len__(self) -> int:
        return len(self.columns)

    def read_from(self, inputs: int) -> Tensor:
        """Which of so many inputs each number that comes out is read from, (F + pieces,)."""
        return torch.cat([torch.arange(inputs, device=self.columns.device), self.columns])

    def forward(self, batch: Tensor) -> Tensor:
        """Cut a batch into pieces."""
        inputs = batch.shape[1]
        # taken out together, since putting pieces behind the inputs afterwards would copy them
        cut = batch.index_select(1, self.read_from(inputs))
        cut[:, inputs:].sub_(self.low).div_(self.width).clamp_(0, 1)
        return cut
