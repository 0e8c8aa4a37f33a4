"""How far rows are from the stored normal ones."""

import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from alarmnet.networks.nearness import MANY, NEIGHBOURS, Nearness, Neighbours, _smallest


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
    measured = nearness.distances(rows)
    assert measured.numpy() == pytest.approx(expected, rel=1e-3)


def test_usual_is_what_stored_rows_are_without_themselves(nearness: Nearness, stored: Tensor) -> None:
    near = nearness.measured(nearness.own_distances(), torch.ones(200))
    assert near[:, :2].mean(0).numpy() == pytest.approx(0, abs=1e-5)
    assert near[:, :2].std(0, correction=0).numpy() == pytest.approx(1, abs=1e-4)


def test_farther_rows_have_higher_numbers(nearness: Nearness, stored: Tensor) -> None:
    losses = torch.full((200,), 0.5)
    distances = [nearness.distances(stored + step) for step in (0, 3, 30, 300)]
    steps = [nearness.measured(of, losses)[:, :2].mean() for of in distances]
    assert steps == sorted(steps)
    more, less = (nearness.measured(distances[0], losses * of)[:, 2] for of in (9, 1))
    assert (more > less).all()


@pytest.mark.parametrize("count", [1, 3])
def test_few_equal_rows_give_finite_numbers(count: int) -> None:
    rows, losses = torch.ones(count, 2), torch.zeros(count)
    nearness = Nearness(count, 2)
    nearness.learn(rows, losses)
    neighbours = Neighbours(count, 2)
    neighbours.learn(rows)
    for far in (rows, rows * 1e6):
        assert torch.isfinite(nearness.measured(nearness.distances(far), losses)).all()
        assert torch.isfinite(neighbours.measured(neighbours.distances(far))).all()


def test_few_neighbours_are_the_nearest_and_the_fifth(stored: Tensor) -> None:
    nearness = Nearness(*stored.shape, few=True)
    nearness.learn(stored, torch.ones(len(stored)))
    row = stored[:1] + 0.3
    distances = (nearness.stored - nearness.scaled(row)).norm(dim=1).sort().values
    assert torch.allclose(nearness.distances(row)[0], distances[[0, 4]])


def test_three_neighbours_are_usual_among_stored_rows(stored: Tensor) -> None:
    neighbours = Neighbours(*stored.shape)
    neighbours.learn(stored)
    near = neighbours.measured(neighbours.own_distances())
    assert near.mean(0).numpy() == pytest.approx(0, abs=1e-5)
    assert near.std(0, correction=0).numpy() == pytest.approx(1, abs=1e-4)
    distances = (neighbours.stored - neighbours.scaled(stored[:1] + 0.3)).norm(dim=1).sort().values
    assert torch.allclose(neighbours.distances(stored[:1] + 0.3)[0], distances[[0, 4, 49]])


@pytest.mark.parametrize("places", [[0], [0, MANY - 2], [4, MANY - 1], [0, 4, 39]])
def test_the_smallest_are_found_in_order_and_the_first_of_equal_ones(places: list[int]) -> None:
    values = torch.randn(60, 50, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_smallest(values, places), values.argsort(dim=1, stable=True)[:, places])
    assert torch.equal(_smallest(values.double(), places), values.argsort(dim=1, stable=True)[:, places])
    if max(places) + 1 >= MANY:
        rounded = values.round() + 0.0  # without -0.0
        assert torch.equal(_smallest(rounded, places), rounded.argsort(dim=1, stable=True)[:, places])
