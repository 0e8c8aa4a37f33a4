"""Known anomalies that a model keeps: to name similar ones, and to learn from them again."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from alarmnet._shared.evenly import evenly
from alarmnet._shared.labels import Labels
from alarmnet.detectors.recognition import keys_of
from alarmnet.detectors.state import EARLIER, Matrix
from alarmnet.preprocessing.row_store import JoinedRows, RowStore, TensorRows
from alarmnet.preprocessing.rows import Index, row_keys

MOST = 64
"""The most that are kept to name them."""


def reconciled(rows: RowStore, labels: Labels, earlier: Matrix) -> tuple[Labels, Matrix]:
    """Labels of rows, and those known anomalies of an earlier table (K, ...) that equal none of the rows.

    An unlabelled row that equals an earlier anomaly is one too, unless an equal row is labelled normal.
    """
    keys, theirs = keys_of(rows), row_keys(earlier)
    still = theirs[~np.isin(theirs, keys[labels.normal])]
    values = labels.values.copy()
    values[labels.unlabelled & np.isin(keys, still)] = 1
    return replace(labels, values=values), earlier[~np.isin(theirs, keys)]


def with_earlier(rows: RowStore, labels: Labels, earlier: Matrix) -> tuple[RowStore, Labels]:
    """Put known anomalies of an earlier table (K, ...) behind rows and their labels."""
    values = np.concatenate([labels.values, np.ones(len(earlier))])
    behind = TensorRows(torch.from_numpy(earlier).to(rows.device))
    return JoinedRows(rows, behind), replace(labels, values=values)


def kept_of(rows: RowStore, known: Index, *, given: int) -> tuple[Matrix, NDArray[np.int64]]:
    """Some known anomalies, and their numbers; the first `given` rows are those of the table given last."""
    chosen = known[evenly(len(known), MOST)].astype(np.int64)
    kept = rows.take(torch.from_numpy(chosen)).numpy(force=True)
    return kept, np.where(chosen < given, chosen, EARLIER)


def renamed(numbers: NDArray[np.int64], names: NDArray[np.intp]) -> NDArray[np.int64]:
    """Call row i of the table given last by the number names[i]."""
    return np.where(numbers == EARLIER, EARLIER, names[numbers])
