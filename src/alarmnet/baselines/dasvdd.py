"""Deep autoencoding support vector data descriptor, from the paper: Hojjati, Armanfard (2021)."""

from typing import ClassVar, Unpack

import torch
from torch import Tensor, nn

from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import torch_generator
from alarmnet._shared.validation import check_real, check_sizes
from alarmnet.baselines.encoder_and_decoder import encoder_and_decoder
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.networks.layers import materialise
from alarmnet.networks.optimiser import AdamW
from alarmnet.networks.training import Schedule, chosen_schedule

NETWORK_SHARE = 0.9
"""The share of each step's rows that the autoencoder learns from; the centre learns from the others."""

FIRST_WEIGHTS = 10
"""How many random initialisations the weight of the distance is averaged over."""

MEASURED_ROWS = 1024
"""The most rows that set the weight of the distance and the first centre."""

SCHEDULE = Schedule(epochs=50, batch_size=128)


class _Network(nn.Module):
    """An autoencoder that gives a row's two errors."""

    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Rows (B, ...) to codes (B, D) and squared errors of reconstruction (B,)."""
        codes: Tensor = self.encoder(batch)
        return codes, (self.decoder(codes) - batch).square().flatten(1).sum(1)


def _distances(codes: Tensor, centre: Tensor) -> Tensor:
    return (codes - centre).square().sum(1)


class DASVDD(NeuralBaseline):
    """An autoencoder and the sphere around its codes, learned together: its error plus the distance of the code.

    It learns the rows that are no known anomaly and needs no label. Each step the autoencoder learns from nine
    tenths of the rows, for the centre as it is; then the centre moves towards the codes of the others. The error of
    reconstruction keeps all codes from becoming one, so layers may have biases and the centre may move.

    Only the paper's abstract could be checked: the split of a step's rows, the rule for the weight and the centre's
    optimiser are as we know them from the paper; the networks and their schedule are ours.

    Parameters
    ----------
    hidden
        As in `DeepSVDD`, whose networks these are.
    distance_weight
        The paper's gamma: the weight of the code's squared distance in the loss and in the score. None: the weight
        that makes both terms equal before training, as a mean over ten random initialisations.
    schedule
        How long the networks train. None: 50 epochs of 128 rows a step, with a learning rate of 1e-3. AdaGrad moves
        the centre, with a learning rate of 1.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 3)).cumsum(axis=1)
    >>> model = DASVDD(random_state=0).fit(rows)
    >>> bool(model.decision_function([[9.0, -9.0, 9.0]]) > model.decision_function([[0.0, 0.0, 0.0]]))
    True
    """

    name: ClassVar[str] = "dasvdd"
    learns_from_labels: ClassVar[bool] = False
    _network: _Network

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] | None = None,
        distance_weight: float | None = None,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.hidden = hidden
        self.distance_weight = distance_weight

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.hidden is not None:
            check_sizes(self, "hidden", self.hidden)
        if self.distance_weight is not None:
            check_real(self, "distance_weight", self.distance_weight, 0, open_ends=False)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        network = self._network = _Network(
            *encoder_and_decoder(self, tuple(rows.shape[1:]), self.hidden, bias=True)
        )
        normal = torch.from_numpy(normal_rows(labels))
        some = rows[normal[:MEASURED_ROWS]]
        self.distance_weight_ = self._ratio(some) if self.distance_weight is None else self.distance_weight
        self._start(network, rows)
        with torch.no_grad():
            self.centre_ = network(some)[0].mean(0)
        centre = self.centre_.requires_grad_(True)
        schedule = chosen_schedule(self.schedule, SCHEDULE)
        of_network = AdamW(network, weight_decay=schedule.weight_decay)
        of_centre = torch.optim.Adagrad([centre], lr=1.0)

        def loss(index: Tensor) -> Tensor:
            learned = max(1, round(NETWORK_SHARE * len(index)))
            codes, errors = network(rows[index])
            near = _distances(codes[:learned], centre.detach())
            value: Tensor = (errors[:learned] + self.distance_weight_ * near).mean()
            if learned < len(index):
                value = value + self.distance_weight_ * _distances(codes[learned:].detach(), centre).mean()
            return value

        def step(learning_rate: float) -> None:
            of_network(learning_rate)
            of_centre.step()
            of_centre.zero_grad()

        self._train(
            network,
            loss,
            name="dasvdd",
            over=normal,
            schedule=schedule,
            device=rows.device,
            optimiser=step,
        )
        centre.requires_grad_(False)

    @torch.no_grad()
    def _ratio(self, rows: Tensor) -> float:
        """The mean ratio of reconstruction error to distance, over untrained networks."""
        drawn = torch_generator(self.seed_, "first weights")
        ratios = []
        for _ in range(FIRST_WEIGHTS):
            materialise(self._network, drawn)
            codes, errors = self._network.to(rows.device)(rows)
            ratios.append(float(errors.mean() / _distances(codes, codes.mean(0)).mean().clamp(min=1e-6)))
        return sum(ratios) / len(ratios)

    def _block_scores(self, block: Tensor) -> Tensor:
        codes, errors = self._network(block)
        scores: Tensor = errors + self.distance_weight_ * _distances(codes, self.centre_.to(block.device))
        return scores
