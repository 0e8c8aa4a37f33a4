"""The surprise measures rows as far from zero as near it."""

import torch

from alarmnet.networks.surprise import Surprise

FAR = 2.0**14


def test_activations_far_from_zero_are_told_apart_as_well_as_near_it() -> None:
    generator = torch.Generator().manual_seed(0)
    activations = torch.randn(200, 4, generator=generator) + FAR - FAR  # rounded as the far ones are

    def measured(offset: float) -> torch.Tensor:
        surprise, errors = Surprise(), torch.full((200, 1), 0.1)
        surprise.compare(activations + offset)
        surprise.learn(torch.cat([activations + offset, errors], dim=1))
        found: torch.Tensor = surprise(torch.cat([activations[:50] + 0.5 + offset, errors[:50]], dim=1))
        return found

    assert torch.allclose(measured(FAR), measured(0), atol=0.01)
