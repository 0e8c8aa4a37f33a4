"""A fitted detector may be read from any number of threads at once, and different ones be fitted at once."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet import A3Detector, ConvA3Detector, ExternalTarget, Schedule, load
from alarmnet._threads import threads_for
from alarmnet.baselines import BASELINES

READINGS = (
    "decision_function",
    "predict",
    "predict_proba",
    "logits",
    "anomaly_score",
    "p_value",
    "column_deviations",
    "reconstructions",
)
SHORT = Schedule(steps=20, batch_size=64, learning_rate=1e-2)

Rows = NDArray[Any]
Make = Callable[[], Any]


class Switching(nn.Module):
    """Lets another thread run between two layers, as it may happen anywhere."""

    def __init__(self, gate: Callable[[], object]) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, batch: Tensor) -> Tensor:
        self.gate()
        return batch

    def __deepcopy__(self, _memory: object) -> "Switching":
        return self


def a3(**parameters: Any) -> A3Detector:
    return A3Detector(
        target_schedule=SHORT, alarm_schedule=SHORT, alarm_rate=0.1, random_state=0, **parameters
    )


def conv(**parameters: Any) -> ConvA3Detector:
    return ConvA3Detector(schedule=SHORT, alarm_rate=0.1, random_state=0, **parameters)


OWN_MODULE = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def external() -> A3Detector:
    return a3(target=ExternalTarget(OWN_MODULE, layers=["1"]))


def images() -> tuple[Rows, Rows]:
    pixels = np.random.default_rng(0).integers(0, 255, size=(120, 8, 8), dtype=np.uint8)
    pixels[-10:, 2:6, 2:6] = 255
    return pixels, np.repeat([0.0, 1.0], [110, 10])


def read(detector: Any, parts: list[Rows]) -> list[tuple[str, Any]]:
    """Every reading that the detector gives, of every part."""
    found = []
    for reading in READINGS:
        for part in parts:
            try:
                found.append((reading, getattr(detector, reading)(part)))
            except ValueError as refusal:  # images have no columns; an external target reconstructs nothing
                found.append((reading, str(refusal)))
    return found


@pytest.mark.parametrize("threads", [1, 2, 8, 16])
@pytest.mark.parametrize("make", [a3, conv, external], ids=["a3", "conv-a3", "external"])
@pytest.mark.parametrize("kind", ["table", "images"])
def test_many_threads_read_what_one_does(
    make: Make, kind: str, threads: int, rows: Rows, labels: Rows, tmp_path: Path
) -> None:
    if make is external and kind == "images":
        pytest.skip("the external target here is for tables")
    X, y = (rows, labels) if kind == "table" else images()
    detector = make().fit(X, y)
    if make is not external:
        detector.save(tmp_path / "a.model")
        detector = load(tmp_path / "a.model")
    parts = [X[start : start + 7] for start in range(0, 28, 7)]
    alone = read(detector, parts)
    together = threading.Barrier(threads)

    def work(_number: int) -> list[tuple[str, Any]]:
        together.wait()
        return read(detector, parts)

    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(work, range(threads)):
            for (reading, value), (_, expected) in zip(found, alone, strict=True):
                np.testing.assert_array_equal(value, expected, err_msg=reading)


def test_two_threads_inside_the_same_network_do_not_see_each_others_rows(rows: Rows, labels: Rows) -> None:
    """Both readings are halfway through the layers at the same moment."""
    gate: list[Callable[[], object]] = [lambda: None]
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), Switching(lambda: gate[0]()), nn.Linear(8, 3))
    network = ExternalTarget(module, layers=["1", "3"]).build((5,))
    batches = [torch.tensor(rows[:6]).float(), torch.tensor(rows[-6:]).float()]
    alone = [network.read(batch)[0] for batch in batches]
    own_turn = [threading.Event(), threading.Event()]
    number = threading.local()

    def take_turns() -> None:
        own_turn[1 - number.own].set()
        own_turn[number.own].wait(0.2)

    gate[0] = take_turns

    def work(own: int) -> list[Tensor]:
        number.own = own
        return network.read(batches[own])[0]

    with ThreadPoolExecutor(2) as pool:
        for found, expected in zip(pool.map(work, range(2)), alone, strict=True):
            assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))


def test_another_alarm_rate_does_not_disturb_scores(rows: Rows, labels: Rows) -> None:
    detector = a3().fit(rows, labels)
    alone = detector.logits(rows)
    stop = threading.Event()

    def change() -> None:
        for rate in (0.1, 0.3) * 1000:
            detector.set_alarm_rate(rate)
            if stop.is_set():
                return

    with ThreadPoolExecutor(3) as pool:
        pool.submit(change)
        found = list(pool.map(detector.logits, [rows] * 10))
        stop.set()
    assert all(np.array_equal(scores, alone) for scores in found)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_score_alike_from_many_threads(name: str, rows: Rows, labels: Rows) -> None:
    kind = BASELINES[name]
    takes = kind().get_params()
    options = {"schedule": SHORT} if "schedule" in takes else {}
    baseline = kind(**options, random_state=0).fit(rows, labels)
    alone = baseline.decision_function(rows)
    with ThreadPoolExecutor(8) as pool:
        assert all(
            np.array_equal(scores, alone) for scores in pool.map(baseline.decision_function, [rows] * 16)
        )


def drawing(batch: Tensor) -> Tensor:
    """A user's generator that draws from PyTorch's global state."""
    return torch.rand_like(batch)


@pytest.mark.filterwarnings("ignore:.*equal a known anomaly")
def test_detectors_fitted_at_once_are_those_fitted_alone(rows: Rows, labels: Rows) -> None:
    makes: list[Make] = [a3, conv, external, lambda: a3(generator=drawing)] * 2
    alone = [make().fit(rows, labels).logits(rows) for make in makes[:4]] * 2
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    together = threading.Barrier(len(makes))

    def work(make: Make) -> Rows:
        together.wait()
        scores: Rows = make().fit(rows, labels).logits(rows)
        return scores

    with ThreadPoolExecutor(len(makes)) as pool:
        for found, expected in zip(pool.map(work, makes), alone, strict=True):
            np.testing.assert_array_equal(found, expected)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def test_a_new_thread_begins_with_the_callers_number_of_threads(three_threads: None) -> None:
    """PyTorch gives a new thread what was set last, which here is a choice made for another computation."""
    seen = []

    def work() -> None:
        with threads_for(0):
            seen.append(torch.get_num_threads())
        seen.append(torch.get_num_threads())

    with threads_for(0):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [1, 3]
    assert torch.get_num_threads() == 3
