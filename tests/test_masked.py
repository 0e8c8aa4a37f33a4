"""The target that predicts masked columns: what it sees, its losses, and what detectors do with it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from alarmnet import A3Detector, load
from alarmnet.detectors.likeness_scorer import LikenessScorer
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.networks.layers import drawing_from, materialise
from alarmnet.networks.targets.dense import DenseAutoencoderNetwork
from alarmnet.networks.targets.masked import PASSES, MaskedNetwork

COLUMN_OF = np.array([0, 1, 1, 1, 2, 3, 4, 4, 5, 0, 2])
"""The column of each input: some columns have several, and not side by side."""


def inputs_of(column: int) -> NDArray[np.intp]:
    return np.flatnonzero(np.isin(COLUMN_OF, column))


@pytest.fixture(scope="module")
def network() -> MaskedNetwork:
    made = MaskedNetwork(COLUMN_OF, hidden=16)
    materialise(made, torch.Generator().manual_seed(0))
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def rows() -> torch.Tensor:
    return torch.rand((5, len(COLUMN_OF)), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("column", range(6))
def test_a_column_is_predicted_without_itself_but_from_others(
    network: MaskedNetwork, rows: torch.Tensor, column: int
) -> None:
    changed = rows.clone()
    changed[:, inputs_of(column)] += 0.5
    before, after = network(rows), network(changed)
    together = np.isin(COLUMN_OF % PASSES, column % PASSES)  # masked in the same pass
    torch.testing.assert_close(after[:, together], before[:, together])
    assert not torch.isclose(after[:, ~together], before[:, ~together]).all(dim=0).any()


def test_each_column_counts_the_same_in_a_rows_loss(network: MaskedNetwork, rows: torch.Tensor) -> None:
    losses = functional.binary_cross_entropy_with_logits(network(rows), rows, reduction="none")
    by_column = torch.stack([losses[:, inputs_of(column)].mean(1) for column in range(6)])
    torch.testing.assert_close(network.row_losses(rows), by_column.mean(0))


def test_numbers_outside_their_range_are_no_less_surprising(
    network: MaskedNetwork, rows: torch.Tensor
) -> None:
    beyond = rows.clone()
    beyond[:, 8] = torch.tensor([-50.0, 50.0, 1e6, 1.5, -0.5])
    losses = functional.binary_cross_entropy_with_logits(
        network(beyond), beyond.clamp(0, 1), reduction="none"
    )
    assert (losses > 0).all()
    by_column = torch.stack([losses[:, inputs_of(column)].mean(1) for column in range(6)])
    torch.testing.assert_close(network.row_losses(beyond), by_column.mean(0))


def test_the_first_layers_may_be_computed_column_by_column(
    network: MaskedNetwork, rows: torch.Tensor
) -> None:
    first = functional.linear(rows, *network.first)
    assert first.shape == (5, network.first.out_features)
    torch.testing.assert_close(network.row_losses(rows, first), network.row_losses(rows))
    torch.testing.assert_close(network.code(rows, first), network.code(rows))
    torch.testing.assert_close(network.code_and_losses(rows, first)[:, -1], network.row_losses(rows))
    torch.testing.assert_close(network.read(rows)[0][0], network.activations(rows)[0])


def test_a_single_column_is_predicted_from_nothing() -> None:
    network = MaskedNetwork(np.array([0, 0]), hidden=4)
    materialise(network, torch.Generator().manual_seed(0))
    made = network.eval()(torch.rand((3, 2)))
    assert (made == made[0]).all()
    with drawing_from(network, torch.Generator().manual_seed(0)):
        assert network.mean_loss(torch.rand((3, 2))).isfinite()


def test_training_masks_at_least_one_column_and_draws_from_its_generator(network: MaskedNetwork) -> None:
    rows, before = torch.rand((64, len(COLUMN_OF))), torch.get_rng_state()
    drawn = []
    for seed in (0, 0, 1):
        with drawing_from(network, torch.Generator().manual_seed(seed)):
            drawn.append(float(network.mean_loss(rows)))
    assert drawn[0] == drawn[1] != drawn[2]
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("y", "trusted"), [(None, 0.75), (np.zeros(40), 1.0)])
def test_hidden_anomalies_are_not_learned(y: NDArray[np.float64] | None, trusted: float) -> None:
    """If rows are unlabelled, the target learns from those of a batch that it predicts best."""
    detector = A3Detector(random_state=0, alarm_rate=0.2).fit(
        np.random.default_rng(0).normal(size=(40, 2)), y
    )
    assert isinstance(detector._scorer, NormalityScorer)
    network = detector._scorer.target.network
    assert isinstance(network, MaskedNetwork)
    assert network.trusted == trusted
    rows = torch.rand((100, network.output.out_features))
    losses = []
    for share in (0.5, 1.0):
        network.trusted = share
        with drawing_from(network, torch.Generator().manual_seed(0)):
            losses.append(float(network.mean_loss(rows)))
    assert losses[0] < 0.95 * losses[1]


@pytest.fixture(scope="module")
def correlated() -> NDArray[np.float64]:
    """Six numbers, of which pairs are nearly equal."""
    generator = np.random.default_rng(0)
    own = generator.normal(size=(900, 3))
    return np.concatenate([own, own + generator.normal(0, 0.2, own.shape)], axis=1)


def broken(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows of which two numbers that go together no longer do; each is as usual as before."""
    changed = rows.copy()
    changed[:, 0] = changed[::-1, 0]
    return changed


def test_without_known_anomalies_the_target_knows_which_columns_go_together(
    correlated: NDArray[np.float64],
) -> None:
    detector = A3Detector(random_state=0).fit(correlated[:700])
    assert isinstance(detector._scorer, NormalityScorer)
    network = detector._scorer.target.network
    assert isinstance(network, MaskedNetwork)
    usual, odd = (
        detector._scorer.target.row_losses(torch.from_numpy(detector.encoder_.transform(rows)))
        for rows in (correlated[700:], broken(correlated[700:]))
    )
    apart = abs(correlated[700:, 0] - broken(correlated[700:])[:, 0]) > 1.5
    assert (odd > usual)[torch.from_numpy(apart)].float().mean() > 0.95


def test_such_a_model_is_kept_explained_and_learns_known_anomalies(
    correlated: NDArray[np.float64], tmp_path: Path
) -> None:
    detector = A3Detector(random_state=0).fit(correlated[:700])
    target = detector._scorer.target
    y = np.full(700, np.nan)
    y[:6] = 1
    for kind in (NormalityScorer, LikenessScorer):
        assert isinstance(detector._scorer, kind)
        detector.save(tmp_path / "model")
        again = load(tmp_path / "model")
        np.testing.assert_array_equal(again.logits(correlated), detector.logits(correlated))
        found = again.explain(broken(correlated)[:3])
        np.testing.assert_allclose(found.values.sum(axis=1), found.logits - found.base_value, atol=1e-6)
        np.testing.assert_allclose(found.logits, detector.logits(broken(correlated)[:3]), atol=1e-4)
        detector.refit_alarm(correlated[:700], y)
    assert detector._scorer.target is target


def test_with_known_anomalies_the_target_is_an_autoencoder(correlated: NDArray[np.float64]) -> None:
    detector = A3Detector(random_state=0).fit(correlated[:700], np.repeat([1.0, np.nan], [6, 694]))
    assert isinstance(detector._scorer, LikenessScorer)
    assert isinstance(detector._scorer.target.network, DenseAutoencoderNetwork)
