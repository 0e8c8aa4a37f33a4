"""Trees of any shape as alarms: what each says, and what all say together."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet.networks.category_order import CategoryOrder

SUREST = 1e-3
"""How near a vote comes to 0 or 1: even if all trees agree, their number is finite."""


class Trees(nn.Module, ABC):
    """Trees that score rows.

    Attributes
    ----------
    adds
        Whether log odds are added; otherwise shares of anomalies are averaged.
    order
        Applied to rows before the trees ask about them.

    Shapes
    ------
    Input: (B, F). Output: (B,), log odds: higher is more anomalous.
    """

    adds: Tensor | bool
    order: CategoryOrder | None

    def __init__(self) -> None:
        super().__init__()
        self.order = None

    @classmethod
    @abstractmethod
    def stored(cls, arrays: Mapping[str, NDArray[Any]], prefix: str, width: int) -> Self:
        """The trees of a model file, for rows of `width` numbers."""

    @abstractmethod
    def said(self, batch: Tensor, trees: NDArray[np.intp] | slice = slice(None)) -> Tensor:
        """What each of some trees says of a batch: (B, trees); its bits are the same on every device."""

    @abstractmethod
    def asks(self, places: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which tree asks about which column, (trees, C); `places` (F,) are the columns of a row's numbers."""

    @abstractmethod
    def __len__(self) -> int:
        """How many trees there are."""

    def after(self, order: CategoryOrder | None) -> Self:
        """Read rows in this order from now on: the trees were grown on such rows."""
        self.order = order
        return self

    def forward(self, batch: Tensor) -> Tensor:
        """Score a batch."""
        return self.log_odds(self.said(batch).sum(1))

    def log_odds(self, said: Tensor) -> Tensor:
        """What all trees say together (B,), as log odds."""
        return said if self.adds else (said / len(self)).clamp(SUREST, 1 - SUREST).logit()

    def _in_order(self, batch: Tensor) -> Tensor:
        return batch if self.order is None else self.order(batch)

    def _places(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        return places if self.order is None else self.order.columns(places)

    def _array(self, name: str) -> NDArray[Any]:
        """A tensor of the trees as numpy has it."""
        return np.asarray(self.get_buffer(name).numpy(force=True))
