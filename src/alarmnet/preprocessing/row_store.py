"""Encoded rows, wherever and however they are kept, taken a batch at a time."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet._shared.blocks import block_size
from alarmnet.preprocessing.scales import LinearScale


def rows_at(rows: Tensor, numbers: Tensor) -> Tensor:
    """Rows (N, ...) by their numbers (B,), whatever the device of either: faster than indexing."""
    return rows.index_select(0, numbers.to(rows.device))


class RowStore(ABC):
    """N encoded rows of one `shape`, read as float32 on `device`.

    Training asks for rows by their numbers and never for all at once, so that a store may keep them in memory, in a
    memory map, on a GPU, or as the bytes that they came as.
    """

    shape: tuple[int, ...]
    device: torch.device

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def take(self, numbers: Tensor) -> Tensor:
        """Give the rows of these numbers (B,), on any device, as a new float32 tensor (B, ...) on `device`."""

    def blocks(self, numbers: Tensor | None = None) -> Iterator[Tensor]:
        """Give rows in blocks that fit in memory: those of these numbers, or all."""
        chosen = torch.arange(len(self)) if numbers is None else numbers
        return (self.take(part) for part in torch.split(chosen, block_size(self.shape)))

    def all(self) -> Tensor:
        """Give all rows at once, for those who have few."""
        return self.take(torch.arange(len(self)))

    def only(self, numbers: Tensor) -> "RowStore":
        """Give the rows of these numbers (B,) as a store of their own, without copying them."""
        return _Chosen(self, numbers)


class TensorRows(RowStore):
    """Rows that are kept as they are read: in memory, on a GPU, or as a memory map (`torch.from_numpy(np.memmap)`).

    Examples
    --------
    >>> TensorRows(torch.arange(6.0).reshape(3, 2)).take(torch.tensor([2, 0]))
    tensor([[4., 5.],
            [0., 1.]])
    """

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows
        self.shape, self.device = tuple(rows.shape[1:]), rows.device

    def __len__(self) -> int:
        return len(self._rows)

    def take(self, numbers: Tensor) -> Tensor:
        """Copy rows."""
        return rows_at(self._rows, numbers)


class PixelRows(RowStore):
    """Images that are kept as they came, such as bytes, and scaled as they are taken.

    Parameters
    ----------
    images
        Shape (N, C, H, W), finite numbers or booleans.
    scale
        Takes pixels to what networks read.
    device
        Where the images are kept.

    Examples
    --------
    >>> images = np.full((2, 1, 8, 8), 51, dtype=np.uint8)
    >>> store = PixelRows(images, LinearScale.between(0.0, 255.0), torch.device("cpu"))
    >>> store.take(torch.tensor([1]))[0, 0, 0, :2]
    tensor([0.2000, 0.2000])
    """

    def __init__(self, images: NDArray[Any], scale: LinearScale, device: torch.device) -> None:
        self._images = _as_tensor(images).to(device)
        self._scale = scale
        self.shape, self.device = tuple(self._images.shape[1:]), device

    def __len__(self) -> int:
        return len(self._images)

    def take(self, numbers: Tensor) -> Tensor:
        """Scale images, in double precision."""
        return self._scale.of_tensor(rows_at(self._images, numbers).double()).float()


class JoinedRows(RowStore):
    """The rows of one store, and those of another behind them.

    Examples
    --------
    >>> one, other = (TensorRows(torch.full((2, 1), number)) for number in (1.0, 2.0))
    >>> JoinedRows(one, other).take(torch.tensor([3, 0]))
    tensor([[2.],
            [1.]])
    """

    def __init__(self, first: RowStore, second: RowStore) -> None:
        self._first, self._second = first, second
        self.shape, self.device = first.shape, first.device

    def __len__(self) -> int:
        return len(self._first) + len(self._second)

    def take(self, numbers: Tensor) -> Tensor:
        """Take rows of each, and put them in order."""
        behind = numbers >= len(self._first)
        parts = self._first.take(numbers[~behind]), self._second.take(numbers[behind] - len(self._first))
        order = torch.cat([(~behind).nonzero()[:, 0], behind.nonzero()[:, 0]]).argsort()
        return rows_at(torch.cat(parts), order)


class _Chosen(RowStore):
    """Some rows of another store."""

    def __init__(self, rows: RowStore, numbers: Tensor) -> None:
        self._rows, self._numbers = rows, numbers
        self.shape, self.device = rows.shape, rows.device

    def __len__(self) -> int:
        return len(self._numbers)

    def take(self, numbers: Tensor) -> Tensor:
        """Take them from the other store."""
        return self._rows.take(self._numbers[numbers.to(self._numbers.device)])


_KEPT = ("uint8", "int8", "int16", "int32", "int64", "float32", "float64", "bool")
_WIDENED = {"uint16": "int32", "uint32": "int64", "float16": "float32"}


def _as_tensor(images: NDArray[Any]) -> Tensor:
    """Make a tensor that holds the same numbers; shares memory where it can."""
    name = images.dtype.name
    kind = name if name in _KEPT else _WIDENED.get(name, "float64")
    return torch.from_numpy(np.require(images, np.dtype(kind), ["C", "W"]))
