"""A queue of rows that nobody has looked at, best first, which learns from answers."""

import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from alarmnet._shared.random_streams import resolve_seed
from alarmnet.detectors import A3Detector, BaseDetector
from alarmnet.errors import InputError
from alarmnet.preprocessing.frames import row_count

Verdict = Literal["anomaly", "normal", "unsure"]
"""What a reviewer says of a row. "unsure" puts the row aside and teaches nothing."""


@dataclass(frozen=True)
class Curve:
    """Anomalies found (L,) after each of the looks 1, 2, ... (L,)."""

    looks: NDArray[np.int64]
    found: NDArray[np.int64]


@dataclass(frozen=True)
class Remaining:
    """Anomalies among the rows that nobody has looked at: an estimate, and an interval of 95 %."""

    estimate: float
    low: float
    high: float
    stop: bool
    advice: str


class Queue:
    """Rows to look at, most anomalous first. It starts without any label and learns from every answer.

    Parameters
    ----------
    X
        A frame or 2-D array of rows, or images.
    detector
        What ranks the rows before the first answer: a fitted detector as it is, an unfitted one is cloned and
        fitted to `X` without labels. None is `A3Detector()`.
    ids
        One key for each row; None takes the row numbers 0, 1, ...
    random_state
        Seeds the detector, where it has no seed of its own, and every draw of the queue.

    Attributes
    ----------
    ids
        The keys, in the order of `X`.
    scores
        (N,), in the order of `X`; higher is shown first.
    detector_
        The fitted detector that explains rows.

    Notes
    -----
    `next`, `answer` and `withdraw` never wait for `refit`, so that a background thread may refit.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> X[:5] += 8
    >>> queue = Queue(X, random_state=0)
    >>> for row in queue.next(5):
    ...     queue.answer(row, "anomaly" if row < 5 else "normal")
    >>> queue.refit()
    >>> int(queue.curve().found[-1])
    5
    """

    def __init__(
        self,
        X: Any,
        *,
        detector: BaseDetector | None = None,
        ids: Sequence[Hashable] | None = None,
        random_state: int | None = None,
    ) -> None:
        self._X = X
        rows = row_count(X)
        self.ids: list[Hashable] = list(range(rows)) if ids is None else list(ids)
        self._places = {key: place for place, key in enumerate(self.ids)}
        if len(self.ids) != rows or len(self._places) != rows:
            raise InputError(
                f"{len(self._places)} different ids came for {rows} rows; pass one id for each row.",
                code="row_ids",
            )
        self._seed = resolve_seed(random_state)
        detector = A3Detector(random_state=self._seed) if detector is None else detector
        self.detector_ = detector if hasattr(detector, "encoder_") else clone(detector).fit(X)
        self.scores: NDArray[np.float64] = self.detector_.decision_function(X)
        self.verdicts: dict[Hashable, Verdict] = {}
        self._lock = threading.Lock()

    def next(self, n: int = 1, *, skip: Collection[Hashable] = ()) -> list[Hashable]:
        """Give the ids of up to `n` rows without an answer, best first; `skip` leaves some out, lent to others."""
        with self._lock:
            gone = [self._places[key] for key in {*self.verdicts, *skip}]
        order = np.argsort(-self.scores, kind="stable")
        waiting = order[~np.isin(order, gone)]
        return [self.ids[place] for place in waiting[:n]]

    def answer(self, id: Hashable, verdict: Verdict) -> None:  # noqa: A002
        """Keep an answer; a second one for the same row replaces the first."""
        self._place(id)
        if verdict not in get_args(Verdict):
            raise InputError(
                f'the verdict is {verdict!r}; expected "anomaly", "normal" or "unsure".', code="verdict"
            )
        with self._lock:
            self.verdicts[id] = verdict

    def withdraw(self, id: Hashable) -> None:  # noqa: A002
        """Take the answer of a row back: the row waits again."""
        self._place(id)
        with self._lock:
            self.verdicts.pop(id, None)

    def refit(self) -> None:
        """Learn from the answers so far and rank anew."""
        y = self.labels()
        if (y == 1).any():
            detector = clone(self.detector_).fit(self._X, y)
            self.scores, self.detector_ = detector.decision_function(self._X), detector

    def labels(self) -> NDArray[np.float64]:
        """Give labels for `fit` (N,): 1 anomaly, 0 normal, NaN for rows without a clear answer."""
        y = np.full(len(self.ids), np.nan)
        with self._lock:
            for key, verdict in self.verdicts.items():
                if verdict != "unsure":
                    y[self._places[key]] = verdict == "anomaly"
        return y

    def curve(self) -> Curve:
        """Give how many anomalies were found after each look."""
        with self._lock:
            found = np.array([verdict == "anomaly" for verdict in self.verdicts.values()], dtype=np.int64)
        return Curve(np.arange(1, len(found) + 1), found.cumsum())

    def remaining(self) -> Remaining:
        """Estimate how many anomalies are among the rows that nobody has looked at, and advise when to stop."""
        raise NotImplementedError

    def _place(self, id: Hashable) -> int:  # noqa: A002
        """Give the row of an id."""
        try:
            return self._places[id]
        except KeyError:
            raise InputError(f"no row has the id {id!r}; ids come from `next`.", code="unknown_id") from None
