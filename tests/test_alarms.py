"""The alarm network: one logit a row, its inputs shifted and scaled by fixed numbers."""

import torch
from torch import nn

from alarmnet import DenseAlarm
from alarmnet.alarms import DenseAlarmNetwork
from alarmnet.layers import materialise


def built(recipe: DenseAlarm, width: int) -> DenseAlarmNetwork:
    network = recipe.build(width)
    materialise(network, torch.Generator().manual_seed(0))
    return network.eval()


def test_the_papers_alarm_is_the_default() -> None:
    network = DenseAlarm().build(725)
    sizes = [
        (layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear)
    ]
    assert sizes == [(725, 1000), (1000, 500), (500, 200), (200, 75), (75, 1)]
    assert network.dropout.rate == 0.1
    assert all(weight.is_meta for weight in network.parameters())


def test_one_logit_a_row() -> None:
    network = built(DenseAlarm(hidden=(8, 4)), 6)
    network.standardise(None)
    batch = torch.rand(5, 6)
    assert network(batch).shape == (5,)
    torch.testing.assert_close(network(batch), network.output(network.hidden(batch)).squeeze(1))


def test_inputs_are_standardised() -> None:
    network = built(DenseAlarm(hidden=(8, 4)), 3)
    inputs = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 10, 0]) + 7
    network.standardise(inputs)
    scaled = (inputs - network.shift) * network.scale
    torch.testing.assert_close(scaled.mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    torch.testing.assert_close(scaled.std(0, correction=0), torch.tensor([1.0, 1.0, 0.0]))
    assert network.scale[2] == 100  # a constant input is not blown up


def test_shift_and_scale_are_kept_with_the_weights_but_not_trained() -> None:
    network = DenseAlarm(hidden=(4,)).build(3)
    assert {"shift", "scale"} <= set(network.state_dict())
    assert not {"shift", "scale"} & {name for name, _ in network.named_parameters()}
