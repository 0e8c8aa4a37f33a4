"""The convolutional autoencoder of E2E-ConvA3, plain or variational, for images and tables (section 3.2)."""

import itertools
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._shared.validation import check_real, check_sizes
from alarmnet.errors import InputError
from alarmnet.networks.activations import names_within, run_through
from alarmnet.networks.layers import count_operations
from alarmnet.networks.targets.base import Target, TargetNetwork

LARGEST_LOG = 20.0
"""The largest absolute log variance of a code: it keeps the error of even the oddest row finite."""


class StridedAutoencoderNetwork(TargetNetwork):
    """Convolutions of stride 2 down, deconvolutions back to the same sizes, batch normalisation between.

    A table is softly ordered first: a linear layer and ELU make channels x positions of each row, over which
    1-D convolutions run (kept as images one pixel high); the way back ends with the reverse.

    Shapes
    ------
    Input and output: (B, F) or (B, C, H, W), the output on the scale of the inputs.
    """

    generator: torch.Generator | None = None

    def __init__(
        self,
        shape: tuple[int, ...],
        channels: tuple[int, ...],
        grid: tuple[int, int],
        code_weight: float | None,
    ) -> None:
        super().__init__()
        self.code_weight = code_weight
        self.encoder, self.decoder = nn.Sequential(), nn.Sequential()
        table = len(shape) == 1
        first, height, width = (grid[0], 1, grid[1]) if table else shape
        kernel, stride, padding = ((1, 3), (1, 2), (0, 1)) if table else ((3, 3), (2, 2), (1, 1))
        if table:
            cells = math.prod(grid)
            self.encoder.add_module("order", nn.Linear(shape[0], cells, bias=False, device="meta"))
            self.encoder.add_module("order_norm", nn.BatchNorm1d(cells, device="meta"))
            self.encoder.add_module("order_elu", nn.ELU())
            self.encoder.add_module("grid", nn.Unflatten(1, (first, height, width)))
        steps = list(enumerate(itertools.pairwise((first, *channels)), start=1))
        for number, (narrow, wide) in steps:
            conv = nn.Conv2d(narrow, wide, kernel, stride, padding, bias=False, device="meta")
            self.encoder.add_module(f"conv{number}", conv)
            self.encoder.add_module(f"norm{number}", nn.BatchNorm2d(wide, device="meta"))
            self.encoder.add_module(f"relu{number}", nn.ReLU(inplace=True))
        if code_weight is not None:
            self.codes = nn.Conv2d(channels[-1], 2 * channels[-1], 1, device="meta")
        for number, (narrow, wide) in reversed(steps):
            sides = (
                -(-side // 2 ** (number - 1)) for side in (height, width)
            )  # the sides that the convolution had
            rest = tuple((side - 1) % by for side, by in zip(sides, stride, strict=True))
            last = number == 1
            deconv = nn.ConvTranspose2d(
                wide,
                narrow,
                kernel,
                stride,
                padding,
                rest,
                bias=last,
                device="meta",
            )
            self.decoder.add_module(f"deconv{number}", deconv)
            if not last:
                self.decoder.add_module(f"norm{number}", nn.BatchNorm2d(narrow, device="meta"))
                self.decoder.add_module(f"relu{number}", nn.ReLU(inplace=True))
        if table:
            self.decoder.add_module("elu", nn.ELU())
            self.decoder.add_module("flat", nn.Flatten())
            self.decoder.add_module("output", nn.Linear(cells, shape[0], device="meta"))
        else:
            self.decoder.add_module("output", nn.Sigmoid())
        self.encoder_layers = tuple(f"encoder.relu{number}" for number, _ in steps)
        self.decoder_layers = tuple(f"decoder.relu{number}" for number, _ in reversed(steps[1:]))
        self.layers = self.encoder_layers + self.decoder_layers
        self.operations_a_row = count_operations(self.eval(), shape)

    def encode(self, batch: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Rows (B, ...) to codes, and what `encoder_layers` put out on the way.

        Where variational, codes are means and log-variances, one behind the other.
        """
        read = names_within("encoder", self.encoder_layers)
        features, found = run_through(self.encoder.named_children(), batch, read)
        if self.code_weight is None:
            return features, found
        mean, log_variance = self.codes(features).chunk(2, dim=1)
        return torch.cat([mean, log_variance.clamp(-LARGEST_LOG, LARGEST_LOG)], dim=1), found

    def decode(self, codes: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Codes to rows (B, ...), and what `decoder_layers` put out on the way.

        Where variational, from a drawn code while training.
        """
        if self.code_weight is not None:
            codes, log_variance = codes.chunk(2, dim=1)
            if self.training:
                noise = torch.empty_like(codes).normal_(generator=self.generator)
                codes = codes + noise * (0.5 * log_variance).exp()
        read = names_within("decoder", self.decoder_layers)
        return run_through(self.decoder.named_children(), codes, read)

    def forward(self, batch: Tensor) -> Tensor:
        """Reconstruct a batch."""
        return self.decode(self.encode(batch)[0])[0]

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The ReLUs' outputs on both ways, and the network's."""
        codes, first = self.encode(inputs)
        output, second = self.decode(codes)
        return [*first, *second], output

    def losses(self, output: Tensor, codes: Tensor, batch: Tensor) -> Tensor:
        """What `decode` and `encode` made of a batch, and the batch, to squared errors (B,), a mean over inputs.

        Where variational, with the codes' divergence from a normal distribution, weighted.
        """
        errors = functional.mse_loss(output, batch, reduction="none").flatten(1).mean(1)
        if self.code_weight is None:
            return errors
        mean, log_variance = codes.flatten(1).chunk(2, dim=1)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(1)
        return errors + self.code_weight * divergence / batch.shape[1:].numel()

    def row_losses(self, batch: Tensor) -> Tensor:
        """Squared error, one number a row."""
        codes, _ = self.encode(batch)
        output, _ = self.decode(codes)
        return self.losses(output, codes, batch)

    def reconstruction(self, output: Tensor) -> Tensor:
        """The network's output, which is on the scale of the inputs."""
        return output


@dataclass(frozen=True, kw_only=True)
class StridedAutoencoder(Target):
    """The target network of E2E-ConvA3: for images from 8 x 8, and for tables by soft ordering.

    Parameters
    ----------
    channels
        The channels of the convolutions in order; each convolution halves the size. None: (64, 128) for images,
        (32, 64) for tables.
    grid
        The channels and positions into which a row of a table is arranged.
    code_weight
        None: a plain autoencoder. A number: a variational autoencoder, with this weight on the divergence of the
        codes (1 is the evidence lower bound with unit variance, divided by the number of inputs).

    Examples
    --------
    >>> StridedAutoencoder().build((1, 28, 28)).layers
    ('encoder.relu1', 'encoder.relu2', 'decoder.relu2')
    >>> StridedAutoencoder().build((50,)).encoder.conv1
    Conv2d(16, 32, kernel_size=(1, 3), stride=(1, 2), padding=(0, 1), bias=False)
    """

    channels: tuple[int, ...] | None = None
    grid: tuple[int, int] = (16, 16)
    code_weight: float | None = None

    def __post_init__(self) -> None:
        if self.channels is not None:
            check_sizes(self, "channels", self.channels)
        check_sizes(self, "grid", self.grid)
        if len(self.grid) != 2:
            raise InputError(
                f"The 'grid' of StridedAutoencoder is (channels, positions). Got {self.grid!r} instead.",
                code="invalid_parameter",
            )
        if self.code_weight is not None:
            check_real(self, "code_weight", self.code_weight, 0)

    def build(self, shape: tuple[int, ...]) -> StridedAutoencoderNetwork:
        """Make the network for rows of `shape`, (F,) or (C, H, W)."""
        channels = self.channels or ((32, 64) if len(shape) == 1 else (64, 128))
        return StridedAutoencoderNetwork(
            shape, tuple(channels), (self.grid[0], self.grid[1]), self.code_weight
        )
