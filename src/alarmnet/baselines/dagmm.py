"""Deep autoencoding Gaussian mixture model, from the paper: Zong et al. (ICLR 2018)."""

import itertools
from typing import ClassVar, Unpack

import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal
from torch.nn import functional

from alarmnet._shared.labels import Labels
from alarmnet._shared.validation import check_real, check_sizes, check_whole
from alarmnet.baselines.base import Matrix, Scores, flat
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.errors import TrainingDivergedError
from alarmnet.networks.layers import SeededDropout
from alarmnet.networks.training import Schedule, chosen_schedule

SMALLEST = 1e-6
"""Added to divisors, and to the variances of a mixture."""

SCHEDULE = Schedule(epochs=200, batch_size=1024, learning_rate=1e-4)


def fitted_mixture(codes: Tensor, memberships: Tensor) -> MixtureSameFamily:
    """The Gaussian mixture of codes (N, D) that belong to its K parts by `memberships` (N, K) (equation 5)."""
    share = memberships.sum(0) + SMALLEST  # (K,)
    means = memberships.T @ codes / share[:, None]
    apart = codes[:, None] - means  # (N, K, D)
    spread = torch.einsum("nk,nkd,nke->kde", memberships, apart, apart) / share[:, None, None]
    floor = SMALLEST * torch.eye(codes.shape[1], dtype=codes.dtype, device=codes.device)
    try:
        parts = MultivariateNormal(means, spread + floor, validate_args=False)
    except torch.linalg.LinAlgError as error:  # type: ignore[attr-defined]
        raise TrainingDivergedError(
            "the spread of DAGMM's codes is no longer finite; lower its learning rate"
        ) from error
    return MixtureSameFamily(Categorical(share, validate_args=False), parts, validate_args=False)


def energies(mixture: MixtureSameFamily, codes: Tensor) -> Tensor:
    """Minus the log-likelihood of codes (B, D), one number a row (B,): higher is more anomalous (equation 6)."""
    likelihood: Tensor = mixture.log_prob(codes)  # type: ignore[no-untyped-call]
    return -likelihood


def _dense(sizes: tuple[int, ...]) -> nn.Sequential:
    """Linear layers with tanh between them, and a linear end."""
    steps: list[nn.Module] = []
    for before, after in itertools.pairwise(sizes):
        steps += [nn.Linear(before, after, device="meta"), nn.Tanh()]
    return nn.Sequential(*steps[:-1])


class _Network(nn.Module):
    """Compresses rows to a code and two measures of the loss, and estimates memberships."""

    def __init__(self, width: int, hidden: tuple[int, ...], estimation: int, mixtures: int) -> None:
        super().__init__()
        self.encoder, self.decoder = _dense((width, *hidden)), _dense((*hidden[::-1], width))
        first = nn.Linear(hidden[-1] + 2, estimation, device="meta")
        last = nn.Linear(estimation, mixtures, device="meta")
        self.estimation = nn.Sequential(first, nn.Tanh(), SeededDropout(0.5), last, nn.Softmax(dim=1))

    def forward(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (B, F) to codes (B, D), memberships (B, K) and squared errors (B,)."""
        code = self.encoder(batch)
        made = self.decoder(code)
        distance = (batch - made).norm(dim=1)
        lost = (distance / (batch.norm(dim=1) + 1e-3), functional.cosine_similarity(batch, made))
        code = torch.cat([code, torch.stack(lost, dim=1)], dim=1)
        return code.double(), self.estimation(code).double(), distance.square()


class DAGMM(NeuralBaseline):
    """The energy of a row's code in a Gaussian mixture, learned together with the codes.

    It learns all rows but the known anomalies and needs no label. Columns are standardised. An image is read as a
    row of pixels. The defaults are the settings of the A3 paper's comparison.

    Parameters
    ----------
    hidden
        Sizes of the compression network's layers down to the code. The decoder mirrors these sizes.
    estimation
        The size of the hidden layer in the network that estimates memberships.
    mixtures
        The number of parts of the mixture.
    energy_weight, variance_weight
        The weights of the mean energy and of the penalty for small variances (lambda 1 and 2).
    schedule
        How long it trains. None: 200 epochs of 1,024 rows a step at a learning rate of 1e-4.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> model = DAGMM(schedule=Schedule(steps=50), random_state=0).fit(rows)
    >>> bool(model.decision_function([[9.0, 9.0, 9.0]]) > model.decision_function([[0.1, 0.1, 0.1]]))
    True
    """

    name: ClassVar[str] = "dagmm"
    learns_from_labels: ClassVar[bool] = False
    _network: _Network

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (60, 30, 10),
        estimation: int = 10,
        mixtures: int = 4,
        energy_weight: float = 0.1,
        variance_weight: float = 0.005,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.hidden = hidden
        self.estimation = estimation
        self.mixtures = mixtures
        self.energy_weight = energy_weight
        self.variance_weight = variance_weight

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_sizes(self, "hidden", self.hidden)
        check_whole(self, "estimation", self.estimation)
        check_whole(self, "mixtures", self.mixtures)
        check_real(self, "energy_weight", self.energy_weight, 0, open_ends=False)
        check_real(self, "variance_weight", self.variance_weight, 0, open_ends=False)

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        self._scaler = StandardScaler().fit(flat(rows)[~labels.anomalous])
        super()._learn(self._scaler.transform(flat(rows)), labels)

    def _scores(self, rows: Matrix) -> Scores:
        return super()._scores(self._scaler.transform(flat(rows)))

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        network = self._network = _Network(rows.shape[1], tuple(self.hidden), self.estimation, self.mixtures)
        self._start(network, rows)
        normal = torch.from_numpy(normal_rows(labels))
        self._train(
            network,
            lambda index: self._loss(*network(rows[index])),
            name="mixture",
            over=normal,
            schedule=chosen_schedule(self.schedule, SCHEDULE),
            device=rows.device,
        )
        with torch.no_grad():
            parts = [network(part)[:2] for part in torch.split(rows[normal], 4096)]
            codes, memberships = (torch.cat(kind) for kind in zip(*parts, strict=True))
            self._mixture = fitted_mixture(codes, memberships)

    def _loss(self, codes: Tensor, memberships: Tensor, errors: Tensor) -> Tensor:
        mixture = fitted_mixture(codes, memberships)
        energy = energies(mixture, codes).mean()
        penalty = mixture.component_distribution.variance.reciprocal().sum()
        return errors.mean() + self.energy_weight * energy + self.variance_weight * penalty

    def _block_scores(self, block: Tensor) -> Tensor:
        return energies(self._mixture, self._network(block)[0])
