"""How far rows lie outside the spread of the normal ones."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from alarmnet.networks.spread import LEAST_VARIANCE, NEIGHBOUR, Spread


@pytest.fixture(scope="module")
def rows() -> Tensor:
    """Two columns that move together, and one by itself."""
    numbers = torch.randn(400, 2, generator=torch.Generator().manual_seed(0))
    return torch.stack([numbers[:, 0], numbers[:, 0] + 0.1 * numbers[:, 1], numbers[:, 1]], dim=1)


def learned(rows: Tensor, share: float = 1.0) -> Spread:
    spread = Spread(*rows.shape)
    spread.learn(rows, share)
    return spread


def test_numbers_are_logarithms_of_distances_by_the_covariance(rows: Tensor) -> None:
    matrix, other = rows.double().numpy(), rows[:20].double().numpy() + 0.3
    inverse = np.linalg.inv(np.cov(matrix.T, bias=True) + LEAST_VARIANCE * np.eye(3))
    from_centre = cdist(other, matrix.mean(axis=0)[None], "mahalanobis", VI=inverse)[:, 0]
    from_rows = np.sort(cdist(other, matrix, "mahalanobis", VI=inverse), axis=1)[:, NEIGHBOUR - 1]
    spread = learned(rows)
    found = (spread(torch.from_numpy(other).float()) * spread.deviation + spread.mean).exp()
    assert found[:, 0].numpy() == pytest.approx(np.sqrt(from_centre**2 + 0.01), rel=1e-3)
    assert found[:, 1].numpy() == pytest.approx(from_rows + 0.001, rel=1e-3)


def test_a_row_that_breaks_a_relation_is_far_though_no_column_is_unusual(rows: Tensor) -> None:
    usual, broken = torch.tensor([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])
    assert (learned(rows)(broken[None]) > learned(rows)(usual[None]) + 1).all()


def test_hidden_anomalies_do_not_hide_themselves(rows: Tensor) -> None:
    hidden = torch.tensor([0.0, 8.0, 0.0]) + 0.1 * rows[:60]
    trusting, doubting = (learned(torch.cat([rows, hidden]), share)(hidden) for share in (1.0, 0.75))
    assert doubting[:, 0].mean() > trusting[:, 0].mean() + 0.5


def test_order_does_not_matter_where_rows_are_equally_near(rows: Tensor) -> None:
    whole = (rows > 0).float()
    some, other = learned(whole, 0.75)(whole[:50]), learned(whole.flip(0), 0.75)(whole[:50])
    assert torch.allclose(some, other, atol=1e-3)


@pytest.mark.parametrize("count", [1, 3])
def test_few_equal_rows_give_finite_numbers(count: int) -> None:
    spread = learned(torch.ones(count, 2), 0.75)
    assert torch.isfinite(spread(torch.ones(count, 2))).all()
    assert torch.isfinite(spread(torch.full((count, 2), 1e6))).all()


@pytest.mark.parametrize(
    ("rows", "share", "directions"), [(20, 1.0, 20), (19, 1.0, 1), (26, 0.75, 1), (27, 0.75, 20)]
)
def test_fewer_rows_than_columns_do_not_show_directions(rows: int, share: float, directions: int) -> None:
    generator = torch.Generator().manual_seed(0)
    spread = learned(torch.randn(rows, 20, generator=generator), share)
    fresh = spread(torch.randn(200, 20, generator=generator))
    assert spread.whitening.shape == (directions, 20)
    assert spread.white(torch.ones(3, 20)).shape == (3, 20)
    if directions == 1:
        assert fresh.mean(0).abs().max() < 2


def test_columns_on_their_own_leave_out_fixed_ones() -> None:
    rows = torch.cat([torch.randn(5, 9, generator=torch.Generator().manual_seed(0)), torch.ones(5, 1)], dim=1)
    spread = learned(rows)
    other = rows[:1] + torch.eye(10)[9:] * 50
    torch.testing.assert_close(spread(other), spread(rows[:1]))
