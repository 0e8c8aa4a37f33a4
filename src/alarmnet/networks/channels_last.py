"""Lays out convolutions and their maps channels last, which is faster, and each gradient like its tensor."""

import threading
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def lay_out(network: nn.Module) -> None:
    """Lay the weights of convolutions out channels last, where they are not."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


_PLACING = threading.Lock()


def place(network: nn.Module, device: torch.device) -> None:
    """Bring a network to a device, laid out, where it is not so yet: other threads may be reading it."""
    with _PLACING:
        if not _placed(network, device):
            lay_out(network.to(device))


def _placed(network: nn.Module, device: torch.device) -> bool:
    return all(_there(tensor, device) for tensor in (*network.parameters(), *network.buffers())) and all(
        layer.weight.is_contiguous(memory_format=torch.channels_last)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    )


def _there(tensor: Tensor, device: torch.device) -> bool:
    return tensor.device.type == device.type and device.index in (None, tensor.device.index)


class FlatMaps(nn.Module):
    """Flattens maps that are laid out channels last; their gradient is laid out so too, which is faster.

    Shapes
    ------
    Input: (B, C, H, W). Output: (B, C * H * W).
    """

    def forward(self, maps: Tensor) -> Tensor:
        """Flatten."""
        if maps.requires_grad:
            maps.register_hook(_channels_last)  # type: ignore[no-untyped-call]
        return maps.flatten(1)


def _channels_last(gradient: Tensor) -> Tensor:
    return gradient.contiguous(memory_format=torch.channels_last)


class FirstRows(torch.autograd.Function):
    """The first of some rows, with a gradient laid out as these are, where slicing has one that is not."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, count: int) -> Tensor:
        """Take them."""
        ctx.save_for_backward(rows)
        return rows[:count]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Zero for the other rows."""
        all_rows = torch.zeros_like(*ctx.saved_tensors)
        all_rows[: len(gradients[0])] = gradients[0]
        return all_rows, None
