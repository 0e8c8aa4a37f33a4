"""How far images are from normal ones, by the directions of their edges."""

import math

import torch
from torch import Tensor, nn

from alarmnet.networks.nearness import NEAREST, neighbour_distances
from alarmnet.networks.spread import NEAR_NEIGHBOUR, NEIGHBOUR

ORIENTATIONS = 8
CELLS = 7
"""Steps along a side of an image; a cell is two steps wide, so that cells overlap by half."""

FAINT = 0.02
"""Edges of a cell that are weaker than this, in pixels from 0 to 1, count for less."""

SMALLEST = 1e-12
"""Added to squares before a root is taken, so that it has a gradient."""


def oriented_gradients(images: Tensor) -> Tensor:
    """Give, for each cell of an image, how strong its edges are in each direction, compared with one another.

    Light and contrast change little of it. At each pixel the colour channel with the strongest edge counts.
    Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection" (2005), here with blocks of one
    cell.

    Parameters
    ----------
    images
        (B, C, H, W), pixels in [0, 1].

    Returns
    -------
    Tensor
        (B, F), each in [0, 1].

    Examples
    --------
    >>> stripes = (torch.arange(28) % 8 < 4).float().expand(1, 1, 28, 28)
    >>> upright, lying = oriented_gradients(stripes), oriented_gradients(stripes.mT)
    >>> upright.shape, bool((upright - lying).norm() > 2 * (upright - oriented_gradients(stripes / 2)).norm())
    (torch.Size([1, 288]), True)
    """
    padded = nn.functional.pad(images, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strongest = (across.square() + down.square()).argmax(1, keepdim=True)
    across, down = across.gather(1, strongest), down.gather(1, strongest)
    strength = (across.square() + down.square() + SMALLEST).sqrt()
    # in float64, so that rounding hides that atan2 gives a number other bits alone than among many
    turn = torch.atan2(down.double(), (across + SMALLEST).double()).float() * (ORIENTATIONS / math.tau)
    directions = torch.arange(ORIENTATIONS, device=images.device, dtype=images.dtype)[:, None, None]
    apart = (turn - directions + ORIENTATIONS / 2) % ORIENTATIONS - ORIENTATIONS / 2
    edges = (1 - apart.abs()).clamp(min=0) * strength
    steps = [max(side // CELLS, 1) for side in images.shape[2:]]
    cells = nn.functional.avg_pool2d(edges, [2 * step for step in steps], steps)
    size = (cells.square().sum(1, keepdim=True) + SMALLEST).sqrt()
    return (cells / (size + FAINT)).flatten(1)


class EdgeDistance(nn.Module):
    """The distance of an image's oriented gradients to those of normal images.

    It is the logarithm of the distance to one of the nearest stored normal images, in standard deviations above
    the mean of normal ones.

    Parameters
    ----------
    images, width
        Of the stored gradients, (M, F).
    few
        Whether the distance goes to the 5th nearest image instead of the 50th.

    Shapes
    ------
    Input: images (B, C, H, W). Output: (B,), higher is farther.
    """

    stored: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, images: int, width: int, *, few: bool = False) -> None:
        super().__init__()
        self.few = few
        if few:  # this name in a model file says so
            self.register_buffer("few_neighbours", torch.ones(()))
        self.register_buffer("stored", torch.zeros(images, width))
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def learn(self, gradients: Tensor) -> None:
        """Keep normal images' oriented gradients (M, F)."""
        self.stored = gradients
        logarithms = self._logarithms(gradients, leave_out_itself=True)
        self.mean, self.deviation = logarithms.mean(), logarithms.std(correction=0).clamp(min=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        """Measure images."""
        found = self._logarithms(oriented_gradients(images), leave_out_itself=False)
        return (found - self.mean) / self.deviation

    def _logarithms(self, gradients: Tensor, *, leave_out_itself: bool) -> Tensor:
        neighbours = [NEAR_NEIGHBOUR if self.few else NEIGHBOUR]
        distances = neighbour_distances(gradients, self.stored, neighbours, leave_out_itself=leave_out_itself)
        return (distances[:, 0] + NEAREST).log()
