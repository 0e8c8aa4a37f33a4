"""The queue of rows that learns from answers."""

import threading
from collections.abc import Hashable
from multiprocessing import Pipe
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone

from alarmnet import A3Detector, InputError, Schedule
from alarmnet.loop import AtRandom, HighestCalibration, MostAnomalous, Queue, Varied
from alarmnet.loop.process import QueueReplies
from alarmnet.loop.remaining import Look, Remaining, remaining
from alarmnet.loop.strategies import Places, Ranking
from alarmnet.networks.oriented_gradients import oriented_gradients

QUICK = A3Detector(alarm_rate=0.05)
BRIEF = A3Detector(target_schedule=Schedule(steps=20), alarm_schedule=Schedule(steps=20), alarm_rate=0.1)


def rows() -> tuple[pd.DataFrame, NDArray[np.str_]]:
    """400 rows: 30 that are far away and harmless, 20 anomalies that are less far, and 350 others."""
    generator = np.random.default_rng(0)
    table = generator.normal(size=(400, 4))
    table[:30, :2] += 9
    table[30:50, 2:] += 4
    kinds = np.repeat(["harmless", "anomaly", "usual"], [30, 20, 350])
    order = generator.permutation(400)
    return pd.DataFrame(table[order], columns=list("abcd")), kinds[order]


def looked(queue: Queue, kinds: NDArray[np.str_], rounds: int) -> list[int]:
    """Answer five rows a round; give the places of all."""
    seen: list[int] = []
    for _ in range(rounds):
        for key in queue.next(5):
            place = queue.ids.index(key)
            queue.answer(key, "anomaly" if kinds[place] == "anomaly" else "normal")
            seen.append(place)
        queue.refit()
    return seen


def test_refusals_teach_before_the_first_anomaly_is_found() -> None:
    table, kinds = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    static = queue.scores.argsort()[::-1][:40]
    assert (kinds[static] == "harmless").sum() >= 20, "the first ranking is misled"
    seen = kinds[looked(queue, kinds, rounds=8)]
    assert (seen == "harmless").sum() <= 12
    assert (seen == "anomaly").sum() >= 15


def test_uncertain_rows_are_shown_where_the_latest_looks_found_little() -> None:
    X = np.random.default_rng(0).normal(size=(300, 4))
    X[:10] *= 3

    def only_likeliest(order: slice) -> bool:
        queue = Queue(X, random_state=0)
        for place, row in list(enumerate(queue.next(10)))[order]:
            queue.answer(row, "anomaly" if place < 5 else "normal")
        queue.refit()
        return set(queue.next(30)) == set(queue.next(30, strategy=MostAnomalous()))

    assert only_likeliest(slice(None, None, -1))
    assert not only_likeliest(slice(None))


def test_a_row_that_was_withdrawn_hides_no_later_answer() -> None:
    queue, shown = Queue(rows()[0], detector=QUICK, random_state=0), []

    class Recording(Varied):
        def order(self, ranking: Ranking, n: int) -> Places:
            shown.append([*ranking.shown])
            return super().order(ranking, n)

    first, second, third = queue.next(3)
    for key in (first, second):
        queue.answer(key, "normal")
    queue.refit()
    queue.withdraw(first)
    queue.answer(third, "normal")
    queue.next(strategy=Recording())
    assert shown == [[queue.ids.index(third)]]


def test_rows_drawn_at_random_are_drawn_from_the_highest_too() -> None:
    queue = Queue(rows()[0], detector=QUICK, random_state=0)
    replies = QueueReplies(Pipe()[0], queue)
    highest = {*queue.next(100)}
    drawn = [key for _ in range(60) for key in replies.reply("ahead", 20, [*highest]).drawn]
    assert len(drawn) == 120
    assert 15 <= sum(key in map(str, highest) for key in drawn) <= 45
    ahead = replies.reply("ahead", 20, [])
    assert len({*ahead.keys}) == len(ahead.keys) == 22


def test_the_same_answers_give_the_same_rows() -> None:
    table, kinds = rows()
    first, second = (looked(Queue(table, random_state=3), kinds, rounds=3) for _ in range(2))
    assert first == second


def test_a_queue_without_new_answers_gives_the_same_rows() -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    assert queue.next(7) == queue.next(7)
    assert queue.next(7)[:3] == queue.next(3)
    assert set(queue.next(5, skip=queue.next(5))).isdisjoint(queue.next(5))


def test_rows_one_by_one_are_those_that_come_at_once() -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    at_once, one_by_one = queue.next(6), []
    for _ in range(6):
        one_by_one += queue.next()
        queue.answer(one_by_one[-1], "unsure")
    assert one_by_one == at_once


def test_answers_are_kept_changed_and_withdrawn() -> None:
    table, _ = rows()
    names = [f"row {place}" for place in range(400)]
    queue = Queue(table, detector=QUICK, ids=names, random_state=0)
    first, second, third = queue.next(3)
    queue.answer(first, "anomaly")
    queue.answer(second, "normal")
    queue.answer(third, "unsure")
    queue.answer(second, "anomaly")
    assert queue.labels()[[names.index(str(key)) for key in (first, second)]].tolist() == [1, 1]
    assert np.isnan(queue.labels()).sum() == 398
    assert queue.curve().found.tolist() == [1, 2, 2]
    assert third not in queue.next(400)
    queue.withdraw(first)
    assert first in queue.next(400)
    assert queue.curve().looks.tolist() == [1, 2]


def test_the_detector_learns_the_answers_and_equal_rows_with_them() -> None:
    table, kinds = rows()
    table.iloc[np.flatnonzero(kinds == "anomaly")[:4]] = 5.0
    queue = Queue(table, random_state=0)
    before = queue.detector_
    queue.refit_detector()
    assert queue.detector_ is before, "nothing is known yet"
    one, other = np.flatnonzero(kinds == "anomaly")[:2]
    queue.answer(int(one), "anomaly")
    queue.refit_detector()
    assert queue.detector_ is not before
    assert queue.detector_.label_counts_["anomaly"] == 4
    assert queue.detector_.decision_function(table.iloc[[other]])[0] > 0


def test_a_detector_whose_labels_are_words_learns_answers() -> None:
    table, kinds = rows()
    words = clone(BRIEF).set_params(anomaly_label="attack").fit(table)
    queue = Queue(table, detector=words, random_state=0)
    queue.answer(int(np.flatnonzero(kinds == "anomaly")[0]), "anomaly")
    queue.refit_detector()
    assert queue.detector_.label_counts_["anomaly"] == 1
    assert words.anomaly_label == "attack"


def test_a_fitted_detector_ranks_as_it_is() -> None:
    table, kinds = rows()
    y = np.where(kinds == "anomaly", 1.0, np.nan)
    y[np.flatnonzero(kinds == "anomaly")[5:]] = np.nan
    detector = A3Detector(random_state=0, alarm_rate=0.05).fit(table, y)
    queue = Queue(table, detector=detector, random_state=0)
    assert queue.detector_ is detector
    assert (kinds[[int(str(key)) for key in queue.next(10, strategy=MostAnomalous())]] != "usual").all()


@pytest.mark.parametrize("strategy", [MostAnomalous(), Varied(), AtRandom(), HighestCalibration()])
def test_strategies_give_waiting_rows_once(strategy: object) -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    queue.answer(queue.next()[0], "normal")
    given = queue.next(50, strategy=strategy)  # type: ignore[arg-type]
    assert len(given) == len(set(given)) == 50
    assert not set(given) & set(queue.verdicts)


def test_calibration_rows_are_those_that_the_threshold_rests_on() -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    given = queue.next(400, strategy=HighestCalibration())
    assert len(given) == len(queue.detector_.calibration_scores_)
    highest = queue.detector_.decision_function(table.iloc[[int(str(key)) for key in given]])
    assert np.allclose(
        np.sort(highest + queue.detector_.threshold_), queue.detector_.calibration_scores_, atol=1e-4
    )


def test_images_are_looked_at_too(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    images = generator.integers(0, 60, size=(120, 8, 8), dtype=np.uint8)
    images[:10, 2:5, 2:5] = 250
    monkeypatch.setattr("alarmnet.loop.queue.IMAGES_AT_ONCE", 50)
    queue = Queue(images, detector=BRIEF, random_state=0)
    edges = oriented_gradients(torch.as_tensor(images[:, None] / np.float32(255)))
    assert np.allclose(queue._learner._rows, edges, atol=1e-5), "it reads edges, not pixels"
    kinds = np.repeat(["anomaly", "usual"], [10, 110])
    assert (kinds[looked(queue, kinds, rounds=4)] == "anomaly").sum() == 10


def test_next_and_answer_do_not_wait_for_a_refit() -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    learn, begun, go_on = queue._learner.learn, threading.Event(), threading.Event()

    def slow(answers: object) -> object:
        begun.set()
        assert go_on.wait(20)
        return learn(answers)  # type: ignore[arg-type]

    queue._learner.learn = slow  # type: ignore[method-assign, assignment]
    refit = threading.Thread(target=queue.refit)
    refit.start()
    assert begun.wait(20)
    given: list[Hashable] = queue.next(2)
    queue.answer(given[0], "normal")
    go_on.set()
    refit.join()
    assert given[0] not in queue.next(400)


@pytest.mark.parametrize("column", [pa.array, lambda ids: pa.chunked_array([ids]), pd.Series, list])
def test_ids_may_be_a_column_of_any_library(column: Any) -> None:
    queue = Queue(rows()[0][:100], detector=BRIEF, ids=column([f"flow {row}" for row in range(100)]))
    queue.answer("flow 3", "normal")
    assert queue.verdicts == {"flow 3": "normal"}


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        (lambda queue: queue.answer(400, "normal"), "unknown_id", "no row has the id 400"),
        (lambda queue: queue.answer(0, "fine"), "verdict", "'fine'"),
        (lambda queue: queue.answer(0, np.array(["normal", "normal"])), "verdict", "array"),
        (lambda queue: queue.withdraw("a"), "unknown_id", "no row has the id 'a'"),
        (lambda queue: queue.next(skip=[-1]), "unknown_id", "no row has the id -1"),
        (
            lambda queue: Queue(queue._X, detector=QUICK, ids=[1, 1]),
            "row_ids",
            "1 different ids came for 400 rows",
        ),
        (lambda queue: queue.next(1.5), "invalid_parameter", "'n' parameter of Queue"),
        (lambda queue: queue.next(strategy=AtRandom), "invalid_parameter", r"such as AtRandom\(\)"),
        (lambda queue: Queue(queue._X[:0]), "too_few_rows", "0 sample"),
        (lambda queue: Queue(queue._X, detector=cast(Any, "A3")), "invalid_parameter", "Got str instead"),
        (lambda queue: Queue(queue._X, random_state=cast(Any, "a")), "invalid_parameter", "'random_state'"),
    ],
)
def test_what_cannot_be_is_refused(call: object, code: str, said: str) -> None:
    queue = Queue(rows()[0], detector=QUICK, random_state=0)
    with pytest.raises(InputError, match=said) as refusal:
        call(queue)  # type: ignore[operator]
    assert refusal.value.code == code


def simulated(share_at_random: float, seed: int) -> tuple[int, list[Look], NDArray[np.float64]]:
    """60 looks by scores that tell anomalies from normal rows in part, and the share at random: what remains."""
    generator = np.random.default_rng(seed)
    anomalous = generator.random(1_000) < generator.choice([0.02, 0.1, 0.3])
    scores = anomalous * generator.choice([0.5, 1.5]) + generator.normal(size=1_000)
    waiting, looks = np.ones(1_000, dtype=bool), []
    for _ in range(60):
        at_random = bool(generator.random() < share_at_random)
        places = np.flatnonzero(waiting)
        place = generator.choice(places) if at_random else places[scores[places].argmax()]
        looks.append(Look(at_random, len(places), float(scores[place]), bool(anomalous[place])))
        waiting[place] = False
    return int(anomalous[waiting].sum()), looks, scores[waiting]


@pytest.mark.parametrize("share_at_random", [0.1, 0.5])
def test_the_interval_holds_what_remains(share_at_random: float) -> None:
    covered = []
    for seed in range(200):
        left, looks, scores = simulated(share_at_random, seed)
        estimate = remaining(looks, scores)
        assert 0 <= estimate.low <= estimate.estimate <= estimate.high <= len(scores)
        covered.append(estimate.low <= left <= estimate.high)
    assert np.mean(covered) >= 0.93


def test_advice_is_to_stop_after_many_looks_in_vain() -> None:
    looks = [Look(False, 500 - place, 0.0, False) for place in range(60)]
    found = remaining(looks, np.zeros(440))
    assert found.stop
    assert "The last 60 clear answers found no anomaly." in found.advice
    assert not remaining([*looks, Look(False, 440, 0.0, True)], np.zeros(439)).stop


def test_before_any_answer_anything_may_remain() -> None:
    found = remaining([], np.zeros(100))
    assert (found.low, found.high, found.stop) == (2, 98, False)


def test_an_estimate_says_what_it_lacks() -> None:
    looks = [Look(place % 10 == 0, 500 - place, 0.0, place == 3) for place in range(49)]
    lacks = remaining(looks, np.zeros(451)).lacks
    assert (
        "needs 50 clear answers (anomaly or normal), 5 of them for rows drawn at random; so far it has 49, 5"
        in lacks
    )
    assert remaining([*looks, Look(False, 451, 0.0, False)], np.zeros(450)).lacks == ""
    chosen = [Look(False, 500 - place, 0.0, place == 3) for place in range(60)]
    assert "0 of them for rows drawn at random" in remaining(chosen, np.zeros(440)).lacks


@pytest.mark.parametrize("found", [[], [False], [True, False]])
def test_nothing_remains_where_no_row_is_left(found: list[bool]) -> None:
    looks = [Look(False, len(found) - place, 0.0, one) for place, one in enumerate(found)]
    assert remaining(looks, np.zeros(0)) == Remaining(
        0, 0, 0, stop=True, advice="All rows are reviewed.", lacks=""
    )


def test_unsure_answers_say_nothing_of_what_remains() -> None:
    table, _ = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    before = queue.remaining()
    aside = queue.next(60)
    for row in aside:
        queue.answer(row, "unsure")
    assert (queue.remaining().advice, queue.remaining().lacks) == (before.advice, before.lacks)
    for row in queue.next(2):
        queue.answer(row, "normal")
    assert "The last 2 clear answers found no anomaly. Continue." in queue.remaining().advice
    assert "so far it has 2, 0" in queue.remaining().lacks


def test_the_detector_has_the_answers_of_now_and_no_others() -> None:
    table, kinds = rows()
    queue = Queue(table, detector=QUICK, random_state=0)
    first = queue.detector_
    calibration = int(first.calibration_rows_[0])
    others = np.setdiff1d(np.arange(len(kinds)), first.calibration_rows_)
    anomaly, unsure = (int(others[(kinds[others] == "anomaly") == wanted][0]) for wanted in (True, False))
    assert queue.learned_ == {}
    queue.answer(anomaly, "anomaly")
    queue.answer(calibration, "anomaly")
    queue.answer(unsure, "unsure")
    queue.refit_detector()
    assert queue.learned_ == {anomaly: "anomaly", calibration: "anomaly"}
    assert len(queue.detector_.calibration_scores_) < len(first.calibration_scores_)
    queue.answer(calibration, "normal")
    queue.refit_detector()
    assert len(queue.detector_.calibration_scores_) == len(first.calibration_scores_), "it calibrates again"
    queue.answer(anomaly, "normal")
    queue.refit_detector()
    assert queue.detector_ is first
    assert queue.learned_ == {}


def test_a_small_queue_does_not_warn_of_its_own_alarm_rate() -> None:
    """Anomalies that are found calibrate no longer."""
    X = np.random.default_rng(0).normal(size=(120, 3))
    X[:30] += 5
    queue = Queue(X, random_state=0)
    for row in queue.next(20):
        queue.answer(row, "anomaly" if row in range(30) else "normal")
    queue.refit_detector()
    assert queue.detector_.label_counts_["anomaly"] > 9
    assert queue.detector_.alarm_rate_held_ == pytest.approx(queue.detector_.alarm_rate_)
