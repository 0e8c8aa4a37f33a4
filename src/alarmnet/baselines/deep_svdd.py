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
"""The least absolute value of the centre's coordinates: weights of zero would reach a centre at 0."""

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
    """The squared distance of a row's code from a centre. Training moves codes of normal rows towards the centre.

    It learns all rows but the known anomalies and needs no label. First an autoencoder is trained; the mean of its
    codes becomes the centre. Then its encoder is trained alone. Layers have no bias, so that the encoder cannot
    learn a constant code.

    Parameters
    ----------
    hidden
        Of tables, sizes of the layers down to the code; of images, channels of the convolutions and the size of
        the code. None: by the number of columns; (8, 4, 32) for grey images and (32, 64, 128, 128) for colour, as
        in the paper.
    weight_penalty
        The paper's lambda: the loss adds half of it times the sum of the squared weights.
    pretraining_schedule, schedule
        How long the autoencoder and then the encoder train, with 200 rows a step. None: 100 and 150 epochs. The
        learning rate falls from 1e-4 along a cosine; in the paper it falls to a tenth in one step.
    encoder, anomaly_label, device, random_state, verbose
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
