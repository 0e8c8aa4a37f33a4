"""Some of many rows, evenly spaced."""

import numpy as np
from numpy.typing import NDArray


def evenly(count: int, most: int) -> NDArray[np.intp]:
    """So many numbers below `count` at most, evenly spaced.

    Steps are whole, so just above the limit only half of `most` are left. Model files rely on these very numbers:
    they hold weights for the rows that were picked.

    >>> evenly(10, 4)
    array([0, 3, 6, 9])
    >>> len(evenly(64, 64)), len(evenly(65, 64))
    (64, 33)
    """
    return np.arange(0, count, -(-count // most) or 1)
