"""The step of Adam is PyTorch's, and denormal numbers are zero in it, and only there."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from alarmnet._shared.threads import threads_for
from alarmnet.networks.optimiser import AdamW


def network() -> nn.Sequential:
    unused = nn.Linear(2, 2)
    built = nn.Sequential(nn.Linear(7, 33), nn.ReLU(), nn.Linear(33, 5), unused)
    generator = torch.Generator().manual_seed(0)
    for weight in built.parameters():
        nn.init.normal_(weight, generator=generator)
    return built


def test_it_is_pytorchs_bit_for_bit() -> None:
    ours, theirs = network(), network()
    step = AdamW(ours, weight_decay=0.1)
    optimiser = torch.optim.AdamW(theirs.parameters(), weight_decay=0.1, fused=True)
    for number in range(1, 20):
        rows = torch.randn(11, 7, generator=torch.Generator().manual_seed(number))
        for trained in (ours, theirs):
            trained.zero_grad()
            trained[:3](rows).square().sum().backward()
        step(0.1 / number)
        optimiser.param_groups[0]["lr"] = 0.1 / number
        optimiser.step()
    assert step.steps == 19
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_without_gradients_nothing_is_moved() -> None:
    step = AdamW(network())
    step(0.1)
    assert step.steps == 0


@pytest.mark.parametrize("before", [False, True])
def test_a_step_flushes_denormals_and_the_callers_setting_comes_back(before: bool) -> None:
    weights = nn.Linear(64, 64)
    step = AdamW(weights)
    weights.weight.grad = torch.zeros(64, 64)
    step.moments["exp_avg"]["weight"].fill_(1.2e-38)  # times 0.9 it is denormal
    if not torch.set_flush_denormal(before):
        pytest.skip("this processor does not flush denormal numbers")
    try:
        with threads_for(0):
            step(0.1)
        assert (float(torch.tensor(1e-39) + 0) == 0) is before
        torch.set_flush_denormal(False)
        assert not step.moments["exp_avg"]["weight"].any()
    finally:
        torch.set_flush_denormal(False)


def test_training_does_not_import_pytorchs_compiler() -> None:
    program = (
        "import sys, numpy as np; from alarmnet import A3Detector, Schedule; short = Schedule(steps=2); "
        "A3Detector(target_schedule=short, alarm_schedule=short).fit(np.random.rand(60, 3), np.arange(60) < 5); "
        "print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
