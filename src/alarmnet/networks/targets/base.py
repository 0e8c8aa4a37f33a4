"""What every target network has: layers to read, and a loss that says how it learns what is normal."""

from abc import ABC, abstractmethod

from torch import Tensor, nn


class TargetNetwork(nn.Module, ABC):
    """A built target: forward gives the `inputs` of a batch to (B, ...), `layers` names what the alarm reads.

    Reading keeps nothing on the network, so that many threads may read at once.
    """

    layers: tuple[str, ...]
    trainable: bool = True

    @abstractmethod
    def row_losses(self, batch: Tensor) -> Tensor:
        """The loss of each row, higher where the network knows it less: (B, ...) to (B,)."""

    def mean_loss(self, batch: Tensor) -> Tensor:
        """What training lowers: a scalar with the gradient of `row_losses`' mean, whose value may be estimated."""
        return self.row_losses(batch).mean()

    def inputs(self, batch: Tensor) -> Tensor:
        """What the network reads, and reconstructs, of a batch."""
        return batch

    @abstractmethod
    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """Run the network on `inputs`: what `layers` put out, in their order, and the network's output."""

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """What `layers` put out, without the output; the network need not run any further."""
        return self.read(inputs)[0]

    def reconstruction(self, output: Tensor) -> Tensor | None:
        """What the network put out, on the scale of its `inputs`; None where the target is not an autoencoder."""
        return None


class Target(ABC):
    """A recipe for a target network: a small value that prints, compares and is written into model files.

    To add one: a frozen dataclass with `build`, listed in `networks/targets/__init__.py`.
    """

    @abstractmethod
    def build(self, shape: tuple[int, ...]) -> TargetNetwork:
        """Make the network for rows of `shape`, (F,) or (C, H, W); `materialise` then draws its weights."""
