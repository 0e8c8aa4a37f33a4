"""What the layers of a network put out while it runs."""

from collections.abc import Iterable, Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional


def run_through(
    steps: Iterable[tuple[str, nn.Module]], batch: Tensor, read: Sequence[str]
) -> tuple[Tensor, list[Tensor]]:
    """Run named steps one after the other: what comes out last, and what those in `read` put out, in their order.

    Examples
    --------
    >>> network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> output, [hidden] = run_through(network.named_children(), torch.zeros(5, 3), ["1"])
    >>> hidden.shape, output.shape
    (torch.Size([5, 4]), torch.Size([5, 2]))
    """
    found: dict[str, Tensor] = {}
    for name, step in steps:
        batch = step(batch)
        if name in read:
            found[name] = batch
    return batch, [found[name] for name in read]


def names_within(part: str, layers: Sequence[str]) -> list[str]:
    """Names of layers as the part of the network that they are in has them, for those that are in it.

    >>> names_within("encoder", ["encoder.relu1", "decoder.relu1"])
    ['relu1']
    """
    return [name.removeprefix(f"{part}.") for name in layers if name.startswith(f"{part}.")]


def flattened(parts: Sequence[Tensor]) -> Tensor:
    """Parts of rows, each flattened, one behind the other (A3, section 3.1).

    Without gradients, maps laid out channels last are copied once; flattening and concatenating copies them twice.

    Shapes
    ------
    Input: parts, each (B, ...). Output: (B, all numbers).

    Examples
    --------
    >>> flattened([torch.zeros(5, 2, 6, 6), torch.zeros(5, 4)]).shape
    torch.Size([5, 76])
    """
    if torch.is_grad_enabled():
        return torch.cat([part.flatten(1) for part in parts], dim=1)
    widths = [part.shape[1:].numel() for part in parts]
    kind = reduce(torch.promote_types, [part.dtype for part in parts])
    together = parts[0].new_empty((len(parts[0]), sum(widths)), dtype=kind)
    for part, into in zip(parts, torch.split(together, widths, dim=1), strict=True):
        into.view(part.shape).copy_(part)
    return together


def peaks(maps: Tensor) -> Tensor:
    """The largest activation of each channel, wherever it is.

    Shapes
    ------
    Input: (B, C, ...). Output: (B, C); activations without places, (B, C), stay as they are.

    Examples
    --------
    >>> peaks(torch.arange(8.0).reshape(1, 2, 2, 2))
    tensor([[3., 7.]])
    """
    if maps.dim() == 4:  # ten times as fast as amax where channels are laid out last
        return functional.max_pool2d(maps, (maps.shape[2], maps.shape[3])).flatten(1)
    return maps if maps.dim() == 2 else maps.flatten(2).amax(2)


def stacked(maps: Sequence[Tensor]) -> Tensor:
    """Maps, max-pooled to the smallest of them, one behind the other (E2E-ConvA3, section 3.1).

    Shapes
    ------
    Input: maps, each (B, C, H, W) with channels and sizes of its own. Output: (B, all channels, smallest H,
    smallest W).

    Examples
    --------
    >>> stacked([torch.zeros(2, 8, 14, 14), torch.zeros(2, 16, 7, 7)]).shape
    torch.Size([2, 24, 7, 7])
    """
    height, width = min(part.shape[2] for part in maps), min(part.shape[3] for part in maps)
    return torch.cat([_pooled(part, height, width) for part in maps], dim=1)


def _pooled(part: Tensor, height: int, width: int) -> Tensor:
    """Max-pool (B, C, ...) to (B, C, height, width); by fixed windows, which is faster, where they fit."""
    if part.shape[2:] == (height, width):
        return part
    if part.shape[2] % height or part.shape[3] % width:
        return functional.adaptive_max_pool2d(part, (height, width))
    return functional.max_pool2d(part, (part.shape[2] // height, part.shape[3] // width))
