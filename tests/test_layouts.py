"""Networks are placed once, and gradients are laid out as what they belong to."""

import pytest
import torch
from torch import nn

from alarmnet.networks.channels_last import FirstRows, FlatMaps, place


def test_flat_maps_give_back_a_gradient_laid_out_as_the_maps() -> None:
    maps = torch.rand(4, 6, 3, 5).contiguous(memory_format=torch.channels_last).requires_grad_()
    weights = torch.rand(4, 90)
    assert torch.equal(FlatMaps()(maps), maps.flatten(1))
    (gradient,) = torch.autograd.grad(FlatMaps()(maps), maps, weights)
    assert torch.equal(gradient, weights.reshape(4, 6, 3, 5))
    assert gradient.stride() == maps.stride()


def test_first_rows_give_back_a_gradient_laid_out_as_all_rows() -> None:
    rows = torch.rand(5, 6, 3, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    first: torch.Tensor = FirstRows.apply(rows, 2)  # type: ignore[no-untyped-call]
    assert torch.equal(first, rows[:2])
    (gradient,) = torch.autograd.grad(first, rows, torch.ones_like(first))
    assert gradient[:2].eq(1).all()
    assert not gradient[2:].any()
    assert gradient.stride() == rows.stride()


@pytest.mark.parametrize("layer", [nn.Conv2d(3, 4, 3), nn.ConvTranspose2d(3, 4, 3), nn.BatchNorm1d(3)])
def test_a_network_is_placed_once(layer: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
    network = nn.Sequential(layer)
    place(network, torch.device("meta"))
    weight = layer.get_parameter("weight")
    assert weight.is_meta
    if weight.dim() == 4:
        assert weight.is_contiguous(memory_format=torch.channels_last)
    monkeypatch.setattr(nn.Module, "_apply", None)
    place(network, torch.device("meta"))


def test_what_is_only_in_part_on_the_device_is_placed() -> None:
    network = nn.Sequential(nn.Linear(2, 2, device="meta"), nn.BatchNorm1d(2, affine=False))
    place(network, torch.device("meta"))
    assert all(tensor.is_meta for tensor in network.state_dict().values())
