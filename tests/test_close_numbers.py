"""Numbers that differ by next to nothing, or by almost all that a float can hold."""

import warnings
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alarmnet import TableEncoder
from alarmnet.baselines import BASELINES
from alarmnet.detectors import load
from alarmnet.errors import InputError
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.training import Schedule
from alarmnet.preprocessing.scales import Scaling

pytestmark = pytest.mark.filterwarnings("ignore::alarmnet.errors.AlarmnetWarning")

Floats = NDArray[np.float64]


def stepped(value: float, steps: int, kind: type[Any]) -> float:
    """A number so many of a float type's smallest steps further."""
    with np.errstate(over="ignore"):
        start = kind(value)
    for _ in range(steps):
        start = np.nextafter(start, kind(np.inf))
    return float(start)


magnitudes = st.builds(lambda sign, power: sign * 10.0**power, st.sampled_from([-1, 1]), st.floats(-300, 300))
special = st.sampled_from([0.0, -0.0, 1.0, 5e-324, 1e-310, 1.4e-45, 1e-39, 3.4e38, -3.4e38, 0.1, 2.4e8])
starts = magnitudes | special


@st.composite
def columns(draw: st.DrawFn) -> Floats:
    """Ties, steps of one unit in the last place, and numbers of any size, in any mixture."""
    start = draw(starts)
    near = st.builds(
        stepped, st.just(start), st.integers(0, 12), st.sampled_from([np.float64, np.float32])
    ) | st.floats(0, 1e-6).map(lambda share: start * (1 + share))
    values = draw(st.lists(near, min_size=2, max_size=40)) * draw(st.integers(1, 4))
    return np.array(values + draw(st.lists(starts, max_size=5)))


@settings(deadline=None, max_examples=150)
@given(columns(), st.sampled_from(get_args(Scaling)))
def test_what_is_encoded_and_cut_into_pieces_is_finite(column: Floats, scaling: Scaling) -> None:
    encoder = TableEncoder(scaling=scaling)
    try:
        encoded = encoder.fit_transform(column[:, None])
    except InputError as error:
        assert error.code in ("beyond_float32", "infinite_value")  # noqa: PT017 - not every example is refused
        return
    assert np.isfinite(encoded).all()
    far = np.array([[0.0], [1.0], [-1e-310], [3.4e38], [-3.4e38]])
    assert np.isfinite(encoder.transform(far)).all()
    again = TableEncoder.from_dict(encoder.to_dict())
    assert again.transform(column[:, None]).tobytes() == encoded.tobytes()
    pieces = PiecewiseLinearEncoding.learned_from(torch.from_numpy(encoded))
    for rows in (encoded, encoder.transform(far)):
        assert torch.isfinite(pieces(torch.from_numpy(rows))).all()
    stored = {name: array.numpy() for name, array in pieces.state_dict().items()}
    assert len(PiecewiseLinearEncoding.stored(stored, "", 1)) == len(pieces)


def close_columns(seed: int) -> dict[str, Floats]:
    """Columns whose quantiles are close or equal in single precision."""
    rng = np.random.default_rng(seed)
    steps = 1 + rng.integers(0, 3, 148) * 2.0**-24
    return {
        "a narrow middle": np.r_[0, np.linspace(0.8575, 0.8575 + 1.2e-6, 148), 1],
        "positions in a genome": np.r_[1, np.sort(rng.integers(240_000_000 - 90, 240_000_000, 148)), 2.5e8],
        "steps of half a unit": np.r_[0, steps, 2],
        "denormals": np.r_[0, rng.integers(0, 9, 148) * 1e-45, 1],
        "far apart": np.r_[-3e38, rng.normal(size=148) * 1e-30, 3e38],
        "measured since 1970": 1.7e18 + rng.integers(0, 10**9, 150).astype(float),
    }


CLOSE = [*close_columns(0)]


@pytest.mark.parametrize("scaling", get_args(Scaling))
@pytest.mark.parametrize("name", CLOSE)
def test_a_detector_learns_from_close_numbers(make: Any, name: str, scaling: Scaling, tmp_path: Path) -> None:
    X = np.c_[close_columns(1)[name], np.random.default_rng(1).normal(size=150)]
    y = np.repeat([0.0, 1.0], [147, 3])
    short = dict.fromkeys(make.schedules, Schedule(steps=20, batch_size=64))
    detector = make.kind(encoder=TableEncoder(scaling=scaling), random_state=1, **short).fit(X, y)
    scores = detector.decision_function(X)
    assert np.isfinite(scores).all()
    detector.save(tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").decision_function(X), scores)


@pytest.mark.parametrize("name", CLOSE)
@pytest.mark.parametrize(
    "kind", [kind for kind in BASELINES.values() if kind.reads_tables], ids=lambda kind: kind.__name__
)
def test_a_baseline_learns_from_close_numbers(kind: Any, name: str) -> None:
    X = np.c_[close_columns(2)[name], np.random.default_rng(2).normal(size=150)]
    y = np.repeat([0.0, 1.0], [140, 10])
    short = Schedule(steps=20, batch_size=64)
    known = kind().get_params()
    asked = {"random_state": 0, "schedule": short, "pretraining_schedule": short}
    method = kind(**{name: value for name, value in asked.items() if name in known})
    with warnings.catch_warnings(action="ignore"):
        method.fit(X, y if kind.learns_from_labels else None)
    assert np.isfinite(method.decision_function(X)).all()
