"""Rows are computed in blocks of one size, so that what comes out never depends on a row's neighbours."""

import math

BLOCK = 512
"""Rows of a table computed at once."""

BLOCK_IMAGES = 128
"""Images computed at once."""

SMALL = (4, 16)
"""Rows computed at once where there are few: the first size that gives the bits of a full block."""

SMALL_BLOCKS = 8
"""Small blocks that are computed instead of a full one, at most."""

BLOCK_INPUTS = 2**20
"""Numbers in a block: of large images and very wide rows there are fewer at once."""


def block_size(shape: tuple[int, ...]) -> int:
    """How many rows of `shape` are computed at once: the same for every call, whatever their number.

    >>> [block_size(shape) for shape in [(122,), (1, 28, 28), (3, 224, 224)]]
    [512, 128, 6]
    """
    return max(1, min(BLOCK_IMAGES if len(shape) > 1 else BLOCK, BLOCK_INPUTS // math.prod(shape)))
