"""Alarms, p-values and budgets are the same on every processor, also for rows that stand in a table many times."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

from alarmnet import A3Detector, ConvA3Detector, Schedule, load
from alarmnet.thresholds import highest

SETTINGS = (
    {"ATEN_CPU_CAPABILITY": "default"},
    {"ATEN_CPU_CAPABILITY": "avx2", "DNNL_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"},
    {
        "ATEN_CPU_CAPABILITY": "default",
        "DNNL_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OMP_NUM_THREADS": "2",
        "OMP_WAIT_POLICY": "PASSIVE",
    },
)
"""Each makes PyTorch, oneDNN and MKL compute as an older processor would."""
RATES = (0.01, 0.05, 0.2)
COPIES = 20
BUDGET = 250

Read = dict[str, list[Any]]


def tables() -> dict[str, NDArray[Any]]:
    """Six data sets of few different values."""
    generator = np.random.default_rng(0)
    digits = load_digits().images
    return {
        "iris": load_iris().data,
        "wine": load_wine().data.round(1),
        "breast cancer": load_breast_cancer().data[:, :10].round(2),
        "categories": generator.integers(0, 3, size=(400, 6)).astype(float),
        "flags": (generator.random((400, 30)) < 0.1).astype(float),
        "digits": digits[:200],
    }


def read(folder: Path) -> dict[str, Read]:
    """What every model in a folder says of its rows, each of which stands there many times."""
    found = {}
    for path in sorted(folder.glob("*.alarmnet")):
        detector = load(path)
        rows = np.repeat(np.load(path.with_suffix(".npy")), COPIES, axis=0)
        alarms = [(detector.set_alarm_rate(rate).decision_function(rows) > 0).tolist() for rate in RATES]
        found[path.stem] = {
            "alarms": alarms,
            "p_values": detector.p_value(rows).tolist(),
            "budget": highest(detector.logits(rows), BUDGET).tolist(),
        }
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of both detectors on every data set, with rows that calibrated them and rows that did not."""
    folder = tmp_path_factory.mktemp("models")
    schedule = Schedule(steps=40, batch_size=32, learning_rate=1e-2)
    for name, rows in tables().items():
        known = (np.arange(len(rows)) % 25 == 0).astype(float)
        for detector in (
            A3Detector(target_schedule=schedule, alarm_schedule=schedule, alarm_rate=0.1, random_state=0),
            ConvA3Detector(schedule=schedule, alarm_rate=0.1, random_state=0),
        ):
            path = folder / f"{name}, {detector.method}.alarmnet"
            detector.fit(rows, known).save(path)
            np.save(path.with_suffix(".npy"), rows)
    return folder


@pytest.mark.filterwarnings("ignore:.*equals? a known anomaly", "ignore:.* too few for an alarm rate")
def test_alarms_p_values_and_budgets_are_those_of_other_processors(folder: Path) -> None:
    here = read(folder)
    assert len(here) == 2 * len(tables())
    assert any(any(alarms) for found in here.values() for alarms in found["alarms"])
    for settings in SETTINGS:
        child = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, str(folder)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **settings},
            capture_output=True,
            text=True,
            check=True,
        )
        there = json.loads(child.stdout)
        differing = {
            f"{model}: {what}"
            for model, found in here.items()
            for what, values in found.items()
            if there[model][what] != values
        }
        assert not differing, settings


if __name__ == "__main__":
    sys.stdout.write(json.dumps(read(Path(sys.argv[1]))))
