"""Images without known anomalies: how far their edges are from those of normal images."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score

import alarmnet
from alarmnet import A3Detector, ConvAutoencoder, Schedule
from alarmnet.detectors.a3_scorer import A3Scorer
from alarmnet.detectors.image_normality import ImageNormalityScorer
from alarmnet.networks.oriented_gradients import oriented_gradients

Images = NDArray[np.uint8]
QUICK: dict[str, Any] = {
    "target_schedule": Schedule(steps=20, batch_size=32),
    "random_state": 0,
    "alarm_rate": 0.05,
}


@pytest.fixture(scope="module")
def digits() -> tuple[Images, NDArray[np.int64]]:
    """Digits of 8x8 pixels, each three times as large."""
    found = load_digits()
    return np.kron(found.images, np.ones((3, 3))).astype(np.uint8) * 15, found.target


def test_other_digits_are_found_without_a_label(digits: tuple[Images, NDArray[np.int64]]) -> None:
    images, labels = digits
    zeros, judged = (
        images[labels == 0][:120],
        np.concatenate([images[labels == 0][120:], images[labels == 6]]),
    )
    detector = A3Detector(**QUICK).fit(zeros)
    anomalous = np.arange(len(judged)) >= (labels == 0).sum() - 120
    assert roc_auc_score(anomalous, detector.logits(judged)) > 0.99
    single = np.concatenate([detector.logits(judged[place : place + 1]) for place in range(5)])
    assert np.array_equal(single, detector.logits(judged)[:5])


def test_the_file_gives_the_same_scores(digits: tuple[Images, NDArray[np.int64]], tmp_path: Path) -> None:
    detector = A3Detector(**QUICK).fit(digits[0][:150])
    detector.save(tmp_path / "model.safetensors")
    again = alarmnet.load(tmp_path / "model.safetensors")
    assert np.array_equal(again.logits(digits[0]), detector.logits(digits[0]))
    assert len(again.explain(digits[0][:1]).values) == 1


def test_known_anomalies_or_other_parts_take_alarms_on_activations(
    digits: tuple[Images, NDArray[np.int64]],
) -> None:
    images = digits[0][:150]
    assert isinstance(A3Detector(**QUICK).fit(images)._scorer, ImageNormalityScorer)
    fast = Schedule(steps=5, batch_size=32)
    cases: list[tuple[dict[str, Any], Any]] = [
        ({}, np.repeat([1.0, np.nan], [5, 145])),
        ({"target": ConvAutoencoder()}, None),
        ({"reads": "both"}, None),
    ]
    for settings, y in cases:
        detector = A3Detector(**{**QUICK, "alarm_schedule": fast, **settings}).fit(images, y)
        assert isinstance(detector._scorer, A3Scorer)


def test_fewer_neighbours_count_where_all_images_are_known_to_be_normal(
    digits: tuple[Images, NDArray[np.int64]],
) -> None:
    images = digits[0][:150]
    for y, few in ((None, False), (np.zeros(150), True)):
        detector = A3Detector(**QUICK).fit(images, y)
        assert isinstance(detector._scorer, ImageNormalityScorer)
        assert detector._scorer.edges.few == few
        again = A3Detector.from_state(detector.fitted_state())
        assert np.array_equal(again.logits(images), detector.logits(images))


def test_a_state_with_gradients_of_other_images_is_refused(
    digits: tuple[Images, NDArray[np.int64]],
) -> None:
    state = A3Detector(**QUICK).fit(digits[0][:150]).fitted_state()
    narrow = {**state.weights, "edges.stored": state.weights["edges.stored"][:, :-1]}
    with pytest.raises(ValueError, match="of other images"):
        A3Detector.from_state(replace(state, weights=narrow))


def test_gradients_show_direction_and_not_light() -> None:
    images = torch.rand(4, 3, 20, 28, generator=torch.Generator().manual_seed(0))
    found = oriented_gradients(images)
    assert found.min() >= 0
    assert found.max() <= 1
    assert torch.allclose(oriented_gradients(0.5 * images + 0.3), found, atol=0.2)
    assert not torch.allclose(oriented_gradients(images.flip(-1)), found, atol=0.2)
    assert (oriented_gradients(torch.full((1, 1, 8, 8), 0.7)) < 1e-3).all()


def test_gradients_have_the_same_bits_alone_and_among_many() -> None:
    images = torch.rand((128, 1, 9, 9), generator=torch.Generator().manual_seed(0))
    expected = oriented_gradients(images)
    for size in (1, 2, 3, 4, 7, 16, 31, 64):
        found = torch.cat([oriented_gradients(part) for part in torch.split(images, size)])
        assert torch.equal(found, expected), size
