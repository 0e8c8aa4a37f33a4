"""A plain neural classifier, the "NN classifier" of E2E-ConvA3's Table 2, which gives no details."""

import math
from typing import ClassVar, Unpack

import torch
from torch import Tensor
from torch.nn import functional

from alarmnet._shared.labels import Labels
from alarmnet._shared.validation import check_real, check_sizes
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.networks.alarms import DenseAlarmNetwork
from alarmnet.networks.training import Schedule, chosen_schedule


def classifier_schedule(rows: int) -> Schedule:
    """A hundred epochs, or 1,000 steps where these are more; it stops after two checks, of 20, without progress.

    >>> [classifier_schedule(rows).steps for rows in (200, 25_600)]
    [1000, 10000]
    """
    return Schedule(steps=max(1000, 100 * math.ceil(rows / 256)), patience=2)


class NeuralClassifier(NeuralBaseline):
    """A dense network that tells known anomalies from all other rows. Each row counts the same.

    Use it to see what a network finds without activations and without synthetic anomalies. An image is read as a
    row of pixels.

    Parameters
    ----------
    hidden
        Sizes of the hidden layers.
    dropout
        The share of numbers dropped before the last layer.
    schedule
        How long the network trains. None: at most 100 epochs of 256 rows a step, or 1,000 steps if these are more.
        Training ends after ten epochs without a lower loss on held-out rows (a tenth), as in E2E-ConvA3.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.append(np.random.default_rng(0).normal(size=(99, 2)), [[9.0, 9.0]], axis=0)
    >>> model = NeuralClassifier(random_state=0).fit(rows, np.repeat([0, 1], [99, 1]))
    >>> model.decision_function(rows).argmax()
    np.int64(99)
    """

    name: ClassVar[str] = "neural-classifier"
    learns_from_labels: ClassVar[bool] = True

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (400, 100),
        dropout: float = 0.1,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.hidden = hidden
        self.dropout = dropout

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_sizes(self, "hidden", self.hidden)
        check_real(self, "dropout", self.dropout, 0, 0.99, open_ends=False)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        network = self._network = DenseAlarmNetwork(rows[0].numel(), tuple(self.hidden), self.dropout)
        self._start(network, rows)
        schedule = chosen_schedule(self.schedule, classifier_schedule(len(rows)))
        parts = [
            self._hold_out(part, schedule) for part in (normal_rows(labels), labels.anomalous.nonzero()[0])
        ]
        training, held = (torch.cat(kind) for kind in zip(*parts, strict=True))
        wanted = torch.from_numpy(labels.anomalous).to(rows.device, torch.float32)

        def loss(index: Tensor) -> Tensor:
            logits = network(rows[index].flatten(1))
            return functional.binary_cross_entropy_with_logits(logits, wanted[index])

        self._train(
            network,
            loss,
            name="classifier",
            over=training,
            schedule=schedule,
            device=rows.device,
            validation_loss=(lambda: loss(held)) if len(held) else None,
        )

    def _block_scores(self, block: Tensor) -> Tensor:
        logits: Tensor = self._network(block.flatten(1))
        return logits
