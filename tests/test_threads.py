"""How many threads a network's steps get."""

import math
import os
import subprocess
import sys

import pytest
import torch

from alarmnet._threads import CHOSEN_BY, WORTH_SHARING, threads_for


@pytest.mark.parametrize(
    ("cores", "asked_for", "work", "expected"),
    [
        (2, {}, math.inf, 1),  # a neighbour has the other core
        (2, {"OMP_NUM_THREADS": "2"}, math.inf, 2),
        (2, {"OMP_WAIT_POLICY": "PASSIVE"}, math.inf, 2),
        (4, {}, math.inf, 2),
        (2, {"OMP_NUM_THREADS": "2"}, WORTH_SHARING / 2, 1),
    ],
)
def test_a_core_is_left_to_others(
    cores: int, asked_for: dict[str, str], work: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 64)  # of the machine, not of this process
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(cores)), raising=False)
    for name in CHOSEN_BY:
        monkeypatch.delenv(name, raising=False)
    for name, value in asked_for.items():
        monkeypatch.setenv(name, value)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with threads_for(work):
            assert torch.get_num_threads() == expected
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_the_command_line_lets_waiting_threads_sleep() -> None:
    """Before torch is imported, which reads the policy then."""
    says = "import alarmnet.cli, os, sys; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    unset = {name: value for name, value in os.environ.items() if name not in CHOSEN_BY}
    done = subprocess.run([sys.executable, "-c", says], env=unset, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "PASSIVE"]
