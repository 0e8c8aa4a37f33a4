"""The named layers' outputs are read, and the hooks go again."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from alarmnet import ConvAutoencoder, DenseAutoencoder, InputError
from alarmnet.activations import flattened, in_order, recording, stacked
from alarmnet.layers import materialise


class Forked(nn.Module):
    """Has a layer that forward never runs, and one that puts out a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused, self.pair = nn.Linear(3, 2), nn.Linear(3, 2), nn.LSTM(3, 2, batch_first=True)

    def forward(self, batch: Tensor) -> Tensor:
        self.pair(batch)
        output: Tensor = self.used(batch)
        return output


def hooks(network: nn.Module) -> int:
    return sum(len(layer._forward_hooks) for layer in network.modules())


def flat_activations(network: nn.Module, layers: Sequence[str], batch: Tensor) -> tuple[Tensor, Tensor]:
    with recording(network, layers) as outputs:
        output = network(batch)
    return flattened(in_order(outputs, layers)), output


def test_activations_stand_in_the_order_named() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    batch = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    first, second = network[0](batch), network(batch)
    activations, output = flat_activations(network, ["2", "0"], batch)
    assert torch.equal(activations, torch.cat([second, first], dim=1))
    assert torch.equal(output, second)


def test_images_are_flattened() -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 4))
    batch = torch.rand(3, 1, 8, 8)
    activations, _ = flat_activations(network, ["0", "2"], batch)
    assert activations.shape == (3, 76)
    assert torch.equal(activations[:, :72], network[0](batch).flatten(1))


def test_hooks_are_removed_also_after_an_error() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    flat_activations(network, ["0", "1"], torch.zeros(2, 3))
    assert hooks(network) == 0
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        flat_activations(network, ["0", "1"], torch.zeros(2, 7))
    assert hooks(network) == 0
    with recording(network, ["0"]):
        assert hooks(network) == 1
    assert hooks(network) == 0


def test_a_wrong_layer_name_lists_the_layers_and_leaves_no_hook() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    with pytest.raises(InputError, match="the target has no layer 'relu9'; its layers are: 0, 1") as caught:
        flat_activations(network, ["0", "relu9"], torch.zeros(2, 3))
    assert caught.value.code == "unknown_layer"
    assert hooks(network) == 0


def test_a_layer_that_never_runs_or_puts_out_no_tensor_is_refused() -> None:
    network = Forked()
    with pytest.raises(InputError, match=r"never ran the layer\(s\) unused"):
        flat_activations(network, ["used", "unused"], torch.zeros(2, 3))
    with pytest.raises(InputError, match="layer 'pair' puts out tuple; alarmnet reads tensors"):
        flat_activations(network, ["pair"], torch.zeros(2, 3))
    assert hooks(network) == 0


def test_an_output_that_is_overwritten_is_refused() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
    with pytest.raises(InputError, match="layer '0' puts out is overwritten"):
        flat_activations(network, ["0"], torch.zeros(2, 3))
    assert hooks(network) == 0


def test_parts_of_several_types_are_promoted() -> None:
    parts = [torch.ones(2, 1, dtype=torch.float16), torch.full((2, 1), 1e5), torch.tensor([[3], [4]])]
    assert torch.equal(flattened(parts), torch.tensor([[1, 1e5, 3], [1, 1e5, 4]]))


def test_the_papers_sizes() -> None:
    """A3: 725 activations for NSL-KDD, 7432 for images of 28 x 28."""
    for recipe, shape, width in [
        (DenseAutoencoder(hidden=(200, 100, 50, 25)), (122,), 725),
        (ConvAutoencoder(), (1, 28, 28), 7432),
    ]:
        network = recipe.build(shape)
        materialise(network, torch.Generator().manual_seed(0))
        batch = torch.rand(2, *shape)
        activations, output = flat_activations(network.eval(), network.layers, batch)
        assert activations.shape == (2, width)
        with recording(network, network.layers) as outputs:
            network.run_layers(batch)
        assert torch.equal(flattened(in_order(outputs, network.layers)), activations)
        assert output.shape == (2, *shape)
        assert (activations >= 0).all()


def test_maps_are_pooled_to_the_smallest_and_stacked() -> None:
    large, small = torch.rand(2, 3, 8, 6), torch.rand(2, 5, 4, 3)
    found = stacked({"large": large, "small": small}, ["small", "large"])
    assert torch.equal(found[:, :5], small)
    assert torch.equal(found[:, 5:], large.unfold(2, 2, 2).unfold(3, 2, 2).amax((4, 5)))


def test_maps_of_odd_sizes_are_pooled_too() -> None:
    large, small = torch.rand(2, 3, 7, 9), torch.rand(2, 5, 4, 5)
    found = stacked({"large": large, "small": small}, ["large", "small"])
    assert found.shape == (2, 8, 4, 5)
    assert torch.equal(found[:, :3, 0, 0], large[:, :, :2, :2].amax((2, 3)))


def test_maps_that_were_never_made_are_refused() -> None:
    with pytest.raises(InputError, match="never ran the layer"):
        stacked({"one": torch.rand(1, 1, 2, 2)}, ["one", "two"])
