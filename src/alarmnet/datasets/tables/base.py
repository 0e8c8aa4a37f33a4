"""What the loaders of all tables share."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa

from alarmnet.datasets.base import DatasetInfo, Table

UCI_URL = "https://archive.ics.uci.edu/ml/machine-learning-databases"


def load_table(
    info: DatasetInfo,
    read: Callable[[Path], pa.Table],
    *,
    class_column: str,
    groups: Mapping[str, str] | None = None,
) -> Table:
    """Every file of a set one below the other, the first of two as the training part; `read` reads a file.

    A class is its own group without `groups`.
    """
    parts = [read(path) for path in info.paths()]
    rows = pa.concat_tables(parts)
    classes = np.asarray(rows[class_column].to_numpy(), dtype=np.str_)
    return Table(
        info,
        frame=rows.drop_columns(class_column),
        classes=classes,
        groups=dict(groups or {name: name for name in np.unique(classes).tolist()}),
        train_rows=parts[0].num_rows if len(parts) == 2 else None,
    )
