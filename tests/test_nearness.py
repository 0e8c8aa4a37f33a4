"""How far rows are from the stored normal ones."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from alarmnet.networks.nearness import NEIGHBOURS, Nearness


@pytest.fixture(scope="module")
def stored() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    numbers = torch.randn(200, 3, generator=generator) * torch.tensor([1.0, 100.0, 0.01]) + 50
    return torch.cat([numbers, (torch.rand(200, 1, generator=generator) < 0.1).float()], dim=1)


@pytest.fixture(scope="module")
def nearness(stored: Tensor) -> Nearness:
    nearness = Nearness(*stored.shape)
    nearness.learn(stored, torch.linspace(0.1, 1, 200))
    return nearness


def test_distances_are_those_of_scikit_learn_in_standard_deviations(
    nearness: Nearness, stored: Tensor
) -> None:
    scale = np.append(1 / stored[:, :3].numpy().std(axis=0), 1)
    rows = stored[:20] + 0.3
    found = NearestNeighbors(n_neighbors=max(NEIGHBOURS)).fit(stored.numpy() * scale)
    expected = found.kneighbors(rows.numpy() * scale)[0][:, [count - 1 for count in NEIGHBOURS]]
    measured = nearness._distances(nearness.scaled(rows), leave_out_itself=False)
    assert measured.numpy() == pytest.approx(expected, rel=1e-3)


def test_usual_is_what_stored_rows_are_without_themselves(nearness: Nearness, stored: Tensor) -> None:
    distances = nearness._distances(nearness.scaled(stored), leave_out_itself=True)
    near = nearness.measured(distances, torch.ones(200))
    assert near[:, :2].mean(0).numpy() == pytest.approx(0, abs=1e-5)
    assert near[:, :2].std(0, correction=0).numpy() == pytest.approx(1, abs=1e-4)


def test_farther_rows_have_higher_numbers(nearness: Nearness, stored: Tensor) -> None:
    losses = torch.full((200,), 0.5)
    steps = [nearness(stored + step, losses)[:, :2].mean() for step in (0, 3, 30, 300)]
    assert steps == sorted(steps)
    assert (nearness(stored, losses * 9)[:, 2] > nearness(stored, losses)[:, 2]).all()


@pytest.mark.parametrize("count", [1, 3])
def test_few_equal_rows_give_finite_numbers(count: int) -> None:
    rows, losses = torch.ones(count, 2), torch.zeros(count)
    nearness = Nearness(count, 2)
    nearness.learn(rows, losses)
    assert torch.isfinite(nearness(rows, losses)).all()
    assert torch.isfinite(nearness(rows * 1e6, losses)).all()


def test_few_neighbours_are_the_nearest_and_the_fifth(stored: Tensor) -> None:
    nearness = Nearness(*stored.shape, few=True)
    nearness.learn(stored, torch.ones(len(stored)))
    row = stored[:1] + 0.3
    distances = (nearness.stored - nearness.scaled(row)).norm(dim=1).sort().values
    found = nearness._distances(nearness.scaled(row), leave_out_itself=False)
    assert torch.allclose(found[0], distances[[0, 4]])
