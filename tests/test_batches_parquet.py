"""Parquet files: their types, several as one table, and the sentence of every refusal."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alarmnet.data_files import TableFiles
from alarmnet.data_files.missing import MissingWords
from alarmnet.errors import InputError


def refusal(*paths: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        TableFiles(paths).read()
    return caught.value


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    table = pa.table(
        {
            "a": pa.array([1, None, 3], pa.int32()),
            "t": pa.array(["x", "", None]),
            "c": pa.array(["x", "y", None]).dictionary_encode(),
            "d": pa.array([datetime(2024, 1, 31)] * 3, pa.timestamp("ns", "UTC")),
            "a.b": [True, False, None],
            "__index_level_0__": [7, 8, 9],
        }
    )
    pq.write_table(table, tmp_path / "no_ending", row_group_size=2)
    files = TableFiles(tmp_path / "no_ending")
    assert (files.n_rows, files.delimiter) == (3, None)
    assert files.read().equals(table.drop_columns("__index_level_0__"))
    for names in (["a.b", "a"], ["t", "a"]):  # Parquet itself would take "a" for all of "a.*"
        assert files.read(names).equals(table.select(names))


def test_parquet_files_get_their_common_type(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"b": ["y"], "a": [2.5]}), tmp_path / "2.parquet")
    files = TableFiles([tmp_path / "1.parquet", tmp_path / "2.parquet"])
    assert files.read().to_pydict() == {"a": [1.0, 2.5], "b": ["x", "y"]}
    assert files.n_rows == 2


def test_truncated_and_damaged_parquet_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flows.parquet"
    pq.write_table(pa.table({"a": np.random.default_rng(0).normal(size=10_000)}), path)
    data = path.read_bytes()
    for damaged in (data[:-100], data[:4], data[:20] + b"\xff" * 200 + data[220:], b"XXXX" + data[4:], b""):
        path.write_bytes(damaged)
        assert f"{path} is not a complete Parquet file: " in str(refusal(path))


def test_parquet_types_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    one, other = tmp_path / "1.parquet", tmp_path / "2.parquet"
    pq.write_table(pa.table({"a": [1], "list": [[1]]}), one)
    error = refusal(one)
    assert (error.code, error.column) == ("column_type", "list")
    assert "column 'list' holds list<element: int64>, which cannot be used; leave it out" in str(error)
    assert TableFiles(one).read(["a"]).to_pydict() == {"a": [1]}
    pq.write_table(pa.table({"a": ["x"], "list": [[1]]}), other)
    assert f"{other} has other types than {one}" in str(refusal(one, other))
    for odd in ([b"x"], [{"x": 1}]):
        pq.write_table(pa.table({"a": odd}), one)
        assert refusal(one).column == "a"


def test_parquet_names_must_differ(tmp_path: Path) -> None:
    path = tmp_path / "twice.parquet"
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), path)
    assert "names columns more than once: 'a'" in str(refusal(path))


def test_parquet_values_that_the_common_type_cannot_hold_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [2**53 + 1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [0.5]}), tmp_path / "2.parquet")
    error = refusal(tmp_path / "1.parquet", tmp_path / "2.parquet")
    assert "write all files with the same types" in str(error)


def test_words_for_missing_are_left_out_of_text_of_every_type() -> None:
    table = pa.table(
        {
            "t": ["x", " absent", None],
            "view": pa.array(["x", "absent ", "y"]).cast(pa.string_view()),
            "kind": pa.chunked_array([pa.array(["absent", "y", "x"]).dictionary_encode()]),
            "n": [1.5, -999, 3],
            "id": ["absent"] * 3,
        }
    )
    left = MissingWords([" absent ", "-999"], apart=["id"]).left_out(table)
    assert left.schema == table.schema
    assert left.to_pydict() == {
        "t": ["x", None, None],
        "view": ["x", None, "y"],
        "kind": [None, "y", "x"],
        "n": [1.5, None, 3],
        "id": ["absent"] * 3,
    }


def test_a_number_that_means_missing_is_found_in_text_however_it_is_written() -> None:
    texts = [
        "-999",
        "-999.0",
        " -0999.00 ",
        "-998.9",
        "-9990",
        "999",
        "x-999",
        "9.50",
        "+9.5",
        "9.51",
        "-9.5",
    ]
    found = MissingWords(["-999", "9.5", "inf"]).left_out(pa.table({"port": texts}))["port"].to_pylist()
    assert found == [None, None, None, "-998.9", "-9990", "999", "x-999", None, None, "9.51", "-9.5"]
