"""Deviation networks, from the paper alone: Pang, Shen, van den Hengel (KDD 2019)."""

from typing import ClassVar, Unpack

import torch
from torch import Tensor

from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import torch_generator
from alarmnet._shared.validation import check_real, check_sizes
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.networks.alarms import DenseAlarmNetwork
from alarmnet.networks.training import Schedule, chosen_schedule

REFERENCES = 5_000
"""Scores drawn from N(0, 1) in each step: only anomalies' scores should deviate from these."""

SCHEDULE = Schedule(steps=50 * 20, batch_size=256)


def deviation_loss(scores: Tensor, anomalous: Tensor, references: Tensor, *, margin: float) -> Tensor:
    """The mean over rows of |dev| for normal rows and max(0, margin - dev) for anomalies (equations 6 and 7).

    Shapes
    ------
    Scores and what is anomalous (B,), reference scores (R,), to a scalar.

    Examples
    --------
    >>> scores, references = torch.tensor([1.0, 2.0]), torch.tensor([-1.0, 1.0])
    >>> deviation_loss(scores, torch.tensor([False, True]), references, margin=5.0)
    tensor(2.)
    """
    deviations = (scores - references.mean()) / references.std(correction=0)
    return torch.where(anomalous, (margin - deviations).clamp(min=0), deviations.abs()).mean()


class DevNet(NeuralBaseline):
    """A deviation network: normal rows score like draws from N(0, 1), anomalies score `margin` above.

    Each step takes as many known anomalies as other rows; the anomalies are drawn with replacement. RMSprop trains
    the network. An image is read as a row of pixels.

    Parameters
    ----------
    hidden
        Sizes of the hidden layers. The authors' default is one layer of 20.
    margin
        How many standard deviations anomalies should score above the references.
    weight_penalty
        The weight of the hidden layers' squared weights in the loss.
    schedule
        How long the network trains. `batch_size` counts the other rows of a step. None: 50 epochs of 20 steps of
        512 rows, as in the paper.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.append(np.random.default_rng(0).normal(size=(99, 2)), [[9.0, 9.0]], axis=0)
    >>> model = DevNet(random_state=0).fit(rows, np.repeat([0, 1], [99, 1]))
    >>> model.decision_function(rows).argmax()
    np.int64(99)
    """

    name: ClassVar[str] = "devnet"
    learns_from_labels: ClassVar[bool] = True

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (20,),
        margin: float = 5.0,
        weight_penalty: float = 0.01,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.hidden = hidden
        self.margin = margin
        self.weight_penalty = weight_penalty

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_sizes(self, "hidden", self.hidden)
        check_real(self, "margin", self.margin, 0)
        check_real(self, "weight_penalty", self.weight_penalty, 0, open_ends=False)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        network = self._network = DenseAlarmNetwork(rows[0].numel(), tuple(self.hidden), dropout=0.0)
        self._start(network, rows)
        known = torch.from_numpy(labels.anomalous.nonzero()[0])
        draws = torch_generator(self.seed_, "known anomalies and references")
        schedule = chosen_schedule(self.schedule, SCHEDULE)

        def loss(others: Tensor) -> Tensor:
            drawn = known[torch.randint(len(known), (len(others),), generator=draws)]
            scores = network(rows[torch.cat([others, drawn])].flatten(1))
            anomalous = torch.arange(len(scores), device=scores.device) >= len(others)
            references = torch.randn(REFERENCES, generator=draws).to(scores.device)
            hidden = (weight for name, weight in network.hidden.named_parameters() if "weight" in name)
            penalty = self.weight_penalty * sum(weight.square().sum() for weight in hidden)
            return deviation_loss(scores, anomalous, references, margin=self.margin) + penalty

        rmsprop = torch.optim.RMSprop(network.parameters(), alpha=0.9, eps=1e-7)

        def step(learning_rate: float) -> None:
            rmsprop.param_groups[0]["lr"] = learning_rate
            rmsprop.step()

        self._train(
            network,
            loss,
            name="deviation",
            over=torch.from_numpy(normal_rows(labels)),
            schedule=schedule,
            device=rows.device,
            optimiser=step,
        )

    def _block_scores(self, block: Tensor) -> Tensor:
        scores: Tensor = self._network(block.flatten(1))
        return scores
