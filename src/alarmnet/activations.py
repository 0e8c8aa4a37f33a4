"""What the named layers of a network put out while it runs."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional

from alarmnet.errors import InputError


def _layers(network: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    layers = dict(network.named_modules())
    for name in names:
        if name not in layers:
            known = ", ".join(key for key in layers if key)
            raise InputError(
                f"the target has no layer {name!r}; its layers are: {known}", code="unknown_layer"
            )
    return [layers[name] for name in names]


@contextmanager
def recording(network: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """While open, every forward pass writes the named layers' outputs into the dict it yields.

    The hooks are removed on leaving, also after an error. An output that a later layer has overwritten is refused,
    as far as PyTorch keeps count.
    """
    outputs: dict[str, Tensor] = {}
    versions: dict[str, int] = {}

    def keep(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if not isinstance(output, Tensor):
                raise InputError(f"layer {name!r} puts out {type(output).__name__}; alarmnet reads tensors")
            outputs[name], versions[name] = output, _version(output)

        return hook

    read = zip(_layers(network, layers), layers, strict=True)
    handles = [layer.register_forward_hook(keep(name)) for layer, name in read]  # type: ignore[arg-type]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
    overwritten = [name for name, output in outputs.items() if _version(output) != versions[name]]
    if overwritten:
        raise InputError(
            f"what layer {overwritten[0]!r} puts out is overwritten by a layer that works in place; read that layer"
        )


def _version(tensor: Tensor) -> int:
    """How often a tensor has been written to; in inference mode nobody counts."""
    return 0 if tensor.is_inference() else tensor._version


@torch.no_grad()
def flattened(parts: Sequence[Tensor]) -> Tensor:
    """Parts of rows, each flattened, one behind the other (A3, section 3.1); without gradients.

    Maps laid out channels last are copied once, where flattening and concatenating would copy them twice.

    Shapes
    ------
    Input: parts, each (B, ...). Output: (B, all numbers).

    Examples
    --------
    >>> network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 4))
    >>> with recording(network, ["1", "3"]) as outputs:
    ...     _ = network(torch.zeros(5, 1, 8, 8))
    >>> flattened(in_order(outputs, ["3", "1"])).shape
    torch.Size([5, 76])
    """
    widths = [part.shape[1:].numel() for part in parts]
    kind = reduce(torch.promote_types, [part.dtype for part in parts])
    together = parts[0].new_empty((len(parts[0]), sum(widths)), dtype=kind)
    for part, into in zip(parts, torch.split(together, widths, dim=1), strict=True):
        into.view(part.shape).copy_(part)
    return together


def in_order(outputs: dict[str, Tensor], layers: Sequence[str]) -> list[Tensor]:
    """Return what `recording` kept, in the order of the layers."""
    unread = [name for name in layers if name not in outputs]
    if unread:
        raise InputError(f"the target's forward pass never ran the layer(s) {', '.join(unread)}")
    return [outputs[name] for name in layers]


def stacked(outputs: dict[str, Tensor], layers: Sequence[str]) -> Tensor:
    """Maps of the named layers, max-pooled to the smallest of them, one behind the other (E2E-ConvA3, section 3.1).

    Shapes
    ------
    Input: what `recording` kept, each (B, C, H, W) with channels and sizes of its own. Output:
    (B, all channels, smallest H, smallest W).

    Examples
    --------
    >>> maps = {"first": torch.zeros(2, 8, 14, 14), "second": torch.zeros(2, 16, 7, 7)}
    >>> stacked(maps, ["first", "second"]).shape
    torch.Size([2, 24, 7, 7])
    """
    maps = in_order(outputs, layers)
    height, width = min(part.shape[2] for part in maps), min(part.shape[3] for part in maps)
    return torch.cat([_pooled(part, height, width) for part in maps], dim=1)


def _pooled(part: Tensor, height: int, width: int) -> Tensor:
    """Max-pool (B, C, ...) to (B, C, height, width); by fixed windows, which is faster, where they fit."""
    if part.shape[2:] == (height, width):
        return part
    if part.shape[2] % height or part.shape[3] % width:
        return functional.adaptive_max_pool2d(part, (height, width))
    return functional.max_pool2d(part, (part.shape[2] // height, part.shape[3] // width))
