"""Deep support vector data description, one-class, from the paper: Ruff et al. (ICML 2018)."""

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional

from alarmnet._shared.labels import Labels
from alarmnet._shared.validation import check_real, check_sizes
from alarmnet.baselines.encoder_and_decoder import encoder_and_decoder
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.networks.training import Schedule, check_schedule, chosen_schedule

NEAREST = 0.1
"""No coordinate of the centre is nearer to 0, which weights of zero would reach."""

PRETRAINING = Schedule(epochs=100, batch_size=200, learning_rate=1e-4, decay=True)
SCHEDULE = Schedule(epochs=150, batch_size=200, learning_rate=1e-4, decay=True)


def centre_of(codes: Tensor) -> Tensor:
    """The mean of the initial codes (N, D), moved away from 0 coordinate by coordinate (D,).

    >>> centre_of(torch.tensor([[0.0, -0.02, 3.0], [0.02, -0.02, 5.0]]))
    tensor([ 0.1000, -0.1000,  4.0000])
    """
    mean = codes.mean(0)
    return torch.where(mean < 0, mean.clamp(max=-NEAREST), mean.clamp(min=NEAREST))


class DeepSVDD(NeuralBaseline):
    """The squared distance of a row's code from a centre that the codes of normal rows were drawn to.

    It learns the rows that are no known anomaly and needs no label: an autoencoder first, whose codes' mean is the
    centre; then its encoder alone. No layer has a bias, so that no constant code is learned.

    Parameters
    ----------
    hidden
        Of tables, sizes of the layers down to the code; of images, channels of the convolutions and the size of
        the code. None: by the number of columns; (8, 4, 32) for grey images and (32, 64, 128, 128) for colour, as
        in the paper.
    weight_penalty
        Half of it times the squared weights, in the loss (lambda).
    pretraining_schedule, schedule
        How long the autoencoder and then the encoder train, 200 rows a step. None: 100 and 150 epochs from a
        learning rate of 1e-4 down, where the paper goes on at a tenth of it.
    encoder, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 3)).cumsum(axis=1)
    >>> model = DeepSVDD(random_state=0).fit(rows)
    >>> bool(model.decision_function([[9.0, -9.0, 9.0]]) > model.decision_function([[0.0, 0.0, 0.0]]))
    True
    """

    name: ClassVar[str] = "deep-svdd"
    learns_from_labels: ClassVar[bool] = False

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] | None = None,
        weight_penalty: float = 1e-6,
        pretraining_schedule: Schedule | None = None,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.hidden = hidden
        self.weight_penalty = weight_penalty
        self.pretraining_schedule = pretraining_schedule

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.hidden is not None:
            check_sizes(self, "hidden", self.hidden)
        check_schedule(self, "pretraining_schedule", self.pretraining_schedule)
        check_real(self, "weight_penalty", self.weight_penalty, 0, open_ends=False)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        pair = encoder_and_decoder(self, tuple(rows.shape[1:]), self.hidden, bias=False)
        network = self._network = pair[0]
        autoencoder = nn.Sequential(*pair)
        self._start(autoencoder, rows)
        normal = torch.from_numpy(normal_rows(labels))
        self._train(
            autoencoder,
            lambda index: functional.mse_loss(autoencoder(rows[index]), rows[index]),
            name="autoencoder",
            over=normal,
            schedule=chosen_schedule(self.pretraining_schedule, PRETRAINING),
            device=rows.device,
        )
        with torch.no_grad():
            self.centre_ = centre_of(torch.cat([network(rows[part]) for part in torch.split(normal, 1024)]))
        self._train(
            network,
            lambda index: self._block_scores(rows[index]).mean() + self._penalty(),
            name="deep SVDD",
            over=normal,
            schedule=chosen_schedule(self.schedule, SCHEDULE),
            device=rows.device,
        )

    def _penalty(self) -> Tensor:
        squares = [weight.square().sum() for weight in self._network.parameters()]
        return self.weight_penalty / 2 * torch.stack(squares).sum()

    def _block_scores(self, block: Tensor) -> Tensor:
        distances: Tensor = (self._network(block) - self.centre_.to(block.device)).square().sum(1)
        return distances
