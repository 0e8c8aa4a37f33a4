"""How many threads a network's steps get."""

import math

import pytest
import torch

from alarmnet._threads import WORTH_SHARING, threads_for


@pytest.mark.parametrize(
    ("cores", "asked_for", "work", "expected"),
    [
        (2, None, math.inf, 1),  # a neighbour has the other core
        (2, "2", math.inf, 2),
        (4, None, math.inf, 2),
        (2, "2", WORTH_SHARING / 2, 1),
    ],
)
def test_a_core_is_left_to_others(
    cores: int, asked_for: str | None, work: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked_for:
        monkeypatch.setenv("OMP_NUM_THREADS", asked_for)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_for(work):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
