"""Results: what is written comes back, whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from alarmnet.data_files import TableFiles, write_table
from alarmnet.errors import InputError


@pytest.mark.parametrize("name", ["scores.csv", "scores.CSV.GZ", "scores.parquet"])
def test_results_come_back(tmp_path: Path, name: str) -> None:
    tables = [
        pa.table({"score": [0.1 + 0.2, None], "note": ['a "b", c', "two\nlines"]}),
        pa.table({"score": pa.array([], pa.float64()), "note": pa.array([], pa.string())}),
        pa.table({"score": [1e-300], "note": ["é"]}),
    ]
    write_table(tmp_path / name, iter(tables))
    assert TableFiles(tmp_path / name).read().equals(pa.concat_tables(tables))
    first = (tmp_path / name).read_bytes()
    write_table(tmp_path / name, tables)
    assert (tmp_path / name).read_bytes() == first
    if first[:2] == b"\x1f\x8b":
        assert first[4:8] == bytes(4)  # no time of writing


@pytest.mark.parametrize("name", ["scores.csv", "scores.csv.gz", "scores.parquet"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), InputError("a bad row")])
def test_nothing_stands_under_the_final_name_after_a_failure(
    tmp_path: Path, name: str, error: BaseException
) -> None:
    def fails() -> Iterator[pa.Table]:
        yield pa.table({"score": [0.5]})
        raise error

    with pytest.raises(type(error)):
        write_table(tmp_path / name, fails())
    assert list(tmp_path.iterdir()) == []


def test_results_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    table = pa.table({"score": [0.5]})
    for name, tables, sentence in [
        ("scores.xlsx", [table], "give a name that ends in .csv, .csv.gz or .parquet"),
        ("scores.csv", [], "there is not a table to write"),
        ("scores.csv", [table, pa.table({"score": ["x"]})], "has other columns or types than the first"),
        ("scores.csv", [pa.table({"score": [[1]]})], "could not be written: Unsupported Type"),
        ("none/scores.csv", [table], f"there is no folder {tmp_path / 'none'}; create it first"),
    ]:
        with pytest.raises(InputError) as caught:
            write_table(tmp_path / name, tables)
        assert str(caught.value).startswith(str(tmp_path / name))
        assert sentence in str(caught.value)
        assert list(tmp_path.iterdir()) == []


def test_a_table_with_an_empty_chunk_has_one_header(tmp_path: Path) -> None:
    table = pa.table({"score": pa.chunked_array([[], [0.5]], pa.float64())})
    write_table(tmp_path / "scores.csv", [table, table[:0]])
    assert (tmp_path / "scores.csv").read_text() == '"score"\n0.5\n'
