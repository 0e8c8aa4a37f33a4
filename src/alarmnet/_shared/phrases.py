"""Names of columns and numbers of rows, worded for sentences."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def quoted(names: Sequence[object], *, limit: int = 10) -> str:
    """Names for a sentence, the first ten of them.

    >>> quoted(["a", "b"])
    "'a', 'b'"
    """
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things for a sentence; the plural of `one` has an s unless `many` is given.

    >>> counted(1, "anomaly", "anomalies"), counted(1_200, "row")
    ('1 anomaly', '1,200 rows')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def rows_phrase(rows: NDArray[np.int64], *, what: str = "row") -> str:
    """Row numbers for a sentence, the first five of them.

    >>> rows_phrase(np.arange(7))
    'rows 0, 1, 2, 3, 4 and 2 more'
    """
    more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
    return f"{what}{'s' * (len(rows) > 1)} {', '.join(str(row) for row in rows[:5])}{more}"
