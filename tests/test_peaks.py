"""Alarms on peaks: a mark in an image raises an alarm wherever it is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from alarmnet import A3Detector, AlarmSpec, ConvA3Detector, DenseAlarm, Schedule, StridedAutoencoder, load
from alarmnet._shared.persistence import read_file, write_file
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.alarm_training import Scale
from alarmnet.errors import ModelFileError
from alarmnet.networks.activations import peaks

Images = NDArray[np.uint8]
PEAKS = "alarm on peaks"
QUICK = Schedule(steps=80, batch_size=64, learning_rate=1e-2)
DETECTORS: dict[str, tuple[type[BaseDetector], dict[str, Any]]] = {
    "a3": (A3Detector, {"target_schedule": QUICK, "alarm_schedule": QUICK.changed(learning_rate=3e-3)}),
    "conv-a3": (ConvA3Detector, {"schedule": QUICK, "target": StridedAutoencoder(channels=(8, 8))}),
}


def images(count: int, *, seed: int) -> Images:
    """Smooth random images of 16x16 pixels, none brighter than two thirds."""
    drawn = np.random.default_rng(seed).integers(0, 170, size=(count, 1, 4, 4))
    return np.kron(drawn, np.ones((1, 1, 4, 4))).astype(np.uint8)


def marked(rows: Images, corner: int) -> Images:
    """The images with a checkered square at this row and column."""
    rows = rows.copy()
    rows[..., corner : corner + 4, corner : corner + 4] = 255 * (np.indices((4, 4)).sum(0) % 2)
    return rows


BRIEF = QUICK.changed(steps=3)
LINEAR = AlarmSpec(name="linear", reads="peaks", shape=DenseAlarm(hidden=()), schedule=BRIEF)


def known_in_one_corner() -> tuple[Images, NDArray[np.float64]]:
    """Images to learn from, of which the known anomalies have their mark at the upper left."""
    rows = images(320, seed=0)
    rows[:20] = marked(rows[:20], 1)
    return rows, np.repeat([1.0, 0.0], [20, 300])


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Any:
    kind, quick = DETECTORS[request.param]
    return kind(**quick, alarm_rate=0.05, random_state=0).fit(*known_in_one_corner())


def test_a_mark_known_in_one_corner_raises_an_alarm_in_another(detector: Any) -> None:
    clean = images(100, seed=1)
    elsewhere = marked(clean, 11)
    assert detector.predict(clean).mean() < 0.15
    assert detector.predict(elsewhere).mean() > 0.9
    found = detector.explain(elsewhere[:1])
    assert found.rows[0].spoke == PEAKS
    row, column = np.unravel_index(found.values[0].argmax(), (16, 16))
    assert min(row, column) >= 9
    np.testing.assert_allclose(found.values.sum(), found.logits[0] - found.base_value[0], atol=1e-4)
    np.testing.assert_array_equal(detector.explain(elsewhere[:1]).values, found.values)
    assert PEAKS in detector.history_


def test_a_file_and_a_refit_have_the_alarm_on_peaks(detector: Any, tmp_path: Path) -> None:
    rows, labels = known_in_one_corner()
    detector.save(tmp_path / "some.model")
    again = load(tmp_path / "some.model")
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))
    again.refit_alarm(rows[20:], None)
    assert again.explain(rows[20:21]).rows[0].spoke != PEAKS
    again.refit_alarm(rows, labels)
    assert again.predict(marked(images(50, seed=1), 11)).mean() > 0.9
    manifest, arrays = read_file(tmp_path / "some.model")
    name = max(name for name in arrays if "alarms." in name and name.endswith("output.weight"))
    write_file(tmp_path / "some.model", manifest, {**arrays, name: np.zeros((1, 3), np.float32)})
    with pytest.raises(ModelFileError):
        load(tmp_path / "some.model").logits(rows)


@pytest.mark.parametrize(
    ("detector", "alarms"),
    [
        (
            A3Detector(target_schedule=BRIEF, alarm_schedule=BRIEF),
            {"alarm", "second alarm", "third alarm", PEAKS},
        ),
        (
            A3Detector(reads="both", target_schedule=BRIEF, alarm_schedule=BRIEF),
            {"alarm", "second alarm", "third alarm"},
        ),
        (A3Detector(reads="peaks", target_schedule=BRIEF, alarm_schedule=BRIEF), {PEAKS}),
        (A3Detector(alarms=[LINEAR], target_schedule=BRIEF), {"linear"}),
        (ConvA3Detector(schedule=BRIEF), {PEAKS}),
        (ConvA3Detector(schedule=BRIEF, input_alarms=[LINEAR]), {"linear"}),
        (ConvA3Detector(schedule=BRIEF, input_alarms=[replace(LINEAR, reads="inputs")]), set()),
        (ConvA3Detector.as_published(schedule=BRIEF), set()),
    ],
)
def test_which_alarms_learn_on_images(detector: Any, alarms: set[str]) -> None:
    rows, labels = known_in_one_corner()
    detector.set_params(alarm_rate=0.2, random_state=0).fit(rows[:120], labels[:120])
    assert set(detector.history_) - {"target", "joint"} == alarms
    spoke = {row.spoke for row in detector.explain(rows[:3]).rows}
    assert spoke <= (alarms | {"alarm"} if isinstance(detector, ConvA3Detector) else alarms)


def test_an_alarm_takes_the_scale_of_its_inputs_in() -> None:
    numbers = torch.randn(500, 3) * torch.tensor([0.1, 10.0, 0.0]) + torch.tensor([5.0, -40.0, 2.0])
    scale, layer = Scale.learned_from(numbers), nn.Linear(3, 2)
    scaled = scale.after(lambda rows: numbers[rows])(torch.arange(500))
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    assert scaled.abs().max() < 10
    assert scaled[:, 1].std(correction=0).item() == pytest.approx(1, abs=1e-3)
    expected = layer(scaled)
    scale.into(layer)
    torch.testing.assert_close(layer(numbers), expected, atol=1e-4, rtol=1e-4)


def test_peaks_do_not_depend_on_places() -> None:
    maps = torch.randn(4, 3, 5, 6)
    torch.testing.assert_close(peaks(maps.roll((2, 3), (2, 3))), peaks(maps))
    assert peaks(maps).shape == (4, 3)
    assert torch.equal(peaks(maps[..., 0, 0]), maps[..., 0, 0])
