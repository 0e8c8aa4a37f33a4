"""Known anomalies behind the rows of a batch."""

import pytest
import torch

from alarmnet.detectors.known import KnownAnomalies

TABLE = torch.cat([torch.zeros(6, 2), torch.ones(4, 2)])
NORMAL, ANOMALIES = torch.arange(6), torch.arange(6, 10)


def behind(*, count: int, blend: float) -> torch.Tensor:
    """What stands behind a batch of normal rows, over a hundred steps."""
    known = KnownAnomalies(ANOMALIES, TABLE.__getitem__, count=count, blend=blend, seed=0)
    batches = [known(NORMAL[:5]) for _ in range(100)]
    assert not torch.cat([batch[:5] for batch in batches]).any()
    return torch.cat([batch[5:] for batch in batches])


def test_as_many_as_there_are_but_no_more_than_asked_for() -> None:
    assert len(behind(count=3, blend=0)) == 300
    assert len(behind(count=9, blend=0)) == 400
    assert KnownAnomalies(ANOMALIES[:0], TABLE.__getitem__, count=3, blend=1, seed=0)(NORMAL).shape == (6, 2)


@pytest.mark.parametrize("blend", [0.0, 0.5, 1.0])
def test_a_normal_row_takes_a_share_up_to_the_blend(blend: float) -> None:
    values = behind(count=4, blend=blend)
    assert torch.equal(values[:, 0], values[:, 1])
    assert values.max() <= 1
    assert 1 - blend <= values.min() <= 1 - 0.98 * blend
    assert TABLE[6:].eq(1).all()
