"""Boosted symmetric trees: what they learn, from whom, and how they are kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from torch import Tensor

from alarmnet.networks import symmetric_trees
from alarmnet.networks.symmetric_trees import TREES, SymmetricForest, boosted_symmetric
from alarmnet.networks.trees import Trees

DEPTH = 4


@pytest.fixture(scope="module")
def rows() -> Tensor:
    return torch.randn(1200, 6, generator=torch.Generator().manual_seed(0))


def precision(forest: Trees, rows: Tensor, anomalous: Tensor) -> float:
    return float(average_precision_score(anomalous, forest(rows)))


def test_conditions_that_meet_are_learned(rows: Tensor) -> None:
    anomalous = (rows[:, 0] > 0.5) & (rows[:, 1] < -0.5)
    normal, known, judged = rows[:600][~anomalous[:600]], rows[:600][anomalous[:600]], slice(600, None)
    forest = boosted_symmetric(normal, known, depths=[DEPTH], seed=0)
    assert precision(forest, rows[judged], anomalous[judged]) > 0.95


def test_a_tree_says_the_value_of_the_leaf_that_its_answers_lead_to(rows: Tensor) -> None:
    forest = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[DEPTH], seed=0)
    assert forest.level_columns.shape == (len(forest), DEPTH) == (TREES, DEPTH)
    said = forest.said(rows[:50])
    for tree in range(0, TREES, 20):
        asked = rows[:50][:, forest.level_columns[tree]] > forest.level_cuts[tree]
        leaves = sum(answers.long() << level for level, answers in enumerate(asked.T))
        assert torch.equal(said[:, tree], forest.leaf_values[tree][leaves])
    on_cut = rows[:1].repeat(DEPTH, 1)
    on_cut[torch.arange(DEPTH), forest.level_columns[0]] = forest.level_cuts[0]
    above = on_cut[:, forest.level_columns[0]] > forest.level_cuts[0]
    assert not above.diagonal().any()
    leaves = (above * 2 ** torch.arange(DEPTH)).sum(1)
    assert torch.equal(forest.said(on_cut)[:, 0], forest.leaf_values[0][leaves])
    some = np.array([7, 3])
    assert torch.equal(forest.said(rows[:50], some), said[:, [7, 3]])
    assert torch.equal(forest(rows[:50]), said.sum(1))
    assert torch.equal(torch.cat([forest.said(row[None]) for row in rows[:50]]), said)


def test_a_tree_asks_about_the_columns_of_its_levels(rows: Tensor) -> None:
    forest = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[DEPTH], seed=0)
    asks = forest.asks(np.array([0, 0, 1, 2, 3, 3]))
    for tree, columns in enumerate(forest.level_columns.tolist()):
        assert set(np.flatnonzero(asks[tree])) == {(0, 0, 1, 2, 3, 3)[column] for column in columns}


def test_trees_ask_by_turns_one_question_or_more(rows: Tensor) -> None:
    forest = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[1, 3], seed=0)
    assert forest.level_columns.shape == (TREES, 3)
    columns, cuts = forest.level_columns, forest.level_cuts
    again = (columns == columns[:, :1]).all(1) & (cuts == cuts[:, :1]).all(1)
    assert again[::2].all()
    assert not again[1::2].all()
    assert not forest.leaf_values[::2, 1:-1].any()  # no row comes to these leaves
    assert forest.leaf_values[::2, [0, -1]].all()


def test_training_scores_are_the_sum_that_boosting_added_up(
    rows: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trees that are kept say what those that were boosted said."""
    added = []
    leaves = symmetric_trees._leaves

    def noted(answers: Tensor) -> Tensor:
        added.append(leaves(answers))
        return added[-1]

    monkeypatch.setattr(symmetric_trees, "_leaves", noted)
    forest = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[DEPTH], seed=0)
    expected = torch.stack([forest.leaf_values[place][leaf] for place, leaf in enumerate(added)]).sum(0)
    torch.testing.assert_close(forest(torch.cat([rows[:100], rows[100:110] + 1])), expected)


def test_rows_beyond_the_most_stand_for_their_class(rows: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    normal, known = rows[:600], rows[600:700] + 1
    whole = boosted_symmetric(normal, known, depths=[DEPTH], seed=0)
    monkeypatch.setattr(symmetric_trees, "MOST_ROWS", 50)
    some = boosted_symmetric(normal, known, depths=[DEPTH], seed=0)
    judged = torch.cat([rows[700:950], rows[950:] + 1])
    anomalous = torch.arange(500) >= 250
    assert precision(some, judged, anomalous) > precision(whole, judged, anomalous) - 0.05
    assert abs((some(judged) - whole(judged)).mean()) < 0.3


def test_columns_of_two_rare_values_are_asked_about() -> None:
    """Two random rows nearly always have the same value of such a column."""
    generator = torch.Generator().manual_seed(0)
    normal = (torch.rand(500, 30, generator=generator) < 0.01).float()
    known, judged = normal[:8].clone(), normal[:100].clone()
    known[:, 3], judged[50:, 3] = 1, 1
    forest = boosted_symmetric(normal[100:], known, depths=[DEPTH], seed=0)
    assert precision(forest, judged, torch.arange(100) >= 50) > 0.95


def test_no_cut_lies_on_a_value(rows: Tensor) -> None:
    """A number that rounding changes on another processor does not cross a cut."""
    many = rows[:200].round()
    forest = boosted_symmetric(many, many[:20] + 1, depths=[DEPTH], seed=0)
    assert (forest.level_cuts - forest.level_cuts.round()).abs().min() > 1e-6


@pytest.mark.parametrize("count", [1, 5])
def test_equal_rows_teach_nothing(count: int) -> None:
    same = torch.ones(count, 3)
    scores = boosted_symmetric(same, same, depths=[DEPTH], seed=0)(torch.zeros(2, 3))
    assert torch.equal(scores[0], scores[1])
    assert torch.isfinite(scores).all()


def test_the_same_seed_gives_the_same_trees(rows: Tensor) -> None:
    first, again, other = (
        boosted_symmetric(rows[:100], rows[100:110], depths=[DEPTH], seed=seed) for seed in (0, 0, 1)
    )
    assert torch.equal(first.level_cuts, again.level_cuts)
    assert not torch.equal(first.level_cuts, other.level_cuts)


def test_a_weight_scales_the_log_odds(rows: Tensor) -> None:
    forest = boosted_symmetric(rows[:100], rows[100:110], depths=[2], seed=0)
    torch.testing.assert_close(forest.weighted(2)(rows), 2 * forest(rows))


def test_a_draw_holds_more_of_the_rows_that_trees_are_wrong_about() -> None:
    errors = torch.full((10_020,), 0.01)
    errors[:100] = 0.9
    drawn, weights = symmetric_trees._drawn(errors, [10_000, 20], np.random.default_rng(0))
    wrong, anomalous = drawn < 100, drawn >= 10_000
    assert 1_400 < len(drawn) < 2_100
    assert anomalous.sum() == 20
    assert wrong.sum() > 90  # an even draw has 20
    assert weights[~anomalous].sum() == pytest.approx(10_000, rel=0.1)
    assert weights[wrong].sum() == pytest.approx(100, rel=0.4)


@pytest.fixture
def arrays(rows: Tensor) -> dict[str, NDArray[Any]]:
    forest = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[DEPTH], seed=0)
    return {f"forest.{name}": tensor.numpy().copy() for name, tensor in forest.state_dict().items()}


def test_files_hold_each_question_once(arrays: dict[str, NDArray[Any]], rows: Tensor) -> None:
    assert {name: array.shape for name, array in arrays.items()} == {
        "forest.level_columns": (TREES, DEPTH),
        "forest.level_cuts": (TREES, DEPTH),
        "forest.leaf_values": (TREES, 2**DEPTH),
    }
    whole = boosted_symmetric(rows[:100], rows[100:110] + 1, depths=[DEPTH], seed=0)
    assert torch.equal(SymmetricForest.stored(arrays, "forest.", 6)(rows), whole(rows))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("level_columns", lambda columns: columns + 6, "not there"),
        ("level_columns", lambda columns: columns - 6, "not there"),
        ("level_columns", lambda columns: columns.astype(np.float32), "another type"),
        ("level_columns", lambda columns: columns[:, :-1], "one question"),
        ("level_columns", lambda columns: columns[0], "one question"),
        ("level_cuts", lambda cuts: cuts.astype(np.float64), "another type"),
        ("level_cuts", lambda cuts: cuts[:-1], "one question"),
        ("leaf_values", lambda values: values[:, :-1], "other leaves"),
        ("leaf_values", lambda values: values[:-1], "other leaves"),
        ("leaf_values", lambda values: values.astype(np.int64), "another type"),
    ],
)
def test_damaged_trees_are_refused(
    arrays: dict[str, NDArray[Any]], name: str, change: Callable[[NDArray[Any]], NDArray[Any]], message: str
) -> None:
    arrays[f"forest.{name}"] = change(arrays[f"forest.{name}"])
    with pytest.raises(ValueError, match=message):
        SymmetricForest.stored(arrays, "forest.", 6)


@pytest.mark.parametrize(("trees", "depth"), [(0, 2), (2, 0), (1, 9)])
def test_no_trees_no_questions_or_too_many_are_refused(trees: int, depth: int) -> None:
    arrays: dict[str, NDArray[Any]] = {
        "level_columns": np.zeros((trees, depth), np.int64),
        "level_cuts": np.zeros((trees, depth), np.float32),
        "leaf_values": np.zeros((trees, 2 ** min(depth, 4)), np.float32),
    }
    with pytest.raises(ValueError, match=r"one question|other leaves"):
        SymmetricForest.stored(arrays, "", 6)
