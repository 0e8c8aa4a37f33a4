"""A fitted detector in other processes, started as the docs say."""

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray

from alarmnet import A3Detector

Make = Callable[..., A3Detector]
Rows = NDArray[np.float64]


def product() -> None:
    """Large enough for several threads."""
    torch.ones(1500, 1500) @ torch.ones(1500, 1500)


def test_processes_started_afresh_score_as_their_parent(small: Make, rows: Rows) -> None:
    detector = small().fit(rows)
    product()
    expected = detector.decision_function(rows)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert (pool.submit(detector.decision_function, rows).result() == expected).all()
    (found,) = Parallel(n_jobs=2)([delayed(detector.decision_function)(rows)])
    assert (found == expected).all()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_computes_on_one_thread(small: Make, rows: Rows) -> None:
    detector: Any = small().fit(rows)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        product()
        if not (child := os.fork()):
            signal.alarm(60)  # ends a child that hangs
            torch.set_num_threads(1)
            product()
            detector.decision_function(rows)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    finally:
        torch.set_num_threads(before)
