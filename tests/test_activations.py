"""What layers put out is read, without a trace on the network."""

import pytest
import torch
from torch import Tensor, nn

from alarmnet import (
    ConvAutoencoder,
    DenseAutoencoder,
    ExternalTarget,
    InputError,
    StridedAutoencoder,
    VariationalAutoencoder,
)
from alarmnet.networks.activations import flattened, run_through, stacked
from alarmnet.networks.layers import materialise
from alarmnet.networks.targets import Target


class Forked(nn.Module):
    """Has a layer that forward never runs, and one that puts out a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.pair = nn.Linear(3, 2), nn.Linear(3, 2), nn.LSTM(3, 2, batch_first=True)

    def forward(self, batch: Tensor) -> Tensor:
        self.pair(batch)
        output: Tensor = self.used(batch)
        return output


def test_outputs_stand_in_the_order_named() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    batch = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    first, second = network[0](batch), network(batch)
    output, found = run_through(network.named_children(), batch, ["2", "0"])
    assert torch.equal(output, second)
    assert torch.equal(found[0], second)
    assert torch.equal(found[1], first)
    found, _ = ExternalTarget(network, layers=["2", "0"]).build((3,)).read(batch)
    assert torch.equal(flattened(found), torch.cat([second, first], dim=1))


@pytest.mark.parametrize(
    ("recipe", "shape"),
    [
        (DenseAutoencoder(hidden=(8, 4)), (6,)),
        (ConvAutoencoder(), (1, 9, 12)),
        (VariationalAutoencoder(hidden=(8, 5), code=2), (6,)),
        (StridedAutoencoder(channels=(4, 4), grid=(4, 8)), (6,)),
        (StridedAutoencoder(channels=(4, 4), code_weight=1.0), (3, 9, 9)),
    ],
)
def test_every_target_gives_what_its_named_layers_put_out(recipe: Target, shape: tuple[int, ...]) -> None:
    network = recipe.build(shape)
    materialise(network, torch.Generator().manual_seed(0))
    batch = torch.rand(3, *shape)
    put_out: dict[str, Tensor] = {}
    for name, layer in network.eval().named_modules():
        layer.register_forward_hook(lambda _layer, _given, output, name=name: put_out.update({name: output}))
    expected = network(batch), [put_out[name].clone() for name in network.layers]
    found, output = network.read(batch)
    assert torch.equal(output, expected[0])
    for several in (found, network.activations(batch)):
        assert all(torch.equal(*pair) for pair in zip(several, expected[1], strict=True))


def test_images_are_flattened_alike_with_gradients_and_without() -> None:
    maps, code = torch.rand(3, 2, 6, 6).contiguous(memory_format=torch.channels_last), torch.rand(3, 4)
    with torch.no_grad():
        found = flattened([maps, code])
    assert found.shape == (3, 76)
    assert torch.equal(found[:, :72], maps.flatten(1))
    assert torch.equal(flattened([maps, code.requires_grad_()]), found)


def test_a_wrong_layer_name_lists_the_layers() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with pytest.raises(InputError, match="the target has no layer 'relu9'; its layers are: 0, 1") as caught:
        ExternalTarget(network, layers=["0", "relu9"]).build((3,))
    assert caught.value.code == "unknown_layer"


def test_a_layer_that_never_runs_or_puts_out_no_tensor_is_refused() -> None:
    batch = torch.zeros(2, 3)
    with pytest.raises(InputError, match=r"never ran the layer\(s\) unused"):
        ExternalTarget(Forked(), layers=["used", "unused"]).build((3,)).read(batch)
    with pytest.raises(InputError, match="layer 'pair' puts out tuple; alarmnet reads tensors"):
        ExternalTarget(Forked(), layers=["pair"]).build((3,)).read(batch)


def test_an_output_that_is_overwritten_is_refused() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    with pytest.raises(InputError, match="layer '0' puts out is overwritten"):
        ExternalTarget(network, layers=["0"]).build((3,)).read(torch.zeros(2, 3))


def test_the_users_module_gets_no_hook() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    ExternalTarget(network, layers=["0"]).build((3,)).read(torch.zeros(2, 3))
    assert not any(layer._forward_hooks for layer in network.modules())


def test_parts_of_several_types_are_promoted() -> None:
    parts = [torch.ones(2, 1, dtype=torch.float16), torch.full((2, 1), 1e5), torch.tensor([[3], [4]])]
    expected = torch.tensor([[1, 1e5, 3], [1, 1e5, 4]])
    assert torch.equal(flattened(parts), expected)
    with torch.no_grad():
        assert torch.equal(flattened(parts), expected)


def test_the_papers_sizes() -> None:
    """A3: 725 activations for NSL-KDD, 7432 for images of 28 x 28."""
    for recipe, shape, width in [
        (DenseAutoencoder(hidden=(200, 100, 50, 25)), (122,), 725),
        (ConvAutoencoder(), (1, 28, 28), 7432),
    ]:
        network = recipe.build(shape)
        materialise(network, torch.Generator().manual_seed(0))
        batch = torch.rand(2, *shape)
        activations = flattened(network.eval().activations(batch))
        assert activations.shape == (2, width)
        assert (activations >= 0).all()


def test_maps_are_pooled_to_the_smallest_and_stacked() -> None:
    large, small = torch.rand(2, 3, 8, 6), torch.rand(2, 5, 4, 3)
    found = stacked([small, large])
    assert torch.equal(found[:, :5], small)
    assert torch.equal(found[:, 5:], large.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)))


def test_maps_of_odd_sizes_are_pooled_too() -> None:
    large, small = torch.rand(2, 3, 7, 9), torch.rand(2, 5, 4, 5)
    found = stacked([large, small])
    assert found.shape == (2, 8, 4, 5)
    assert torch.equal(found[:, :3, 0, 0], large[:, :, :2, :2].amax((2, 3)))
