"""Tails: how rare the values of a row are among normal rows, column by column."""

import torch
from torch import Tensor, nn

from alarmnet.networks.nearness import NEAREST

EQUAL = 4e-6
"""How far an encoded number may lie from a stored one that it equals, because both were rounded to 32 bits. It must
also be nearer to this one than to the other stored ones: in a long tail, numbers are closer together."""


class Tails(nn.Module):
    """A measure of a row's distance from the normal rows: how far its values lie in the columns' tails.

    A value's left tail is the share of stored normal rows with at most this value; its right tail is the share with
    at least this value. Negative logarithms of tails are summed over the columns: of left tails, of right tails,
    and of the tails to which the columns are skewed. The measure is the logarithm of the largest sum, in standard
    deviations above the mean of normal rows.

    Source: Li, Zhao, Hu, Botta, Ionescu, Chen, "ECOD: Unsupervised Outlier Detection Using Empirical Cumulative
    Distribution Functions" (2022), section 4.

    Shapes
    ------
    Input: (B, F). Output: (B, 1), higher is rarer.

    Examples
    --------
    >>> normal = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
    >>> tails = Tails(3)
    >>> tails.learn(normal, torch.ones(3))
    >>> tails(torch.tensor([[0.0, 0.0, 0.0], [4.0, 0.0, 4.0]]))[:, 0] > 2
    tensor([False,  True])
    """

    ordered: Tensor
    starts: Tensor
    ends: Tensor
    """After how many of the ordered values the values that equal each of them start and end, (F, M)."""
    nearly: Tensor
    """How far a value may lie from each of the ordered values that it equals, (F, M)."""
    skewed_left: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("ordered", torch.zeros(width, 1), persistent=False)
        self.register_buffer("starts", torch.zeros(width, 1, dtype=torch.int64), persistent=False)
        self.register_buffer("ends", torch.ones(width, 1, dtype=torch.int64), persistent=False)
        self.register_buffer("nearly", torch.zeros(width, 1), persistent=False)
        self.register_buffer("skewed_left", torch.zeros(width, 1, dtype=torch.bool), persistent=False)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def learn(self, rows: Tensor, scale: Tensor) -> None:
        """Learn from the stored normal rows (M, F), which are encoded rows times a scale (F,)."""
        self.order(rows, scale)
        raw = self._raw(rows)
        self.mean, self.deviation = raw.mean(), raw.std(correction=0).clamp(min=1e-3)

    def order(self, rows: Tensor, scale: Tensor) -> None:
        """Sort the columns of stored rows (M, F); model files hold the rows, and not their order."""
        self.ordered = rows.T.contiguous().sort(dim=1).values
        self.starts, self.ends = (
            torch.searchsorted(self.ordered, self.ordered, right=right) for right in (False, True)
        )
        beyond = nn.functional.pad(self.ordered, (1, 0), value=-torch.inf)
        before = self.ordered - beyond.gather(1, self.starts)
        beyond = nn.functional.pad(self.ordered, (0, 1), value=torch.inf)
        after = beyond.gather(1, self.ends) - self.ordered
        self.nearly = torch.minimum(EQUAL * scale[:, None], torch.minimum(before, after) / 2)
        exact = rows.double()
        self.skewed_left = (exact - exact.mean(0)).pow(3).mean(0)[:, None] < 0

    def forward(self, rows: Tensor) -> Tensor:
        """Measure rows."""
        return ((self._raw(rows) - self.mean) / self.deviation)[:, None]

    def _raw(self, rows: Tensor) -> Tensor:
        columns, count = rows.T.contiguous(), self.ordered.shape[1]
        below = torch.searchsorted(self.ordered, columns)
        upper, lower = below.clamp(max=count - 1), (below - 1).clamp(min=0)
        short, over = self.ordered.gather(1, upper) - columns, columns - self.ordered.gather(1, lower)
        is_upper = (short >= 0) & (short <= self.nearly.gather(1, upper))
        is_lower = (over >= 0) & (over <= self.nearly.gather(1, lower)) & ~is_upper
        at_most = torch.where(is_upper, self.ends.gather(1, upper), below)
        below = torch.where(is_lower, self.starts.gather(1, lower), below)
        rarities = (
            -(torch.arange(count + 1, device=rows.device) / count).clamp(min=0.5 / count).log().double()
        )
        varies = self.ordered[:, :1] < self.ordered[:, -1:]
        left, right = (rarities[of] * varies for of in (at_most, count - below))
        skewed = torch.where(self.skewed_left, left, right)
        sums = torch.stack([of.sum(0) for of in (left, right, skewed)])
        return (sums.amax(0) + NEAREST).log().to(rows.dtype)
