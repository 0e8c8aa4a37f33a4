"""What several test files share: a small table with few labels, and detectors that train in a moment."""

from collections.abc import Iterator
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
from alarmnet.detectors import BaseDetector

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
        ("target", "alarm", "second alarm"),
        target=DenseAutoencoder(hidden=(12, 6)),
        alarm=DenseAlarm(hidden=(16, 8)),
    ),
    Maker(
        ConvA3Detector,
        ("schedule",),
        ("joint",),
        target=StridedAutoencoder(channels=(8, 8), grid=(4, 8)),
        alarm=ConvAlarm(channels=(8,)),
    ),
)


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


@pytest.fixture(scope="session", params=MAKERS, ids=lambda maker: maker.kind.method)
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
