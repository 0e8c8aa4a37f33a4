"""Many threads read one detector, or fit detectors of their own; each gets what it would get alone."""

import copy
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet import ExternalTarget, OutlierDetector, Schedule, load
from alarmnet.baselines import BASELINES, AutoencoderBaseline, Baseline
from alarmnet.data_files.picture import decoded
from alarmnet.errors import InputError

Make = Callable[..., Any]
Arrays = NDArray[Any]
Reading = dict[str, Arrays]

METHODS = (
    "decision_function",
    "predict",
    "predict_proba",
    "logits",
    "anomaly_score",
    "p_value",
    "column_deviations",
    "reconstructions",
)
SHORT = Schedule(steps=20, batch_size=32, learning_rate=1e-2)


def read(detector: Any, rows: Any) -> Reading:
    """What every reading method gives; a method that refuses these rows alone gives nothing."""
    found: Reading = {}
    for method in METHODS:
        try:
            found[method] = getattr(detector, method)(rows)
        except InputError as error:
            found[method] = np.array(str(error))
    return found


def at_once(call: Callable[[Any], Any], arguments: Sequence[Any]) -> list[Any]:
    """What the call gives for each argument, each in a thread of its own, all started together."""
    start = threading.Barrier(len(arguments), timeout=30)

    def run(argument: Any) -> Any:
        start.wait()
        return call(argument)

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(run, arguments))


def meet_in(network: nn.Module, threads: int) -> None:
    """Let no thread pass a layer of the network before all are there."""
    meeting = threading.Barrier(threads, timeout=30)
    for layer in network.modules():
        if isinstance(layer, nn.ReLU):
            layer.register_forward_pre_hook(lambda *_: (meeting.wait(), None)[1])


def assert_same(found: Reading, alone: Reading) -> None:
    for method, values in alone.items():
        np.testing.assert_array_equal(found[method], values, err_msg=method)


def through_file(detector: Any, folder: Path, **options: Any) -> Any:
    detector.save(folder / "some.model")
    return load(folder / "some.model", **options)


def images() -> tuple[Arrays, Arrays]:
    pixels = np.random.default_rng(0).integers(0, 100, size=(64, 9, 8), dtype=np.uint8)
    pixels[:8, 2:6, 2:6] += 120
    return pixels, np.repeat([1, 0], [8, 56])


# Reading


@pytest.fixture(scope="module", params=["table", "images"])
def learned(request: pytest.FixtureRequest, make: Make, rows: Arrays, labels: Arrays) -> tuple[Any, Arrays]:
    """A fitted detector of each kind, of each kind of rows, and the rows."""
    if request.param == "table":
        return make().fit(rows, labels), rows
    pixels, marks = images()
    return make(target=None, schedule=SHORT).fit(pixels, marks), pixels


@pytest.mark.parametrize("threads", [1, 2, 8, 16])
@pytest.mark.parametrize("loaded", [False, True], ids=["fitted", "loaded"])
def test_threads_read_what_they_would_read_alone(
    learned: tuple[Any, Arrays], threads: int, loaded: bool, tmp_path: Path
) -> None:
    detector, rows = copy.deepcopy(learned[0]), learned[1]
    parts = np.split(rows[: len(rows) // threads * threads], threads)  # so that all meet equally often
    alone = [read(learned[0], part) for part in parts]
    if loaded:
        detector = through_file(detector, tmp_path)
    meet_in(detector._scorer.target, threads)
    found = at_once(partial(read, detector), parts)
    for together, expected in zip(found, alone, strict=True):
        assert_same(together, expected)


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


class Sleeping(nn.Module):
    """Draws, and lets other threads run."""

    def forward(self, batch: Tensor) -> Tensor:
        time.sleep(0.002)
        return batch + torch.randn_like(batch)


def test_threads_read_a_users_network_that_draws(
    small: Make, rows: Arrays, labels: Arrays, tmp_path: Path
) -> None:
    module = nn.Sequential(nn.Linear(5, 8), Sleeping(), nn.ReLU(), Sleeping(), nn.Linear(8, 2), nn.Sigmoid())
    target = ExternalTarget(module, layers=["0", "2", "5"])
    detector = small(target=target, schedule=SHORT).fit(rows, labels)
    state = torch.get_rng_state()
    for read_by in (detector, through_file(detector, tmp_path, target=target)):
        parts = np.array_split(rows, 8)
        alone = [read(detector, part) for part in parts]
        found = at_once(partial(read, read_by), parts)
        for together, expected in zip(found, alone, strict=True):
            assert_same(together, expected)
    assert torch.equal(torch.get_rng_state(), state)


def test_two_threads_inside_the_same_network_do_not_see_each_others_rows(rows: Arrays) -> None:
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


def test_a_users_network_that_asks_another_detector_is_read(
    small: Make, rows: Arrays, labels: Arrays
) -> None:
    class Asking(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            asked.append(other.logits(batch.detach().numpy()))
            other._scorer.target(batch)
            return batch

    asked: list[Arrays] = []
    inner = nn.Sequential(nn.Linear(5, 5), nn.ReLU(), nn.Linear(5, 5))
    other = small(target=ExternalTarget(inner, layers=["0", "2"]), schedule=SHORT).fit(rows, labels)
    outer = nn.Sequential(nn.Linear(5, 5), nn.ReLU())
    batch = torch.tensor(rows[:4]).float()
    expected = ExternalTarget(outer, layers=["0", "1"]).build((5,)).activations(batch)
    asking = nn.Sequential(outer[0], Asking(), outer[1])
    network = ExternalTarget(asking, layers=["0", "2"]).build((5,))
    asked.clear()
    found = network.activations(batch)
    assert len(asked) == 1
    assert all(map(torch.equal, found, expected))


def test_the_threshold_is_changed_while_others_read(trained: Any, rows: Arrays) -> None:
    detector = copy.deepcopy(trained)
    expected = [
        trained.logits(rows) - copy.deepcopy(trained).set_alarm_rate(rate).threshold_ for rate in (0.1, 0.3)
    ]
    done = threading.Event()

    def change() -> None:
        while not done.is_set():
            detector.set_alarm_rate(0.3).set_alarm_rate(0.1)

    def score() -> list[Arrays]:
        try:
            return [detector.decision_function(rows) for _ in range(20)]
        finally:
            done.set()

    _, found = at_once(lambda act: act(), [change, score])
    assert all(any(np.array_equal(scores, one) for one in expected) for scores in found)


def test_the_outlier_face_is_read_by_threads(small: Make, rows: Arrays) -> None:
    face = OutlierDetector(small(schedule=SHORT)).fit(rows)
    parts = np.array_split(rows, 8)
    alone = [face.decision_function(part) for part in parts]
    meet_in(face.detector_._scorer.target, 8)
    assert all(map(np.array_equal, at_once(face.decision_function, parts), alone))


@pytest.mark.parametrize("kind", [kind for kind in BASELINES.values() if kind.reads_tables])
def test_threads_score_with_a_rival_what_they_would_alone(
    kind: type[Baseline], rows: Arrays, labels: Arrays
) -> None:
    model = kind(random_state=0)
    for name in model.get_params():
        if name.endswith("schedule"):
            model.set_params(**{name: SHORT})
    model.fit(rows, labels)
    parts = np.array_split(rows, 8)
    alone = [model.decision_function(part) for part in parts]
    if isinstance(network := getattr(model, "_network", None), nn.Module):
        meet_in(network, 8)
    assert all(map(np.array_equal, at_once(model.decision_function, parts), alone))


@pytest.fixture
def freeze(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """From when it is called, no network is moved or laid out anew: another thread may be in it."""

    def moved(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a network is moved while it is read")

    return lambda: monkeypatch.setattr(nn.Module, "_apply", moved)  # type: ignore[return-value]


def test_reading_moves_no_network(learned: tuple[Any, Arrays], freeze: Callable[[], None]) -> None:
    detector, rows = learned
    detector.logits(rows[:1])
    freeze()
    read(detector, rows)


def test_scoring_with_a_rival_moves_no_network(rows: Arrays, freeze: Callable[[], None]) -> None:
    model = AutoencoderBaseline(schedule=SHORT, random_state=0).fit(rows)
    model.decision_function(rows)
    freeze()
    model.decision_function(rows)


# Learning


def model_of(detector: Any) -> dict[str, Tensor]:
    return dict(detector._scorer.state_dict())


def drawing(batch: Tensor) -> Tensor:
    """Counterexamples from PyTorch's global generator, after other threads had their turn."""
    time.sleep(0.0005)
    return torch.rand_like(batch)


def test_detectors_that_are_fitted_at_once_are_those_that_are_fitted_alone(
    make: Make, rows: Arrays, labels: Arrays
) -> None:
    """They take turns in the middle of training, and each draws from PyTorch's global generator."""

    def fit(seed: int) -> Any:
        unfitted = make(
            schedule=SHORT,
            generator=drawing,
            generated_weight=1.0,
            random_state=seed,
            verbose=lambda state: time.sleep(0.001),
        )
        return unfitted.fit(rows[seed:], labels[seed:])

    alone = [fit(seed) for seed in range(3)]
    state = torch.get_rng_state()
    together = at_once(fit, range(3))
    assert torch.equal(torch.get_rng_state(), state)
    for one, other in zip(alone, together, strict=True):
        expected, found = model_of(one), model_of(other)
        assert expected.keys() == found.keys()
        assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
        assert_same(read(other, rows), read(one, rows))


def test_a_detector_is_read_while_its_alarm_is_refitted(small: Make, rows: Arrays, labels: Arrays) -> None:
    detector = small(schedule=SHORT).fit(rows, labels)
    alone = read(detector, rows)
    found: list[Reading] = []
    refitting = copy.copy(
        detector
    )  # shares the networks, as the detector itself does until the refit is done
    refitting.verbose = lambda state: found.extend(at_once(partial(read, detector), [rows]))
    refitting.refit_alarm(rows, np.nan_to_num(labels))
    assert found
    for reading in found:
        assert_same(reading, alone)


# What a process has once


def test_pictures_are_decoded_by_threads_and_warnings_stay_as_they_were(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for number in range(8):
        image.fromarray(np.full((9, 9), number, dtype=np.uint8)).save(tmp_path / f"{number}.png")
    filters = list(warnings.filters)

    def decode(number: int) -> int:
        opened = [
            decoded(tmp_path / f"{number}.png", (1, 9, 9), reference="the first has") for _ in range(20)
        ]
        return int(opened[0].max())

    assert at_once(decode, range(8)) == list(range(8))
    assert warnings.filters == filters
