"""The public data sets by name, and any table of them as one Arrow table."""

from typing import Literal

import pyarrow as pa

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.images import IMAGES
from alarmnet.datasets.tables import TABLES
from alarmnet.errors import InputError

DATASETS: dict[str, DatasetInfo] = {info.name: info for info in (*TABLES, *IMAGES)}


def dataset_info(name: str) -> DatasetInfo:
    """Look up what is known of one data set.

    Raises
    ------
    InputError
        No data set has that name.

    Examples
    --------
    >>> dataset_info("thyroid").rows
    7200
    """
    if name not in DATASETS:
        raise InputError(
            f"there is no data set {name!r}; choose one of {', '.join(DATASETS)}.", code="unknown_dataset"
        )
    return DATASETS[name]


def to_table(name: str, *, part: Literal["all", "train", "test"] = "all") -> pa.Table:
    """One table of features and classes, to write to a file.

    Parameters
    ----------
    name
        A data set of `DATASETS` that is a table.
    part
        All rows, or those of the official training or test part.

    Returns
    -------
    pyarrow.Table
        The feature columns, then `class`, and `group` where classes fall into groups, as those of NSL-KDD do.

    Raises
    ------
    InputError
        The name is unknown, the set holds images, or it has no such part.

    Examples
    --------
    >>> to_table("thyroid", part="test").num_rows  # doctest: +SKIP
    3428
    """
    info = dataset_info(name)
    if info in IMAGES or not isinstance(data := info.loader(), Table):
        raise InputError(
            f"{name} holds images and is not a table; load it with "
            f"alarmnet.datasets.DATASETS[{name!r}].loader().",
            code="not_a_table",
        )
    parts = {"all": data}
    if data.test is not None:
        parts |= {"train": data.train, "test": data.test}
    if part not in parts:
        raise InputError(
            f"{name} has no part {part!r}; choose one of {', '.join(parts)}.", code="unknown_part"
        )
    chosen = parts[part]
    table = chosen.frame.append_column("class", pa.array(chosen.classes))
    if all(name == group for name, group in chosen.groups.items()):
        return table
    return table.append_column("group", pa.array(chosen.row_groups))
