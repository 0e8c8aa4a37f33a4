"""A queue of rows that nobody has looked at, best first, which learns from answers."""

import copy
import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from alarmnet._shared.random_streams import SEED_LIMIT, numpy_generator, resolve_seed
from alarmnet.detectors import A3Detector, BaseDetector
from alarmnet.errors import InputError
from alarmnet.loop.learner import Answers, Learner
from alarmnet.loop.remaining import Look, Remaining, remaining
from alarmnet.loop.strategies import Ranking, Strategy, Varied
from alarmnet.loop.views import Views
from alarmnet.preprocessing.frames import row_count
from alarmnet.preprocessing.rows import row_keys

Verdict = Literal["anomaly", "normal", "unsure"]
"""What a reviewer says of a row. "unsure" puts the row aside and teaches nothing."""

ALARM_RATE, FEWEST_ROWS = 0.01, 500
"""The default detector's false-alarm rate, and the rows from which a fifth of these can hold it."""


@dataclass(frozen=True)
class Curve:
    """Anomalies found (L,) after each of the looks 1, 2, ... (L,)."""

    looks: NDArray[np.int64]
    found: NDArray[np.int64]


@dataclass(frozen=True)
class _Shown:
    """What was so when a row was answered first."""

    at_random: bool
    waiting: int
    score: float


class Queue:
    """Rows to look at, most telling first. It starts without any label and learns from every answer.

    Use it to find anomalies that nobody has labelled, and to collect labels for a detector.

    Parameters
    ----------
    X
        A frame or 2-D array of rows, or images.
    detector
        What ranks the rows before the first answer: a fitted detector as it is; an unfitted one is cloned and
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
        What the queue believes of each row (N,), in the order of `X`: about 1 for an anomaly, about -1 for a normal
        row.
    detector_
        The fitted detector, which explains rows; see `refit_detector`.
    verdicts
        Each answered row's verdict, in the order of the first answers.

    Raises
    ------
    InputError
        Ids that are not one for each row, and what `fit` refuses.

    Notes
    -----
    `next`, `answer` and `withdraw` never wait for `refit` and `refit_detector`, so that a background thread may
    call these. The same calls in
    the same order give the same rows.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(200, 3))
    >>> X[:5] += 8
    >>> queue = Queue(X, random_state=0)
    >>> for _ in range(2):
    ...     for row in queue.next(10):
    ...         queue.answer(row, "anomaly" if row < 5 else "normal")
    ...     queue.refit()
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
        seed = resolve_seed(random_state)
        if detector is None:
            rate = ALARM_RATE * max(1, FEWEST_ROWS / rows)
            detector = A3Detector(alarm_rate=min(rate, 0.5), random_state=seed)
        self.detector_ = detector if hasattr(detector, "encoder_") else clone(detector).fit(X)
        matrix = self.detector_.encoder_.store(X, torch.device("cpu")).all().flatten(1).numpy()
        self._keys = row_keys(matrix)
        self._generator = numpy_generator(seed, "queue")
        views = Views(matrix, self.detector_.decision_function(X), int(self._generator.integers(SEED_LIMIT)))
        self._learner = Learner(matrix, views, int(self._generator.integers(SEED_LIMIT)))
        self._calibrates = self._calibrating()
        self.verdicts: dict[Hashable, Verdict] = {}
        self._shown: dict[Hashable, _Shown] = {}
        self._drawn: set[Hashable] = set()
        self._lock, self._choosing = threading.Lock(), threading.Lock()
        self.refit()

    @property
    def scores(self) -> NDArray[np.float64]:
        """What is believed of each row (N,)."""
        return self._belief.mean

    def next(
        self, n: int = 1, *, strategy: Strategy | None = None, skip: Collection[Hashable] = ()
    ) -> list[Hashable]:
        """Give the ids of up to `n` rows without an answer, the first to look at first.

        Parameters
        ----------
        n
            Rows.
        strategy
            How to choose (`alarmnet.loop.strategies`); None is `Varied()`.
        skip
            Rows to leave out, such as those that another reviewer is looking at.
        """
        strategy = strategy or Varied()
        lent = [self._place(key) for key in skip]
        waiting = self._waiting()
        waiting[lent] = False
        with self._choosing:
            shown = [*self._answered()[self._learned :], *lent]
            ranking = Ranking(self._belief, waiting, self._calibrates, shown, self._generator)
            chosen = [self.ids[place] for place in strategy.order(ranking, n)]
        with self._lock:
            self._drawn.difference_update(chosen)
            self._drawn.update(chosen if strategy.honest else ())
        return chosen

    def answer(self, id: Hashable, verdict: Verdict) -> None:  # noqa: A002
        """Keep an answer; a second one for the same row replaces the first."""
        place = self._place(id)
        if verdict not in get_args(Verdict):
            raise InputError(
                f'the verdict is {verdict!r}; expected "anomaly", "normal" or "unsure".', code="verdict"
            )
        with self._lock:
            if id not in self.verdicts:
                waiting = len(self.ids) - len(self.verdicts)
                self._shown[id] = _Shown(id in self._drawn, waiting, float(self.scores[place]))
            self.verdicts[id] = verdict

    def withdraw(self, id: Hashable) -> None:  # noqa: A002
        """Take the answer of a row back: the row waits again."""
        self._place(id)
        with self._lock:
            self.verdicts.pop(id, None)
            self._shown.pop(id, None)

    def refit(self) -> None:
        """Learn from the answers so far and rank anew; a fraction of a second."""
        answered = len(self._answered())
        belief = self._learner.learn(self._answers())
        with self._choosing:
            self._belief, self._learned = belief, answered

    def refit_detector(self) -> None:
        """Train the detector's alarm for the answers so far, so that it explains rows by them; seconds.

        The rows that equal a known anomaly in every column teach the detector as anomalies too. Before the first
        anomaly is found, the detector stays as it is.
        """
        y = self.labels()
        if (y == 1).any():
            y[np.isnan(y) & np.isin(self._keys, self._keys[y == 1])] = 1
            self.detector_ = copy.copy(self.detector_).refit_alarm(self._X, y)
            self._calibrates = self._calibrating()

    def labels(self) -> NDArray[np.float64]:
        """Give labels for `fit` (N,): 1 anomaly, 0 normal, NaN for rows without a clear answer."""
        answers = self._answers()
        y = np.full(len(self.ids), np.nan)
        y[answers.places] = answers.anomalous
        return y

    def curve(self) -> Curve:
        """Give how many anomalies were found after each look."""
        with self._lock:
            found = np.array([verdict == "anomaly" for verdict in self.verdicts.values()], dtype=np.int64)
        return Curve(np.arange(1, len(found) + 1), found.cumsum())

    def remaining(self) -> Remaining:
        """Estimate how many anomalies are among the rows that nobody has looked at, and advise when to stop.

        The estimate is honest where some looks were at random (`next(n, strategy=AtRandom())`); without these it
        rests on the scores.
        """
        with self._lock:
            looks = [
                Look(shown.at_random, shown.waiting, shown.score, self.verdicts[key] == "anomaly")
                for key, shown in self._shown.items()
                if key in self.verdicts
            ]
        return remaining(looks, self.scores[self._waiting()])

    def _calibrating(self) -> NDArray[np.bool_]:
        """Which rows calibrate the detector (N,)."""
        rows = self.detector_.fitted_state().calibration_rows
        return np.isin(self._keys, row_keys(rows.reshape(len(rows), -1)))

    def _answers(self) -> Answers:
        """The clear answers."""
        with self._lock:
            clear = {key: verdict for key, verdict in self.verdicts.items() if verdict != "unsure"}
        places = np.array([self._places[key] for key in clear], dtype=np.intp)
        return Answers(places, np.array([verdict == "anomaly" for verdict in clear.values()], dtype=bool))

    def _waiting(self) -> NDArray[np.bool_]:
        """Which rows have no answer (N,)."""
        waiting = np.ones(len(self.ids), dtype=bool)
        waiting[self._answered()] = False
        return waiting

    def _answered(self) -> list[int]:
        """The rows that have an answer, in the order of these."""
        with self._lock:
            return [self._places[key] for key in self.verdicts]

    def _place(self, id: Hashable) -> int:  # noqa: A002
        """Give the row of an id."""
        try:
            return self._places[id]
        except KeyError:
            raise InputError(f"no row has the id {id!r}; ids come from `next`.", code="unknown_id") from None
