"""The rivals that E2E-ConvA3's paper quotes: each against something known about it."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from alarmnet import InputError, Schedule
from alarmnet.baselines import DASVDD, MIX, MKDAD, mkd_ad

Floats = NDArray[np.float64]
SHORT = Schedule(steps=60, batch_size=64, learning_rate=1e-2)
STILL = Schedule(steps=1, batch_size=64, learning_rate=1e-12)


# DASVDD


@pytest.mark.parametrize("shape", [(5,), (9, 11), (3, 9, 11)])
def test_dasvdd_scores_are_both_errors(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).random((120, *shape))
    model = DASVDD(schedule=Schedule(steps=5), distance_weight=3.0, random_state=0).fit(inputs)
    batch = torch.from_numpy(model.encoder_.transform(inputs))
    with torch.no_grad():
        codes = model._network.encoder(batch)
        lost = (model._network.decoder(codes) - batch).square().flatten(1).sum(1)
    expected = lost + 3 * (codes - model.centre_).square().sum(1)
    np.testing.assert_allclose(model.decision_function(inputs), expected, rtol=1e-4)


def test_dasvdd_weighs_the_distance_so_that_both_terms_are_alike_before_training(rows: Floats) -> None:
    model = DASVDD(schedule=STILL, random_state=0).fit(rows)
    batch = torch.from_numpy(model.encoder_.transform(rows))
    with torch.no_grad():
        codes, lost = model._network(batch)
    near = (codes - codes.mean(0)).square().sum(1)
    assert 1 / 3 < float(lost.mean() / near.mean()) / model.distance_weight_ < 3


def test_dasvdd_moves_its_centre_to_the_codes_and_keeps_these_apart(rows: Floats) -> None:
    rows = rows[:150]
    first, moved, trained = (
        DASVDD(schedule=schedule, random_state=0).fit(rows)
        for schedule in (STILL, STILL.changed(steps=300), SHORT)
    )
    batch = torch.from_numpy(first.encoder_.transform(rows))
    with torch.no_grad():
        (codes, lost), (learned_codes, less) = first._network(batch), trained._network(batch)
    assert (first.centre_ - codes.mean(0)).norm() > 1  # AdaGrad's first step is one in every direction
    assert (moved.centre_ - codes.mean(0)).norm() < 0.1
    assert learned_codes.std(0).norm() > 1e-3
    assert less.mean() < 0.7 * lost.mean()


# MIX


def test_mix_finds_a_category_as_odd_as_it_is_rarer_than_the_most_frequent() -> None:
    table = pd.DataFrame({"service": ["web"] * 80 + ["shop"] * 20, "port": ["a", "b"] * 50})
    model = MIX(left_out=0.0, random_state=0).fit(table)
    odd = pd.DataFrame({"service": ["web", "shop", "mail"], "port": ["a", "b", "a"]})
    found = model._categories.scores(model.encoder_.transform(odd))
    np.testing.assert_allclose(found, np.log([1, 80 / 20, 80 / 0.5]))
    scores = model.decision_function(odd)
    assert scores[0] < scores[1] < scores[2]


def test_mix_scores_are_the_sum_of_both_in_standard_deviations(rows: Floats) -> None:
    table = pd.DataFrame(rows, columns=list("abcde"))
    table["service"] = np.where(rows[:, 0] > 1, "web", "shop")
    model = MIX(schedule=SHORT, random_state=0).fit(table)
    encoded = model.encoder_.transform(table)
    numbers = encoded[:, :5]
    with torch.no_grad():
        made = model._network(torch.from_numpy(numbers)).numpy()
    both = ((made - numbers) ** 2).mean(1), model._categories.scores(encoded)
    expected = sum((part - part.mean()) / part.std() for part in both)
    np.testing.assert_allclose(model.decision_function(table), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("odd_column", "helped"), [("numbers", "categories"), ("categories", "numbers")])
def test_mix_learns_from_rows_that_the_other_kind_finds_normal(odd_column: str, helped: str) -> None:
    """A fifth of the rows is odd in both kinds; with a third left out, each is learned without them."""
    draws = np.random.default_rng(0)
    odd = np.arange(200) >= 160
    table = pd.DataFrame(draws.normal(size=(200, 3)) + 6 * odd[:, None], columns=list("abc"))
    table["service"] = np.where(odd, "mail", "web")

    def gap(left_out: float) -> Floats:
        model = MIX(left_out=left_out, schedule=SHORT, turns=2, random_state=0).fit(table)
        encoded = model.encoder_.transform(table)
        parts = {"numbers": model._errors(encoded), "categories": model._categories.scores(encoded)}
        return np.asarray(parts[helped][odd].mean() - parts[helped][~odd].mean())

    assert gap(1 / 3) > 2 * gap(0.0)


def test_mix_stops_when_ranks_settle(rows: Floats) -> None:
    table = pd.DataFrame(rows, columns=list("abcde"))
    table["service"] = np.where(rows[:, 0] > 1, "web", "shop")
    turns = {
        tolerance: MIX(tolerance=tolerance, turns=3, schedule=SHORT, random_state=0).fit(table).turns_
        for tolerance in (0.0, 1.0)
    }
    assert turns == {0.0: 3, 1.0: 1}


# MKD-AD


def brief(**parameters: Any) -> MKDAD:
    """A model that learns in a moment."""
    short = Schedule(steps=8, batch_size=32)
    asked: dict[str, Any] = {"random_state": 0, "schedule": short, "pretraining_schedule": short}
    return MKDAD(**(asked | parameters))


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """60 x 12 x 10: a bright bar above."""
    drawn = np.random.default_rng(0).integers(0, 60, size=(60, 12, 10), dtype=np.uint8)
    drawn[:, :3] += 180
    return drawn


@pytest.fixture
def weights_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Weights named as VGG-16's, of a network with three small blocks."""
    monkeypatch.setattr(mkd_ad, "VGG_16", ((4, 4), (6,), (6, 8)))
    names = {0: (4, 3), 2: (4, 4), 5: (6, 4), 8: (6, 6), 10: (8, 6)}
    draws = torch.Generator().manual_seed(0)
    weights = {f"features.{n}.weight": torch.randn(*size, 3, 3, generator=draws) for n, size in names.items()}
    weights |= {f"features.{n}.bias": torch.randn(size[0], generator=draws) for n, size in names.items()}
    path = tmp_path / "vgg16.safetensors"
    save_file(weights | {"classifier.0.weight": torch.zeros(2)}, path)
    return path


def test_tables_are_refused_by_what_reads_images_alone(rows: Floats) -> None:
    sentence = r"MKDAD reads images alone, of shape .* and rows of a table came: take another method"
    with pytest.raises(InputError, match=sentence) as refused:
        MKDAD().fit(rows)
    assert refused.value.code == "image_shape"


def test_the_convolutions_of_vgg_16_have_the_names_of_torchvisions_files() -> None:
    network = mkd_ad._Blocks(3, mkd_ad.VGG_16, bias=True)
    numbers = [int(name.split(".")[1]) for name in network.state_dict() if name.endswith("weight")]
    assert numbers == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert sum(weight.numel() for weight in network.parameters()) == 14_714_688


def test_mkd_ad_takes_a_users_teacher_as_it_is(weights_file: Path, images: NDArray[np.uint8]) -> None:
    model = brief(teacher=weights_file).fit(images)
    held = load_file(weights_file)
    for name, weight in model._network.teacher.state_dict().items():
        assert torch.equal(weight, held[name])
    assert list(model.history_) == ["cloner"]
    batch = torch.from_numpy(model.encoder_.transform(images[:4])).expand(-1, 3, -1, -1)
    batch = (batch - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(3, 1, 1)
    with torch.no_grad():
        maps = zip(model._network.teacher(batch)[1:], model._network.cloner(batch)[1:], strict=True)
        flat = [(wanted.flatten(1), made.flatten(1)) for wanted, made in maps]
    assert [wanted.shape[1] for wanted, _ in flat] == [6 * 3 * 3, 8 * 2 * 2]
    value = sum(((wanted - made) ** 2).mean(1) for wanted, made in flat)
    cosine = sum((a * b).sum(1) / a.norm(dim=1) / b.norm(dim=1).clamp(min=1e-8) for a, b in flat)
    expected = value + model.direction_weight_ * (len(flat) - cosine)
    np.testing.assert_allclose(model.decision_function(images[:4]), expected, rtol=1e-3)


def test_mkd_ad_clones_without_biases_and_narrowly_but_for_the_ends(images: NDArray[np.uint8]) -> None:
    model = brief().fit(images)
    shapes = [tuple(weight.shape[:2]) for weight in model._network.cloner.parameters()]
    assert shapes == [(16, 1), (16, 16), (16, 16), (32, 16), (16, 32), (64, 16), (16, 64), (64, 16)]
    assert not [name for name in model._network.cloner.state_dict() if name.endswith("bias")]


def test_mkd_ad_brings_both_terms_to_one_scale_and_lowers_them(images: NDArray[np.uint8]) -> None:
    first, last = (brief(schedule=Schedule(steps=steps, batch_size=32)).fit(images) for steps in (1, 60))
    with torch.no_grad():
        value, direction = first._network(torch.from_numpy(first.encoder_.transform(images)))
    assert float(value.mean()) == pytest.approx(first.direction_weight_ * float(direction.mean()), rel=0.3)
    assert last.history_["cloner"][-1]["loss"] < 0.5 * first.history_["cloner"][0]["loss"]


def test_the_teacher_that_is_trained_here_learns_how_images_were_turned(images: NDArray[np.uint8]) -> None:
    model = brief(pretraining_schedule=Schedule(steps=80, batch_size=32)).fit(images)
    assert (
        model.history_["teacher"][-1]["loss"] < 0.5 < np.log(4) < model.history_["teacher"][0]["loss"] + 0.1
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"gone\.safetensors: there is no such file with the weights of a VGG-16"),
        (
            {},
            r"weights of a VGG-16 in safetensors, named as torchvision names them .*features\.0\.weight",
        ),
        ({"features.0.weight": torch.zeros(3)}, r"does not hold the weights of a VGG-16"),
        (b"no weights", r"does not hold the weights of a VGG-16"),
    ],
)
def test_files_that_are_no_teacher_are_refused(
    content: Any, sentence: str, tmp_path: Path, images: NDArray[np.uint8]
) -> None:
    path = tmp_path / "gone.safetensors"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        save_file(content, path)
    with pytest.raises(InputError, match=sentence):
        brief(teacher=path).fit(images)
