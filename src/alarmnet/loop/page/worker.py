"""What happens behind the page: answers reach the queue, it learns, and the next rows are explained ahead."""

import hashlib
import threading
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np

from alarmnet.detectors import BaseDetector
from alarmnet.errors import InputError
from alarmnet.loop.answers import Event
from alarmnet.loop.page.cards import Card, Deck, Nearest
from alarmnet.loop.page.ledger import Ledger, verdict_of
from alarmnet.loop.page.progress import Change, change_of
from alarmnet.loop.pool import Pool
from alarmnet.loop.process import Ahead, Learned, LearningError, QueueProcess, Trained
from alarmnet.loop.queue import Verdict
from alarmnet.loop.remaining import Remaining
from alarmnet.loop.store import AnswerStore

Reply = TypeVar("Reply")

EVERY = 10
"""Clear answers after which the queue learns."""
AHEAD, FEWEST = 24, 12
"""Rows that are asked for ahead, and how many may be left before more are asked for."""
AT_ONCE = 4
"""Rows that are explained in one go, so that the first of them is ready soon."""
KEPT = 512
"""Cards that are kept, at most."""
PAUSE = 1.0
"""Seconds after which the answers of other servers are looked for."""
TICK = 0.05
"""Seconds between two looks at whether a training is done."""


def model_digest(detector: BaseDetector) -> str:
    """A digest of a detector's model file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        detector.save(path)
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]


class Worker:
    """Keeps answers, order, cards and learning in step; requests read what it has ready.

    Parameters
    ----------
    pool
        The rows.
    detector
        The fitted detector that ranked them first.
    store
        Where answers come from, those of other servers too.
    seed
        Of all that the queue draws.
    start
        Starts the queue.

    Attributes
    ----------
    places
        Where each key is in the pool.
    first_scores, scores
        The first ranking and the present one (N,).
    remaining
        What is estimated to remain, None before the first answer.
    change
        What the last refit changed.
    trained
        The detector as it has learned so far, and the answers that it has learned.
    disagreements
        Rows of which reviewers say different things.
    trouble
        What went wrong in the background; empty where nothing did.
    """

    def __init__(
        self,
        pool: Pool,
        detector: BaseDetector,
        store: AnswerStore,
        *,
        seed: int,
        start: type[QueueProcess] = QueueProcess,
    ) -> None:
        self.pool, self._store = pool, store
        self.places = {key: place for place, key in enumerate(pool.keys)}
        self._ledger, self._catching_up, self._estimated_at = Ledger(store), threading.Lock(), -1
        self._ledger.catch_up()
        known = {
            key: (verdict, self._ledger.seen(key))
            for key, verdict in self._ledger.verdicts().items()
            if key in self.places
        }
        self._learner = start(pool.X, detector, pool.keys, answers=known, seed=seed)
        self.first_scores = self.scores = self._learner.scores
        self._learned_answers, self._refit_wanted, self._train_wanted = 0, False, False
        self._refitting: Future[Learned] | None = None
        self._training: Future[Trained] | None = None
        self.trained = Trained(detector=detector, answers={})
        self._trainings = self._training_from = self._tried = self._learned = 0
        self.remaining: Remaining | None = None
        self.change: Change | None = None
        self.disagreements, self.trouble = 0, ""
        self._drawn: set[str] = set()
        self._looked_at: str | None = None
        self._asked: Future[Ahead] | None = None
        self._anew = False
        self._estimating: Future[Remaining] | None = None
        self._order: list[str] = []
        self._take_order(self._learner.ahead(AHEAD).result())
        self._ready, self.digest = self._explained_by(detector, first=True)
        self._stopped, self._wake = False, threading.Event()
        self._thread = threading.Thread(target=self._run, name="triage worker", daemon=True)
        self._thread.start()

    # What requests ask

    @property
    def answers(self) -> dict[str, Event]:
        """The answer of each row that counts, in the order of the looks; new answers come in a new one."""
        return self._ledger.answers

    @property
    def answered(self) -> int:
        """The number of rows of the pool that have an answer."""
        return sum(key in self.places for key in self.answers)

    def verdicts(self) -> dict[int, Verdict]:
        """Verdicts by place in the pool, in the order of the looks."""
        return {self.places[key]: said for key, said in self._ledger.verdicts().items() if key in self.places}

    @property
    def learning(self) -> bool:
        """Whether the queue learns at this moment."""
        return self._refitting is not None or self._training is not None or self._train_wanted

    @property
    def fresh(self) -> int:
        """Clear answers since it last learned."""
        return max(0, len(self.clear()) - self._learned_answers)

    def clear(self) -> dict[str, Verdict]:
        """Verdicts by row of the pool, without those that teach nothing."""
        return {
            key: said
            for key, said in self._ledger.verdicts().items()
            if key in self.places and said != "unsure"
        }

    @property
    def unlearned(self) -> int:
        """The number of rows on which the answers differ from those that the detector has learned."""
        said, learned = self.clear(), self.trained.answers
        return sum(said.get(key) != learned.get(key) for key in {**learned, **said})

    @property
    def teachable(self) -> bool:
        """Whether the answers can teach the detector: it learns from anomalies, or from nothing."""
        return "anomaly" in self.clear().values()

    def place(self, key: str) -> int:
        """Give the place of a row in the pool.

        Raises
        ------
        InputError
            There is no such row.
        """
        if key not in self.places:
            raise InputError(f"no row of the queue is called {key[:60]!r}", code="unknown_id")
        return self.places[key]

    def score(self, key: str) -> float:
        """Give a row's present score; higher is more anomalous."""
        return float(self.scores[self.place(key)])

    def card(self, key: str) -> Card:
        """Give a row's card, made at once where it is not ready; its explanation may follow."""
        deck, cards = self._ready
        place = self.place(key)
        if key in cards:
            return cards[key]
        card = deck.at_once(place)
        if card.why:
            cards[key] = card
        else:
            self._looked_at = key
            self._wake.set()
        return card

    def nearest(self, card: Card) -> Nearest | None:
        """Give the found anomaly that is most like a row."""
        found = [place for place, verdict in self.verdicts().items() if verdict == "anomaly"]
        return self._ready[0].nearest(card, found)

    def waiting(self, count: int, *, skip: Collection[str | None]) -> list[str]:
        """Give rows without an answer, best first, those that are explained already before others."""
        found = [key for key in self._left() if key not in skip]
        if len(found) < count:
            found += self._highest(count - len(found), {*skip, *found})
        _, cards = self._ready
        return sorted(found, key=lambda key: key not in cards)[:count]

    def is_drawn(self, key: str) -> bool:
        """Whether a row is shown because it was drawn at random."""
        return key in self._drawn or key in self._ledger.drawn

    def refit(self) -> None:
        """Learn as soon as possible."""
        self._refit_wanted = True
        self._wake.set()

    def learn_all(self, seconds: float) -> bool:
        """Teach the detector the answers so far if it lacks any, and wait for it; whether it has learned them then.

        True too where there is nothing that it could learn.
        """
        self.catch_up()
        if not (self.unlearned and (self.teachable or self.trained.answers)):
            return True
        wanted, before, deadline = self._ledger.read, self._trainings, time.monotonic() + seconds
        if self._training is None or self._training_from < wanted:
            self._train_wanted = True
            self._wake.set()
        while not (self._trainings > before and self._tried >= wanted):
            if time.monotonic() >= deadline or not self._learner.alive:
                break
            time.sleep(TICK)
        return self._learned >= wanted

    def catch_up(self) -> None:
        """Take in what came into the store since, from whomever."""
        self._read_store()
        self._wake.set()

    def close(self) -> None:
        """Stop."""
        self._stopped = True
        self._wake.set()
        self._thread.join()
        self._learner.close()

    @property
    def deck(self) -> Deck:
        """What makes cards at present."""
        return self._ready[0]

    # How it is done

    def _explained_by(
        self, detector: BaseDetector, *, first: bool = False
    ) -> tuple[tuple[Deck, dict[str, Card]], str]:
        """Explain the next rows by a detector: what explains them, their cards, and the model's digest."""
        deck, cards = Deck(self.pool, detector), dict[str, Card]()
        while self._explain(self._left()[:AT_ONCE] if first else self.waiting(FEWEST, skip=()), deck, cards):
            pass
        return (deck, cards), model_digest(detector)

    def _explain(self, order: Sequence[str], deck: Deck, cards: dict[str, Card]) -> bool:
        """Explain a few rows that are not explained yet; whether there were any."""
        missing = [key for key in order if key not in cards][:AT_ONCE]
        for card in deck.cards([self.places[key] for key in missing]):
            cards[card.key] = card
        return bool(missing)

    def _highest(self, count: int, skip: Collection[str | None]) -> list[str]:
        """Rows without an answer by their scores: the order where the queue has not replied yet."""
        keys = (self.pool.keys[place] for place in np.argsort(-self.scores, kind="stable"))
        return list(islice((key for key in keys if key not in self.answers and key not in skip), count))

    def _ask(self, *, anew: bool) -> None:
        """Ask the queue for rows: for others than those that are known, or for a new order."""
        self._anew = anew
        self._asked = self._waking(self._learner.ahead(AHEAD, skip=[] if anew else self._left()))

    def _take_order(self, ahead: Ahead) -> None:
        self._drawn = self._drawn.difference(ahead.keys) | ahead.drawn
        self._order = [*(key for key in self._left() if key not in ahead.drawn), *ahead.keys]

    def _left(self) -> list[str]:
        return [key for key in self._order if key not in self.answers]

    def _run(self) -> None:
        while not self._stopped:
            try:
                busy = self._step()
            except Exception as error:  # whatever it is, the page says it, and goes on
                self.trouble, busy = str(error).partition("\n")[0] or type(error).__name__, False
            if not busy:
                self._wake.wait(PAUSE)
                self._wake.clear()

    def _step(self) -> bool:
        """Do one small thing; whether there is more to do at once."""
        if not self._learner.alive:
            raise LearningError("the process that learns is gone; start the command again")
        if self._refitting is not None and self._refitting.done():
            learned, self._refitting = self._refitting, None
            self._rank(learned.result())
        if self._asked is not None and self._asked.done():
            asked, self._asked = self._asked, None
            ahead = asked.result()
            if self._anew:
                self._explain(ahead.keys, *self._ready)
                self._order = []
            self._take_order(ahead)
        if self._training is not None and self._training.done():
            self._take_training(self._training)
            self._ready, self.digest = self._explained_by(self.trained.detector)
        if self._estimating is not None and self._estimating.done():
            estimate, self._estimating = self._estimating, None
            self.remaining = estimate.result()
        self._begin()
        deck, cards = self._ready
        looked_at, self._looked_at = self._looked_at, None
        wanted = [looked_at] if looked_at and looked_at not in cards else self.waiting(FEWEST, skip=())
        if self._explain(wanted, deck, cards):
            while len(cards) > KEPT:
                cards.pop(next(iter(cards)))
            return True
        return False

    def _begin(self) -> None:
        """Ask the queue for what is wanted; nothing here waits for it."""
        self._read_store()
        if self._training is None and self._train_wanted:
            self._train_wanted = False
            with self._catching_up:  # all that was read before is told before
                self._training_from = self._ledger.read
                self._training = self._waking(self._learner.train())
        if self._refitting is None and (self._refit_wanted or self.fresh >= EVERY):
            self._refit_wanted, self._learned_answers = False, len(self.clear())
            self._refitting = self._waking(self._learner.refit())
        if self._asked is None and len(self._left()) < FEWEST:
            self._ask(anew=False)
        if self._estimating is None and self.answers and self._estimated_at != self._ledger.read:
            self._estimated_at = self._ledger.read
            self._estimating = self._waking(self._learner.remaining())
            self.disagreements = len(self._store.disagreements())

    def _waking(self, reply: "Future[Reply]") -> "Future[Reply]":
        reply.add_done_callback(lambda _: self._wake.set())
        return reply

    def _read_store(self) -> None:
        with self._catching_up:
            for key, event in self._ledger.catch_up().items():
                if key not in self.places:
                    continue
                if event is None:
                    self._learner.withdraw(key)
                else:
                    self._learner.answer(key, verdict_of(event), self._ledger.seen(key))

    def _take_training(self, training: "Future[Trained]") -> None:
        try:
            trained = training.result()
            if trained.answers:
                trained.detector.rename_known(self.pool.numbers)
            self.trained = trained
            self._learned = self._training_from
        finally:
            self._tried, self._training, self._trainings = self._training_from, None, self._trainings + 1

    def _rank(self, learned: Learned) -> None:
        """Take new scores over, and ask for the order and the detector that go with them."""
        before, self.scores, self.trouble = self.scores, learned.scores, ""
        self.change = change_of(
            before,
            learned.scores,
            answered=list(self.verdicts()),
            names=self.pool.name,
            answers=learned.answers,
            seconds=learned.seconds,
        )
        self._estimated_at, self._train_wanted = -1, True
        self._ask(anew=True)
