"""What baselines with a network share: weights from the seed, alarmnet's training loop, scores by block."""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from alarmnet._shared.blocks import block_size
from alarmnet._shared.devices import chosen_device
from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import numpy_generator, torch_generator
from alarmnet._shared.threads import operations, threads_for
from alarmnet._shared.validation import check_verbose
from alarmnet.baselines.base import Baseline, BaselineParameters, Matrix, Scores
from alarmnet.networks.channels_last import place
from alarmnet.networks.layers import materialise
from alarmnet.networks.progress import progress_for
from alarmnet.networks.training import (
    VALIDATION_SHARE,
    ProgressFunction,
    Schedule,
    TrainingContext,
    check_schedule,
    train,
)
from alarmnet.preprocessing.rows import Index, draw


class NeuralParameters(BaselineParameters, total=False):
    """What `NeuralBaseline` takes: a baseline passes it on, `super().__init__(**shared)`."""

    schedule: Schedule | None
    device: str
    verbose: bool | ProgressFunction


class NeuralBaseline(Baseline):
    """A baseline that trains a network; `schedule`, `device` and `verbose` are as in `A3Detector`."""

    _network: nn.Module

    def __init__(
        self,
        *,
        schedule: Schedule | None = None,
        device: str = "auto",
        verbose: bool | ProgressFunction = False,
        **shared: Unpack[BaselineParameters],
    ) -> None:
        super().__init__(**shared)
        self.schedule = schedule
        self.device = device
        self.verbose = verbose

    @abstractmethod
    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        """Make and train the network on rows (N, ...), which are on the device."""

    @abstractmethod
    def _block_scores(self, block: Tensor) -> Tensor:
        """Rows (B, ...) to one number a row (B,): higher is more anomalous."""

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_schedule(self, "schedule", self.schedule)
        check_verbose(self, self.verbose)
        self._device()

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        self.history_: dict[str, list[dict[str, float]]] = {}
        with progress_for(self.verbose) as progress, threads_for(math.inf):
            self._context = TrainingContext(progress)
            self._fit_network(torch.from_numpy(rows).to(self._device()), labels)
        del self._context

    def _scores(self, rows: Matrix) -> Scores:
        device = self._device()
        place(self._network, device)
        size = block_size(rows.shape[1:])
        work = operations(self._network, size, training=False)
        with torch.inference_mode(), threads_for(work):
            blocks = torch.split(torch.from_numpy(rows), size)
            return torch.cat(
                [self._block_scores(block.to(device)).double().cpu() for block in blocks]
            ).numpy()

    def _device(self) -> torch.device:
        return chosen_device(self.device, parameter=f"The 'device' parameter of {type(self).__name__}")

    def _start(self, network: nn.Module, rows: Tensor) -> None:
        """Give a network built without memory its first weights, where the rows are."""
        materialise(network, torch_generator(self.seed_, "weights"))
        network.to(rows.device)

    def _hold_out(self, pool: Index, schedule: Schedule) -> tuple[Tensor, Tensor]:
        """Row numbers to train on, and row numbers to watch if the schedule has patience."""
        count = int(VALIDATION_SHARE * len(pool)) if schedule.patience else 0
        held, rest = draw(pool, count, numpy_generator(self.seed_, "validation rows"))
        return torch.from_numpy(rest), torch.from_numpy(held)

    def _train(
        self,
        network: nn.Module,
        loss: Callable[[Tensor], Tensor],
        *,
        name: str,
        over: Tensor,
        schedule: Schedule,
        device: torch.device,
        **options: Any,
    ) -> None:
        """Train with losses of row numbers, drawn from those in `over`."""
        self.history_[name] = train(
            network,
            lambda index: loss(over[index]),
            name=name,
            rows=len(over),
            schedule=schedule,
            generator=torch_generator(self.seed_, f"{name} batches"),
            noise=torch_generator(self.seed_, f"{name} noise", device),
            context=self._context,
            **options,
        )


def normal_rows(labels: Labels) -> Index:
    """Row numbers of all that are not known anomalies."""
    return np.flatnonzero(~labels.anomalous)
