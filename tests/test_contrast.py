"""How near rows are to known anomalies, compared with normal rows."""

import pytest
import torch
from torch import Tensor

from alarmnet.networks.contrast import FEWEST, MOST_NORMAL, Contrast


def rows(count: int, *, at: float = 0.0) -> Tensor:
    return at + torch.rand(count, 3, generator=torch.Generator().manual_seed(count))


def distances(some: Tensor, others: Tensor) -> Tensor:
    return torch.cdist(some, others, compute_mode="donot_use_mm_for_euclid_dist")


@pytest.mark.parametrize(("count", "last"), [(40, 4), (4, 2)])
def test_the_measures_are_log_distances_and_how_much_longer_they_are(count: int, last: int) -> None:
    """Of 4 normal rows, the 3rd nearest counts for the 5th: each of the 4 has 3 others."""
    known, normal, judged = rows(9, at=1.0), rows(count), rows(7, at=0.5)
    to_known, to_normal = (distances(judged, of).sort(dim=1).values for of in (known, normal))
    far, usual = ((of + 0.001).log() for of in (to_known[:, [0, 2, 4]], to_normal[:, [0, last]]))
    longer = torch.stack([far[:, k] - usual[:, n] for k, n in ((0, 0), (0, 1), (1, 1), (2, 1))], dim=1)
    torch.testing.assert_close(Contrast(known, normal)(judged), torch.cat([far, longer], dim=1))


@pytest.mark.parametrize("count", [FEWEST, 4, 9])
def test_no_row_is_compared_with_itself(count: int) -> None:
    known, normal = rows(count, at=1.0), rows(3 * MOST_NORMAL)
    contrast = Contrast(known, normal)
    nearest = (distances(known, known) + 9 * torch.eye(count)).amin(1)
    torch.testing.assert_close(contrast.own(known, known=True)[:, 0], (nearest + 0.001).log())
    kept = normal[::3]
    nearest = (distances(kept, kept) + 9 * torch.eye(len(kept))).amin(1)
    found = contrast.own(normal, known=False)
    torch.testing.assert_close((found[:, 0] - found[:, 3])[::3], (nearest + 0.001).log())
    torch.testing.assert_close(found[1::3], contrast(normal[1::3]))  # those that are not kept


def test_one_normal_row_gives_finite_numbers() -> None:
    contrast = Contrast(rows(2), rows(1))
    assert torch.isfinite(contrast.own(rows(1), known=False)).all()


def test_known_anomalies_far_out_are_not_compared_with_themselves() -> None:
    known = rows(50) + torch.tensor([5_000.0, 0, 0])
    nearest = (distances(known, known) + 9 * torch.eye(50)).amin(1)
    found = Contrast(known, rows(40)).own(known, known=True)[:, 0].exp() - 0.001
    assert (found >= nearest - 1e-3).all()
