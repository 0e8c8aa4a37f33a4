"""The training loop: length, order, learning rate, early stopping, history, divergence."""

import math
import re
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from alarmnet import InputError, Schedule, TrainingDivergedError
from alarmnet.networks.layers import SeededDropout
from alarmnet.networks.training import Progress, TrainingContext, batches, train


def toy() -> nn.Linear:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    return network


def run(
    network: nn.Module,
    loss: Callable[[Tensor], Tensor],
    *,
    rows: int = 100,
    schedule: Schedule,
    **options: Any,
) -> list[dict[str, float]]:
    return train(
        network,
        loss,
        name="toy",
        rows=rows,
        schedule=schedule,
        generator=torch.Generator().manual_seed(0),
        noise=torch.Generator().manual_seed(0),
        **options,
    )


def test_the_length_is_steps_or_epochs() -> None:
    assert Schedule(steps=7, batch_size=10).total_steps(1000) == 7
    assert Schedule(epochs=3, batch_size=10).total_steps(21) == 6
    assert Schedule(epochs=3, batch_size=10).total_steps(22) == 9
    assert Schedule(epochs=1, batch_size=10).total_steps(1) == 1
    assert Schedule(epochs=2, batch_size=1).total_steps(3) == 6


def test_a_schedule_has_one_length() -> None:
    for length in (None, 1):
        said = f"Schedule takes epochs or steps, one of them; got epochs={length} and steps={length}"
        with pytest.raises(InputError, match=said):
            Schedule(epochs=length, steps=length)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", 1.5),
        ("steps", "many"),
        ("epochs", -1),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("learning_rate", 0.0),
        ("learning_rate", math.nan),
        ("learning_rate", math.inf),
        ("weight_decay", -1),
        ("sparsity", -0.1),
        ("patience", 0),
    ],
)
def test_schedules_out_of_range_are_refused(name: str, value: Any) -> None:
    length: dict[str, Any] = {} if name in ("steps", "epochs") else {"steps": 1}
    with pytest.raises(
        InputError, match=rf"{name}\b.* must be .*(Got|got) {re.escape(repr(value))}"
    ) as caught:
        Schedule(**length, **{name: value})
    assert caught.value.code == "invalid_parameter"


def test_each_pass_is_a_fresh_permutation_with_its_last_partial_batch() -> None:
    order = batches(10, 4, torch.Generator().manual_seed(0))
    first, second = list(islice(order, 3)), list(islice(order, 3))
    assert [len(batch) for batch in first] == [4, 4, 2]
    assert sorted(torch.cat(first).tolist()) == sorted(torch.cat(second).tolist()) == list(range(10))
    assert torch.cat(first).tolist() != torch.cat(second).tolist()


def test_every_row_is_trained_on_in_every_epoch() -> None:
    network, seen = toy(), []

    def loss(index: Tensor) -> Tensor:
        seen.append(index)
        return network.weight.sum()

    run(network, loss, rows=10, schedule=Schedule(epochs=2, batch_size=4))
    assert torch.cat(seen).bincount().tolist() == [2] * 10


def weights_over(schedule: Schedule, *, start: float, slope: float) -> Tensor:
    """The weight before each step, and after the last, under a gradient of `slope`."""
    network, path = toy(), []
    nn.init.constant_(network.weight, start)

    def loss(index: Tensor) -> Tensor:
        path.append(network.weight.item())
        return slope * network.weight.sum()

    run(network, loss, schedule=schedule)
    return torch.tensor([*path, network.weight.item()], dtype=torch.float64)


def test_the_learning_rate_stays_or_falls_along_a_half_cosine() -> None:
    # Adam's step under a constant gradient is the learning rate.
    steady = -weights_over(Schedule(steps=10, learning_rate=0.1), start=0, slope=1).diff()
    falling = -weights_over(Schedule(steps=10, learning_rate=0.1, decay=True), start=0, slope=1).diff()
    cosine = [0.05 + 0.05 * math.cos(math.pi * step / 10) for step in range(10)]
    assert steady.tolist() == pytest.approx([0.1] * 10, rel=1e-4)
    assert falling.tolist() == pytest.approx(cosine, rel=1e-3)


def test_weight_decay_is_decoupled() -> None:
    path = weights_over(Schedule(steps=5, learning_rate=0.1, weight_decay=0.5), start=1, slope=0)
    assert path.tolist() == pytest.approx([0.95**step for step in range(6)], rel=1e-5)


def test_sparsity_brings_weights_to_zero_and_no_further() -> None:
    path = weights_over(Schedule(steps=4, learning_rate=0.1, sparsity=4.0), start=1, slope=0)
    assert path.tolist() == pytest.approx([1, 0.6, 0.2, 0, 0])


def test_sparsity_leaves_biases_alone() -> None:
    network = nn.Linear(1, 1)
    nn.init.ones_(network.bias)
    run(network, lambda index: 0 * network.bias.sum(), schedule=Schedule(steps=20, sparsity=1e3))
    assert (network.weight.item(), network.bias.item()) == (0, 1)


def test_patience_stops_and_takes_the_best_weights() -> None:
    network = toy()
    schedule = Schedule(steps=200, learning_rate=0.01, patience=3)
    history = run(
        network,
        lambda index: -network.weight.sum(),  # up by 0.01 a step, past the best at 0.5
        schedule=schedule,
        validation_loss=lambda: (network.weight - 0.5).square().sum(),
    )
    assert [check["step"] for check in history] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert network.weight.item() == pytest.approx(0.5, abs=1e-3)


def test_without_patience_the_last_weights_are_taken() -> None:
    network = toy()
    history = run(
        network,
        lambda index: -network.weight.sum(),
        schedule=Schedule(steps=200, learning_rate=0.01),
        validation_loss=lambda: (network.weight - 0.5).square().sum(),
    )
    assert len(history) == 20
    assert network.weight.item() == pytest.approx(2, abs=1e-2)


def test_history_and_progress_tell_the_mean_loss_since_the_last_check() -> None:
    told: list[Progress] = []
    network, steps = toy(), iter(range(1, 100))
    history = run(
        network,
        lambda index: 0 * network.weight.sum() + next(steps),
        schedule=Schedule(steps=45),
        context=TrainingContext(told.append),
    )
    assert history[:2] == [{"step": 3, "loss": 2}, {"step": 6, "loss": 5}]
    assert history[-1]["step"] == 45
    assert told == [Progress("toy", int(check["step"]), 45, check["loss"], None) for check in history]


def test_validation_runs_in_evaluation_mode_without_gradients() -> None:
    network = nn.Sequential(toy(), SeededDropout(0.5))
    modes = []

    def validation_loss() -> Tensor:
        modes.append((network.training, torch.is_grad_enabled()))
        return torch.zeros(())

    def loss(index: Tensor) -> Tensor:
        modes.append((network.training, torch.is_grad_enabled()))
        value: Tensor = network(torch.ones(1, 1)).sum()
        return value

    history = run(network, loss, schedule=Schedule(steps=2), validation_loss=validation_loss)
    assert modes == [(True, True), (False, False)] * 2
    assert history[0]["validation_loss"] == 0
    assert not network.training


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_loss_that_is_not_finite_is_an_error(value: float) -> None:
    network = toy()
    sentence = (
        r"the loss of the toy network is no longer finite at step 1 of 5: .*lower its learning rate \(0\.02\)"
    )
    with pytest.raises(TrainingDivergedError, match=sentence):
        run(
            network,
            lambda index: network.weight.sum() + value,
            schedule=Schedule(steps=5, learning_rate=0.02),
        )


def test_a_validation_loss_that_is_not_finite_is_an_error() -> None:
    network = toy()
    with pytest.raises(TrainingDivergedError, match="'validation_loss': nan"):
        run(
            network,
            lambda index: network.weight.sum(),
            schedule=Schedule(steps=5),
            validation_loss=lambda: torch.tensor(math.nan),
        )


def test_the_number_of_threads_is_as_before() -> None:
    network, before = toy(), torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        run(network, lambda index: network.weight.sum(), schedule=Schedule(steps=1))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
