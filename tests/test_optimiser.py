"""The step of Adam is PyTorch's."""

import subprocess
import sys

import torch
from torch import nn

from alarmnet.optimiser import AdamW


def network() -> nn.Sequential:
    built = nn.Sequential(
        nn.Linear(7, 33), nn.ReLU(), nn.Linear(33, 5), nn.Linear(2, 2)
    )  # the last is not used
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


def test_training_does_not_import_pytorchs_compiler() -> None:
    program = (
        "import sys, numpy as np; from alarmnet import A3Detector, Schedule; short = Schedule(steps=2); "
        "A3Detector(target_schedule=short, alarm_schedule=short).fit(np.random.rand(60, 3), np.arange(60) < 5); "
        "print('torch._dynamo' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"
