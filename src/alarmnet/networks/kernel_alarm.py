"""A kernel alarm: log odds that change smoothly with the distances to known anomalies and to normal rows."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor, nn

from alarmnet._shared.evenly import evenly

MOST = 500
"""The most rows of a class that rows are compared with."""

FARTHEST = 5.0
"""Scaled numbers are cut off here: one odd number must not make a row unlike all others."""

PENALTIES = np.logspace(-4, 2, 7)
"""The penalties that are tried, by the row."""

MOST_CERTAIN = 3.0
"""The bound of the log odds: this alarm is one opinion among several."""

STEEPNESS = 1e-3
"""The penalty of slope and offset: without it, they would grow without end where no left-out row is mistaken."""

CURVED = 0.2
"""The share of products of columns in a quadratic kernel."""

Numbers = NDArray[np.float64]

Kernel = Callable[[Tensor, Tensor, Tensor], Tensor]
"""How alike rows (B, F) and others (M, F) are, (B, M); by the spread of normal rows, a scalar."""


def gaussian(rows: Tensor, others: Tensor, spread: Tensor) -> Tensor:
    """Only rows that are near are alike: 1 where they are equal, 0 far away."""
    return (-_squares(rows, others) / spread).exp()


def quadratic(rows: Tensor, others: Tensor, spread: Tensor) -> Tensor:
    """Rows in the same direction are alike. A weighted sum of such is a sum of columns and of products of two.

    In float64: weights may be large and cancel, and alarms must not depend on the processor.
    """
    return (1 + CURVED / spread.double() * rows.double() @ others.double().T).square()


class KernelAlarm(nn.Module):
    """The log odds of an anomaly by a least-squares classifier with a kernel for each learned row.

    Trees cut along columns; this alarm follows slanted and curved boundaries, and needs few anomalies for that. It
    speaks only for an anomaly, and its log odds are at least 0: a row unlike known anomalies may be of a new kind.

    Both classes count the same. The penalty is chosen, and the classifier's output becomes log odds, by what the
    classifier says of rows that are left out: of each row in turn, in closed form. The log odds are multiplied by
    the share of the uncertainty that they remove, so that a classifier that cannot tell the classes apart says
    little.

    Sources: Suykens and Vandewalle, "Least squares support vector machine classifiers" (1999), for the
    classifier; Cawley, "Leave-one-out cross-validation based model selection criteria for weighted LS-SVMs"
    (2006), for leaving out rows; Platt, "Probabilistic outputs for support vector machines" (1999), for log odds.

    Parameters
    ----------
    normal, known
        How many normal rows and how many known anomalies it compares rows with; each at most `MOST`.
    width
        Of the rows, F.
    kernel
        `gaussian` or `quadratic`.

    Shapes
    ------
    Input: rows in standard deviations from the mean of normal rows, (B, F). Output: (B,).

    Examples
    --------
    >>> normal = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    >>> alarm = KernelAlarm.learned(normal, torch.tensor([[3.0, 3.0], [3.2, 3.0], [3.0, 3.2]]))
    >>> alarm(torch.tensor([[3.1, 3.1], [0.0, 0.0]])).sign()
    tensor([1., 0.])
    """

    rows: Tensor
    known: Tensor
    weights: Tensor
    spread: Tensor
    offset: Tensor

    def __init__(self, normal: int, known: int, width: int, kernel: Kernel = gaussian) -> None:
        super().__init__()
        self._kernel = kernel
        self.register_buffer("rows", torch.zeros(normal + known, width), persistent=False)
        self.register_buffer("known", torch.zeros(known, width))
        self.register_buffer("weights", torch.zeros(normal + known))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("offset", torch.zeros(()))

    @classmethod
    def learned(
        cls, normal: Tensor, known: Tensor, kernel: Kernel = gaussian, *, unlabelled: Tensor | None = None
    ) -> "KernelAlarm":
        """Learn to tell known anomalies (K, F) from normal rows (M, F), both scaled.

        Some of the latter may be `unlabelled` (M,): these count by the probability that they are normal, by what a
        first classifier says of them if they are left out.
        """
        alarm = cls(0, 0, normal.shape[1], kernel).to(normal.device)
        alarm.known = _cut_off(known[evenly(len(known), MOST)])
        alarm.compare(normal)
        sizes = [kept_of(len(normal)), len(alarm.known)]
        rows = alarm.rows.double().cpu()
        spread = _squares(rows[: sizes[0]], rows[: sizes[0]]).mean().clamp(min=1e-9) / 2
        shares = np.repeat([0.5 / size for size in sizes], sizes)
        alike = kernel(rows, rows, spread).numpy()
        classes = np.repeat([-1.0, 1.0], sizes)
        found = _learned(alike, classes, shares)
        if unlabelled is not None:
            doubted = unlabelled[evenly(len(normal), MOST)].numpy(force=True)
            counted, left_out = shares[: sizes[0]], found.left_out[: sizes[0]]
            counted[doubted] *= expit(-left_out[doubted])
            counted *= 0.5 / counted.sum()
            found = _learned(alike, classes, shares)
        alarm.spread, alarm.offset = spread.to(normal), torch.tensor(found.offset).to(normal)
        alarm.weights = torch.from_numpy(found.weights).to(normal)
        return alarm

    def compare(self, normal: Tensor) -> None:
        """Compare with these normal rows (M, F); a model file holds them elsewhere."""
        self.rows = torch.cat([_cut_off(normal[evenly(len(normal), MOST)]), self.known])

    def forward(self, rows: Tensor) -> Tensor:
        """The log odds of rows."""
        alike = self._kernel(_cut_off(rows), self.rows, self.spread)
        log_odds: Tensor = (alike @ self.weights.to(alike) + self.offset).clamp(0, MOST_CERTAIN)
        return log_odds.to(rows)


def kept_of(rows: int) -> int:
    """How many of so many rows it compares rows with."""
    return len(evenly(rows, MOST))


def _cut_off(rows: Tensor) -> Tensor:
    return rows.clamp(-FARTHEST, FARTHEST)


def _squares(rows: Tensor, others: Tensor) -> Tensor:
    """Squares of distances (B, M) between rows (B, F) and others (M, F)."""
    own, theirs = ((of * of).sum(1) for of in (rows, others))
    return (own[:, None] + theirs - 2 * rows @ others.T).clamp(min=0)


class _Learned(NamedTuple):
    """Weights (N,) and offset of the log odds, and the log odds of left-out rows (N,), however little they mean."""

    weights: Numbers
    offset: float
    left_out: Numbers


def _learned(kernel: Numbers, classes: Numbers, shares: Numbers) -> _Learned:
    """Learn from rows of classes -1 and 1, with shares that sum to 1."""
    roots = np.sqrt(len(classes) * shares)
    values, vectors = np.linalg.eigh(roots[:, None] * (kernel + 1) * roots)
    best = _LogOdds(0.0, 0.0, math.log(2))
    weights = left_out = np.zeros(len(classes))
    for penalty in PENALTIES:
        inverse = 1 / (values + penalty * len(classes))
        found = roots * (vectors @ (inverse * (vectors.T @ (roots * classes))))
        outputs = classes - found / (roots**2 * (vectors**2 @ inverse))
        odds = _log_odds(outputs, classes, shares)
        if odds.slope > 0 and odds.loss < best.loss:
            best, weights, left_out = odds, found, odds.offset + odds.slope * outputs
    trust = 1 - best.loss / math.log(2)
    offset = trust * (best.offset + best.slope * weights.sum())
    return _Learned(trust * best.slope * weights, offset, left_out)


class _LogOdds(NamedTuple):
    """Outputs become log odds by a slope and an offset; the loss is the mean over both classes."""

    slope: float
    offset: float
    loss: float


def _log_odds(outputs: Numbers, classes: Numbers, shares: Numbers) -> _LogOdds:
    """How outputs (N,) for rows that are left out become log odds."""

    def loss(line: Numbers) -> tuple[float, Numbers]:
        margins = classes * (line[0] * outputs + line[1])
        slopes = -shares * classes * expit(-margins)
        size = STEEPNESS / 2 * line @ line
        return (
            float(shares @ np.logaddexp(0, -margins) + size),
            np.array([slopes @ outputs, slopes.sum()]) + STEEPNESS * line,
        )

    found = minimize(loss, [1.0, 0.0], jac=True)
    return _LogOdds(float(found.x[0]), float(found.x[1]), float(found.fun))
