"""Synthetic anomalies for the alarm to learn from: A3's anomaly network (A3, sections 3.2 and 4.5)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from alarmnet._shared.random_streams import SEED_LIMIT, global_random_state, torch_generator
from alarmnet._shared.validation import check_real, check_sizes, check_type, check_whole
from alarmnet.errors import InputError
from alarmnet.networks.layers import materialise
from alarmnet.networks.targets.vae import VariationalAutoencoder
from alarmnet.networks.training import ALONE, Schedule, TrainingContext, train
from alarmnet.preprocessing.row_store import RowStore

Sampler = Callable[[Tensor, torch.Generator], Tensor]
"""Takes a batch of encoded rows and a random generator, and returns as many synthetic anomalies of that shape."""


class Generator(ABC):
    """A recipe for synthetic anomalies: a small value that prints, compares and is written into model files."""

    @abstractmethod
    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Learn what is needed from the normal training rows, and return the function that draws."""


@dataclass(frozen=True, kw_only=True)
class GaussianNoise(Generator):
    """Independent Gaussian noise for every input: the paper's generator for labelled training.

    The default, mean 0.5 and standard deviation 1, is the paper's for inputs scaled to [0, 1].

    Examples
    --------
    >>> from alarmnet.preprocessing.row_store import TensorRows
    >>> sample = GaussianNoise().sampler(TensorRows(torch.zeros(10, 3)), seed=0)
    >>> sample(torch.zeros(4, 3), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3])
    """

    mean: float = 0.5
    deviation: float = 1.0

    def __post_init__(self) -> None:
        check_real(self, "mean", self.mean, -math.inf)
        check_real(self, "deviation", self.deviation, 0)

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Return the function that draws; nothing is learned."""
        return lambda batch, generator: torch.empty_like(batch).normal_(
            self.mean, self.deviation, generator=generator
        )


@dataclass(frozen=True, kw_only=True)
class UniformNoise(Generator):
    """Independent uniform noise for every input, between `low` and `high`.

    Examples
    --------
    >>> from alarmnet.preprocessing.row_store import TensorRows
    >>> sample = UniformNoise().sampler(TensorRows(torch.zeros(10, 3)), seed=0)
    >>> bool(sample(torch.zeros(4, 3), torch.Generator().manual_seed(0)).max() < 1)
    True
    """

    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        check_real(self, "high", self.high, -math.inf)
        check_real(self, "low", self.low, -math.inf, self.high)

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Return the function that draws; nothing is learned."""
        return lambda batch, generator: torch.empty_like(batch).uniform_(
            self.low, self.high, generator=generator
        )


@dataclass(frozen=True, kw_only=True)
class ColumnSwap(Generator):
    """Rows in which some inputs come from other rows: each value is usual, but their combination is not.

    Such rows are closer to the normal rows than noise, and harder to recognise. Each synthetic anomaly draws a
    share between `low` and `high`, and takes this share of its inputs from other training rows, each input from a
    different row.

    Examples
    --------
    >>> from alarmnet.preprocessing.row_store import TensorRows
    >>> sample = ColumnSwap().sampler(TensorRows(torch.arange(6.0).reshape(3, 2)), seed=0)
    >>> sample(torch.zeros(4, 2), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 2])
    """

    low: float = 0.1
    high: float = 1.0

    def __post_init__(self) -> None:
        check_real(self, "high", self.high, 0, 1, open_ends=False)
        check_real(self, "low", self.low, 0, self.high, open_ends=False)

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Keep the training rows to draw from."""
        columns = rows.all().flatten(1)

        def sample(batch: Tensor, generator: torch.Generator) -> Tensor:
            flat = batch.flatten(1)
            count, width = flat.shape

            def uniform(*shape: int) -> Tensor:
                return torch.empty(shape, device=flat.device).uniform_(generator=generator)

            share = self.low + (self.high - self.low) * uniform(count, 1)
            donors = torch.randint(len(columns), (count, width), generator=generator, device=flat.device)
            other = columns.gather(0, donors)
            return torch.where(uniform(count, width) < share, other, flat).reshape(batch.shape)

        return sample


@dataclass(frozen=True, kw_only=True)
class VaeAnomalies(Generator):
    """Improbable codes of a variational autoencoder, decoded: the paper's generator without labels.

    The autoencoder learns the normal rows; a synthetic anomaly is decoded from the mean code of a row plus
    Gaussian noise of standard deviation `spread` (A3, section 3.2 and experiment 4).

    Examples
    --------
    >>> from alarmnet.preprocessing.row_store import TensorRows
    >>> small = VaeAnomalies(hidden=(8,), code=2, schedule=Schedule(steps=2))
    >>> sample = small.sampler(TensorRows(torch.rand(10, 3)), seed=0)
    >>> sample(torch.zeros(4, 3), torch.Generator().manual_seed(0)).shape
    torch.Size([4, 3])
    """

    hidden: tuple[int, ...] = (800, 400, 100)
    code: int = 25
    spread: float = 5.0
    schedule: Schedule = field(default=Schedule(epochs=30))

    def __post_init__(self) -> None:
        check_sizes(self, "hidden", self.hidden)
        check_whole(self, "code", self.code)
        check_real(self, "spread", self.spread, 0, open_ends=False)
        check_type(self, "schedule", self.schedule, Schedule)

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Train the autoencoder on the rows and return the function that decodes improbable codes."""
        network = VariationalAutoencoder(hidden=self.hidden, code=self.code).build(rows.shape)
        materialise(network, torch_generator(seed, "vae weights"))
        network.to(rows.device)
        train(
            network,
            lambda index: network.mean_loss(rows.take(index)),
            name="generator",
            rows=len(rows),
            schedule=self.schedule,
            generator=torch_generator(seed, "vae batches"),
            noise=torch_generator(seed, "vae noise", rows.device),
            context=context,
        )

        def sample(batch: Tensor, generator: torch.Generator) -> Tensor:
            with torch.no_grad():
                mean, _ = network.encode(batch)
                noise = torch.empty_like(mean).normal_(0, self.spread, generator=generator)
                return network.decode(mean + noise).sigmoid()

        return sample


class CallableGenerator(Generator):
    """A user's function that makes as many synthetic anomalies as a batch of encoded rows has, of the same shape.

    Model files do not hold the function, since only training needs it.

    Examples
    --------
    >>> from alarmnet.preprocessing.row_store import TensorRows
    >>> sample = CallableGenerator(lambda batch: 1 - batch).sampler(TensorRows(torch.zeros(10, 3)), seed=0)
    >>> sample(torch.zeros(2, 3), torch.Generator()).sum().item()
    6.0
    """

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Wrap the function with a check of what it returns."""

        def sample(batch: Tensor, generator: torch.Generator) -> Tensor:
            seed = int(torch.randint(SEED_LIMIT, (), generator=generator, device=batch.device))
            with global_random_state(batch.device, seed):
                made = self.function(batch)
            if not isinstance(made, Tensor) or made.shape != batch.shape:
                got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
                raise InputError(
                    f"the generator returned {got}; expected a tensor of the batch's shape {tuple(batch.shape)}",
                    code="wrong_shape",
                )
            return made.to(batch).detach()

        return sample


def as_generator(given: "Generator | Callable[[Tensor], Tensor] | None") -> Generator:
    """The generator that a detector's parameter means: a function is wrapped, None is `GaussianNoise()`."""
    if given is None:
        return GaussianNoise()
    return given if isinstance(given, Generator) else CallableGenerator(given)


GENERATORS: tuple[type[Generator], ...] = (GaussianNoise, UniformNoise, ColumnSwap, VaeAnomalies)
"""Recipes that a model file may name."""
