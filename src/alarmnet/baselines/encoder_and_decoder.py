"""The networks of Deep SVDD's paper, Ruff et al. (ICML 2018): rows or images to a code, and back."""

import itertools

from torch import nn

from alarmnet.errors import InputError
from alarmnet.networks.targets.dense import suggested_hidden


def _leaky() -> nn.LeakyReLU:
    return nn.LeakyReLU(0.1)


def _dense(width: int, hidden: tuple[int, ...], *, bias: bool) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder for rows (B, F), without bounded activations."""

    def stack(sizes: tuple[int, ...]) -> nn.Sequential:
        steps: list[nn.Module] = []
        for before, after in itertools.pairwise(sizes):
            steps += [nn.Linear(before, after, bias=bias, device="meta"), _leaky()]
        return nn.Sequential(*steps[:-1])

    return stack((width, *hidden)), stack((*hidden[::-1], width))


def _conv(
    shape: tuple[int, ...], hidden: tuple[int, ...], *, bias: bool
) -> tuple[nn.Sequential, nn.Sequential]:
    """Encoder and decoder for images (B, C, H, W): 5x5 convolutions and poolings, then a dense code."""
    (first, *sides), (*channels, code) = shape, hidden
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []

    def convolution(before: int, after: int) -> nn.Conv2d:
        return nn.Conv2d(before, after, 5, padding=2, bias=bias, device="meta")

    for before, after in itertools.pairwise((first, *channels)):
        norm = nn.BatchNorm2d(after, eps=1e-4, affine=bias, device="meta")
        encoder += [convolution(before, after), norm, _leaky(), nn.MaxPool2d(2, ceil_mode=True)]
        decoder = [_leaky(), nn.Upsample(size=tuple(sides)), convolution(after, before), *decoder]
        sides = [-(-side // 2) for side in sides]
    maps = (channels[-1], *sides)
    flat = maps[0] * maps[1] * maps[2]
    encoder += [nn.Flatten(), nn.Linear(flat, code, bias=bias, device="meta")]
    back = nn.Linear(code, flat, bias=bias, device="meta")
    return nn.Sequential(*encoder), nn.Sequential(back, nn.Unflatten(1, maps), *decoder, nn.Sigmoid())


def encoder_and_decoder(
    owner: object, shape: tuple[int, ...], hidden: tuple[int, ...] | None, *, bias: bool
) -> tuple[nn.Sequential, nn.Sequential]:
    """Two networks without memory for rows of this shape, (F,) or (C, H, W).

    Parameters
    ----------
    owner
        Whose parameter `hidden` is.
    hidden
        Of tables, sizes of the layers down to the code; of images, channels of the convolutions and the size of
        the code. None: by the number of columns; (8, 4, 32) for grey images and (32, 64, 128, 128) for colour.
    bias
        Whether layers have one. Without, no constant code can be learned.

    Raises
    ------
    InputError
        `hidden` names no channels for images.
    """
    if len(shape) == 1:
        return _dense(shape[0], hidden or suggested_hidden(shape[0]), bias=bias)
    if hidden is not None and len(hidden) < 2:
        raise InputError(
            f"The 'hidden' parameter of {type(owner).__name__} must name channels and a code for images. "
            f"Got {hidden!r} instead.",
            code="invalid_parameter",
        )
    return _conv(shape, hidden or ((8, 4, 32) if shape[0] == 1 else (32, 64, 128, 128)), bias=bias)
