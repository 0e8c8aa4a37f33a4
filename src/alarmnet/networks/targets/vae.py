"""The dense variational autoencoder: generator of experiment 4, and a target of its own (A3, section 4.5)."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from alarmnet._shared.validation import check_sizes, check_whole
from alarmnet.networks.activations import names_within, run_through
from alarmnet.networks.targets.base import Target, TargetNetwork
from alarmnet.networks.targets.dense import reconstruction_losses


def _stack(sizes: tuple[int, ...]) -> nn.Sequential:
    layers = nn.Sequential()
    for number, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
        layers.add_module(f"linear{number}", nn.Linear(before, after, device="meta"))
        layers.add_module(f"relu{number}", nn.ReLU(inplace=True))
    return layers


class VariationalAutoencoderNetwork(TargetNetwork):
    """Encodes a row to a Gaussian over codes, decodes a code to a row.

    Shapes
    ------
    Input: (B, ...), flattened inside. Output: (B, ...), before the sigmoid, decoded from the mean code.
    """

    generator: torch.Generator | None = None

    def __init__(self, shape: tuple[int, ...], hidden: tuple[int, ...], code: int) -> None:
        super().__init__()
        self.shape = shape
        width = math.prod(shape)
        self.encoder = _stack((width, *hidden))
        self.mean = nn.Linear(hidden[-1], code, device="meta")
        self.log_variance = nn.Linear(hidden[-1], code, device="meta")
        self.decoder = _stack((code, *reversed(hidden)))
        self.output = nn.Linear(hidden[0], width, device="meta")
        relus = range(1, len(hidden) + 1)
        self.layers = tuple(f"{half}.relu{number}" for half in ("encoder", "decoder") for number in relus)

    def encode(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of the rows' codes: (B, ...) to two (B, code)."""
        features = self.encoder(batch.flatten(1))
        return self.mean(features), self.log_variance(features)

    def decode(self, codes: Tensor) -> Tensor:
        """Codes (B, code) to rows (B, ...), before the sigmoid."""
        output: Tensor = self.output(self.decoder(codes))
        return output.reshape(-1, *self.shape)

    def forward(self, batch: Tensor) -> Tensor:
        """Reconstruct from the mean code."""
        return self.decode(self.encode(batch)[0])

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The ReLUs' outputs on both ways, and the network's, from the mean code."""
        encoded, decoded = (names_within(half, self.layers) for half in ("encoder", "decoder"))
        features, first = run_through(self.encoder.named_children(), inputs.flatten(1), encoded)
        hidden, second = run_through(self.decoder.named_children(), self.mean(features), decoded)
        return [*first, *second], self.output(hidden).reshape(-1, *self.shape)

    def row_losses(self, batch: Tensor) -> Tensor:
        """Negative evidence lower bound, per input: cross-entropy and Kullback-Leibler divergence."""
        mean, log_variance = self.encode(batch)
        if self.training:
            noise = torch.empty_like(mean).normal_(generator=self.generator)
            codes = mean + noise * (0.5 * log_variance).exp()
        else:
            codes = mean
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return reconstruction_losses(self.decode(codes), batch, "cross-entropy") + divergence / math.prod(
            self.shape
        )

    def reconstruction(self, output: Tensor) -> Tensor:
        """The network's output on the scale of the inputs."""
        return output.sigmoid()


@dataclass(frozen=True, kw_only=True)
class VariationalAutoencoder(Target):
    """Dense variational autoencoder over tables or flattened images, inputs about [0, 1].

    Examples
    --------
    >>> network = VariationalAutoencoder(hidden=(16, 8), code=2).build((5,))
    >>> network.layers
    ('encoder.relu1', 'encoder.relu2', 'decoder.relu1', 'decoder.relu2')
    """

    hidden: tuple[int, ...] = (800, 400, 100)
    code: int = 25

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", self.hidden)
        check_whole(self, "code", self.code)

    def build(self, shape: tuple[int, ...]) -> VariationalAutoencoderNetwork:
        """Make the network for rows of `shape`."""
        return VariationalAutoencoderNetwork(shape, tuple(self.hidden), self.code)
