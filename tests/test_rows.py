"""Rows are picked, drawn and recognised."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from alarmnet._shared.random_streams import numpy_generator
from alarmnet.preprocessing.frames import read_frame
from alarmnet.preprocessing.rows import Index, draw, matched_once, row_keys, take


@pytest.mark.parametrize(
    "table",
    [
        np.arange(8).reshape(4, 2),
        pd.DataFrame({"a": [0, 2, 4, 6], "b": [1, 3, 5, 7]}),
        pl.DataFrame({"a": [0, 2, 4, 6], "b": [1, 3, 5, 7]}),
        pa.table({"a": [0, 2, 4, 6], "b": [1, 3, 5, 7]}),
        [[0, 1], [2, 3], [4, 5], [6, 7]],
    ],
    ids=lambda table: type(table).__module__,
)
def test_take_gives_the_named_rows_in_their_order(table: object) -> None:
    parts: list[tuple[Index | slice, list[list[int]]]] = [
        (np.array([2, 0]), [[4, 5], [0, 1]]),
        (slice(1, 3), [[2, 3], [4, 5]]),
    ]
    for rows, expected in parts:
        taken = take(table, rows)
        columns = [column.to_pylist() for column in taken.columns] if isinstance(taken, pa.Table) else None
        assert np.array_equal(np.array(columns).T if columns else np.asarray(taken), expected)


@pytest.mark.parametrize(
    "table",
    [
        np.array([[0.0], [2.0], [4.0]]),
        pd.DataFrame({"a": [0, 2, 4]}, index=[7, 8, 9]),
        pl.DataFrame({"a": [0, 2, 4]}),
        pa.table({"a": [0, 2, 4]}),
    ],
    ids=lambda table: type(table).__module__,
)
def test_rows_of_a_frame_are_taken_column_by_column(table: object) -> None:
    frame = take(read_frame(table), np.array([2, 0, 1]))
    assert (len(frame), np.asarray(frame.column(0)).tolist()) == (3, [4, 0, 2])
    assert np.asarray(take(frame, slice(1, 3)).column(0)).tolist() == [0, 2]


def test_draw_parts_the_pool_in_ascending_order() -> None:
    pool = np.arange(3, 50)
    drawn, rest = draw(pool, 10, numpy_generator(0, "test"))
    assert len(drawn) == 10
    np.testing.assert_array_equal(np.sort(np.concatenate([drawn, rest])), pool)
    assert (np.diff(drawn) > 0).all()
    assert (np.diff(rest) > 0).all()
    assert not np.array_equal(drawn, pool[:10])


def test_every_row_is_drawn_equally_often() -> None:
    generator = numpy_generator(0, "test")
    counts = np.bincount(np.concatenate([draw(np.arange(10), 3, generator)[0] for _ in range(2000)]))
    assert abs(counts - 600).max() < 100


def test_row_keys_know_equal_rows_and_tell_others_apart() -> None:
    matrix = np.random.default_rng(0).integers(0, 50, size=(5000, 4)).astype(np.float32)
    keys = row_keys(matrix)
    _, groups = np.unique(matrix, axis=0, return_inverse=True)
    _, key_groups = np.unique(keys, return_inverse=True)
    pairs = np.unique(np.column_stack([groups.ravel(), key_groups]), axis=0)
    assert len(pairs) == groups.max() + 1 == key_groups.max() + 1
    np.testing.assert_array_equal(row_keys(matrix[::-1]), keys[::-1])
    np.testing.assert_array_equal(row_keys(np.asfortranarray(matrix)), keys)


def test_row_keys_of_images_and_swapped_columns() -> None:
    image = np.arange(8, dtype=np.float32).reshape(2, 1, 2, 2)
    np.testing.assert_array_equal(row_keys(image), row_keys(image.reshape(2, 4)))
    keys = row_keys(np.array([[1, 2], [2, 1]], dtype=np.float32))
    assert keys[0] != keys[1]


def test_each_calibration_row_marks_one_row_at_most() -> None:
    keys = np.array([5, 7, 5, 5, 8], np.uint64)
    assert matched_once(keys, np.array([5, 9, 5], np.uint64)).tolist() == [True, False, True, False, False]
    assert matched_once(keys, np.array([5] * 9, np.uint64)).sum() == 3
    assert not matched_once(keys, np.array([], np.uint64)).any()
