"""Counterexamples: their shape, where they lie, and the generator they are drawn from."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from alarmnet import ColumnSwap, GaussianNoise, InputError, Schedule, UniformNoise, VaeAnomalies
from alarmnet.networks.generators import CallableGenerator, Generator, Sampler
from alarmnet.networks.training import Progress, TrainingContext
from alarmnet.preprocessing.row_store import TensorRows

SMALL_VAE = VaeAnomalies(hidden=(16, 8), code=2, schedule=Schedule(steps=5))
RECIPES = [
    GaussianNoise(),
    UniformNoise(),
    ColumnSwap(),
    SMALL_VAE,
    CallableGenerator(lambda batch: torch.rand_like(batch)),
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows_of(*shape: int) -> Tensor:
    return torch.rand(shape, generator=seeded(1))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
@pytest.mark.parametrize("shape", [(5,), (3, 8, 8)])
def test_samples_have_the_batchs_shape_and_follow_the_generator(
    recipe: Generator, shape: tuple[int, ...]
) -> None:
    rows = rows_of(20, *shape)
    batch = rows[:7].clone()
    sample = recipe.sampler(TensorRows(rows), seed=0)
    drawing = seeded()
    first, second = sample(batch, drawing), sample(batch, drawing)
    assert first.shape == batch.shape
    assert first.isfinite().all()
    assert not first.requires_grad
    assert torch.equal(sample(batch, seeded()), first)
    assert not torch.equal(first, second)
    assert torch.equal(batch, rows[:7])


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: type(recipe).__name__)
def test_no_global_state_is_touched(recipe: Generator) -> None:
    before = torch.get_rng_state()
    rows = rows_of(20, 5)
    recipe.sampler(TensorRows(rows), seed=0)(rows, seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_moments_of_noise() -> None:
    batch = torch.zeros(200, 500)
    gaussian = GaussianNoise(mean=0.3, deviation=2).sampler(TensorRows(batch), seed=0)(batch, seeded())
    assert gaussian.mean().item() == pytest.approx(0.3, abs=0.03)
    assert gaussian.std().item() == pytest.approx(2, abs=0.03)
    uniform = UniformNoise(low=-1, high=3).sampler(TensorRows(batch), seed=0)(batch, seeded())
    assert -1 <= uniform.min() < -0.99
    assert 2.99 < uniform.max() <= 3
    assert uniform.mean().item() == pytest.approx(1, abs=0.03)


def test_the_papers_noise_is_the_default() -> None:
    assert GaussianNoise() == GaussianNoise(mean=0.5, deviation=1.0)


def test_swapped_values_come_from_their_own_column_of_the_training_rows() -> None:
    columns = 100 * torch.arange(4.0)
    rows = columns + torch.arange(10.0)[:, None]
    batch = columns.repeat(2000, 1) + 50
    swapped = ColumnSwap(low=0.5, high=0.5).sampler(TensorRows(rows), seed=0)(batch, seeded())
    kept = swapped == batch
    assert kept.float().mean(0).tolist() == pytest.approx([0.5] * 4, abs=0.05)
    donors = (swapped - columns)[~kept]
    assert set(donors.tolist()) == set(range(10))


def test_the_share_of_swapped_values_is_drawn_for_each_row() -> None:
    rows = torch.ones(10, 400)
    shares = (
        ColumnSwap(low=0.2, high=0.8)
        .sampler(TensorRows(rows), seed=0)(torch.zeros(500, 400), seeded())
        .mean(1)
    )
    assert 0.1 < shares.min() < 0.3
    assert 0.7 < shares.max() < 0.9
    assert shares.mean().item() == pytest.approx(0.5, abs=0.03)


def test_donors_differ_from_column_to_column() -> None:
    rows = torch.arange(50.0)[:, None].repeat(1, 6)
    swapped = ColumnSwap(low=1, high=1).sampler(TensorRows(rows), seed=0)(torch.zeros(20, 6), seeded())
    assert (swapped.std(1) > 0).all()


def vae(spread: float, told: list[Progress] | None = None) -> tuple[Sampler, Tensor]:
    rows = (rows_of(300, 1) > 0.5).float().repeat(1, 6)
    recipe = VaeAnomalies(
        hidden=(16, 8), code=2, spread=spread, schedule=Schedule(steps=150, learning_rate=1e-2, batch_size=64)
    )
    return recipe.sampler(
        TensorRows(rows), seed=0, context=TrainingContext(told.append if told is not None else None)
    ), rows


def test_the_variational_autoencoder_learns() -> None:
    told: list[Progress] = []
    sample, rows = vae(0.0, told)
    assert {state.network for state in told} == {"generator"}
    assert told[-1].loss < 0.6 * told[0].loss
    assert (sample(rows, seeded()) - rows).abs().mean() < 0.2


def test_spread_leads_away_from_the_rows() -> None:
    (near, rows), (far, _) = vae(0.0), vae(5.0)
    assert torch.equal(near(rows, seeded(0)), near(rows, seeded(1)))
    samples = far(rows, seeded())
    assert (samples - rows).abs().mean() > (near(rows, seeded()) - rows).abs().mean() + 0.1
    assert 0 <= samples.min() <= samples.max() <= 1


@pytest.mark.parametrize(
    ("made", "got"),
    [
        (lambda batch: batch[:, :2], r"\(4, 2\)"),
        (lambda batch: batch.tolist(), "list"),
        (lambda batch: None, "NoneType"),
    ],
)
def test_a_function_that_returns_something_else_is_refused(made: Any, got: str) -> None:
    sample = CallableGenerator(made).sampler(TensorRows(rows_of(4, 3)), seed=0)
    with pytest.raises(
        InputError, match=rf"the generator returned {got}; expected a tensor .* shape \(4, 3\)"
    ):
        sample(rows_of(4, 3), seeded())


def test_a_functions_result_is_taken_as_float32_without_gradient() -> None:
    weight = torch.ones((), dtype=torch.float64, requires_grad=True)
    made = CallableGenerator(lambda batch: batch * weight).sampler(TensorRows(rows_of(4, 3)), seed=0)(
        rows_of(4, 3), seeded()
    )
    assert made.dtype == torch.float32
    assert not made.requires_grad


@pytest.mark.parametrize("limits", [{"high": math.inf}, {"high": "a"}, {"low": 2.0}, {"low": -math.inf}])
def test_noise_without_two_limits_in_order_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"'{next(iter(limits))}' parameter of UniformNoise"):
        UniformNoise(**limits)
