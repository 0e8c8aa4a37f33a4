"""A target for tables that predicts the columns that it does not see from those that it sees."""

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from alarmnet.networks.targets.base import TargetNetwork

PASSES = 4
"""How often a row is read with some of its columns masked: each column is masked once."""

LEAST_MASKED, MOST_MASKED = 0.05, 0.55
"""The share of columns that are masked in training is drawn between these; at least one column is masked."""


class FirstLayers(NamedTuple):
    """The first layers of several passes over a row, side by side, as one linear layer."""

    weight: Tensor
    bias: Tensor

    @property
    def out_features(self) -> int:
        """How many numbers they put out."""
        return len(self.bias)


class MaskedNetwork(TargetNetwork):
    """Two hidden layers that read some columns of a row, and predict the other ones, which are masked.

    It learns how columns go together: a row is unusual if its columns are improbable given the others. In training,
    columns are masked at random. A row's loss comes from `PASSES` passes, each of which masks other columns.

    Source: masked cells as in Yin, Qiao, Zhou, Wang, Yang, "MCM: Masked Cell Modeling for Anomaly Detection in
    Tabular Data" (2024), section 3, but with random masks.

    Parameters
    ----------
    columns
        The column of each input, counted from 0, (W,).
    hidden
        The size of both hidden layers, H.
    trusted
        In training, the share of a batch's rows to learn from: those that are predicted best. A share below 1 keeps
        hidden anomalies from being learned.

    Shapes
    ------
    Input: (B, W), about [0, 1]. Output: (B, W), before the sigmoid; each input is predicted while its column is
    masked.
    """

    order: Tensor
    """The inputs as the layers have them: those that are masked in the same pass side by side."""
    columns: Tensor
    shares: Tensor
    """The column of each input, and its weight in the loss, in `order`."""
    generator: torch.Generator | None = None

    def __init__(self, columns: NDArray[np.intp], hidden: int, trusted: float = 1.0) -> None:
        super().__init__()
        self.trusted = trusted
        inputs = np.bincount(columns)  # of each column
        self.passes = min(PASSES, len(inputs))
        masked_in = columns % self.passes
        self._sizes = np.bincount(masked_in).tolist()
        order = masked_in.argsort(kind="stable")
        shares = (1 / (inputs[columns] * len(inputs))).astype(np.float32)
        for name, values in (("order", order), ("columns", columns[order]), ("shares", shares[order])):
            self.register_buffer(name, torch.from_numpy(values), persistent=False)
        self.seen = nn.Linear(len(columns), hidden, device="meta")
        self.masked = nn.Linear(len(inputs), hidden, bias=False, device="meta")
        self.second = nn.Linear(hidden, hidden, device="meta")
        self.output = nn.Linear(hidden, len(columns), device="meta")
        self.layers = ("second",)

    def mean_loss(self, batch: Tensor) -> Tensor:
        """The mean loss of columns that are masked at random, over the share of rows to learn from."""
        batch, columns = batch[:, self.order], self.masked.in_features
        drawn = torch.rand((len(batch), 2 + columns), generator=self.generator, device=batch.device)
        shares = LEAST_MASKED + (MOST_MASKED - LEAST_MASKED) * drawn[:, :1]
        always = (drawn[:, 1:2] * columns).long().clamp(max=columns - 1)
        masks = (drawn[:, 2:] < shares).scatter(1, always, True)
        masked = masks[:, self.columns]
        first = self.seen(batch.masked_fill(masked, 0)) + self.masked(masks.to(batch.dtype))
        losses = _losses(self.output(self._second(first)), batch) * masked * self.shares
        rows = losses.sum(1) * (columns / masks.sum(1))
        trusted = max(1, round(self.trusted * len(rows)))
        if trusted < len(rows):
            rows = rows.topk(trusted, largest=False, sorted=False).values
        return rows.mean()

    @property
    def first(self) -> FirstLayers:
        """The first layers of all passes, the last of which masks nothing: weights (passes x H, W)."""
        passes = torch.arange(self.passes + 1, device=self.columns.device)
        sees = self.columns % self.passes != passes[:, None]
        weight = (self.seen.weight * sees[:, None]).flatten(0, 1)
        return FirstLayers(weight[:, self.order.argsort()], self._starts().flatten())

    def _starts(self) -> Tensor:
        """What the first layer of each pass adds to any row (passes, H): its bias, and what masked columns say."""
        columns, passes = (
            torch.arange(count, device=self.columns.device)
            for count in (self.masked.in_features, self.passes + 1)
        )
        masks = columns % self.passes == passes[:, None]
        return torch.addmm(self.seen.bias, masks.to(self.masked.weight.dtype), self.masked.weight.T)

    def _first(self, batch: Tensor, given: Tensor | None = None) -> Sequence[Tensor]:
        """What the first layer of each pass puts out, (B, H) each; each weight is used once."""
        if given is not None:
            return given.chunk(self.passes + 1, dim=1)
        parts = (torch.split(of, self._sizes, dim=1) for of in (batch[:, self.order], self.seen.weight))
        own = [functional.linear(inputs, weights) for inputs, weights in zip(*parts, strict=True)]
        whole, (*starts, nothing_masked) = torch.stack(own).sum(0), self._starts()
        masked = [whole - part + start for part, start in zip(own, starts, strict=True)]
        return [*masked, whole + nothing_masked]

    def _second(self, first: Tensor) -> Tensor:
        return functional.relu(cast(Tensor, self.second(functional.relu(first))))

    def _predicted(self, first: Sequence[Tensor]) -> Tensor:
        """What is predicted of each input (B, W), in `order`, from what the first layers put out."""
        parts = (torch.split(of, self._sizes) for of in (self.output.weight, self.output.bias))
        layers = zip(first[:-1], *parts, strict=True)
        return torch.cat([functional.linear(self._second(read), *layer) for read, *layer in layers], dim=1)

    def forward(self, inputs: Tensor) -> Tensor:
        """Predict each column from those that are not masked with it."""
        return self.read(inputs)[1]

    def read(self, inputs: Tensor) -> tuple[list[Tensor], Tensor]:
        """What the second layer puts out if no column is masked, and what is predicted."""
        first = self._first(inputs)
        made = self._predicted(first)
        return [self._second(first[-1])], torch.empty_like(made).index_copy_(1, self.order, made)

    def activations(self, inputs: Tensor) -> list[Tensor]:
        """What the second layer puts out if no column is masked."""
        return [self.code(inputs)]

    def row_losses(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """The mean over columns of the mean loss of their inputs (B,); what `first` puts out may be given.

        Outside 0 and 1, where a cross-entropy would be below 0, the nearer of these is expected.
        """
        return self._row_losses(batch, self._first(batch, first))

    def _row_losses(self, batch: Tensor, first: Sequence[Tensor]) -> Tensor:
        expected = batch[:, self.order].clamp(0, 1)
        return _losses(self._predicted(first), expected) @ self.shares

    def code(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """What the second layer puts out if no column is masked, (B, H)."""
        return self._second(self._first(batch, first)[-1])

    def code_and_losses(self, batch: Tensor, first: Tensor | None = None) -> Tensor:
        """What `code` and `row_losses` give, (B, H + 1)."""
        passes = self._first(batch, first)
        return torch.cat([self._second(passes[-1]), self._row_losses(batch, passes)[:, None]], dim=1)

    def reconstruction(self, output: Tensor) -> Tensor:
        """What is predicted, on the scale of the inputs."""
        return output.sigmoid()


def _losses(made: Tensor, expected: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(made, expected, reduction="none")
