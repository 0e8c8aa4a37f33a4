"""Denormal numbers are zero while networks train, and only then."""

import pytest
import torch

from alarmnet._processor import flushing_denormals


def flushed() -> bool:
    return float(torch.tensor(1e-39) + 0) == 0


@pytest.mark.parametrize("before", [False, True])
def test_the_callers_setting_comes_back(before: bool) -> None:
    if not torch.set_flush_denormal(before):
        pytest.skip("this processor does not flush denormal numbers")
    try:
        with flushing_denormals():
            assert flushed()
        assert flushed() is before
    finally:
        torch.set_flush_denormal(False)
