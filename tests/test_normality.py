"""The default for tables: how far the target finds rows from normal, with known anomalies and without."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

import alarmnet
from alarmnet import A3Detector, DenseAlarm, GaussianNoise, InputError
from alarmnet.detectors.a3_scorer import A3Scorer
from alarmnet.detectors.likeness_scorer import LikenessScorer
from alarmnet.detectors.normality import DOUBTED_ROWS, NORMAL_ROWS
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.networks import forests
from alarmnet.networks.symmetric_trees import SymmetricForest, boosted_symmetric

Floats = NDArray[np.float64]


@pytest.fixture(scope="module")
def ring() -> Floats:
    """Normal rows on a ring: the middle is no less usual by any column alone."""
    angles = np.random.default_rng(0).uniform(0, 2 * np.pi, 600)
    noise = np.random.default_rng(1).normal(0, 0.05, (600, 2))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1) + noise


@pytest.mark.parametrize("labelled", [False, True])
def test_anomalies_amid_normal_rows_are_found_without_a_label(ring: Floats, labelled: bool) -> None:
    middle = np.random.default_rng(2).normal(0, 0.2, (60, 2))
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(
        ring[:500], np.zeros(500) if labelled else None
    )
    judged = np.concatenate([ring[500:], middle])
    assert average_precision_score(np.arange(160) >= 100, detector.logits(judged)) > 0.98


def test_known_anomalies_teach_and_unlike_ones_are_found_too(ring: Floats) -> None:
    generator = np.random.default_rng(3)
    known, unlike = generator.normal(0, 0.1, (8, 2)), generator.normal(3, 0.1, (20, 2))
    y = np.repeat([0.0, 1.0], [500, 8])
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(np.concatenate([ring[:500], known]), y)
    alike = generator.normal(0, 0.1, (20, 2))
    for anomalies in (alike, unlike):
        judged = np.concatenate([ring[500:], anomalies])
        assert average_precision_score(np.arange(120) >= 100, detector.logits(judged)) > 0.98


def test_a_row_that_is_only_new_does_not_outrank_the_known_ones_like(ring: Floats) -> None:
    generator = np.random.default_rng(3)
    known, alike = generator.normal(0, 0.1, (8, 2)), generator.normal(0, 0.1, (20, 2))
    y = np.repeat([0.0, 1.0], [500, 8])
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(np.concatenate([ring[:500], known]), y)
    assert detector.logits(np.full((1, 2), 3.0)).max() < np.median(detector.logits(alike))


def test_hardly_any_stored_row_is_as_strange_as_the_extreme(ring: Floats) -> None:
    scorer = A3Detector(alarm_rate=0.05, random_state=0).fit(ring, np.arange(600) < 5)._scorer
    assert isinstance(scorer, LikenessScorer)
    nearness = scorer.nearness
    rows = nearness.stored / nearness.scale + nearness.centre
    with torch.no_grad():
        read = scorer.read_of_learned(rows, known=False)
        strange = scorer.strangeness(nearness.measured(nearness.own_distances()), read)
    assert float(nearness.extreme) == pytest.approx(float(strange.quantile(0.999)), abs=1e-3)


@pytest.mark.parametrize("labelled", [False, True])
def test_values_in_the_tails_of_many_columns_are_found(labelled: bool) -> None:
    generator = np.random.default_rng(5)
    rows = generator.exponential(size=(700, 40))
    rows[600:, :12] += 1.5
    known = generator.normal(3, 0.1, (8, 40))
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(
        np.concatenate([rows[:500], known]) if labelled else rows[:500],
        np.repeat([0.0, 1.0], [500, 8]) if labelled else None,
    )
    assert average_precision_score(np.arange(200) >= 100, detector.logits(rows[500:])) > 0.9


def test_conditions_that_meet_are_learned(ring: Floats) -> None:
    """Anomalous where two columns agree in sign: no column says anything alone."""
    rows = np.random.default_rng(4).normal(size=(1200, 2))
    anomalous = rows[:, 0] * rows[:, 1] > 0.8
    normal = np.flatnonzero(rows[:, 0] * rows[:, 1] <= 0)[:400]
    known = np.flatnonzero(anomalous)[:15]
    learned = np.concatenate([normal, known])
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(
        rows[learned], np.repeat([0.0, 1.0], [len(normal), 15])
    )
    others = np.setdiff1d(np.flatnonzero(anomalous | (rows[:, 0] * rows[:, 1] <= 0)), learned)
    assert average_precision_score(anomalous[others], detector.logits(rows[others])) > 0.95


@pytest.mark.parametrize("known", [0, 5, 20])
def test_a_file_scores_the_same(ring: Floats, known: int, tmp_path: Path) -> None:
    y = np.where(np.arange(600) < known, 1.0, 0.0)
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(ring, y)
    detector.save(tmp_path / "some.alarmnet")
    again = alarmnet.load(tmp_path / "some.alarmnet")
    assert isinstance(again._scorer, LikenessScorer if known else NormalityScorer)
    assert len(again._scorer.alarms) == (1 if known else 0)
    assert (getattr(again._scorer, "spread", None) is None) == bool(known)
    assert [bool(forest.adds) for forest in again._scorer.forests] == (
        [False, True, True] if known else [False]
    )
    assert np.array_equal(again.logits(ring), detector.logits(ring))


@pytest.mark.parametrize("known", [0, 5])
def test_fewer_rows_than_columns_rank_and_score_the_same_from_a_file(known: int, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows, strange = generator.normal(size=(175, 40)), generator.normal(loc=0.5, size=(50 + known, 40))
    learned = np.concatenate([rows[:45], strange[:known]])
    detector = A3Detector(alarm_rate=0.2, random_state=0).fit(
        learned, np.repeat([0.0, 1.0], [45, known]) if known else None
    )
    judged = np.concatenate([rows[45:], strange[known:]])
    scores = detector.logits(judged)
    assert average_precision_score(np.arange(180) >= 130, scores) > 0.78
    detector.save(tmp_path / "some.alarmnet")
    assert np.array_equal(alarmnet.load(tmp_path / "some.alarmnet").logits(judged), scores)


@pytest.mark.parametrize(("rows", "unusual"), [(100, 0.4), (600, 2.0)])
def test_one_very_high_measure_says_less_with_few_rows(ring: Floats, rows: int, unusual: float) -> None:
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(ring[:rows])
    scorer, encoded = detector._scorer, torch.from_numpy(detector.encoder_.transform(ring[:50]))
    assert isinstance(scorer, NormalityScorer)
    with torch.no_grad():
        odds = scorer.odds(encoded)
        near = scorer.nearness.measured(scorer.nearness.distances(encoded), scorer.read(encoded)[:, 0])
    torch.testing.assert_close(odds[:, 0], unusual * near[:, 0])
    state = detector.fitted_state()
    older = {name: array for name, array in state.weights.items() if name != "unusual"}
    before = A3Detector.from_state(replace(state, weights=older))._scorer
    torch.testing.assert_close(before.odds(encoded)[:, 0], 2.0 * near[:, 0])


def test_a_state_without_its_alarm_is_refused(ring: Floats) -> None:
    state = A3Detector(alarm_rate=0.05, random_state=0).fit(ring, np.arange(600) < 5).fitted_state()
    lacking = {name: array for name, array in state.weights.items() if not name.startswith("alarms.")}
    with pytest.raises(LookupError, match="alarms"):
        A3Detector.from_state(replace(state, weights=lacking))


@pytest.mark.parametrize(("known", "weight"), [(5, 0.4), (20, 1.0), (60, 1.5)])
def test_deep_trees_count_more_with_more_known_anomalies(
    ring: Floats, monkeypatch: pytest.MonkeyPatch, known: int, weight: float
) -> None:
    found = []

    def noted(self: SymmetricForest, weight: float) -> SymmetricForest:
        found.append((self.level_columns.shape[1], weight))
        return self

    monkeypatch.setattr(SymmetricForest, "weighted", noted)
    A3Detector(alarm_rate=0.05, random_state=0).fit(ring, np.arange(600) < known)
    [(depth, found_weight)] = found
    assert depth == 6
    assert found_weight == pytest.approx(weight)


def test_symmetric_trees_on_columns_learn_from_more_rows_than_other_trees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = []

    def noted(normal: torch.Tensor, *rest: Any, **settings: Any) -> Any:
        found.append(len(normal))
        return boosted_symmetric(normal, *rest, **settings)

    monkeypatch.setattr("alarmnet.detectors.normality.boosted_symmetric", noted)
    monkeypatch.setattr("alarmnet.detectors.normality.POOL", 500)
    monkeypatch.setattr("alarmnet.detectors.normality.NUMBERS", 4 * 3_000)
    rows = np.random.default_rng(5).normal(size=(5_020, 4))
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(rows, np.arange(5_020) >= 5_000)
    assert isinstance(detector._scorer, LikenessScorer)
    assert found[1] == len(detector._scorer.nearness.stored)
    assert 1_500 < found[0] <= 3_000


def test_fewer_normal_rows_a_tree_where_nobody_has_looked(
    ring: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def noted(*arguments: Any, normal_rows: int, **settings: Any) -> Any:
        seen.append(normal_rows)
        return forests.grown(*arguments, normal_rows=normal_rows, **settings)

    monkeypatch.setattr("alarmnet.detectors.normality.grown", noted)
    for other in (0.0, np.nan):
        A3Detector(alarm_rate=0.05, random_state=0).fit(ring, np.where(np.arange(600) < 5, 1.0, other))
    assert seen == [NORMAL_ROWS, DOUBTED_ROWS]


def test_networks_of_ones_own_are_read_as_before(ring: Floats) -> None:
    for parameters in (
        {"alarm": DenseAlarm(hidden=(4,))},
        {"generator": GaussianNoise()},
        {"generated_weight": 0.5},
        {"shift_weight": 0.1},
        {"reads": "both"},
    ):
        detector = A3Detector(alarm_rate=0.05, random_state=0, **parameters).fit(ring)
        assert isinstance(detector._scorer, A3Scorer)
    with pytest.raises(InputError, match=r"'reads' parameter of A3Detector is 'normality', which takes no"):
        A3Detector(reads="normality", alarm_rate=0.05, generator=GaussianNoise()).fit(ring)
