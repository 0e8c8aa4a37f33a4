"""Thyroid disease."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import UCI_URL, load_table

_COLUMNS = (
    "age",
    "sex",
    "on_thyroxine",
    "query_on_thyroxine",
    "on_antithyroid_medication",
    "sick",
    "pregnant",
    "thyroid_surgery",
    "I131_treatment",
    "query_hypothyroid",
    "query_hyperthyroid",
    "lithium",
    "goitre",
    "tumor",
    "hypopituitary",
    "psych",
    "TSH",
    "T3",
    "TT4",
    "T4U",
    "FTI",
    "class",
)
_CONTINUOUS = ("age", "TSH", "T3", "TT4", "T4U", "FTI")


def _read(path: Path) -> pa.Table:
    columns = zip(_COLUMNS, np.loadtxt(path).T, strict=True)
    return pa.table(
        {name: values if name in _CONTINUOUS else values.astype(np.int64) for name, values in columns}
    )


def load_thyroid() -> Table:
    """Thyroid disease, the version for neural networks (ann): class "3" is normal, "1" and "2" are ill.

    Six continuous columns (float64) and fifteen of 0 and 1 (int64).

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_thyroid()  # doctest: +SKIP
    >>> table.train.frame.num_rows, table.test.frame.num_rows  # doctest: +SKIP
    (3772, 3428)
    """
    return load_table(THYROID, _read, class_column="class")


THYROID = DatasetInfo(
    "thyroid",
    title="Thyroid disease (ann)",
    rows=7_200,
    classes=3,
    licence="CC BY 4.0; R. Werner, Daimler-Benz, 1992",
    source="https://archive.ics.uci.edu/dataset/102/thyroid+disease",
    caveat="class 3 is normal",
    files=(
        (
            DataFile(
                "ann-thyroid/ann-train.data",
                sha256="38c10288f9257201c03eda91969adcce73778d545df382b0fa5ed77468f0f322",
                size=257_181,
            ),
            DataFile(
                "ann-thyroid/ann-train.data",
                sha256="3da53a156bda36cb0c97e9f4b6b111c9226c54c4aa00230de5604b787c47e3a6",
                size=264_725,
                url=f"{UCI_URL}/thyroid-disease/ann-train.data",
            ),
        ),
        (
            DataFile(
                "ann-thyroid/ann-test.data",
                sha256="94dc9a6cb94ed8761a172086ce31d2dcf66577881248442e731de5072ba518db",
                size=234_340,
            ),
            DataFile(
                "ann-thyroid/ann-test.data",
                sha256="c649ea19416e78c7996cfaaa2a9e281cb597d4b075aaa68c494fc3e4ee3aa30b",
                size=241_196,
                url=f"{UCI_URL}/thyroid-disease/ann-test.data",
            ),
        ),
    ),
    loader=load_thyroid,
)
