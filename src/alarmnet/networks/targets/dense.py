"""The dense autoencoder: A3's target for tables (A3, Table 2)."""

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from alarmnet._shared.validation import check_choice, check_real, check_sizes
from alarmnet.errors import InputError
from alarmnet.networks.activations import names_within, run_through
from alarmnet.networks.layers import SeededDropout
from alarmnet.networks.targets.base import Target, TargetNetwork

ReconstructionLoss = Literal["cross-entropy", "squared"]


def reconstruction_losses(output: Tensor, batch: Tensor, loss: ReconstructionLoss) -> Tensor:
    """Mean over a row's inputs: (B, ...) and (B, ...) to (B,); `output` is before its sigmoid."""
    if loss == "cross-entropy":
        values = functional.binary_cross_entropy_with_logits(output, batch, reduction="none")
    else:
        values = functional.mse_loss(output, batch, reduction="none")
    return values.flatten(1).mean(1)


class _MeanCrossEntropy(torch.autograd.Function):
    """The mean of `reconstruction_losses` for training, whose gradient needs no logarithm.

    The gradient is that of all rows. The value, which is only reported, is the mean of one row in eight.
    """

    @staticmethod
    def forward(ctx: Any, output: Tensor, batch: Tensor) -> Tensor:
        ctx.save_for_backward(output.sigmoid().sub_(batch))
        value = reconstruction_losses(output[::8], batch[::8], "cross-entropy").mean()
        return value + 0 * output.sum()  # not finite if any row is not

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (differences,) = ctx.saved_tensors
        rows, inputs = len(differences), differences[0].numel()
        return differences.mul_(gradients[0] / rows / inputs), None


def mean_reconstruction_loss(output: Tensor, batch: Tensor, loss: ReconstructionLoss) -> Tensor:
    """What training lowers, of what `reconstruction_losses` takes; a cross-entropy's value is estimated."""
    if loss == "cross-entropy":
        return _MeanCrossEntropy.apply(output, batch)  # type: ignore[no-untyped-call,no-any-return]
    return reconstruction_losses(output, batch, loss).mean()


def suggested_hidden(width: int) -> tuple[int, ...]:
    """Hidden sizes in the paper's manner: the first a little larger than the input, then halving to a code.

    >>> suggested_hidden(122)
    (160, 80, 40, 20)
    """
    first = min(512, 32 * math.ceil(1.25 * width / 32))
    return tuple(max(4, first // 2**level) for level in range(4))


class DenseAutoencoderNetwork(TargetNetwork):
    """Linear and ReLU down to a code and up again; dropout before the output layer.

    Shapes
    ------
    Input: (B, F). Output: (B, F), before the sigmoid where the loss is cross-entropy.
    """

    def __init__(
        self,
        width: int,
        hidden: tuple[int, ...],
        dropout: float,
        loss: ReconstructionLoss,
    ) -> None:
        super().__init__()
        self.loss: ReconstructionLoss = loss
        sizes = (width, *hidden, *hidden[-2::-1])
        self.hidden = nn.Sequential()
        for number, (before, after) in enumerate(itertools.pairwise(sizes), start=1):
            self.hidden.add_module(f"linear{number}", nn.Linear(before, after, device="meta"))
            self.hidden.add_module(f"relu{number}", nn.ReLU(inplace=True))
        self.layers = tuple(f"hidden.relu{number}" for number in range(1, len(sizes)))
        self.down = 2 * len(hidden)  # modules from the inputs to the code
        self.dropout = SeededDropout(dropout)
        self.output = nn.Linear(sizes[-1], width, device="meta")

    def forward(self, batch: Tensor) -> Tensor:
        """Reconstruct a batch."""
        output: Tensor = self.output(self.dropout(self.hidden(batch)))
        return output

    @property
    def first(self) -> nn.Linear:
        """The first layer."""
        return cast(nn.Linear, self.hidden[0])

    def after_first(self, first: Tensor) -> Tensor:
        """Reconstruct a batch on the processor, of which the first layer's output is known; it is kept."""
        output: Tensor = self.output(self.dropout(self.hidden[1:](_laid_out(first))))
        return output.to_dense()

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """The hidden ReLUs' outputs, and the network's."""
        last, found = self._run_hidden(inputs)
        return found, self.output(self.dropout(last))

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """Without the output layer."""
        return self._run_hidden(inputs)[1]

    def _run_hidden(self, inputs: Tensor) -> tuple[Tensor, list[Tensor]]:
        return run_through(self.hidden.named_children(), inputs, names_within("hidden", self.layers))

    def row_losses(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """Reconstruction loss, one number a row; the first layer's output may be given, as to `after_first`."""
        output = self(batch) if first is None else self.after_first(first)
        return reconstruction_losses(output, batch, self.loss)

    def code(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """The activations of the narrowest layer (B, C).

        The first layer's output may be given, as to `after_first`.
        """
        return self._code(batch, first).to_dense()

    def code_and_losses(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """What `code` gives, and the reconstruction loss of inputs between 0 and 1, (B, C + 1).

        Outside this range, where a cross-entropy would be below 0, the nearer end is expected.
        """
        code = self._code(batch, first)
        output = self.output(self.dropout(self.hidden[self.down :](code))).to_dense()
        losses = reconstruction_losses(output, batch.clamp(0, 1), self.loss)
        return torch.cat([code.to_dense(), losses[:, None]], dim=1)

    def _code(self, batch: Tensor, first: Tensor | None) -> Tensor:
        begun, start = (batch, 0) if first is None else (_laid_out(first), 1)
        code: Tensor = self.hidden[start : self.down](begun)
        return code

    def mean_loss(self, batch: Tensor) -> Tensor:
        """Mean of the reconstruction losses; a cross-entropy's value is that of one row in eight."""
        return mean_reconstruction_loss(self(batch), batch, self.loss)

    def reconstruction(self, output: Tensor) -> Tensor:
        """The network's output on the scale of the inputs."""
        return output.sigmoid() if self.loss == "cross-entropy" else output


def _laid_out(first: Tensor) -> Tensor:
    """A copy for the layers after the first: oneDNN has a layout of its own, and is twice as fast as MKL on AMD."""
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return first.to_mkldnn() if there else first.clone()


@dataclass(frozen=True, kw_only=True)
class DenseAutoencoder(Target):
    """Dense autoencoder for tables; the activations read are the outputs of all hidden ReLUs.

    Parameters
    ----------
    hidden
        Sizes from the first hidden layer to the code; the way back mirrors them. None chooses them from the
        number of inputs. The paper's: NSL-KDD (200, 100, 50, 25), IDS (150, 80, 40, 20), credit card
        (50, 25, 10, 5).
    dropout
        Share dropped before the output layer.
    loss
        `"cross-entropy"` (the paper's: sigmoid output, inputs about [0, 1]) or `"squared"` (linear output).

    Examples
    --------
    >>> network = DenseAutoencoder(hidden=(200, 100, 50, 25)).build((122,))
    >>> len(network.layers), network.hidden[0]
    (7, Linear(in_features=122, out_features=200, bias=True))
    """

    hidden: tuple[int, ...] | None = None
    dropout: float = 0.1
    loss: ReconstructionLoss = "cross-entropy"

    def __post_init__(self) -> None:
        if self.hidden is not None:
            check_sizes(self, "hidden", self.hidden)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)
        check_choice(self, "loss", self.loss, ("cross-entropy", "squared"))

    def build(self, shape: tuple[int, ...]) -> DenseAutoencoderNetwork:
        """Make the network for rows of `shape` (F,)."""
        if len(shape) != 1:
            raise InputError(
                f"DenseAutoencoder is for tables; rows of shape {shape} are images: use ConvAutoencoder",
                code="wrong_kind_of_data",
            )
        hidden = suggested_hidden(shape[0]) if self.hidden is None else tuple(self.hidden)
        return DenseAutoencoderNetwork(shape[0], hidden, self.dropout, self.loss)
