"""The convolutional autoencoder: A3's target for images (A3, Table 2 and section 4.5)."""

from dataclasses import dataclass

from torch import Tensor, nn

from alarmnet._shared.validation import check_real
from alarmnet.errors import InputError
from alarmnet.networks.activations import names_within, run_through
from alarmnet.networks.layers import SeededDropout
from alarmnet.networks.targets.base import Target, TargetNetwork
from alarmnet.networks.targets.dense import mean_reconstruction_loss, reconstruction_losses


def _conv(before: int, after: int, padding: int = 1) -> nn.Conv2d:
    return nn.Conv2d(before, after, 3, padding=padding, device="meta")


class ConvAutoencoderNetwork(TargetNetwork):
    """Three convolutions and poolings down, three convolutions and up-samplings back.

    Images of 28 x 28 give the paper's 7432 activations. Other sizes are decoded to the next size that
    up-sampling reaches, and cropped.

    Shapes
    ------
    Input: (B, C, H, W). Output: (B, C, H, W), before the sigmoid.
    """

    def __init__(self, shape: tuple[int, ...], dropout: float) -> None:
        super().__init__()
        channels, self.height, self.width = shape
        # After three halvings and doublings a side has 8 * ceil(side / 8) pixels; the unpadded last
        # convolution takes 4 away, which fits 28 = 32 - 4 as in the paper and is left out where it does not.
        cut = all(-(-side // 8) * 8 - 4 >= side for side in (self.height, self.width))
        self.hidden = nn.Sequential()
        steps: list[tuple[str, nn.Module]] = []
        for number, (before, after) in enumerate([(channels, 16), (16, 8), (8, 8)], start=1):
            steps += [
                (f"conv{number}", _conv(before, after)),
                (f"pool{number}", nn.MaxPool2d(2, ceil_mode=True)),
                (f"relu{number}", nn.ReLU(inplace=True)),
            ]
        for number, (before, after) in enumerate([(8, 8), (8, 8), (8, 16)], start=4):
            steps.append((f"conv{number}", _conv(before, after, padding=0 if number == 6 and cut else 1)))
            if number == 6:
                steps.append(("dropout", SeededDropout(dropout, whole_channels=True)))
            steps += [(f"relu{number}", nn.ReLU(inplace=True)), (f"up{number}", nn.Upsample(scale_factor=2))]
        for name, step in steps:
            self.hidden.add_module(name, step)
        self.layers = tuple(f"hidden.relu{number}" for number in range(1, 7))
        self.output = _conv(16, channels)

    def forward(self, batch: Tensor) -> Tensor:
        """Reconstruct a batch."""
        return self._cropped(self.hidden(batch))

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The hidden ReLUs' outputs, and the network's."""
        last, found = run_through(self.hidden.named_children(), inputs, self._read)
        return found, self._cropped(last)

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """Without the last up-sampling and the output layer."""
        *steps, _up = self.hidden.named_children()
        return run_through(steps, inputs, self._read)[1]

    def _cropped(self, hidden: Tensor) -> Tensor:
        output: Tensor = self.output(hidden)
        return output[..., : self.height, : self.width]

    @property
    def _read(self) -> list[str]:
        return names_within("hidden", self.layers)

    def row_losses(self, batch: Tensor) -> Tensor:
        """Binary cross-entropy, one number a row."""
        return reconstruction_losses(self(batch), batch, "cross-entropy")

    def mean_loss(self, batch: Tensor) -> Tensor:
        """Mean of the cross-entropies, whose value is that of one row in eight."""
        return mean_reconstruction_loss(self(batch), batch, "cross-entropy")

    def reconstruction(self, output: Tensor) -> Tensor:
        """The network's output on the scale of the inputs."""
        return output.sigmoid()


@dataclass(frozen=True, kw_only=True)
class ConvAutoencoder(Target):
    """The paper's convolutional autoencoder for images of any size from 8 x 8.

    Examples
    --------
    >>> network = ConvAutoencoder().build((1, 28, 28))
    >>> network.layers[:2]
    ('hidden.relu1', 'hidden.relu2')
    """

    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def build(self, shape: tuple[int, ...]) -> ConvAutoencoderNetwork:
        """Make the network for images of `shape` (C, H, W)."""
        if len(shape) != 3:
            raise InputError(
                f"ConvAutoencoder is for images; rows of shape {shape} are a table", code="wrong_kind_of_data"
            )
        return ConvAutoencoderNetwork(shape, self.dropout)
