"""How far a row's values lie in the tails of the columns."""

import numpy as np
import pytest
import torch
from torch import Tensor

from alarmnet.networks.tails import Tails


@pytest.fixture(scope="module")
def rows() -> Tensor:
    """A symmetric column, one that is skewed to the right, and one with a rare value."""
    generator = torch.Generator().manual_seed(0)
    rare = (torch.rand(400, 1, generator=generator) < 0.02).float()
    normal = torch.randn(400, 2, generator=generator)
    return torch.cat([normal[:, :1], normal[:, 1:].exp(), rare], dim=1)


def learned(rows: Tensor) -> Tails:
    tails = Tails(rows.shape[1])
    tails.learn(rows, torch.ones(rows.shape[1]))
    return tails


def test_the_measure_is_the_largest_sum_of_log_tails(rows: Tensor) -> None:
    tails, matrix = learned(rows), rows.numpy()
    other = np.concatenate([matrix[:20] + np.float32(0.25), matrix[:20]])
    floor = 0.5 / len(matrix)
    at_most = np.maximum((matrix[None] <= other[:, None]).mean(axis=1), floor)
    at_least = np.maximum((matrix[None] >= other[:, None]).mean(axis=1), floor)
    left, right = -np.log(at_most), -np.log(at_least)
    skewed = np.where(((matrix - matrix.mean(axis=0)) ** 3).mean(axis=0) < 0, left, right)
    expected = np.max([of.sum(axis=1) for of in (left, right, skewed)], axis=0)
    found = tails(torch.from_numpy(other))[:, 0] * tails.deviation + tails.mean
    assert found.exp().numpy() == pytest.approx(expected + 0.001, rel=1e-4)


def test_stored_rows_have_mean_0_and_deviation_1(rows: Tensor) -> None:
    found = learned(rows)(rows)
    assert found.shape == (400, 1)
    assert float(found.mean()) == pytest.approx(0, abs=1e-4)
    assert float(found.std(correction=0)) == pytest.approx(1, abs=1e-4)


def test_a_rare_value_counts_and_a_column_of_one_value_does_not(rows: Tensor) -> None:
    tails = learned(torch.cat([rows, torch.ones(400, 1)], dim=1))
    usual, rare, other = torch.tensor([[0.0, 1, 0, 1], [0, 1, 1, 1], [0, 1, 0, 9]])
    assert tails(rare[None]) > tails(usual[None]) + 1
    assert torch.equal(tails(other[None]), tails(usual[None]))


def test_numbers_rounded_to_32_bits_have_the_same_tails() -> None:
    draws = np.random.default_rng(0)
    exact = draws.choice([11.1, 12.2, 13.3], (500, 2), p=[0.1, 0.1, 0.8])
    low, width, scale = 11.1, 2.2, torch.tensor([3.0, 40.0])
    stored, rounded = (
        torch.from_numpy(((rows - low) / width).astype(np.float32)) * scale
        for rows in (exact, exact.astype(np.float32))
    )
    assert not torch.equal(stored, rounded)
    tails = Tails(2)
    tails.learn(stored, scale)
    assert torch.equal(tails(stored), tails(rounded))


def test_a_number_equals_the_nearest_stored_one_alone() -> None:
    close = torch.arange(100.0)[:, None] * 1e-6
    tails = learned(close)
    assert len(tails(close).unique()) > 45
    for apart in (-0.3e-6, 0.3e-6):
        assert torch.equal(tails(close + apart), tails(close))


@pytest.mark.parametrize("count", [1, 3])
def test_few_equal_rows_give_finite_numbers(count: int) -> None:
    tails = learned(torch.ones(count, 2))
    assert torch.isfinite(tails(torch.tensor([[1.0, 1], [1e6, -1e6]]))).all()
