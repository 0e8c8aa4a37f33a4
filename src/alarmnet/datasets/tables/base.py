"""What the loaders of all tables share."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from alarmnet.datasets.base import DatasetInfo, Table

UCI_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases"


def as_table(
    info: DatasetInfo,
    rows: pa.Table,
    *,
    class_column: str,
    groups: Mapping[str, str] | None = None,
    train_rows: int | None = None,
    left_out: Mapping[str, int] | None = None,
) -> Table:
    """Rows with their class among the columns as a `Table`; a class is its own group without `groups`."""
    encoded = rows[class_column].dictionary_encode().combine_chunks()  # without a Python object for each row
    names = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    return Table(
        info,
        frame=rows.drop_columns(class_column),
        classes=names[encoded.indices.to_numpy()],
        groups={name: groups[name] if groups else name for name in sorted(names.tolist())},
        train_rows=train_rows,
        left_out=dict(left_out or {}),
    )


def load_table(
    info: DatasetInfo,
    read: Callable[[Path], pa.Table],
    *,
    class_column: str,
    groups: Mapping[str, str] | None = None,
) -> Table:
    """Every file of a set one below the other, the first of two as the training part; `read` reads a file."""
    parts = [read(path) for path in info.paths()]
    return as_table(
        info,
        pa.concat_tables(parts),
        class_column=class_column,
        groups=groups,
        train_rows=parts[0].num_rows if len(parts) == 2 else None,
    )
