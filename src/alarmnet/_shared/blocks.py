"""Rows are computed in blocks of one size, so that the result for a row never depends on its neighbours."""

import math

BLOCK = 512
"""Rows of a table computed at once."""

BLOCK_IMAGES = 128
"""Images computed at once."""

SMALL = (4, 16)
"""Rows in a small block, used for few rows: the first size that gives the same bits as a full block."""

SMALL_BLOCKS = 8
"""The most small blocks that are computed instead of a full one."""

BLOCK_INPUTS = 2**20
"""The most numbers in a block: blocks of large images and very wide rows have fewer rows."""


def block_size(shape: tuple[int, ...]) -> int:
    """How many rows of `shape` are computed at once: the same for every call, whatever their number.

    >>> [block_size(shape) for shape in [(122,), (1, 28, 28), (3, 224, 224)]]
    [512, 128, 6]
    """
    return max(1, min(BLOCK_IMAGES if len(shape) > 1 else BLOCK, BLOCK_INPUTS // math.prod(shape)))
