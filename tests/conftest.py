"""What several test files share: a small table with few labels, detectors that train in a moment, and real data."""

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from alarmnet import (
    A3Detector,
    ConvA3Detector,
    ConvAlarm,
    DenseAlarm,
    DenseAutoencoder,
    Schedule,
    StridedAutoencoder,
)
from alarmnet.datasets import DATASETS, Images, Table
from alarmnet.detectors import BaseDetector
from alarmnet.errors import InputError

pytest_plugins = ["tests.stores", "tests.triage"]

SHORT = Schedule(steps=60, batch_size=64, learning_rate=1e-2)


class Maker:
    """Makes unfitted detectors of one kind that train in a moment; keyword arguments go before its own."""

    def __init__(
        self, kind: type[BaseDetector], schedules: tuple[str, ...], networks: tuple[str, ...], **tiny: Any
    ) -> None:
        self.kind = kind
        self.networks = networks
        self.schedules = schedules
        self.tiny = {**tiny, "known_weight": 1.0, "alarm_rate": 0.1, "random_state": 0}

    def __call__(
        self, *, kind: type[BaseDetector] | None = None, schedule: Schedule = SHORT, **parameters: Any
    ) -> Any:
        schedules = dict.fromkeys(self.schedules, schedule)
        return (kind or self.kind)(**(self.tiny | schedules | parameters))


MAKERS = (
    Maker(
        A3Detector,
        ("target_schedule", "alarm_schedule"),
        ("target", "alarm", "second alarm", "third alarm"),
        target=DenseAutoencoder(hidden=(12, 6)),
        alarm=DenseAlarm(hidden=(16, 8)),
    ),
    Maker(
        ConvA3Detector,
        ("schedule",),
        ("joint",),
        target=StridedAutoencoder(channels=(8, 8), grid=(4, 8)),
        alarm=ConvAlarm(channels=(8,)),
        input_alarms=False,
    ),
    Maker(A3Detector, ("target_schedule", "alarm_schedule"), ("target", "second alarm")),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests marked `full` take minutes: `make check-full` runs them."""
    parser.addoption("--full", action="store_true", help="run the tests that take minutes, too")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: takes minutes; runs with --full only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--full"):
        for item in items:
            if item.get_closest_marker("full"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: `make check-full` runs it"))


def _no_network(*arguments: object, **options: object) -> None:
    raise OSError("tests download nothing")


def _kept_or_skipped(loader: Callable[[], Table | Images]) -> Callable[[], Table | Images]:
    @functools.cache
    def load() -> Table | Images:
        try:
            return loader()
        except InputError as error:
            if error.code == "data_file_missing":
                pytest.skip(f"real data is not at hand: {error}")
            raise

    return load


@pytest.fixture(scope="module")
def data_folder() -> Iterator[Path]:
    """The folder of real data; each set is loaded once, and its test skipped where it is missing."""
    folder = Path(os.environ.get("ALARMNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not at hand: set ALARMNET_DATA, {folder} does not exist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALARMNET_DATA", str(folder))
        patch.setattr("urllib.request.urlopen", _no_network)
        for name, info in list(DATASETS.items()):
            patch.setitem(DATASETS, name, replace(info, loader=_kept_or_skipped(info.loader)))
        yield folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small() -> Maker:
    """Makes small A3 detectors."""
    return MAKERS[0]


@pytest.fixture(scope="session", params=MAKERS, ids=["a3 that reads both", "conv-a3", "a3"])
def make(request: pytest.FixtureRequest) -> Maker:
    """Makes small detectors, of each kind in turn: for what all of them promise."""
    maker: Maker = request.param
    return maker


@pytest.fixture(scope="session")
def rows() -> NDArray[np.float64]:
    """200 x 5; the last ten are anomalies. Read-only, so that a detector which writes into it fails."""
    values = np.random.default_rng(0).normal(size=(200, 5))
    values[-10:] += 4
    values.flags.writeable = False
    return values


@pytest.fixture(scope="session")
def labels() -> NDArray[np.float64]:
    """150 normal rows, 40 that nobody looked at, ten known anomalies."""
    values = np.repeat([0.0, np.nan, 1.0], [150, 40, 10])
    values.flags.writeable = False
    return values


@pytest.fixture(scope="session")
def fitted(small: Maker, rows: NDArray[np.float64], labels: NDArray[np.float64]) -> Any:
    """An A3 detector fitted on `rows` and `labels`; a test that changes it takes a deep copy."""
    return small().fit(rows, labels)


@pytest.fixture(scope="session")
def trained(make: Maker, rows: NDArray[np.float64], labels: NDArray[np.float64]) -> Any:
    """A detector of each kind in turn, fitted on `rows` and `labels`; a test that changes it takes a deep copy."""
    return make().fit(rows, labels)
