"""Which rows of files come into the queue, and what they are called."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from alarmnet.data_files import write_table
from alarmnet.errors import InputError
from alarmnet.loop import pool as pool_file
from alarmnet.loop.keys import row_digests
from alarmnet.loop.pool import Pool, pool_from_files, sampled
from alarmnet.sources import open_to_run, open_to_train


def rows_of(count: int = 2_000) -> pa.Table:
    values = np.random.default_rng(0).normal(size=(count, 3))
    values[::100] += 5
    columns = {f"c{number}": values[:, number] for number in range(3)}
    return pa.table({"id": [f"r-{row}" for row in range(count)], **columns})


@pytest.fixture(scope="module")
def detector(small: Any) -> Any:
    return small().fit(rows_of().drop_columns(["id"]))


def pool_of(detector: Any, path: Path, *, identifier: str | None = "id", **options: Any) -> Pool:
    ignored = [] if identifier else ["id"]
    rows = open_to_run(detector, [path], identifier=identifier, ignored=ignored)
    return pool_from_files(detector, rows, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_table(tmp_path / "rows.csv", [rows_of()])
    return tmp_path / "rows.csv"


def test_a_small_file_is_taken_whole(detector: Any, path: Path) -> None:
    pool = pool_of(detector, path)
    assert pool.keys == tuple(f"r-{row}" for row in range(2_000))
    assert pool.described() == "All 2,000 rows are in the queue."


def test_of_a_large_file_the_highest_and_some_drawn_rows_are_taken(
    detector: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "HIGHEST", 100)
    monkeypatch.setattr(pool_file, "DRAWN", 30)
    scores = detector.decision_function(rows_of().drop_columns(["id"]))
    highest = set(np.argsort(-scores, kind="stable")[:100].tolist())
    drawn: list[int] = []
    for seed in range(20):
        pool = pool_of(detector, path, seed=seed)
        assert len(pool) == 130
        assert highest < set(pool.numbers.tolist())
        drawn += set(pool.numbers.tolist()) - highest
    assert "130 of 2,000 rows: 100 with the highest scores" in pool.described()
    assert abs(np.mean(drawn) - 1_000) < 100, "drawn rows are from all over the file"


def test_parts_lead_to_the_same_pool_as_one_part(
    detector: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "HIGHEST", 100)
    monkeypatch.setattr(pool_file, "DRAWN", 30)
    whole = pool_of(detector, path)
    parts = open_to_run(detector, [path], identifier="id", ignored=[])
    table = rows_of()
    pieces = [table.slice(start, 300) for start in range(0, 2_000, 300)]

    def in_pieces(*, flag: bool) -> Any:
        from alarmnet.sources import Part

        first = 0
        for piece in pieces:
            usable = np.ones(len(piece), dtype=bool)
            yield Part(piece.drop_columns(["id"]), usable, piece["id"], first)
            first += len(piece)

    monkeypatch.setattr(parts, "parts", in_pieces)
    assert pool_from_files(detector, parts).keys == whole.keys


def test_rows_with_an_answer_stay_whatever_their_score(
    detector: Any, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_file, "HIGHEST", 10)
    monkeypatch.setattr(pool_file, "DRAWN", 0)
    scores = detector.decision_function(rows_of().drop_columns(["id"]))
    low = f"r-{int(np.argmin(scores))}"
    assert low not in pool_of(detector, path).keys
    assert low in pool_of(detector, path, answered=[low]).keys
    plain = pool_of(detector, path, identifier=None)
    digest = row_digests(rows_of().drop_columns(["id"]))[int(np.argmin(scores))]
    assert digest not in plain.keys
    assert digest in pool_of(detector, path, identifier=None, answered=[digest]).keys


def test_memory_bounds_the_rows(detector: Any, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_file, "MOST_BYTES", 10_000)
    monkeypatch.setattr(pool_file, "DRAWN", 5)
    assert 100 < len(pool_of(detector, path)) < 1_000


def test_digests_are_of_cells_alone(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2, 2], "b": ["x", None, None], "t": pa.array([0, 1, 1], pa.timestamp("s"))})
    write_table(tmp_path / "rows.csv", [table])
    write_table(tmp_path / "rows.parquet", [table])
    first, second, third = row_digests(table)
    assert first != second == third
    for name in ("rows.csv", "rows.parquet"):
        (part,) = open_to_train([tmp_path / name], None, labels_file=None, ignored=[]).parts(flag=True)
        assert row_digests(part.X) == [first, second, third], name
    assert row_digests(table.select(["t", "b", "a"])) == [first, second, third]
    assert row_digests(table.rename_columns(["a", "b", "u"])) != [first, second, third]
    images = np.zeros((2, 1, 8, 8), np.uint8)
    images[1, 0, 0, 0] = 1
    assert len(set(row_digests(images))) == 2


def test_equal_rows_have_names_of_their_own(detector: Any, tmp_path: Path) -> None:
    table = rows_of(300).drop_columns(["id"])
    write_table(tmp_path / "rows.csv", [pa.concat_tables([table, table.slice(0, 2), table.slice(0, 1)])])
    rows = open_to_run(detector, [tmp_path / "rows.csv"], ignored=[])
    pool = pool_from_files(detector, rows)
    assert len(set(pool.keys)) == 303
    assert pool.keys[300] == f"{pool.keys[0]}#2"
    assert pool.keys[302] == f"{pool.keys[0]}#3"


@pytest.mark.parametrize("names", [["a", "a"], ["a", ""]])
def test_ids_have_to_differ(detector: Any, tmp_path: Path, names: list[str]) -> None:
    table = rows_of(2).drop_columns(["id"]).append_column("id", pa.array(names))
    write_table(tmp_path / "rows.csv", [table])
    with pytest.raises(InputError, match="ids have to differ"):
        pool_of(detector, tmp_path / "rows.csv")


def test_an_id_that_no_store_could_hold_is_a_digest(detector: Any, tmp_path: Path) -> None:
    names = ["short", "x" * 100_000]
    table = rows_of(2).drop_columns(["id"]).append_column("id", pa.array(names))
    write_table(tmp_path / "rows.csv", [table])
    short, long = pool_of(detector, tmp_path / "rows.csv").keys
    assert (short, len(long)) == ("short", 32)
    assert pool_of(detector, tmp_path / "rows.csv", answered=[long]).keys == (short, long)


def test_a_sample_is_drawn_from_all_rows_and_is_usable(path: Path, tmp_path: Path) -> None:
    table = rows_of().drop_columns(["id"])
    values = table["c0"].to_numpy().copy()
    values[7] = np.inf
    write_table(tmp_path / "bad.csv", [table.set_column(0, "c0", pa.array(values))])
    rows = open_to_train([tmp_path / "bad.csv"], None, labels_file=None, ignored=[])
    found = sampled(rows, most=500, seed=0)
    assert 499 <= len(found) <= 500
    assert np.isfinite(found["c0"].to_numpy()).all()
    assert sampled(rows, most=500, seed=1)["c0"].to_pylist() != found["c0"].to_pylist()


def test_rows_that_cannot_be_scored_are_counted(detector: Any, tmp_path: Path) -> None:
    table = rows_of(300)
    values = table["c0"].to_numpy().copy()
    values[7] = np.inf
    write_table(tmp_path / "bad.csv", [table.set_column(1, "c0", pa.array(values))])
    pool = pool_of(detector, tmp_path / "bad.csv")
    assert "r-7" not in pool.keys
    assert "1 rows that cannot be scored" in pool.described()


def test_no_row_is_refused(detector: Any, tmp_path: Path) -> None:
    write_table(tmp_path / "none.csv", [rows_of(0)])
    with pytest.raises(InputError, match="no row can be scored"):
        pool_of(detector, tmp_path / "none.csv")
