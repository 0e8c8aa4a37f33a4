"""A target behind a fixed first layer that cuts numbers into pieces."""

from torch import Tensor

from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets.base import TargetNetwork
from alarmnet.networks.targets.dense import DenseAutoencoderNetwork
from alarmnet.networks.targets.masked import MaskedNetwork

TableNetwork = DenseAutoencoderNetwork | MaskedNetwork


class PiecewiseTarget(TargetNetwork):
    """Another target for tables that reads, and reconstructs, the inputs and their pieces.

    Shapes
    ------
    Input: what `inputs` makes of (B, F), (B, F + pieces). Output: the same.
    """

    def __init__(self, pieces: PiecewiseLinearEncoding, network: TableNetwork) -> None:
        super().__init__()
        self.pieces = pieces
        self.network = network
        self.layers = tuple(f"network.{layer}" for layer in network.layers)

    def inputs(self, batch: Tensor) -> Tensor:
        """The inputs and their pieces."""
        return self.pieces(batch)  # type: ignore[no-any-return]

    def forward(self, inputs: Tensor) -> Tensor:
        """Reconstruct a batch that is cut."""
        return self.network(inputs)  # type: ignore[no-any-return]

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """Those of the other target."""
        return self.network.read(inputs)

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """Those of the other target."""
        return self.network.activations(inputs)

    def row_losses(self, batch: Tensor) -> Tensor:
        """Those of the other target."""
        return self.network.row_losses(self.inputs(batch))

    def mean_loss(self, batch: Tensor) -> Tensor:
        """That of the other target."""
        return self.network.mean_loss(self.inputs(batch))

    def reconstruction(self, output: Tensor) -> Tensor | None:
        """The other target's."""
        return self.network.reconstruction(output)
