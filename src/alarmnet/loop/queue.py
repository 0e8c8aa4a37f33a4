"""A queue of unreviewed rows, most informative first, which learns from answers."""

import copy
import threading
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import SEED_LIMIT, numpy_generator, resolve_seed
from alarmnet._shared.validation import check_random_state, check_whole
from alarmnet.detectors import A3Detector, BaseDetector
from alarmnet.errors import InputError, InputTypeError
from alarmnet.loop.learner import Answers, Learner
from alarmnet.loop.remaining import Look, Remaining, remaining
from alarmnet.loop.strategies import Ranking, Strategy, Varied
from alarmnet.loop.views import Matrix, Views
from alarmnet.networks.oriented_gradients import oriented_gradients
from alarmnet.preprocessing.frames import check_rows, row_count
from alarmnet.preprocessing.rows import indexable, row_keys

Verdict = Literal["anomaly", "normal", "unsure"]
"""A reviewer's answer. "unsure" puts the row aside, and the queue learns nothing from it."""

ALARM_RATE, FEWEST_ROWS = 0.01, 500
"""The default detector's false-alarm rate, and the number of rows of which a fifth is enough to calibrate it."""
HIGHEST_RATE = 0.5
"""Its false-alarm rate in a table of a few rows."""


IMAGES_AT_ONCE = 256


def check_verdict(verdict: object) -> None:
    """Refuse what is none of the three answers."""
    if not (isinstance(verdict, str) and verdict in get_args(Verdict)):
        raise InputError(
            f'the verdict is {verdict!r}; expected "anomaly", "normal" or "unsure".', code="verdict"
        )


def _edges(images: torch.Tensor) -> Matrix:
    """The directions of images' edges (N, F), which show better than pixels do which images are alike."""
    blocks = range(0, len(images), IMAGES_AT_ONCE)
    return np.concatenate(
        [oriented_gradients(images[start : start + IMAGES_AT_ONCE]).numpy() for start in blocks]
    )


@dataclass(frozen=True)
class Curve:
    """The number of anomalies found (L,) after 1, 2, ... reviewed rows (L,)."""

    looks: NDArray[np.int64]
    found: NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """Facts about a row when it was reviewed: whether it was drawn at random, and its score, None if unknown."""

    at_random: bool
    score: float | None


@dataclass(frozen=True)
class _Shown:
    """The circumstances when a row was first answered."""

    at_random: bool
    waiting: int
    score: float


class Queue:
    """Rows to review, most informative first. It starts without labels and learns from every answer.

    Use it to find anomalies that nobody has labelled, and to collect labels for a detector.

    Parameters
    ----------
    X
        A frame or 2-D array of rows, or images.
    detector
        The detector that ranks the rows before the first answer. A fitted detector is used as it is; an unfitted
        detector is cloned and fitted to `X` without labels. None: `A3Detector()`.
    ids
        One key for each row. None: the row numbers 0, 1, ...
    random_state
        The seed of all draws of the queue, and of the detector if it has no seed.

    Attributes
    ----------
    ids
        The keys, in the order of `X`.
    scores
        Ranking scores (N,), in the order of `X`: the queue's estimate, about 1 for an anomaly and about -1 for a
        normal row.
    detector_
        The fitted detector, which explains rows; see `refit_detector`.
    learned_
        The verdicts that `detector_` has learned: those at its last training, without "unsure"; empty at first.
    verdicts
        Each answered row's verdict, in the order of the first answers.

    Raises
    ------
    InputError
        If there is not one unique id for each row, or if `fit` refuses the rows.

    Notes
    -----
    `next`, `answer` and `withdraw` never wait for `refit` and `refit_detector`, which may run in a background
    thread. The same calls in the same order give the same rows.

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
        if detector is not None and not isinstance(detector, BaseDetector):
            raise InputTypeError(
                "The 'detector' parameter of Queue must be a detector, such as A3Detector. "
                f"Got {type(detector).__name__} instead.",
                code="invalid_parameter",
            )
        check_random_state(self, random_state)
        rows, X = row_count(X), indexable(X)
        check_rows(rows, at_least=2, shape=(rows,))
        self._X = X
        given = ids.to_pylist() if isinstance(ids, pa.Array | pa.ChunkedArray) else ids
        self.ids: list[Hashable] = list(range(rows) if given is None else given)
        self._places = {key: place for place, key in enumerate(self.ids)}
        if len(self.ids) != rows or len(self._places) != rows:
            raise InputError(
                f"{len(self._places)} different ids came for {rows} rows; pass one id for each row.",
                code="row_ids",
            )
        seed = resolve_seed(random_state)
        self._own_rate = detector is None
        if detector is None:
            rate = ALARM_RATE * max(1, FEWEST_ROWS / rows)
            detector = A3Detector(alarm_rate=min(rate, HIGHEST_RATE), random_state=seed)
        if hasattr(detector, "encoder_"):
            self.detector_, detected = detector, detector.decision_function(X)
        else:
            self.detector_ = clone(detector).fit(X)
            detected = self.detector_.decision_scores_
        self._first = self.detector_
        encoded = self.detector_.encoder_.store(X, torch.device("cpu")).all()
        matrix = encoded.flatten(1).numpy()
        self._keys = row_keys(matrix)
        self._generator = numpy_generator(seed, "queue")
        images = encoded.ndim > 2
        read = _edges(encoded) if images else matrix
        views = Views(read, detected, int(self._generator.integers(SEED_LIMIT)), images=images)
        self._learner = Learner(read, views, int(self._generator.integers(SEED_LIMIT)))
        self._calibrates = self._calibrating()
        self.verdicts: dict[Hashable, Verdict] = {}
        self.learned_: dict[Hashable, Verdict] = {}
        self._shown: dict[Hashable, _Shown] = {}
        self._drawn: set[Hashable] = set()
        self._lock, self._choosing, self._refitting = threading.Lock(), threading.Lock(), threading.Lock()
        self.refit()

    @property
    def scores(self) -> NDArray[np.float64]:
        """Ranking scores (N,): the queue's estimate, about 1 for an anomaly and about -1 for a normal row."""
        return self._belief.mean

    def next(
        self, n: int = 1, *, strategy: Strategy | None = None, skip: Collection[Hashable] = ()
    ) -> list[Hashable]:
        """Return the ids of up to `n` rows without an answer, in the order of review.

        Parameters
        ----------
        n
            The number of rows.
        strategy
            How to choose rows (`alarmnet.loop.strategies`). None: `Varied()`.
        skip
            Rows to leave out, such as rows that another reviewer sees.
        """
        check_whole(self, "n", n, 0)
        strategy = strategy or Varied()
        if not isinstance(strategy, Strategy):
            raise InputTypeError(
                "The 'strategy' parameter of Queue.next must be a strategy, such as AtRandom(). "
                f"Got {strategy!r} instead.",
                code="invalid_parameter",
            )
        lent = [self._place(key) for key in skip]
        waiting = self._waiting()
        waiting[lent] = False
        with self._choosing:
            shown = [place for place in self._answered() if place not in self._learned] + lent
            ranking = Ranking(self._belief, waiting, self._calibrates, shown, self._generator)
            chosen = [self.ids[place] for place in strategy.order(ranking, n)]
        with self._lock:
            self._drawn.difference_update(chosen)
            self._drawn.update(chosen if strategy.honest else ())
        return chosen

    def answer(self, id: Hashable, verdict: Verdict, *, seen: Seen | None = None) -> None:  # noqa: A002
        """Store an answer; a second answer for the same row replaces the first.

        Parameters
        ----------
        id
            The row's id.
        verdict
            The answer: "anomaly", "normal" or "unsure".
        seen
            Facts about the row when it was reviewed, for an answer from a store. None: the facts from `next`.
        """
        place = self._place(id)
        check_verdict(verdict)
        with self._lock:
            if id not in self.verdicts:
                waiting = len(self.ids) - len(self.verdicts)
                at_random = seen.at_random if seen else id in self._drawn
                score = seen.score if seen and seen.score is not None else float(self.scores[place])
                self._shown[id] = _Shown(at_random, waiting, score)
            self.verdicts[id] = verdict

    def withdraw(self, id: Hashable) -> None:  # noqa: A002
        """Remove the answer of a row: the row waits again."""
        self._place(id)
        with self._lock:
            self.verdicts.pop(id, None)
            self._shown.pop(id, None)

    def refit(self) -> None:
        """Learn from the answers so far and rank the rows again, in a fraction of a second."""
        with self._refitting:
            answered = frozenset(self._answered())
            belief = self._learner.learn(self._answers(self._clear()))
            with self._choosing:
                self._belief, self._learned = belief, answered

    def refit_detector(self) -> None:
        """Train the detector's alarm on the answers so far, in seconds, so that its explanations use them.

        It learns the known anomalies of the detector that ranked the rows first too, and rows that equal an anomaly
        in every column. While no answer is an anomaly, `detector_` is the detector that ranked the rows first.
        """
        clear = self._clear()
        y = self._labels(clear)
        if (y == 1).any():
            y[np.isnan(y) & np.isin(self._keys, self._keys[y == 1])] = 1
            given, again = Labels(y, self._first.classes_), copy.copy(self._first)
            if self._own_rate:
                again.alarm_rate = HIGHEST_RATE
            again.refit_alarm(self._X, given, keep_known=True)
            if self._own_rate:  # fewer rows may be left to calibrate
                lowest = 1 / (1 + again.calibration_weights_.sum())
                again.set_alarm_rate(max(self._first.alarm_rate_, lowest))
            self.detector_, self.learned_ = again, clear
        else:
            self.detector_, self.learned_ = self._first, {}
        self._calibrates = self._calibrating()

    def labels(self) -> NDArray[np.float64]:
        """Return labels for `fit` (N,): 1 anomaly, 0 normal, NaN for rows without a clear answer."""
        return self._labels(self._clear())

    def curve(self) -> Curve:
        """Return the number of anomalies found after each reviewed row."""
        with self._lock:
            found = np.array([verdict == "anomaly" for verdict in self.verdicts.values()], dtype=np.int64)
        return Curve(np.arange(1, len(found) + 1), found.cumsum())

    def remaining(self) -> Remaining:
        """Estimate the number of anomalies among the unreviewed rows, with an interval and advice on when to stop.

        The estimate is unbiased if some reviewed rows were random (`next(n, strategy=AtRandom())`); otherwise it
        depends on the scores. Rows answered "unsure" count neither as anomalies nor as normal.
        """
        clear = self._clear()
        with self._lock:
            looks = [
                Look(shown.at_random, shown.waiting, shown.score, clear[key] == "anomaly")
                for key, shown in self._shown.items()
                if key in clear
            ]
        return remaining(looks, self.scores[self._waiting()])

    def _calibrating(self) -> NDArray[np.bool_]:
        """Which rows calibrate the detector (N,)."""
        rows = self.detector_.fitted_state().calibration_rows
        return np.isin(self._keys, row_keys(rows.reshape(len(rows), -1)))

    def _clear(self) -> dict[Hashable, Verdict]:
        """The verdicts without "unsure"."""
        with self._lock:
            return {key: verdict for key, verdict in self.verdicts.items() if verdict != "unsure"}

    def _answers(self, clear: dict[Hashable, Verdict]) -> Answers:
        places = np.array([self._places[key] for key in clear], dtype=np.intp)
        return Answers(places, np.array([verdict == "anomaly" for verdict in clear.values()], dtype=bool))

    def _labels(self, clear: dict[Hashable, Verdict]) -> NDArray[np.float64]:
        answers = self._answers(clear)
        y = np.full(len(self.ids), np.nan)
        y[answers.places] = answers.anomalous
        return y

    def _waiting(self) -> NDArray[np.bool_]:
        """Which rows have no answer (N,)."""
        waiting = np.ones(len(self.ids), dtype=bool)
        waiting[self._answered()] = False
        return waiting

    def _answered(self) -> list[int]:
        """The rows that have an answer, in the order of the answers."""
        with self._lock:
            return [self._places[key] for key in self.verdicts]

    def _place(self, id: Hashable) -> int:  # noqa: A002
        """Give the row of an id."""
        try:
            return self._places[id]
        except KeyError:
            raise InputError(f"no row has the id {id!r}; ids come from `next`.", code="unknown_id") from None
