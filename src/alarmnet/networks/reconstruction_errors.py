"""Reconstruction errors, compared with those of normal rows."""

import torch
from torch import Tensor, nn

SMALLEST = 1e-9
"""The smallest reconstruction error before taking the logarithm."""


class ReconstructionErrors(nn.Module):
    """The logarithms of a target's reconstruction errors, in standard deviations above the mean of normal rows.

    Shapes
    ------
    Input: errors, (B, 1). Output: (B, 1); high is unlike normal rows.

    Examples
    --------
    >>> errors = ReconstructionErrors()
    >>> errors.learn(torch.tensor([[0.1], [0.2], [0.4]]))
    >>> errors(torch.tensor([[0.2], [1.6]]))
    tensor([[0.0000],
            [3.6742]])
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("deviation", torch.ones(()))

    def learn(self, errors: Tensor) -> None:
        """Learn the usual errors, those of normal rows (M, 1)."""
        logarithms = _logarithms(errors)
        self.mean, self.deviation = logarithms.mean(), logarithms.std(correction=0).clamp(min=1e-3)

    def forward(self, errors: Tensor) -> Tensor:
        """Compare errors with the usual ones."""
        compared: Tensor = (_logarithms(errors) - self.mean) / self.deviation
        return compared


def _logarithms(errors: Tensor) -> Tensor:
    return errors.clamp(min=SMALLEST).log()
