"""What forests and networks see of mixtures of two rows, most of which have one column of the other."""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from alarmnet.detectors.scorer import by_block
from alarmnet.detectors.table_scorer import TableScorer
from alarmnet.explain.mixtures import Floats, Index, Matrix
from alarmnet.networks.alarms import DenseAlarmNetwork
from alarmnet.preprocessing.row_store import TensorRows

BLOCK = 64
"""Rows whose columns are weighed at once: always this number, so that bits never depend on a batch."""

AT_ONCE = 2**12
"""Mixtures that are made at once, which bounds the memory."""


class ColumnChanges:
    """What the forests say, and what the scorer's `read` does, of mixtures of known rows.

    Parameters
    ----------
    scorer
        On the processor.
    ends
        The known rows, encoded, (K, F).
    places
        The column of each encoded number, (F,).
    """

    def __init__(self, scorer: TableScorer, ends: Matrix, places: Index) -> None:
        self._scorer, self._target = scorer, scorer.target
        self._alarms = cast(list[DenseAlarmNetwork], [*scorer.alarms])
        rows = torch.from_numpy(ends)
        with torch.inference_mode():
            self._trees = [forest.asks(places) for forest in scorer.forests]  # (trees, C)
            # the votes of the trees that do not ask about a column (K, C)
            self._others = [
                forest.said(rows).double().numpy() @ ~asks
                for forest, asks in zip(scorer.forests, self._trees, strict=True)
            ]
            self._learn_first_layers(rows, places)

    def _learn_first_layers(self, rows: Tensor, places: Index) -> None:
        """What each column of rows adds in the networks' first layers, and what all others add, (K, C, H)."""
        target = self._target
        layers = [target.network.first, *(alarm.first for alarm in self._alarms)]
        self._widths = [layer.out_features for layer in layers]
        self._weights = torch.cat([layer.weight for layer in layers])
        self._bias = torch.cat([layer.bias for layer in layers])
        weights, bias = self._weights.double().T, self._bias.double()
        read_from = places[target.pieces.read_from(len(places)).numpy()]
        columns = [np.flatnonzero(read_from == column) for column in range(self._trees[0].shape[1])]
        padded = nn.functional.pad(rows, (0, 0, 0, -len(rows) % BLOCK))
        self._without = torch.empty((len(padded), len(columns), len(bias)))
        self._alone = torch.empty_like(self._without)
        for start, block in zip(range(0, len(padded), BLOCK), torch.split(padded, BLOCK), strict=True):
            inputs = target.inputs(block).double()
            added = [inputs[:, of] @ weights[of] for of in columns]
            whole = bias + torch.stack(added).sum(0)
            for column, own in enumerate(added):
                self._alone[start : start + BLOCK, column] = own
                self._without[start : start + BLOCK, column] = whole - own

    def seen(self, mixtures: Matrix, starts: Index, others: Index, columns: Index) -> Floats:
        """What mixtures (V, F) say, (V, 1 + n). Each is a row of starts (V,) with one column of a row of others."""
        rows, width = torch.from_numpy(mixtures), mixtures.shape[1]

        def read_changed(block: Tensor) -> Tensor:
            batch, first = block[:, :width], block[:, width:]
            return self._read(batch, self._target.inputs(batch), first)

        parts = []
        for start in range(0, len(rows), AT_ONCE):
            some = slice(start, start + AT_ONCE)
            first = self._without[starts[some], columns[some]].add_(self._alone[others[some], columns[some]])
            stored = TensorRows(torch.cat([rows[some], first], dim=1))
            parts.append(by_block(self._scorer, read_changed, stored))
        return np.column_stack([self._votes(rows, starts, columns), np.concatenate(parts)])

    def seen_of_any(self, mixtures: Matrix) -> Floats:
        """Of any mixtures (V, F): (V, 1 + n)."""

        def read_any(block: Tensor) -> Tensor:
            inputs = self._target.inputs(block)
            first = nn.functional.linear(inputs, self._weights, self._bias)
            votes = self._scorer.votes(block)
            return torch.cat([votes[:, None], self._read(block, inputs, first)], dim=1)

        return by_block(self._scorer, read_any, TensorRows(torch.from_numpy(mixtures))).astype(np.float64)

    def _read(self, batch: Tensor, inputs: Tensor, first: Tensor) -> Tensor:
        """Compute what the scorer's `read` does, from the target's inputs and the first layers' outputs (B, H)."""
        own, *alarms = torch.split(first, self._widths, dim=1)
        logits = [alarm.after_first(own) for alarm, own in zip(self._alarms, alarms, strict=True)]
        return self._scorer.read_of(batch, self._scorer.said_by_target(inputs, own), logits)

    def _votes(self, rows: Tensor, starts: Index, columns: Index) -> Floats:
        """The mean log odds of the forests (V,): only the trees that ask about the changed column are walked."""
        order = np.argsort(columns, kind="stable")
        parts = np.split(order, np.flatnonzero(np.diff(columns[order])) + 1)
        odds = []
        for forest, asks, others in zip(self._scorer.forests, self._trees, self._others, strict=True):
            said = others[starts, columns]
            for part in parts:
                trees = np.flatnonzero(asks[:, columns[part[0]]])
                said[part] += forest.said(rows[part], trees).double().sum(1).numpy()
            odds.append(forest.log_odds(torch.from_numpy(said)))
        return torch.stack(odds).mean(0).numpy()
