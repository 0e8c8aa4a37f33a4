"""Numbers and categories scored in turns, after MIX: Xu, Wang, Wang, Wu (ICDM 2019)."""

import itertools
from typing import Any, ClassVar, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet._shared.labels import Labels
from alarmnet._shared.validation import check_real, check_sizes, check_whole
from alarmnet.baselines.base import Matrix, Scores, flat
from alarmnet.baselines.neural import NeuralBaseline, NeuralParameters, normal_rows
from alarmnet.detectors.a3 import target_schedule
from alarmnet.networks.targets.dense import suggested_hidden
from alarmnet.networks.training import chosen_schedule

UNSEEN = 0.5
"""The count of a value that no training row has."""


class _Categories:
    """How rare each value of a row is, compared with the most frequent value of its column."""

    def __init__(self, columns: list[NDArray[np.intp]]) -> None:
        self.columns = columns
        """For each column of categories, the encoded columns of its values."""

    def learn(self, rows: Matrix) -> None:
        """Count the values of rows (N, F)."""
        self.rarity = []
        for values in self.columns:
            counts = np.append(rows[:, values].sum(0, dtype=np.float64), UNSEEN).clip(UNSEEN)
            self.rarity.append(np.log(counts.max() / counts))

    def scores(self, rows: Matrix) -> Scores:
        """The sum over columns (N,)."""
        found = np.zeros(len(rows))
        for values, rarity in zip(self.columns, self.rarity, strict=True):
            cells = rows[:, values]
            found += np.column_stack([cells, 1 - cells.sum(1)]) @ rarity
        return found


def _autoencoder(width: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Linear layers down to a code and back, with tanh between them."""
    steps: list[nn.Module] = []
    for before, after in itertools.pairwise((width, *hidden, *hidden[-2::-1], width)):
        steps += [nn.Linear(before, after, device="meta"), nn.Tanh()]
    return nn.Sequential(*steps[:-1])


def _as_one_scale(scores: Scores, learned: Scores) -> Scores:
    """Scores in standard deviations from the mean of those of the training rows."""
    return np.asarray((scores - learned.mean()) / (learned.std() or 1.0))


class MIX(NeuralBaseline):
    """How unusual the numbers and the categories of a row are; each model learns with the help of the other.

    Use it on tables of mixed type without labels. An autoencoder's error scores the numbers. A category scores by
    how much rarer it is than the most frequent category of its column. Both models take turns: each learns from the
    rows that the other finds least anomalous, until the scores settle. The row's score is the sum of both scores,
    in standard deviations. MIX learns all rows but the known anomalies. Images have numbers only.

    The paper's text was not available. This class follows the paper's abstract and the parameters that its authors
    recommend. The models of both kinds of columns are our own.

    Parameters
    ----------
    left_out
        The paper's k: the share of rows that each turn leaves out, the most anomalous by the other model.
    tolerance
        The paper's epsilon: turns end when the ranks of the training rows change by no more than this share, on
        average.
    turns
        The largest number of turns.
    hidden
        Sizes of the autoencoder's layers down to the code. None: by the number of columns.
    schedule
        How long the autoencoder trains in each turn. None: as `A3Detector` trains its own.
    encoder, anomaly_label, device, random_state, verbose
        As in `A3Detector`.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"bytes": np.arange(100) % 7, "service": ["http"] * 99 + ["telnet"]})
    >>> int(MIX(random_state=0).fit(table).decision_function(table).argmax())
    99
    """

    name: ClassVar[str] = "mix"
    learns_from_labels: ClassVar[bool] = False
    _network: nn.Sequential

    def __init__(
        self,
        *,
        left_out: float = 0.3,
        tolerance: float = 0.01,
        turns: int = 10,
        hidden: tuple[int, ...] | None = None,
        **shared: Unpack[NeuralParameters],
    ) -> None:
        super().__init__(**shared)
        self.left_out = left_out
        self.tolerance = tolerance
        self.turns = turns
        self.hidden = hidden

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_real(self, "left_out", self.left_out, 0, 1, open_ends=False)
        check_real(self, "tolerance", self.tolerance, 0, 1, open_ends=False)
        check_whole(self, "turns", self.turns)
        if self.hidden is not None:
            check_sizes(self, "hidden", self.hidden)

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        self._split(self.encoder_, flat(rows).shape[1])
        super()._learn(flat(rows), labels)

    def _scores(self, rows: Matrix) -> Scores:
        rows = flat(rows)
        return self._joint(self._errors(rows), self._categories.scores(rows))

    def _split(self, encoder: Any, width: int) -> None:
        """Tell the columns of categories from those of numbers."""
        kinds = getattr(encoder, "kinds_", {})
        sources = np.array(getattr(encoder, "source_columns_", [""] * width))
        named = [name for name, kind in kinds.items() if kind == "category" and (sources == name).any()]
        self._categories = _Categories([np.flatnonzero(sources == name) for name in named])
        self._numbers = np.flatnonzero(~np.isin(sources, named))

    def _fit_network(self, rows: Tensor, labels: Labels) -> None:
        width = len(self._numbers)
        self._network = (
            _autoencoder(width, self.hidden or suggested_hidden(width)) if width else nn.Sequential()
        )
        self._start(self._network, rows)
        normal = normal_rows(labels)
        learned = rows.cpu().numpy()[normal]
        kept = max(2, round((1 - self.left_out) * len(normal)))
        self._categories.learn(learned)
        of_categories = self._categories.scores(learned)
        ranks = np.zeros(len(normal))
        for turn in range(1, self.turns + 1):
            self.turns_ = turn
            if width:
                self._train_on(rows, normal[self._least(of_categories, kept)])
            of_numbers = self._errors(learned)
            self._categories.learn(learned[self._least(of_numbers, kept)])
            of_categories = self._categories.scores(learned)
            self._learned = of_numbers, of_categories
            before, ranks = ranks, self._joint(of_numbers, of_categories).argsort().argsort() / len(normal)
            if np.abs(ranks - before).mean() <= self.tolerance:
                break

    @staticmethod
    def _least(scores: Scores, count: int) -> NDArray[np.intp]:
        """Places of the rows with the lowest scores, in the order of the rows; all rows if all scores are equal."""
        if scores.min() == scores.max():
            return np.arange(len(scores))
        return np.sort(np.argsort(scores, kind="stable")[:count])

    def _train_on(self, rows: Tensor, index: NDArray[np.intp]) -> None:
        numbers = torch.from_numpy(self._numbers)
        self._train(
            self._network,
            lambda batch: self._block_scores(rows[batch][:, numbers]).mean(),
            name="autoencoder",
            over=torch.from_numpy(index),
            schedule=chosen_schedule(self.schedule, target_schedule(len(index)).changed(patience=None)),
            device=rows.device,
        )

    def _errors(self, rows: Matrix) -> Scores:
        """The autoencoder's error for each row (N,); 0 if there are no numbers."""
        return super()._scores(rows[:, self._numbers]) if len(self._numbers) else np.zeros(len(rows))

    def _joint(self, of_numbers: Scores, of_categories: Scores) -> Scores:
        learned_numbers, learned_categories = self._learned
        return _as_one_scale(of_numbers, learned_numbers) + _as_one_scale(of_categories, learned_categories)

    def _block_scores(self, block: Tensor) -> Tensor:
        errors: Tensor = (self._network(block) - block).square().mean(1)
        return errors
