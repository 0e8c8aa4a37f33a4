"""The default score for tables with known anomalies: what its joint forest learns from, and what bounds it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from alarmnet import A3Detector
from alarmnet.detectors.likeness_scorer import LikenessScorer
from alarmnet.detectors.state import FittedState
from alarmnet.networks.symmetric_trees import SymmetricForest, boosted_symmetric

Lesson = tuple[Tensor, Tensor]


def fitted(known: int) -> A3Detector:
    rows = np.random.default_rng(0).normal(size=(300, 2))
    rows[:known] += 2
    y = np.where(np.arange(300) < known, 1.0, 0.0)
    return A3Detector(alarm_rate=0.05, random_state=0).fit(rows, y)


def scorer_of(detector: A3Detector) -> LikenessScorer:
    assert isinstance(detector._scorer, LikenessScorer)
    return detector._scorer


@pytest.fixture(scope="module")
def state() -> FittedState:
    return fitted(10).fitted_state()


@pytest.fixture(scope="module")
def learned() -> tuple[LikenessScorer, Lesson]:
    """A scorer, and the normal rows and the anomalies that its joint forest learned from."""
    lessons: list[Lesson] = []

    def noted(normal: Tensor, anomalies: Tensor, **settings: Any) -> SymmetricForest:
        lessons.append((normal, anomalies))
        return boosted_symmetric(normal, anomalies, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("alarmnet.detectors.normality.boosted_symmetric", noted)
        scorer = scorer_of(fitted(10))
    return scorer, lessons[-1]


def test_ten_known_anomalies_are_contrasted_and_nine_are_not(learned: tuple[LikenessScorer, Lesson]) -> None:
    assert learned[0].contrast is not None
    assert scorer_of(fitted(9)).contrast is None


@torch.no_grad()
def test_the_joint_forest_learns_from_rows_that_are_not_compared_with_themselves(
    learned: tuple[LikenessScorer, Lesson],
) -> None:
    scorer, lesson = learned
    assert scorer.contrast is not None
    nearness, known = scorer.nearness, scorer.contrast.known
    rows = nearness.as_they_were
    distances = (nearness.own_distances(), nearness.distances(known))
    for taught, own, near, is_known in zip(lesson, (rows, known), distances, (False, True), strict=True):
        expected = scorer.joined(nearness.measured(near), scorer.read(own))
        contrast = scorer.contrast.own(own, known=is_known)
        seen = scorer.contrast(own)
        assert (contrast != seen).any(dim=1).all()
        place = int((expected == seen[:, :1]).all(dim=0).nonzero())
        expected[:, place : place + contrast.shape[1]] = contrast
        torch.testing.assert_close(taught, expected, rtol=1e-3, atol=1e-3)


def test_alarms_add_no_less_than_for_a_stored_row(learned: tuple[LikenessScorer, Lesson]) -> None:
    scorer, _ = learned
    absurd = torch.cartesian_prod(*[torch.tensor([-1e6, 1e6])] * 2)
    with torch.no_grad():
        stored, far = (scorer.read(rows)[:, 0] for rows in (scorer.nearness.as_they_were, absurd))
    assert float(stored.min()) == pytest.approx(float(scorer.least), abs=1e-4)
    assert float(stored.median()) > float(scorer.least) + 0.01
    assert float(far.min()) == float(scorer.least)
    assert far.max() > stored.max() + 1_000


@torch.no_grad()
def test_the_targets_surprise_adds_to_the_strangeness_and_the_joint_forest_reads_the_error(
    learned: tuple[LikenessScorer, Lesson],
) -> None:
    scorer, lesson = learned
    assert scorer.tails is not None
    rows = scorer.nearness.as_they_were
    inputs = scorer.target.inputs(rows)
    code = scorer.target.activations(inputs)[len(scorer.target.layers) // 2]
    between = torch.cdist(code, code, compute_mode="donot_use_mm_for_euclid_dist").sort(dim=1).values
    logarithms = torch.stack([(between[:, 5] + 1e-3).log(), scorer.target.row_losses(rows).log()], dim=1)
    surprise = (logarithms - logarithms.mean(0)) / logarithms.std(0, correction=0)
    near, read = (
        scorer.nearness.measured(scorer.nearness.own_distances()),
        scorer.read_of_learned(rows, known=False),
    )
    expected = surprise.sum(1) + near[:, 1] + near[:, 2] + scorer.tails(scorer.nearness.scaled(rows))[:, 0]
    torch.testing.assert_close(scorer.strangeness(near, read), expected, rtol=1e-2, atol=1e-2)
    assert (lesson[0] - surprise[:, 1:]).abs().amax(dim=0).min() < 1e-3
    assert (lesson[0] - surprise[:, :1]).abs().amax(dim=0).min() > 1
    assert scorer.joint_width == lesson[0].shape[1] == 2 + 2 + 1 + scorer.measures


@torch.no_grad()
def test_a_row_far_outside_the_training_range_surprises_the_target(
    learned: tuple[LikenessScorer, Lesson],
) -> None:
    scorer, _ = learned
    assert scorer.surprise is not None
    outside = torch.tensor([[500.0, 500.0], [-5e3, -5e3]])
    said = [scorer.said_by_target(scorer.target.inputs(of)) for of in (scorer.nearness.as_they_were, outside)]
    usual, far = map(scorer.surprise, said)
    assert (far.min(dim=0).values > usual.max(dim=0).values).all()


@torch.no_grad()
def test_more_known_anomalies_raise_the_odds_of_distance() -> None:
    far = torch.full((1, 2), 50.0)
    for known in (5, 20, 60):
        assert float(scorer_of(fitted(known)).odds(far)[0, 1]) == pytest.approx(
            -2 + 2 * known / (known + 20), abs=1e-5
        )


@torch.no_grad()
def test_kernel_alarms_add_their_log_odds_each_with_its_weight(
    learned: tuple[LikenessScorer, Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    scorer, _ = learned
    assert scorer.kernel is not None
    assert scorer.quadratic is not None
    assert scorer.contrast is not None
    rows = scorer.contrast.known
    near = scorer.nearness.measured(scorer.nearness.distances(rows))
    measures = torch.cat([scorer.contrast(rows), scorer.read(rows)[:, -1:], near], dim=1)
    scaled = scorer.nearness.scaled(rows)
    gaussian, quadratic = scorer.kernel(scaled), scorer.quadratic(scaled, measures)
    assert min(gaussian.max(), quadratic.max()) > 0.5
    both = scorer.odds(rows)[:, 0]
    monkeypatch.setattr(scorer, "quadratic", None)
    one = scorer.odds(rows)[:, 0]
    monkeypatch.setattr(scorer, "kernel", None)
    none = scorer.odds(rows)[:, 0]
    torch.testing.assert_close(both - none, 0.65 * (gaussian + quadratic), rtol=0, atol=1e-4)
    torch.testing.assert_close(one - none, 0.5 * gaussian, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("contrast.known", lambda known: known[:9]),
        ("contrast.known", lambda known: known[:, :1]),
        ("least", None),
        ("kernel.known", lambda known: known[:0]),
        ("kernel.known", lambda known: known[:, :1]),
        ("kernel.spread", lambda spread: spread * 0),
        ("quadratic.alarm.known", lambda known: known[:0]),
        ("quadratic.alarm.spread", lambda spread: spread * 0),
        ("joint.level_columns", lambda columns: columns * 0 + 10_000),
    ],
)
def test_a_state_that_no_fit_leads_to_is_refused(state: FittedState, name: str, change: Any) -> None:
    weights = dict(state.weights)
    array = weights.pop(name)
    if change:
        weights[name] = change(array)
    with pytest.raises(
        ValueError, match=r"known anomalies (are too few|have other)|no known anomalies|that are not there"
    ):
        A3Detector.from_state(replace(state, weights=weights))
