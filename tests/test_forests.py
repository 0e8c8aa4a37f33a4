"""Forests: what they vote, how they are stored, and what a damaged file cannot do."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.tree import ExtraTreeClassifier

from alarmnet.errors import AlarmnetWarning
from alarmnet.networks.compiled_trees import AVAILABLE, warn_of_slow_trees
from alarmnet.networks.forests import (
    BAGS,
    BOOSTED_INPUTS,
    DEEPEST,
    RATE,
    ROUNDS,
    Forest,
    _lessons,
    around,
    boosted,
    bootstrapped,
    grown,
)

SLOW = pytest.mark.filterwarnings("ignore:this version of scikit-learn lacks")

Arrays = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)


def grow(rows: NDArray[np.float32], known: NDArray[np.float32], normal_rows: int = 64) -> Forest:
    return grown(rows, bootstrapped(known), considered=["sqrt", 0.7], normal_rows=normal_rows, seed=0)


def boost(rows: NDArray[np.float32], known: NDArray[np.float32]) -> Forest:
    return boosted(rows, bootstrapped(known), normal_rows=64, seed=0)


@pytest.fixture(scope="module", params=[grow, boost])
def forest(request: pytest.FixtureRequest, rows: NDArray[np.float32]) -> Forest:
    return request.param(rows, rows[:5] + 6)  # type: ignore[no-any-return]


@pytest.fixture
def arrays(forest: Forest) -> Arrays:
    return {f"forest.{name}": tensor.numpy().copy() for name, tensor in forest.state_dict().items()}


def test_known_anomalies_get_more_votes_than_normal_rows(forest: Forest, rows: NDArray[np.float32]) -> None:
    assert forest(torch.from_numpy(rows[100:])).max() < forest(torch.from_numpy(rows[10:90] + 6)).min()


def test_votes_are_those_of_the_trees_one_by_one(forest: Forest, rows: NDArray[np.float32]) -> None:
    def said(row: NDArray[np.float32], node: int) -> float:
        while forest.left[node] != node:
            yes = row[forest.columns[node]] <= forest.cuts[node]
            node = int((forest.left if yes else forest.right)[node])
        return float(forest.values[node])

    for row in rows[:3] + 3:
        each = [said(row, int(root)) for root in forest.roots]
        logit = forest(torch.from_numpy(row[None]))
        found, expected = (logit, np.sum(each)) if forest.adds else (logit.sigmoid(), np.mean(each))
        assert found.item() == pytest.approx(expected, abs=1e-5)


def test_trees_without_compiled_code_say_once_that_they_are_slow(
    forest: Forest, rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alarmnet.networks.forests.AVAILABLE", False)
    warn_of_slow_trees.cache_clear()
    batch = torch.from_numpy(rows[:5].copy())
    with pytest.warns(AlarmnetWarning, match="lacks the compiled code"):
        first = forest.said(batch)
    assert torch.equal(forest.said(batch), first), "a second warning would be an error"


@SLOW
@pytest.mark.parametrize("seed", range(5))
def test_compiled_trees_say_the_bits_that_tensors_say(
    forest: Forest, rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    size = int(generator.integers(1, 300))
    scale = float(generator.choice([1, 6, -1e30]))
    batch = scale * torch.from_numpy(rows[generator.integers(300, size=size)])
    edges = generator.integers(len(forest.cuts), size=size)
    batch[torch.arange(size), forest.columns[edges]] = forest.cuts[edges]  # where a wrong comparison shows
    assert AVAILABLE  # else tensors would be compared with themselves
    found = forest(batch), forest.said(batch.T.contiguous().T)
    monkeypatch.setattr("alarmnet.networks.forests.AVAILABLE", False)
    assert torch.equal(found[0], forest(batch))
    assert torch.equal(found[1], forest.said(batch))


@SLOW
@pytest.mark.parametrize("compiled", [True, False])
def test_trees_that_do_not_ask_about_a_column_never_say_anything_else(
    forest: Forest, rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, compiled: bool
) -> None:
    monkeypatch.setattr("alarmnet.networks.forests.AVAILABLE", compiled)
    batch = torch.from_numpy(rows.copy())
    asks, before = forest.asks(np.array([0, 0, 1, 2])), forest.said(batch)
    assert asks.shape == (len(forest.roots), 3)
    batch[:, :2] = torch.randn((300, 2), generator=torch.Generator().manual_seed(0)) * 9
    trees = np.flatnonzero(asks[:, 0])
    after = forest.said(batch)
    assert torch.equal(after[:, ~asks[:, 0]], before[:, ~asks[:, 0]])
    assert (after[:, trees] != before[:, trees]).any()
    assert torch.equal(forest.said(batch, trees), after[:, trees])


def test_a_copy_compiles_its_own_trees(forest: Forest, rows: NDArray[np.float32]) -> None:
    expected = forest(torch.from_numpy(rows))
    for again in (copy.deepcopy(forest), pickle.loads(pickle.dumps(forest))):
        assert "_compiled" not in again.__dict__
        assert torch.equal(again(torch.from_numpy(rows)), expected)


def test_rows_that_are_too_short_are_refused(forest: Forest, rows: NDArray[np.float32]) -> None:
    with pytest.raises(IndexError, match="number 4 of rows of 3"):
        forest(torch.from_numpy(rows[:, :3]))


def test_boosted_log_odds_are_the_mean_of_scikit_learns() -> None:
    """Many rows of four bits leave no node pure, so that rounding decides nothing."""
    generator = np.random.default_rng(0)
    rows, known = ((generator.random((300, 4)) < share).astype(np.float32) for share in (0.5, 0.65))
    anomalies = bootstrapped(known)
    expected = []
    for lesson, chance in _lessons(rows, anomalies, BAGS, 300, seed=0):
        model = GradientBoostingClassifier(
            n_estimators=ROUNDS, learning_rate=RATE, max_features=BOOSTED_INPUTS, random_state=chance
        )
        model.fit(lesson.rows, lesson.labels, sample_weight=lesson.weights)
        expected.append(model.decision_function(rows))
    found = boosted(rows, anomalies, normal_rows=300, seed=0)(torch.from_numpy(rows)).numpy()
    assert np.ptp(found) > 1
    assert found == pytest.approx(np.mean(expected, axis=0), abs=1e-6)


def test_cuts_are_those_that_gini_impurity_chooses(rows: NDArray[np.float32]) -> None:
    """Leaves of many rows are impure, so that rounding decides nothing."""
    anomalies = bootstrapped(rows[:60] + np.float32(0.3))
    forest = grown(rows, anomalies, considered=["sqrt"], normal_rows=100, seed=0, smallest_leaf=20)
    for place, (lesson, chance) in enumerate(_lessons(rows, anomalies, 5, 100, seed=0)):
        tree = ExtraTreeClassifier(max_features="sqrt", min_samples_leaf=20, random_state=chance)
        tree.fit(lesson.rows, lesson.labels, sample_weight=lesson.weights)
        shares = tree.predict_proba(rows)[:, 1]
        assert forest.said(torch.from_numpy(rows))[:, place].numpy() == pytest.approx(shares, abs=1e-6)


def test_a_vote_does_not_depend_on_how_many_rows_are_scored_at_once(
    forest: Forest, rows: NDArray[np.float32]
) -> None:
    many = torch.from_numpy(np.tile(rows, (20, 1)))
    assert torch.equal(forest(many)[:300], forest(many[:300]))


def test_hidden_anomalies_lie_in_few_draws(rows: NDArray[np.float32]) -> None:
    """With small draws, anomalies among the normal rows hardly speak for being normal."""
    known, alike = rows[:5] + 6, torch.from_numpy(rows[100:150] + 6)
    mixed = np.concatenate([rows, rows[50:80] + 6])
    few, all_rows = (grow(mixed, known, normal_rows=count) for count in (32, 330))
    assert few(alike).mean() > all_rows(alike).mean() + 0.3


def test_the_box_holds_the_rows_with_a_margin(rows: NDArray[np.float32]) -> None:
    drawn = around(rows, 1000, margin=0.1)(np.random.default_rng(0))
    sides = rows.max(axis=0) - rows.min(axis=0)
    assert drawn.shape == (1000, 4)
    assert (drawn >= rows.min(axis=0) - 0.11 * sides).all()
    assert (drawn.min(axis=0) < rows.min(axis=0)).all()
    assert (drawn.max(axis=0) > rows.max(axis=0)).all()


def test_stored_trees_are_the_same(forest: Forest, arrays: Arrays, rows: NDArray[np.float32]) -> None:
    again = Forest.stored(arrays, "forest.", 4)
    assert torch.equal(again(torch.from_numpy(rows)), forest(torch.from_numpy(rows)))


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("left", lambda nodes: np.zeros_like(nodes), "lead downwards"),
        ("right", lambda nodes: nodes + len(nodes), "lead downwards"),
        ("left", lambda nodes: np.append(len(nodes) - 1, nodes[1:]), "in their tree"),
        ("right", lambda nodes: np.append(len(nodes) - 1, nodes[1:]), "in their tree"),
        ("columns", lambda nodes: nodes + 4, "not there"),
        ("columns", lambda nodes: nodes - 1, "not there"),
        ("roots", lambda roots: roots[::-1].copy(), "not there"),
        ("roots", lambda roots: roots[1:], "not there"),
        ("roots", lambda roots: roots * 2, "not there"),
        ("roots", lambda roots: roots - 1, "not there"),
        ("roots", lambda roots: roots[:0], "one list"),
        ("cuts", lambda cuts: cuts[:-1], "one list"),
        ("cuts", lambda cuts: cuts.astype(np.float64), "another type"),
        ("values", lambda values: values[None], "one list"),
        ("adds", lambda adds: adds[None], "one list"),
    ],
)
def test_damaged_trees_are_refused(arrays: Arrays, name: str, change: object, message: str) -> None:
    arrays[f"forest.{name}"] = change(arrays[f"forest.{name}"])  # type: ignore[operator]
    with pytest.raises(ValueError, match=message):
        Forest.stored(arrays, "forest.", 4)


def test_endless_trees_are_refused() -> None:
    nodes = DEEPEST + 3
    down = np.minimum(np.arange(nodes) + 1, nodes - 1)
    arrays: Arrays = {
        "columns": np.zeros(nodes, np.int64),
        "cuts": np.zeros(nodes, np.float32),
        "left": down,
        "right": down,
        "values": np.zeros(nodes, np.float32),
        "roots": np.zeros(1, np.int64),
        "adds": np.array(True),
    }
    with pytest.raises(ValueError, match="deeper than"):
        Forest.stored(arrays, "", 1)
