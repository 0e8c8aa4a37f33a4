"""The reconstruction error of an autoencoder, the A3 paper's first baseline (section 4.2)."""

from typing import ClassVar, Unpack, cast

import torch
from torch import Tensor

from alarmnet._shared.labels import Labels
from alarmnet._shared.validation import check_type
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.detectors.a3 import target_schedule
from alarmnet.networks.targets import (
    TARGETS,
    AnyAutoencoder,
    ConvAutoencoder,
    DenseAutoencoder,
    TargetNetwork,
)
from alarmnet.networks.training import chosen_schedule
from alarmnet.preprocessing.row_store import rows_at


class AutoencoderBaseline(NeuralBaseline):
    """The squared reconstruction error of an autoencoder that learned all rows but the known anomalies.

    Use it to see what A3's alarm adds to A3's target network. The autoencoder needs no label.

    Parameters
    ----------
    target
        An autoencoder, as in `A3Detector`. None: dense for tables, convolutional for images.
    schedule
        How long the autoencoder trains. None: as long as `A3Detector` trains its target. `Schedule(epochs=30)` is
        the paper's.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 3)).cumsum(axis=1)
    >>> model = AutoencoderBaseline(random_state=0).fit(rows)
    >>> bool(model.decision_function([[9.0, -9.0, 9.0]]) > model.decision_function([[0.0, 0.0, 0.0]]))
    True
    """

    name: ClassVar[str] = "autoencoder"
    learns_from_labels: ClassVar[bool] = False
    _network: TargetNetwork

    def __init__(
        self,
        *,
        target: AnyAutoencoder | None = None,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.target = target

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_type(self, "target", self.target, *TARGETS)

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        recipe = self.target or (DenseAutoencoder() if rows.dim() == 2 else ConvAutoencoder())
        network = self._network = recipe.build(tuple(rows.shape[1:]))
        self._start(network, rows)
        normal = normal_rows(labels)
        schedule = chosen_schedule(self.schedule, target_schedule(len(normal)))
        training, held = self._hold_out(normal, schedule)
        self._train(
            network,
            lambda index: network.mean_loss(rows_at(rows, index)),
            name="autoencoder",
            over=training,
            schedule=schedule,
            device=rows.device,
            validation_loss=(lambda: network.row_losses(rows[held]).mean()) if len(held) else None,
        )

    def _block_scores(self, block: Tensor) -> Tensor:
        made = cast(Tensor, self._network.reconstruction(self._network(block)))
        return torch.square(made - block).flatten(1).mean(1)
