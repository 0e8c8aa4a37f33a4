"""A least-squares classifier with kernels, chosen and made into log odds by what it says of rows left out."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor

from alarmnet.networks import kernel_alarm
from alarmnet.networks.kernel_alarm import FARTHEST, MOST, MOST_CERTAIN, KernelAlarm


def drawn(rows: int, seed: int, *, at: tuple[float, float] = (0.0, 0.0), deviation: float = 1.0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.tensor(at) + deviation * torch.randn(rows, 2, generator=generator)


def test_left_out_rows_get_what_a_classifier_without_them_says() -> None:
    rows = torch.cat([drawn(12, 0), drawn(3, 1, at=(2.0, 2.0))]).double().numpy()
    kernel = np.exp(-((rows[:, None] - rows) ** 2).sum(2))
    classes, shares = np.repeat([-1.0, 1.0], [12, 3]), np.repeat([0.5 / 12, 0.5 / 3], [12, 3])
    heard = []

    def listened(outputs: kernel_alarm.Numbers, *_: object) -> kernel_alarm._LogOdds:
        heard.append(outputs)
        return kernel_alarm._LogOdds(0, 0, 1)

    with patch.object(kernel_alarm, "_log_odds", listened):
        kernel_alarm._learned(kernel, classes, shares)
    for penalty, found in zip(kernel_alarm.PENALTIES, heard, strict=True):
        for left_out in (0, 7, 14):
            kept = np.delete(np.arange(15), left_out)
            ridge = np.diag(penalty / shares[kept])
            weights = np.linalg.solve(kernel[np.ix_(kept, kept)] + 1 + ridge, classes[kept])
            assert found[left_out] == pytest.approx((kernel[left_out, kept] + 1) @ weights, abs=1e-6)


def test_it_follows_a_slanted_boundary_with_five_known_anomalies() -> None:
    slant = torch.tensor([[1.0, 0.9], [0.9, 1.0]])
    normal, known = drawn(300, 0) @ slant, drawn(5, 1, at=(1.2, -1.2), deviation=0.3)
    alarm = KernelAlarm.learned(normal, known)
    assert alarm(drawn(50, 2, at=(1.2, -1.2), deviation=0.3)).min() > alarm(drawn(50, 3) @ slant).max()


@pytest.mark.parametrize("known", [1, 6])
def test_it_says_nothing_where_known_anomalies_are_like_normal_rows(known: int) -> None:
    alarm = KernelAlarm.learned(drawn(300, 0), drawn(known, 1))
    assert alarm(drawn(100, 2)).max() < 0.2


def test_its_log_odds_are_bounded_however_far_rows_are() -> None:
    known = drawn(20, 1, at=(4.0, 4.0), deviation=0.1)
    alarm = KernelAlarm.learned(drawn(300, 0), known)
    found = alarm(torch.cat([known, drawn(300, 2), torch.tensor([[3e38, -3e38], [-3e38, 0.0]])]))
    assert found.min() >= 0
    assert 2 < found.max() <= MOST_CERTAIN
    assert found[-2:].tolist() == [0, 0]


def test_one_odd_number_does_not_hide_a_known_anomaly() -> None:
    assert torch.equal(
        *(
            KernelAlarm.learned(drawn(99, 0), torch.tensor([[2.0, 2.0], [2.1, 2.0], [2.0, far]]))(drawn(9, 2))
            for far in (FARTHEST, 1e20)
        )
    )


@pytest.mark.parametrize("rows", [(1, 1), (1, 3), (3, 1)])
def test_a_few_equal_rows_give_finite_numbers(rows: tuple[int, int]) -> None:
    normal, known = (torch.zeros(count, 2) for count in rows)
    assert KernelAlarm.learned(normal, known)(drawn(5, 0)).isfinite().all()


def test_it_compares_rows_with_some_of_many() -> None:
    alarm = KernelAlarm.learned(drawn(3 * MOST, 0), drawn(2 * MOST, 1, at=(3.0, 3.0)))
    assert len(alarm.known) == MOST
    assert len(alarm.rows) == 2 * MOST
    again = KernelAlarm(MOST, MOST, 2)
    again.load_state_dict(alarm.state_dict())
    again.compare(drawn(3 * MOST, 0))
    assert torch.equal(again(drawn(9, 2)), alarm(drawn(9, 2)))


def test_hidden_anomalies_count_little_where_rows_are_unlabelled() -> None:
    normal, hidden = drawn(900, 0), drawn(100, 1, at=(4.0, 4.0), deviation=0.5)
    rows, known = torch.cat([normal, hidden]), drawn(5, 2, at=(4.0, 4.0), deviation=0.5)
    none, some, every = (torch.arange(1_000) >= first for first in (1_000, 900, 0))
    trusting, partly, doubting = (
        KernelAlarm.learned(rows, known, unlabelled=of) for of in (none, some, every)
    )
    fresh = drawn(50, 3, at=(4.0, 4.0), deviation=0.5)
    assert doubting(fresh).mean() > trusting(fresh).mean() + 0.3
    assert partly(fresh).mean() > trusting(fresh).mean() + 0.3
    assert doubting(drawn(500, 4)).mean() < 0.1
    assert torch.equal(trusting(fresh), KernelAlarm.learned(rows, known)(fresh))
