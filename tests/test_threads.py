"""How many threads a network's steps get."""

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from alarmnet import A3Detector
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


class ThreadsOf(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """While open, notes with how many threads each operation runs."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.threads: dict[str, set[int]] = {}

    def __torch_dispatch__(self, function: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.threads.setdefault(str(function), set()).add(torch.get_num_threads())
        return function(*args, **(kwargs or {}))


def test_all_of_scoring_leaves_a_core_to_others(
    fitted: A3Detector, rows: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in CHOSEN_BY:
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        with ThreadsOf() as noted:
            fitted.decision_function(rows)
    finally:
        torch.set_num_threads(before)
    many = {name for name, threads in noted.threads.items() if threads != {1}}
    # these touch no number
    assert many <= {"aten.empty.memory_format", "aten.detach.default", "aten.lift_fresh.default"}
    assert "aten.copy_.default" in noted.threads


def test_the_command_line_lets_waiting_threads_sleep() -> None:
    """Before torch is imported, which reads the policy then."""
    says = "import alarmnet.cli, os, sys; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    unset = {name: value for name, value in os.environ.items() if name not in CHOSEN_BY}
    done = subprocess.run([sys.executable, "-c", says], env=unset, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "PASSIVE"]
