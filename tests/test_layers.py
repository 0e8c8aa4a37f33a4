"""Dropout and initial weights draw from a given generator."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules import module
from torch.utils.flop_counter import FlopCounterMode

from alarmnet import ConvAlarm, StridedAutoencoder
from alarmnet.networks.layers import SeededDropout, count_operations, drawing_from, materialise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_dropout_only_in_training() -> None:
    layer = SeededDropout(0.5)
    batch = torch.ones(4, 3)
    assert layer.eval()(batch) is batch
    assert not torch.equal(layer.train()(batch), batch)
    assert SeededDropout(0.0).train()(batch) is batch


def test_dropout_keeps_the_expectation() -> None:
    layer = SeededDropout(0.25).train()
    layer.generator = generator()
    dropped = layer(torch.ones(100, 1000))
    assert dropped.unique().tolist() == pytest.approx([0, 1 / 0.75])
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)


def test_dropout_draws_what_bernoulli_does() -> None:
    layer = SeededDropout(0.3).train()
    layer.generator = generator()
    drawn = torch.empty(40, 500).bernoulli_(0.7, generator=generator()).div_(0.7)
    assert torch.equal(layer(torch.ones(40, 500)), drawn)


def test_dropout_of_whole_channels() -> None:
    layer = SeededDropout(0.5, whole_channels=True).train()
    layer.generator = generator()
    sums = layer(torch.ones(50, 8, 3, 3)).sum((2, 3))
    assert set(sums.unique().tolist()) == {0.0, 18.0}


def test_dropout_draws_from_its_generator_alone() -> None:
    layer = SeededDropout(0.5).train()
    before = torch.get_rng_state()
    with drawing_from(layer, generator()):
        first, second = layer(torch.ones(50)[None]), layer(torch.ones(50)[None])
    with drawing_from(layer, generator()):
        again = layer(torch.ones(50)[None])
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_generator_is_taken_away_also_after_an_error() -> None:
    network = nn.Sequential(nn.Linear(2, 2), SeededDropout(0.5))
    with pytest.raises(RuntimeError, match="stop"), drawing_from(network, generator()):
        raise RuntimeError("stop")
    assert network[1].generator is None


def test_initial_weights_are_keras() -> None:
    dense, conv = nn.Linear(300, 100, device="meta"), nn.Conv2d(3, 16, 3, device="meta")
    materialise(nn.Sequential(dense, conv), generator())
    layers: list[tuple[nn.Linear | nn.Conv2d, float]] = [
        (dense, (6 / 400) ** 0.5),
        (conv, (6 / (9 * 3 + 9 * 16)) ** 0.5),
    ]
    for layer, bound in layers:
        assert layer.bias is not None
        assert 0.98 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.06)
        assert not layer.bias.any()
        assert layer.weight.requires_grad


def test_initial_weights_follow_the_generator() -> None:
    networks = [nn.Linear(4, 4, device="meta") for _ in range(3)]
    for network, seed in zip(networks, (0, 0, 1), strict=True):
        materialise(network, generator(seed))
    assert torch.equal(networks[0].weight, networks[1].weight)
    assert not torch.equal(networks[0].weight, networks[2].weight)


@pytest.mark.parametrize(
    ("network", "shape"),
    [
        (StridedAutoencoder(code_weight=1.0).build((7,)), (7,)),
        (StridedAutoencoder().build((3, 17, 9)), (3, 17, 9)),
        (ConvAlarm().build((12, 9, 5)), (12, 9, 5)),
    ],
)
def test_operations_are_those_that_pytorch_counts(network: nn.Module, shape: tuple[int, ...]) -> None:
    with FlopCounterMode(display=False) as counter:
        network(torch.empty((1, *shape), device="meta"))
    assert count_operations(network, shape) == counter.get_total_flops() > 0


def test_counting_operations_hooks_no_other_threads_modules() -> None:
    class Looking(nn.Module):
        def forward(self, batch: Tensor) -> Tensor:
            assert not module._global_forward_hooks
            assert not module._global_forward_pre_hooks
            return batch

    count_operations(Looking(), (3,))
