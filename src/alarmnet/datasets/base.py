"""The form of every public data set: `Table` or `Images`, with a `DatasetInfo`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from alarmnet.datasets.fetch import DataFile, find


@dataclass(frozen=True)
class DatasetInfo:
    """What is known of a data set without loading it.

    Attributes
    ----------
    name, title
        The short name used in code and on the command line, and the one for people.
    rows, classes
        How many of each, over all parts.
    licence, source
        As the original authors state them, and where the data comes from.
    caveat
        What a user must know before using it.
    files
        Each file in the forms it may have, the training part first.
    loader
        The function that loads it.
    """

    name: str
    title: str
    rows: int
    classes: int
    licence: str
    source: str
    caveat: str
    files: tuple[tuple[DataFile, ...], ...]
    loader: "Callable[[], Table | Images]"

    def paths(self) -> list[Path]:
        """Where each file lies on this machine; see `find`, which downloads it if need be."""
        return [find(*forms, source=self.source) for forms in self.files]


@dataclass(frozen=True, eq=False)
class Table:
    """A public table: typed feature columns, and the class of each row.

    Attributes
    ----------
    info
        Name, source and licence.
    frame
        The feature columns of all rows. Numbers are numeric columns, categories are string columns.
    classes
        The class or attack name of each row, as the original file spells it; shape (N,).
    groups
        The group of each class, such as DoS or Probe for attacks; the class itself where there are no groups.
    train_rows
        The first so many rows are the official training part, the others the official test part; None where
        the set has no official split.
    left_out
        How many rows of the files are not in the table, by the reason; empty where every row is.
    """

    info: DatasetInfo
    frame: pa.Table
    classes: NDArray[np.str_]
    groups: Mapping[str, str]
    train_rows: int | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def train(self) -> "Table":
        """The official training part; all rows where there is no official split."""
        return self._part(slice(None, self.train_rows))

    @property
    def test(self) -> "Table | None":
        """The official test part; None where there is no official split."""
        return None if self.train_rows is None else self._part(slice(self.train_rows, None))

    @property
    def row_groups(self) -> NDArray[np.str_]:
        """The group of each row; shape (N,)."""
        encoded = pa.array(self.classes).dictionary_encode()  # millions of strings take long to sort
        groups = np.array([self.groups[name] for name in encoded.dictionary.to_pylist()], dtype=np.str_)
        positions: NDArray[np.int32] = encoded.indices.to_numpy()
        return groups[positions]

    @property
    def categories(self) -> dict[str, tuple[str, ...]]:
        """The sorted values of every string column of this table, for one-hot encoding; missing is none."""
        return {
            column.name: tuple(sorted(pc.unique(self.frame[column.name].drop_null()).to_pylist()))
            for column in self.frame.schema
            if pa.types.is_string(column.type)
        }

    def _part(self, rows: slice) -> "Table":
        return replace(self, frame=self.frame[rows], classes=self.classes[rows], train_rows=None)


@dataclass(frozen=True, eq=False)
class Images:
    """A public image set in its official parts.

    Attributes
    ----------
    info
        Name, source and licence.
    train_images, test_images
        uint8; shape (N, H, W), or (N, H, W, 3) for colour.
    train_labels, test_labels
        uint8; shape (N,); positions in `class_names`.
    class_names
        What each label means.
    """

    info: DatasetInfo
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    class_names: tuple[str, ...]
