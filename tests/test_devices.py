"""A device is one that is there, or it is refused with those that are."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from numpy.typing import NDArray

from alarmnet import InputError
from alarmnet._shared.devices import available_devices, chosen_device
from alarmnet.baselines import AutoencoderBaseline
from alarmnet.cli import main

Make = Callable[..., Any]


def with_gpus(patch: pytest.MonkeyPatch, count: int, kind: str = "cuda") -> None:
    patch.setattr("torch.accelerator.is_available", lambda: count > 0)
    patch.setattr("torch.accelerator.device_count", lambda: count)
    patch.setattr("torch.accelerator.current_accelerator", lambda: torch.device(kind))
    patch.setattr("torch.cuda.is_available", lambda: count > 0 and kind == "cuda")


def test_another_default_type_of_numbers_is_refused() -> None:
    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(InputError, match=r"default type of numbers is torch\.float64"):
            chosen_device("auto", parameter="--device")
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("device", "gpus", "kind"),
    [
        ("cuda", 0, "cuda"),
        ("cuda:0", 0, "cuda"),
        ("cuda:7", 2, "cuda"),
        ("cuda:2", 2, "cuda"),
        ("mps", 0, "cuda"),
        ("mps", 2, "cuda"),
        ("cuda", 1, "mps"),
        ("meta", 0, "cuda"),
        ("gpu", 2, "cuda"),
        ("", 0, "cuda"),
        (None, 0, "cuda"),
        (1.5, 1, "cuda"),
    ],
)
def test_what_is_not_there_is_refused_with_what_is(
    device: object, gpus: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpus(monkeypatch, gpus, kind)
    there = ", ".join(["cpu", *(f"{kind}:{index}" for index in range(gpus))])
    with pytest.raises(InputError) as caught:
        chosen_device(device, parameter="--device")
    assert caught.value.code == "invalid_parameter"
    assert str(caught.value) == (
        f"--device must be 'auto' or a device that PyTorch can use here: {there}. Got {device!r} instead."
    )


@pytest.mark.parametrize(
    ("device", "gpus", "kind", "expected"),
    [
        ("auto", 0, "cuda", "cpu"),
        ("auto", 1, "cuda", "cuda"),
        ("auto", 1, "mps", "cpu"),
        ("cpu", 1, "cuda", "cpu"),
        ("cpu:0", 0, "cuda", "cpu"),
        (torch.device("cpu"), 0, "cuda", "cpu"),
        ("cuda", 2, "cuda", "cuda"),
        ("cuda:1", 2, "cuda", "cuda:1"),
        ("mps", 1, "mps", "mps"),
        ("xpu:1", 2, "xpu", "xpu:1"),
    ],
)
def test_what_is_there_is_taken(
    device: object, gpus: int, kind: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpus(monkeypatch, gpus, kind)
    assert chosen_device(device, parameter="--device") == torch.device(expected)


def test_this_machines_devices_hold_numbers() -> None:
    for device in available_devices():
        assert torch.zeros(1, device=chosen_device(device, parameter="--device")).sum() == 0


@pytest.mark.parametrize("device", ["cuda:99", "meta"])
def test_estimators_refuse_a_device_before_they_learn_and_before_they_score(
    make: Make, rows: NDArray[np.float64], trained: Any, device: str
) -> None:
    for estimator in (make(device=device), AutoencoderBaseline(device=device)):
        with pytest.raises(
            InputError, match=f"The 'device' parameter of .* Got '{device}' instead"
        ) as caught:
            estimator.fit(rows)
        assert caught.value.code == "invalid_parameter"
    before = trained.device
    try:
        trained.device = device
        with pytest.raises(InputError, match="The 'device' parameter of"):
            trained.logits(rows)
    finally:
        trained.device = before
    trained.logits(rows)


def test_the_command_line_refuses_it_by_the_same_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_gpus(monkeypatch, 0)
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    result = CliRunner().invoke(
        main, ["fit", str(table), "--device", "cuda", "--out", str(tmp_path / "some.model")]
    )
    assert result.exit_code
    assert "--device must be 'auto' or a device that PyTorch can use here: cpu. Got 'cuda'" in " ".join(
        result.output.split()
    )
