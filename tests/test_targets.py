"""Target networks: shapes, losses, and a user's own module that is only read."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence
from torch.nn import functional

from alarmnet import (
    ConvAutoencoder,
    DenseAutoencoder,
    ExternalTarget,
    InputError,
    InputTypeError,
    StridedAutoencoder,
    VariationalAutoencoder,
)
from alarmnet.networks.layers import drawing_from, materialise
from alarmnet.networks.targets import Target, TargetNetwork
from alarmnet.networks.targets.e2e import StridedAutoencoderNetwork
from alarmnet.networks.targets.vae import VariationalAutoencoderNetwork


def built(recipe: Target, shape: tuple[int, ...]) -> TargetNetwork:
    network = recipe.build(shape)
    materialise(network, torch.Generator().manual_seed(0))
    return network.eval()


def batch_of(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 15, 28, 32, 33])
def test_images_are_reconstructed_to_their_own_size(channels: int, side: int) -> None:
    batch = batch_of(2, channels, side, side)
    network = built(ConvAutoencoder(), (channels, side, side))
    reconstruction = network.reconstruction(network(batch))
    assert reconstruction is not None
    assert reconstruction.shape == batch.shape
    assert 0 <= reconstruction.min() <= reconstruction.max() <= 1
    assert network.row_losses(batch).shape == (2,)


def test_images_that_are_not_square() -> None:
    assert built(ConvAutoencoder(), (1, 9, 28))(batch_of(2, 1, 9, 28)).shape == (2, 1, 9, 28)


def test_the_way_back_mirrors_the_way_down() -> None:
    network = DenseAutoencoder(hidden=(50, 25, 10, 5)).build((30,))
    sizes = [layer.out_features for layer in network.modules() if isinstance(layer, nn.Linear)]
    assert sizes == [50, 25, 10, 5, 10, 25, 50, 30]
    assert network.layers == tuple(f"hidden.relu{number}" for number in range(1, 8))


def test_losses_are_means_over_a_rows_inputs() -> None:
    batch = batch_of(4, 6)
    crossed, squared = (
        built(DenseAutoencoder(hidden=(8, 4), loss=loss), (6,)) for loss in ("cross-entropy", "squared")
    )
    share = crossed(batch).sigmoid()
    cross_entropy = -(batch * share.log() + (1 - batch) * (1 - share).log())
    torch.testing.assert_close(crossed.row_losses(batch), cross_entropy.mean(1))
    torch.testing.assert_close(squared.row_losses(batch), (squared(batch) - batch).square().mean(1))


def test_the_variational_loss_is_the_negative_evidence_bound() -> None:
    network = built(VariationalAutoencoder(hidden=(8,), code=2), (2, 3))
    batch = batch_of(4, 2, 3)
    assert isinstance(network, VariationalAutoencoderNetwork)
    mean, log_variance = network.encode(batch)
    codes, normal = Normal(mean, (log_variance / 2).exp()), Normal(0, 1)
    divergence = kl_divergence(codes, normal).sum(1)
    cross_entropy = functional.binary_cross_entropy_with_logits(network(batch), batch, reduction="none")
    torch.testing.assert_close(network.row_losses(batch), cross_entropy.flatten(1).mean(1) + divergence / 6)


def test_variational_codes_are_drawn_in_training_only() -> None:
    network = built(VariationalAutoencoder(hidden=(8,), code=2), (6,))
    batch = batch_of(4, 6)
    assert torch.equal(network.row_losses(batch), network.row_losses(batch))
    network.train()
    with drawing_from(network, torch.Generator().manual_seed(0)):
        assert not torch.equal(network.row_losses(batch), network.row_losses(batch))


def test_recipes_refuse_rows_of_the_other_kind() -> None:
    with pytest.raises(InputError, match=r"rows of shape \(1, 8, 8\) are images: use ConvAutoencoder"):
        DenseAutoencoder().build((1, 8, 8))
    with pytest.raises(InputError, match=r"ConvAutoencoder is for images; rows of shape \(5,\) are a table"):
        ConvAutoencoder().build((5,))


def test_networks_take_no_memory_until_they_are_materialised() -> None:
    for recipe, shape in [(DenseAutoencoder(), (10**6,)), (VariationalAutoencoder(), (10**6,))]:
        assert all(weight.is_meta for weight in recipe.build(shape).parameters())
    assert all(weight.is_meta for weight in ConvAutoencoder().build((3, 5000, 5000)).parameters())


def test_a_users_module_always_runs_in_evaluation_mode() -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.5))
    network = ExternalTarget(module, layers=["2"]).build((4,))
    network.train()
    batch = batch_of(6, 4)
    assert torch.equal(network(batch), network(batch))
    assert not any(part.training for part in network.modules())
    assert not network.state_dict()["module.1.running_mean"].any()
    assert network.layers == ("module.2",)
    assert network.reconstruction(network(batch)) is None


def test_a_users_module_is_never_trained() -> None:
    network = ExternalTarget(nn.Sequential(nn.Linear(4, 2)), layers=["0"]).build((4,))
    assert not network.trainable
    with pytest.raises(NotImplementedError, match="used as it is and never trained"):
        network.row_losses(batch_of(2, 4))


class Centred(nn.Module):
    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        return batch - batch.mean(0)


@pytest.mark.parametrize("mixing", [Centred(), nn.BatchNorm1d(8, track_running_stats=False)])
def test_a_users_module_that_mixes_the_rows_of_a_batch_is_refused(mixing: nn.Module) -> None:
    module = nn.Sequential(nn.Linear(4, 8), mixing, nn.ReLU())
    with pytest.raises(InputError, match="layer '2' puts out for a row depends on the other rows") as caught:
        ExternalTarget(module, layers=["0", "2"]).build((4,))
    assert caught.value.code == "batch_dependent"
    ExternalTarget(module, layers=["0"]).build((4,))


def test_a_layer_that_does_not_put_out_a_row_for_each_row_is_refused() -> None:
    module = nn.Sequential(nn.Linear(4, 8), nn.Flatten(0))
    with pytest.raises(InputError, match=r"for 4 rows, layer '1' puts out the shape \(32,\)") as caught:
        ExternalTarget(module, layers=["1"]).build((4,))
    assert caught.value.code == "wrong_shape"


@pytest.mark.parametrize("module", ["model.pt", None, nn.Linear])
def test_what_is_no_module_is_refused(module: Any) -> None:
    with pytest.raises(InputTypeError, match=r"must be a torch\.nn\.Module") as caught:
        ExternalTarget(module, layers=["1"])
    assert caught.value.code == "invalid_parameter"


def test_a_users_module_needs_layers() -> None:
    with pytest.raises(InputError, match="needs the names of the layers to read; got none"):
        ExternalTarget(nn.Linear(4, 2), layers=[]).build((4,))
    assert repr(ExternalTarget(nn.Linear(4, 2), layers=["a"])) == "ExternalTarget(Linear, layers=['a'])"


@pytest.mark.parametrize("code_weight", [None, 1.0])
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 9, 28), (1, 33, 32), (1,), (7,), (300,)])
def test_strided_autoencoders_give_rows_of_their_own_shape(
    shape: tuple[int, ...], code_weight: float | None
) -> None:
    network = built(StridedAutoencoder(code_weight=code_weight, channels=(4, 8, 8)), shape)
    batch = batch_of(3, *shape)
    assert network(batch).shape == batch.shape
    losses = network.row_losses(batch)
    assert losses.shape == (3,)
    if code_weight is None:
        torch.testing.assert_close(losses, (network(batch) - batch).square().flatten(1).mean(1))


def test_soft_ordering_is_a_linear_layer_and_elu_over_which_one_dimensional_convolutions_run() -> None:
    network = built(StridedAutoencoder(grid=(4, 6)), (5,))
    assert isinstance(network, StridedAutoencoderNetwork)
    batch = batch_of(2, 5)
    parts: dict[str, Any] = dict(network.encoder.named_children())
    ordered = functional.elu(parts["order_norm"](parts["order"](batch)))
    assert torch.equal(network.encoder[:4](batch), ordered.reshape(2, 4, 1, 6))
    weight = parts["conv1"].weight[:, :, 0]
    expected = functional.conv1d(ordered.reshape(2, 4, 6), weight, stride=2, padding=1)
    torch.testing.assert_close(parts["conv1"](ordered.reshape(2, 4, 1, 6))[:, :, 0], expected)


def test_the_variational_strided_loss_adds_the_codes_divergence() -> None:
    network = built(StridedAutoencoder(code_weight=0.5, channels=(4,)), (1, 8, 8))
    assert isinstance(network, StridedAutoencoderNetwork)
    batch = batch_of(3, 1, 8, 8)
    mean, log_variance = network.encode(batch)[0].chunk(2, dim=1)
    divergence = kl_divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum((1, 2, 3))
    errors = (network(batch) - batch).square().mean((1, 2, 3))
    torch.testing.assert_close(network.row_losses(batch), errors + 0.5 * divergence / 64)


def test_variational_codes_are_drawn_in_training_alone() -> None:
    network = built(StridedAutoencoder(code_weight=1.0, channels=(4,)), (6,))
    batch = batch_of(3, 6)
    assert torch.equal(network(batch), network(batch))
    network.train()
    with drawing_from(network, torch.Generator().manual_seed(0)):
        assert not torch.equal(network(batch), network(batch))


def test_operations_are_counted() -> None:
    network = built(StridedAutoencoder(channels=(4,)), (1, 8, 8))
    assert network.operations_a_row == 2 * 2 * (9 * 4 * 16)


@pytest.mark.parametrize("rows", [64, 37])
def test_the_loss_that_trains_has_the_gradient_of_the_mean_loss_and_an_eighth_of_its_rows(rows: int) -> None:
    network = built(DenseAutoencoder(hidden=(9, 4)), (12,))
    batch = batch_of(rows, 12)
    found = []
    for loss in (network.mean_loss(batch), network.row_losses(batch).mean()):
        network.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        found.append([weight.grad for weight in network.parameters()])
    for ours, autograds in zip(*found, strict=True):
        assert ours is not None
        assert autograds is not None
        assert torch.equal(ours, autograds)
    assert network.mean_loss(batch) == network.row_losses(batch[::8]).mean()
    batch[3, 5] = float("inf")
    assert not network.mean_loss(batch).isfinite()


def test_no_rows_have_no_losses() -> None:
    """As where nothing is held out, or no counterexample is made."""
    for recipe in (StridedAutoencoder(channels=(4, 4)), StridedAutoencoder(channels=(4, 4), code_weight=1.0)):
        network = recipe.build((1, 8, 8))
        materialise(network, torch.Generator().manual_seed(0))
        assert network.eval().row_losses(torch.empty(0, 1, 8, 8)).shape == (0,)


def test_a_module_for_rows_of_another_size_is_named() -> None:
    target = ExternalTarget(nn.Sequential(nn.Linear(5, 8), nn.ReLU()), layers=["1"])
    with pytest.raises(InputError, match=r"cannot read encoded rows of shape \(3,\)"):
        target.build((3,)).read(batch_of(2, 3))


def test_a_name_is_no_list_of_layers() -> None:
    with pytest.raises(InputError, match="'layers' parameter of ExternalTarget must be a list of names"):
        ExternalTarget(nn.ReLU(), layers="12")
