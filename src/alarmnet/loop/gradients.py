"""What the queue reads of images: where they have edges, and in which directions."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

DIRECTIONS, CELLS, SMOOTHED = 8, 7, 5
"""Directions told apart, cells along each side of an image, and pixels over which an edge is spread."""

AT_ONCE = 256
"""Images at once."""


def gradient_histograms(images: torch.Tensor) -> NDArray[np.float32]:
    """Give how much each cell of each image changes in each direction (N, `DIRECTIONS` * `CELLS`**2).

    Two images of the same kind are nearer to each other in these histograms than pixel by pixel: a moved or a
    thicker line changes little. The square roots of shares are taken, so that neither contrast nor the strongest
    edges count for all.

    Parameters
    ----------
    images
        Images (N, C, H, W); the mean of their channels is read.

    Notes
    -----
    Source: histograms of oriented gradients (Dalal, Triggs, 2005), with one norm for the whole image.

    Examples
    --------
    >>> gradient_histograms(torch.eye(28).reshape(1, 1, 28, 28)).shape
    (1, 392)
    """
    return np.concatenate(
        [
            _histograms(images[start : start + AT_ONCE].mean(dim=1, keepdim=True))
            for start in range(0, len(images), AT_ONCE)
        ]
    )


def _histograms(grey: torch.Tensor) -> NDArray[np.float32]:
    across = functional.pad(grey, (1, 1, 0, 0), mode="replicate")
    down = functional.pad(grey, (0, 0, 1, 1), mode="replicate")
    x, y = across[..., 2:] - across[..., :-2], down[..., 2:, :] - down[..., :-2, :]
    strength = torch.hypot(x, y)
    direction = torch.atan2(y, x) * (DIRECTIONS / (2 * torch.pi))
    below = direction.floor()
    share = direction - below
    first = below.long() % DIRECTIONS
    shape = (len(grey), DIRECTIONS, *grey.shape[2:])
    found = torch.zeros(shape).scatter_add_(1, first, strength * (1 - share))
    found.scatter_add_(1, (first + 1) % DIRECTIONS, strength * share)
    spread = functional.avg_pool2d(found, SMOOTHED, stride=1, padding=SMOOTHED // 2)
    cells = functional.adaptive_avg_pool2d(spread, CELLS).flatten(1)
    shares = cells / (torch.linalg.vector_norm(cells, dim=1, keepdim=True) + 1e-6)
    return np.asarray(shares.sqrt().numpy(), dtype=np.float32)
