"""Numbers as pieces of their distribution."""

import numpy as np
import pytest
import torch

from alarmnet.networks.piecewise import MOST_PIECES, SHARES, PiecewiseLinearEncoding


def test_a_number_fills_the_pieces_below_it() -> None:
    pieces = PiecewiseLinearEncoding.learned_from(torch.linspace(0, 1, 1001)[:, None])
    assert len(pieces) == 2 * len(SHARES) - 2
    cut = pieces(torch.tensor([[0.15], [-5.0], [7.0]]))
    assert cut[:, 0].tolist() == [pytest.approx(0.15), -5.0, 7.0]
    below = sum(share <= 0.1 for share in SHARES) - 1  # the gap from 0.1 to 0.2 is half full
    assert cut[0, 1:].tolist() == pytest.approx(
        [1.0] * below + [0.5] + [0.0] * (len(pieces) - below - 1), abs=0.01
    )
    assert cut[1, 1:].tolist() == [0.0] * len(pieces)
    assert cut[2, 1:].tolist() == [1.0] * len(pieces)


def test_many_columns_have_fewer_pieces_between_the_same_ends() -> None:
    rows = torch.rand(50, 800, generator=torch.Generator().manual_seed(0))
    pieces = PiecewiseLinearEncoding.learned_from(rows)
    assert len(pieces) == MOST_PIECES
    assert torch.equal(pieces(rows).min(0).values[800:], torch.zeros(MOST_PIECES))
    assert torch.equal(pieces.low[::5], rows.min(0).values)
    assert torch.allclose((pieces.low + pieces.width)[4::5], rows.max(0).values)
    assert len(PiecewiseLinearEncoding.learned_from(rows.repeat(1, 3))) == 0


def test_columns_of_two_values_stay_as_they_are() -> None:
    rows = torch.tensor([[0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    pieces = PiecewiseLinearEncoding.learned_from(rows)
    assert len(pieces) == 0
    assert torch.equal(pieces(rows), rows)


def test_equal_quantiles_make_no_piece() -> None:
    counts = torch.tensor([0.0] * 90 + [1.0] * 5 + [3.0] * 5)[:, None]
    pieces = PiecewiseLinearEncoding.learned_from(counts)
    assert (pieces.width > 0).all()
    assert torch.isfinite(pieces(torch.tensor([[0.0], [2.0], [1e30]]))).all()


@pytest.mark.parametrize(
    ("name", "value"), [("columns", -1), ("columns", 2), ("width", 0.0), ("width", -1.0)]
)
def test_pieces_of_a_file_are_checked(name: str, value: float) -> None:
    arrays = {
        "columns": np.array([0, 1]),
        "low": np.zeros(2, np.float32),
        "width": np.ones(2, np.float32),
    }
    assert len(PiecewiseLinearEncoding.stored(arrays, "", 2)) == 2
    arrays[name][1] = value
    with pytest.raises(ValueError, match="pieces"):
        PiecewiseLinearEncoding.stored(arrays, "", 2)
