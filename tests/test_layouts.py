"""Gradients are laid out as what they belong to."""

import torch

from alarmnet.layouts import FirstRows, FlatMaps


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
