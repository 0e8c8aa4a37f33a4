"""A column of labels as labels: 1 anomaly, 0 normal, NaN not looked at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from alarmnet._containers import decoded
from alarmnet._frames import quoted
from alarmnet._spelling import as_folded
from alarmnet._validation import Labels
from alarmnet.batches import MISSING_WORDS
from alarmnet.errors import InputError

Floats = NDArray[np.float64]


def _same(cell: str, value: str) -> bool:
    """Equal as text, as numbers, or as true or false however these are spelled.

    >>> _same("1.0", "1"), _same("1", "one"), _same("true", "True")
    (True, False, True)
    """
    if cell == value or (cell.lower() == value.lower() and cell.lower() in ("true", "false")):
        return True
    try:
        return float(cell) == float(value)
    except ValueError:
        return False


@dataclass(frozen=True)
class Labelling:
    """Which column holds labels, and which of its values mean what.

    Attributes
    ----------
    label
        The column.
    anomaly, normal
        Values; no normal ones: every other value is normal. A cell matches as text, or as an equal number.
    """

    label: str
    anomaly: Sequence[str]
    normal: Sequence[str]

    @classmethod
    def chosen(
        cls,
        label: str | None,
        anomaly: Sequence[str],
        normal: Sequence[str],
        *,
        remembered: Mapping[str, Any] | None = None,
    ) -> Self | None:
        """From options, and for those not given from what a model remembers; None without a label column."""
        remembered = remembered or {}
        label = label or remembered.get("label")
        anomaly = anomaly or remembered.get("anomaly", ())
        normal = normal or remembered.get("normal", ())
        if label is None and (anomaly or normal):
            raise InputError("--anomaly and --normal need --label COLUMN.", code="options")
        if label is None:
            return None
        if not anomaly:
            raise InputError(
                "--label needs --anomaly VALUE: which of its values marks an anomaly?", code="options"
            )
        if both := [value for value in anomaly if value in normal]:
            raise InputError(
                f"{both[0]!r} is given as --anomaly and as --normal; it can be one of them.", code="options"
            )
        return cls(label, anomaly, normal)

    def to_dict(self) -> dict[str, Any]:
        """Give what a model remembers, for `chosen`."""
        return asdict(self)

    def meaning(self, cell: str | None) -> float:
        """1 anomaly, 0 normal, NaN not looked at."""
        if cell is None:
            return np.nan
        if any(_same(cell, value) for value in self.anomaly):
            return 1.0
        if self.normal:
            return 0.0 if any(_same(cell, value) for value in self.normal) else np.nan
        return np.nan if cell.strip() in MISSING_WORDS else 0.0

    def read(self, parts: Iterable[pa.ChunkedArray], *, given: Sequence[str] = ()) -> Floats:
        """Read the labels of all rows (N,), in one pass that holds nothing else.

        Parameters
        ----------
        parts
            The label column, part by part.
        given
            Values that somebody typed, which have to occur unless the whole column is empty.

        Raises
        ------
        InputError
            A given value is not in the column, or one that marks anomalies is only in another spelling; names the
            values that are.
        """
        labels = [np.empty(0)]
        found: dict[str, None] = {}
        for part in parts:
            encoded = decoded(part).cast(pa.string()).dictionary_encode()
            cells = encoded.dictionary.to_pylist()
            indices = encoded.indices.fill_null(len(cells)).to_numpy(zero_copy_only=False)
            labels.append(np.array([*map(self.meaning, cells), np.nan])[indices])
            found |= dict.fromkeys(cell for cell in cells if cell is not None)
        for value in (*given, *self.anomaly):
            if not found or any(_same(cell, value) for cell in found):
                continue
            if value in given or any(as_folded(cell) == as_folded(value) for cell in found):
                raise InputError(
                    f"column {self.label!r} holds no {value!r}; it holds {quoted([*found])}",
                    code="absent_label",
                    column=self.label,
                )
        return np.concatenate(labels)


def needed(labelling: Labelling | None) -> Labelling:
    """Give the labelling, and refuse to go on without one."""
    if labelling is None:
        raise InputError(
            "the model remembers no label column: name one with --label and --anomaly.", code="options"
        )
    return labelling


def label_counts(labels: Floats | None, *, rows: int) -> dict[str, int]:
    """How many rows are labelled what."""
    return Labels(np.full(rows, np.nan) if labels is None else labels, np.array([0, 1])).counts()
