"""Keys of rows: the same from every container, and from files."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

from alarmnet.errors import InputError
from alarmnet.loop.keys import keys_from_ids, numbered, row_digests

COLUMNS: dict[str, list[Any]] = {
    "amount": [1.5, -0.0, None, 1e300],
    "count": [1, 2, None, 2],
    "kind": ["a", "b", None, "ü"],
    "flag": [True, False, None, True],
    "when": [datetime(2020, 1, 2, 3, 4, 5, 678901), datetime(1970, 1, 1), None, datetime(2262, 1, 1)],
    "took": [timedelta(seconds=1.5), timedelta(days=-2), None, timedelta(0)],
    "nothing": [None] * 4,
}
ARROW = pa.table(COLUMNS)
EXPECTED = row_digests(ARROW)

FORMS = {
    "pandas": pd.DataFrame(COLUMNS),
    "pandas of objects": pd.DataFrame(COLUMNS, dtype=object),
    "pandas of arrow": ARROW.to_pandas(types_mapper=pd.ArrowDtype),
    "pandas with categories": pd.DataFrame(COLUMNS).astype({"kind": "category", "count": "Int64"}),
    "polars": pl.DataFrame(COLUMNS),
    "polars with categories": pl.DataFrame(COLUMNS).with_columns(pl.col("kind").cast(pl.Categorical)),
    "arrow in chunks": pa.concat_tables([ARROW.slice(0, 1), ARROW.slice(1)]),
    "arrow with -0.0 as 0": ARROW.set_column(0, "amount", pa.array([1.5, 0.0, None, 1e300])),
    "other order": ARROW.select(list(COLUMNS)[::-1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_container_gives_the_same_digests(form: str) -> None:
    assert row_digests(FORMS[form]) == EXPECTED


def test_an_array_is_a_table_without_names() -> None:
    cells = np.array(list(zip(*COLUMNS.values(), strict=True)), dtype=object)
    unnamed = pa.table({f"x{place}": values for place, values in enumerate(COLUMNS.values())})
    assert row_digests(cells) == row_digests(pd.DataFrame(cells)) == row_digests(unnamed)
    numbers = np.arange(6.0).reshape(3, 2)
    for same in (torch.tensor(numbers), numbers.astype("int32"), numbers.tolist()):
        assert row_digests(same) == row_digests(numbers)


def test_csv_and_parquet_give_the_same_digests(tmp_path: Path) -> None:
    table = ARROW.select(["amount", "count", "kind", "flag", "nothing"])
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    text = table.to_pandas().to_csv(index=False)
    texts = pd.read_csv(io.StringIO(text), dtype=str)
    read = [pd.read_csv(io.StringIO(text)), pl.read_csv(io.StringIO(text)), texts]
    for X in (pyarrow.parquet.read_table(tmp_path / "t.parquet"), *read):
        assert row_digests(X) == row_digests(table)


def test_times_count_by_their_moment() -> None:
    naive = pa.table({"t": pa.array([datetime(2020, 1, 1, 12)], pa.timestamp("s"))})
    zoned = pa.table(
        {"t": pa.array([datetime(2020, 1, 1, 12, tzinfo=UTC)], pa.timestamp("ns", tz="Asia/Tokyo"))}
    )
    midnight, day = pl.DataFrame({"t": [datetime(2020, 1, 1)]}), pl.DataFrame({"t": [date(2020, 1, 1)]})
    assert row_digests(naive) == row_digests(zoned) != row_digests(day)
    assert row_digests(midnight) == row_digests(day)


def test_what_differs_has_another_digest() -> None:
    rows = [*EXPECTED]
    for name, values in COLUMNS.items():
        changed = [values[0], *values[:1], *values[2:]]
        if name != "nothing":
            rows.append(row_digests(pa.table(COLUMNS | {name: changed}))[1])
    rows += row_digests(ARROW.rename_columns([*ARROW.column_names[:-1], "another"]))[:1]
    rows += row_digests(pa.table({"a": ["x", "01"], "b": ["y", "z"]}))
    rows += row_digests(pa.table({"a": ["y", "1"], "b": ["x", "z"]}))
    assert len({*rows}) == len(rows)


def test_mixed_cells_count_by_what_each_is() -> None:
    cells = np.array(
        [["a"], [1], [2.5], [datetime(2020, 1, 1)], [None], [True], [timedelta(1)], [b"a"]], dtype=object
    )
    alone = [row_digests(np.array([cell], dtype=object))[0] for cell in cells]
    assert row_digests(cells) == alone
    assert len({*alone}) == 7  # True is 1


def test_images_count_by_their_pixels() -> None:
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    assert row_digests(images) == row_digests(torch.tensor(images)) == row_digests(np.asfortranarray(images))
    assert len({*row_digests(images)}) == 2


def test_digests_stay_the_same_between_releases() -> None:
    assert row_digests(pa.table({"a": [1.5], "b": ["x"]})) == ["c03ef37a78b99980de4dad132e59ef2e"]
    assert row_digests(np.zeros((1, 2, 2), dtype=np.uint8)) == ["11d2df4e979aa105cf552e9544ebd2b5"]


def test_no_rows_and_equal_rows() -> None:
    assert row_digests(ARROW.slice(0, 0)) == []
    assert numbered(row_digests(pa.table({"a": [1, 1, 2, 1]})))[1:] == [
        f"{row_digests(pa.table({'a': [1]}))[0]}#2",
        *row_digests(pa.table({"a": [2]})),
        f"{row_digests(pa.table({'a': [1]}))[0]}#3",
    ]


def test_ids_are_keys() -> None:
    forms: list[Any] = [
        [1, 2],
        [1.0, 2.0],
        ["1", "2"],
        np.array([1, 2]),
        pa.array([1, 2]),
        pd.Series([1.0, 2.0]),
    ]
    for ids in forms:
        assert keys_from_ids(ids) == ["1", "2"]
    long, odd = keys_from_ids(["x" * 501, "a\0b"])
    assert len(long) == len(odd) == 32


@pytest.mark.parametrize(
    ("ids", "sentence"), [(["a", "b", "a"], "'a' names 2 rows"), ([1, None, np.nan], "2 rows have none")]
)
def test_ids_that_are_none_are_refused(ids: list[Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        keys_from_ids(ids)
    assert caught.value.code == "row_ids"
