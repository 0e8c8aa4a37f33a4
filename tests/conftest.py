"""What several test files share: a small table with few labels, and detectors that train in a moment."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from alarmnet import A3Detector, DenseAlarm, DenseAutoencoder, Schedule

SHORT = Schedule(steps=60, batch_size=64, learning_rate=1e-2)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """Networks this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def small() -> Callable[..., A3Detector]:
    """Makes unfitted detectors with a tiny schedule; keyword arguments go before the small ones."""

    def make(*, kind: type[A3Detector] = A3Detector, **parameters: Any) -> A3Detector:
        tiny: dict[str, Any] = {
            "target": DenseAutoencoder(hidden=(12, 6)),
            "alarm": DenseAlarm(hidden=(16, 8)),
            "target_schedule": SHORT,
            "alarm_schedule": SHORT,
            "known_weight": 1.0,
            "alarm_rate": 0.1,
            "random_state": 0,
        }
        return kind(**(tiny | parameters))

    return make


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
def fitted(
    small: Callable[..., A3Detector], rows: NDArray[np.float64], labels: NDArray[np.float64]
) -> A3Detector:
    """A detector fitted on `rows` and `labels`; a test that changes it takes a deep copy."""
    return small().fit(rows, labels)
