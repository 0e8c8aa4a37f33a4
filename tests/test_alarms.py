"""The alarm network: one logit a row, and several side by side."""

import torch
from torch import nn

from alarmnet import DenseAlarm
from alarmnet.alarms import AlarmNetworks, DenseAlarmNetwork
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
    batch = torch.rand(5, 6)
    assert network(batch).shape == (5,)
    torch.testing.assert_close(network(batch), network.output(network.hidden(batch)).squeeze(1))


def test_alarms_side_by_side_read_the_first_numbers_and_are_averaged() -> None:
    narrow, wide = built(DenseAlarm(hidden=(8, 4)), 3), built(DenseAlarm(hidden=(8, 4)), 6)
    pair = AlarmNetworks([narrow, wide])
    batch = torch.rand(5, 6)
    torch.testing.assert_close(pair(batch), torch.stack([narrow(batch[:, :3]), wide(batch)]))
    torch.testing.assert_close(pair.logits(batch), (narrow(batch[:, :3]) + wide(batch)) / 2)
