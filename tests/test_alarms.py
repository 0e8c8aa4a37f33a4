"""The alarm networks: one logit a row, several side by side, and their loss."""

import math
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from alarmnet import A3Detector, ConvAlarm, DenseAlarm, InputError
from alarmnet.detectors.formats.alarms import MeanAlarms
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.alarms import AlarmMixture, DenseAlarmNetwork, alarm_loss, log_bounded_odds
from alarmnet.networks.layers import materialise
from alarmnet.networks.linear_alarm import is_linear, linear_alarm_loss


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


NONE = torch.zeros(2, dtype=torch.int64)


def test_one_logit_a_row() -> None:
    network = built(DenseAlarm(hidden=(8, 4)), 6)
    batch = torch.rand(5, 6)
    assert network(batch).shape == (5,)
    torch.testing.assert_close(network(batch), network.output(network.hidden(batch)).squeeze(1))


def test_alarms_side_by_side_read_the_first_numbers_and_add_their_odds() -> None:
    narrow, wide = built(DenseAlarm(hidden=(8, 4)), 3), built(DenseAlarm(hidden=(8, 4)), 6)
    pair = AlarmMixture([narrow, wide], torch.tensor([0.5, 2.0]), NONE, NONE)
    batch = torch.rand(5, 6)
    torch.testing.assert_close(pair(batch), torch.stack([narrow(batch[:, :3]), wide(batch)]))
    odds = 0.5 * narrow(batch[:, :3]).exp() + 2 * wide(batch).exp()
    torch.testing.assert_close(pair.together(batch).exp(), odds)


def test_an_alarm_reads_from_where_it_starts() -> None:
    first, second = built(DenseAlarm(hidden=(8, 4)), 3), built(DenseAlarm(hidden=()), 2)
    pair = AlarmMixture([first, second], torch.ones(2), torch.tensor([0, 3]), torch.zeros(2))
    assert pair.width == 5
    batch = torch.rand(4, 5)
    torch.testing.assert_close(pair(batch), torch.stack([first(batch[:, :3]), second(batch[:, 3:])]))


def test_bounded_odds_stay_below_their_share_and_in_order() -> None:
    alarms = [DenseAlarm(hidden=(1,)).build(3), DenseAlarm(hidden=(1,)).build(3)]
    both = AlarmMixture(
        alarms, torch.tensor([10.0, 1.0]), torch.zeros(2, dtype=torch.int64), torch.tensor([1.0, 0.0])
    )
    both.forward = lambda features: features  # type: ignore[method-assign]
    sure = torch.tensor([-200.0, -10.0, 0.0, 20.0, 200.0, 2000.0])
    logits = both.together(torch.stack([sure, torch.full_like(sure, -300.0)]))
    assert (logits.diff() > 0).all()
    assert logits[-1] < math.log(10)
    torch.testing.assert_close(logits[:2], sure[:2] + math.log(10), rtol=0, atol=1e-3)
    other = both.together(torch.tensor([[2000.0], [50.0]]))
    torch.testing.assert_close(other, torch.tensor([50.0]))


def test_bounded_odds_have_gradients_however_low_they_are() -> None:
    logits = torch.tensor([-200.0, -40.0, 0.0, 200.0], requires_grad=True)
    (slopes,) = torch.autograd.grad(log_bounded_odds(logits).sum(), logits)
    torch.testing.assert_close(slopes[:2], torch.ones(2))
    assert (slopes[2:] > 0).all()


def test_bounded_odds_have_the_same_bits_alone_and_among_many() -> None:
    logits = 6 * torch.randn(512, generator=torch.Generator().manual_seed(0))
    expected = log_bounded_odds(logits)
    for size in range(1, 65):
        assert torch.equal(
            torch.cat([log_bounded_odds(part) for part in torch.split(logits, size)]), expected
        )


@pytest.mark.parametrize("name", ["", "a/b", "target", "joint", 3])
def test_an_alarm_with_a_name_that_no_file_can_have_is_refused(name: Any) -> None:
    with pytest.raises(InputError, match="'name' parameter of AlarmSpec"):
        replace(DEFAULT_ALARMS["both"][0], name=name)


def test_alarms_whose_names_differ_in_spaces_alone_are_refused() -> None:
    specs = [replace(DEFAULT_ALARMS["both"][0], name=name) for name in ("my alarm", "My-alarm")]
    with pytest.raises(InputError, match="each with a name of its own"):
        A3Detector(alarms=specs).fit(np.zeros((20, 2)), np.repeat([0, 1], 10))


def test_without_shares_scores_are_averaged() -> None:
    narrow, wide = built(DenseAlarm(hidden=(8, 4)), 3), built(DenseAlarm(hidden=(8, 4)), 6)
    batch = torch.rand(5, 6)
    score = (narrow(batch[:, :3]).sigmoid() + wide(batch).sigmoid()) / 2
    torch.testing.assert_close(MeanAlarms([narrow, wide]).together(batch).sigmoid(), score)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [(None, [200.7, 0.0, -200.7]), (torch.ones(2), [300.0, 200.0, -200.0])],
)
def test_very_sure_alarms_have_a_finite_logit(shares: torch.Tensor | None, expected: list[float]) -> None:
    alarms = [DenseAlarm(hidden=(1,)).build(3)] * 2
    pair = MeanAlarms(alarms) if shares is None else AlarmMixture(alarms, shares, NONE, NONE)
    pair.forward = lambda features: features  # type: ignore[method-assign]
    logits = pair.together(torch.tensor([[200.0, 200.0, -200.0], [300.0, -300.0, -300.0]]))
    torch.testing.assert_close(logits, torch.tensor(expected), atol=0.1, rtol=0)


@pytest.mark.parametrize("shape", [(6, 1, 4), (6, 1, 16), (6, 2, 2), (6, 7, 7), (6, 40, 30)])
def test_a_convolutional_alarm_gives_one_logit_a_row(shape: tuple[int, ...]) -> None:
    network = ConvAlarm(channels=(8, 4)).build(shape)
    assert all(weight.is_meta for weight in network.parameters())
    materialise(network, torch.Generator().manual_seed(0))
    assert network.eval()(torch.rand(5, *shape)).shape == (5,)
    assert network.output.in_features <= 4 * 16


def test_the_loss_weighs_its_three_parts() -> None:
    real, known, generated = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.3, 1.5]), torch.tensor([-0.2])
    labels = torch.tensor([0.0, 0.0, 1.0])
    entropy = functional.binary_cross_entropy_with_logits
    expected = (
        entropy(real, labels) + 0.5 * entropy(known, torch.ones(2)) + 0.7 * entropy(generated, torch.ones(1))
    )
    loss = partial(alarm_loss, real, labels, known_weight=0.5, generated_weight=0.7)
    torch.testing.assert_close(loss(known, generated), expected)
    nothing = torch.empty(0)
    torch.testing.assert_close(loss(nothing, nothing), entropy(real, labels))


@pytest.mark.parametrize("known", [0, 3])
@pytest.mark.parametrize("doubts", [False, True])
def test_a_linear_alarm_learns_by_the_gradient_of_the_loss(known: int, doubts: bool) -> None:
    draws = torch.Generator().manual_seed(1)
    heard, labels = torch.randn(6 + known, 4, generator=draws), torch.tensor([0.0, 0, 0, 0, 1, 1])
    doubted = torch.tensor([True, True, False, False, True, False]) if doubts else None
    alarm = built(DenseAlarm(hidden=(), dropout=0.0), 4)
    real, strange, nothing = alarm(heard).split([6, known, 0])
    expected = alarm_loss(
        real, labels, strange, nothing, known_weight=0.7, generated_weight=1.0, doubted=doubted
    )
    gradients = torch.autograd.grad(expected, list(alarm.parameters()))
    loss = linear_alarm_loss(alarm, heard, labels, known_weight=0.7, doubted=doubted)
    torch.testing.assert_close(loss, expected.detach())
    for weight, gradient in zip(alarm.parameters(), gradients, strict=True):
        torch.testing.assert_close(weight.grad, gradient)


def test_only_one_layer_without_dropout_is_linear() -> None:
    shapes = [DenseAlarm(hidden=(), dropout=0.0), DenseAlarm(hidden=()), DenseAlarm(hidden=(3,), dropout=0.0)]
    assert [is_linear(built(shape, 4)) for shape in shapes] == [True, False, False]


def test_a_doubted_label_costs_a_bounded_loss() -> None:
    real, nothing = torch.tensor([-2.0, 0.0, 40.0]), torch.empty(0)
    loss = partial(alarm_loss, real, torch.zeros(3), nothing, nothing, known_weight=1.0, generated_weight=1.0)
    torch.testing.assert_close(loss(doubted=torch.tensor([False] * 3)), loss())
    # with exponent 1/2: (1 - p ** 0.5) / 0.5 of the probability p of the label
    expected = (2 * (1 - (-real).sigmoid().sqrt())).mean()
    torch.testing.assert_close(loss(doubted=torch.tensor([True] * 3)), expected)
