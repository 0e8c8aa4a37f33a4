"""The entry point: explains rows of a table or images."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from alarmnet._shared.validation import check_whole
from alarmnet.errors import InputError
from alarmnet.explain.explanation import Explanation
from alarmnet.explain.images import ImageExplainer
from alarmnet.explain.mixtures import Index
from alarmnet.explain.model import Scored
from alarmnet.explain.tables import TableExplainer
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.rows import indexable, take

AT_ONCE = 250
"""Rows explained at once, which bounds the memory."""


class Explainer:
    """Explains the scores of one fitted detector. Create it once for many calls.

    Parameters
    ----------
    scored
        The result of `detector.scored_encoded()`.

    Examples
    --------
    >>> explainer = Explainer(detector.scored_encoded())  # doctest: +SKIP
    >>> explainer(table, rows=[812]).rows[0].sentence  # doctest: +SKIP
    """

    def __init__(self, scored: Scored) -> None:
        images = scored.normal.ndim > 2
        self._explainer = ImageExplainer(scored) if images else TableExplainer(scored)

    def __call__(self, X: Any, rows: Sequence[int] | Index | None = None, columns: int = 10) -> Explanation:
        """Explain the rows with these numbers, or all rows, by at most this number of columns each."""
        count, X = row_count(X), indexable(X)
        check_whole(self, "columns", columns)
        numbers = np.arange(count) if rows is None else _row_numbers(rows, count)
        wrong = numbers[(numbers < 0) | (numbers >= count)]
        if len(wrong):
            raise InputError(
                f"there is no row {wrong[0]}: there are {count:,}, counted from 0", code="invalid_parameter"
            )
        if not len(numbers):
            raise InputError("rows=[] leaves nothing to explain; give 1 or more", code="invalid_parameter")
        parts = [
            self._explainer.explain(take(X, part), part, columns)
            for part in np.split(numbers, range(AT_ONCE, len(numbers), AT_ONCE))
        ]
        return parts[0] if len(parts) == 1 else _joined(parts)


def _row_numbers(rows: Sequence[int] | Index, count: int) -> Index:
    """Row numbers, also from a mask of `count` rows."""
    given = np.asarray(rows).reshape(-1)
    if given.dtype == bool and len(given) == count:
        return np.flatnonzero(given)
    if given.dtype.kind not in "iu" and len(given):
        raise InputError(
            f"rows={rows!r} are not row numbers; give integers from 0 to {count - 1:,}, or one true or false "
            "value for each row",
            code="invalid_parameter",
        )
    return given.astype(np.intp)


def _joined(parts: Sequence[Explanation]) -> Explanation:
    first = parts[0]
    return Explanation(
        names=first.names,
        threshold=first.threshold,
        rows=tuple(row for part in parts for row in part.rows),
        values=np.concatenate([part.values for part in parts]),
        base_value=np.concatenate([part.base_value for part in parts]),
        logits=np.concatenate([part.logits for part in parts]),
        data=np.concatenate([part.data for part in parts]),
    )
