"""Some of many rows, evenly spaced."""

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """So many numbers below `count` at most, evenly spaced.

    >>> evenly(10, 4)
    array([0, 3, 6, 9])
    """
    return np.arange(0, count, -(-count // most) or 1)
