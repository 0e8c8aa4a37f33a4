"""Which encoded numbers each column has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ColumnGroups:
    """The encoded numbers of each column; those of one column are side by side.

    Attributes
    ----------
    names
        The columns (C,), in order.
    places
        The place in `names` of each number's column (F,).
    starts
        The first number of each column (C,).

    Examples
    --------
    >>> groups = ColumnGroups.of(["bytes", "bytes", "service"])
    >>> groups.names, groups.places.tolist(), groups.starts.tolist()
    (('bytes', 'service'), [0, 0, 1], [0, 2])
    """

    names: tuple[str, ...]
    places: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, sources: Sequence[str]) -> Self:
        """Group numbers by their columns `sources` (F,), an encoder's `source_columns_`."""
        numbers = {name: number for number, name in enumerate(dict.fromkeys(sources))}
        places = np.array([numbers[source] for source in sources], dtype=np.intp)
        return cls(tuple(numbers), places, np.searchsorted(places, np.arange(len(numbers))))
