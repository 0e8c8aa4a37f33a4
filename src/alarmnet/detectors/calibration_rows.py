"""Which rows of the training table calibrate, and what was answered about them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from alarmnet.detectors.cleanness import ANOMALY, NORMAL, UNANSWERED, Answers
from alarmnet.preprocessing.rows import Index


@dataclass(frozen=True)
class CalibrationRows:
    """Rows that calibrate, in the order in which a detector keeps them.

    Parameters
    ----------
    numbers
        Their row numbers in the table given to `fit` (N,).
    answers
        `UNANSWERED`, `NORMAL` or `ANOMALY` (N,).
    order
        Their places by ascending score (N,).

    Raises
    ------
    ValueError
        Values that no fit leads to, such as a damaged file may hold.
    """

    numbers: NDArray[np.int64]
    answers: Answers
    order: NDArray[np.int64]

    def __post_init__(self) -> None:
        rows = len(self.numbers)
        kinds = {"numbers": np.int64, "answers": np.int8, "order": np.int64}
        for name, kind in kinds.items():
            values = getattr(self, name)
            if values.shape != (rows,) or values.dtype != kind:
                raise ValueError(f"the calibration rows' {name} are damaged")
        if (self.numbers < 0).any() or len(np.unique(self.numbers)) < rows:
            raise ValueError("the calibration rows' numbers are damaged")
        if not np.isin(self.answers, [UNANSWERED, NORMAL, ANOMALY]).all():
            raise ValueError("answers about calibration rows are of another kind")
        if (np.sort(self.order) != np.arange(rows)).any():
            raise ValueError("the order of the calibration rows is damaged")

    @classmethod
    def of(cls, numbers: Index) -> Self:
        """Rows that nobody has looked at, not yet in order."""
        rows = len(numbers)
        return cls(numbers.astype(np.int64), np.full(rows, UNANSWERED, dtype=np.int8), np.arange(rows))

    def taken(self, places: Index, *, normal: NDArray[np.bool_]) -> Self:
        """The rows at some places, of which some are known to be normal now; not yet in order."""
        answers = np.where(normal, np.int8(NORMAL), self.answers[places])
        return type(self)(self.numbers[places], answers, np.arange(len(places)))

    def ordered(self, order: Index) -> Self:
        """The same rows, with other scores."""
        return replace(self, order=order.astype(np.int64))

    def answered(self, places: Index, answers: Answers) -> Self:
        """The same with answers about the rows at some places by ascending score."""
        new = self.answers.copy()
        new[self.order[places]] = answers
        return replace(self, answers=new)
