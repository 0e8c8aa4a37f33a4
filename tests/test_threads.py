"""How many threads a network's steps get."""

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils._python_dispatch import TorchDispatchMode

from alarmnet import A3Detector, Schedule
from alarmnet._shared.threads import CHOSEN_BY, WORTH_SHARING, threads_for


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


def number_of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(torch.get_num_threads).result()


@pytest.fixture
def _four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_four_threads")
def test_threads_that_start_meanwhile_have_the_callers_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr("alarmnet._shared.threads._most_threads", lambda own: 3)
    with threads_for(math.inf):
        assert (torch.get_num_threads(), number_of_a_new_thread()) == (3, 4)
        with threads_for(0):
            assert (torch.get_num_threads(), number_of_a_new_thread()) == (1, 4)
        assert (torch.get_num_threads(), number_of_a_new_thread()) == (3, 4)
    assert (torch.get_num_threads(), number_of_a_new_thread()) == (4, 4)


@pytest.mark.usefixtures("_four_threads")
def test_each_thread_gets_its_own_number_back_whatever_others_do_meanwhile() -> None:
    open_, done = threading.Barrier(3, timeout=20), threading.Barrier(3, timeout=20)

    def compute(own: int | None) -> list[int]:
        if own is not None:
            torch.set_num_threads(own)
        found = [torch.get_num_threads()]
        with threads_for(0):
            open_.wait()  # all are inside
            found.append(torch.get_num_threads())
            done.wait()
        return [*found, torch.get_num_threads()]

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(compute, [2, 1, 3]))
    assert found == [[2, 1, 2], [1, 1, 1], [3, 1, 3]]
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("_four_threads")
def test_detectors_that_are_fitted_at_once_train_on_as_many_threads_as_alone(
    small: Any, rows: NDArray[np.float64], labels: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    monkeypatch.setattr("alarmnet._shared.threads.WORTH_SHARING", 0)

    def fit(meanwhile: Callable[[], object]) -> set[int]:
        numbers: set[int] = set()

        def progress(state: object) -> None:
            numbers.add(torch.get_num_threads())
            meanwhile()

        small(schedule=Schedule(steps=3), verbose=progress).fit(rows, labels)
        return numbers

    def in_another_thread() -> None:
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(fit, lambda: None).result() == {4}

    with threads_for(0):
        in_another_thread()
    assert fit(in_another_thread) == {4}


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
