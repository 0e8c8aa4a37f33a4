"""A table scores alike as CSV, Parquet, pandas, polars, Arrow and lists, whichever of them was learned from."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from click.testing import CliRunner

from alarmnet import A3Detector, Schedule, score_files
from alarmnet.cli import main
from alarmnet.data_files import TableFiles
from alarmnet.errors import InputError
from alarmnet.preprocessing import TableEncoder

SHORT = Schedule(steps=20, batch_size=64)
pytestmark = pytest.mark.filterwarnings("ignore::alarmnet.errors.AlarmnetWarning")

rng = np.random.default_rng(0)
N = 60
TIMES = pd.Series(pd.date_range("2024-01-31 22:30", periods=N, freq="97min"))
COLUMNS: dict[str, Any] = {
    "booleans": pd.Series(rng.random(N) < 0.3),
    "booleans with gaps": pd.Series([True, False, None, False] * (N // 4), dtype="boolean"),
    "integers": pd.Series(rng.integers(0, 9, N)),
    "integers with gaps": pd.Series(np.where(np.arange(N) % 7, rng.integers(0, 9, N), np.nan)),
    "integers as categories": pd.Series(rng.choice([22, 80, 443], N)).astype("category"),
    "integers with gaps as categories": pd.Series(
        np.where(np.arange(N) % 7, rng.choice([22, 80, 443], N), np.nan)
    ).astype("category"),
    "halves as categories": pd.Series(rng.choice([0.5, 1.0, 1.5], N)).astype("category"),
    "booleans as categories": pd.Series(rng.random(N) < 0.3).astype("category"),
    "times": TIMES,
    "dates": TIMES.dt.date.astype("date32[pyarrow]"),
    "times as categories": TIMES.sample(N, replace=True, random_state=0, ignore_index=True).astype(
        "category"
    ),
}


def csv_table(frame: pd.DataFrame, folder: Path, encoder: TableEncoder | None, spell: Any = str) -> Any:
    path = folder / "table.csv"
    text = frame.to_csv(index=False)
    path.write_text(text.replace("True", spell("True")).replace("False", spell("False")))
    return TableFiles(path, kinds=encoder.file_kinds_ if encoder else None).read()


def parquet_table(frame: pd.DataFrame, folder: Path, _: TableEncoder | None) -> Any:
    frame.to_parquet(folder / "table.parquet")
    return TableFiles(folder / "table.parquet").read()


FORMS: dict[str, Callable[[pd.DataFrame, Path, TableEncoder | None], Any]] = {
    "CSV": csv_table,
    "CSV from R": lambda frame, folder, encoder: csv_table(frame, folder, encoder, str.upper),
    "CSV from JavaScript": lambda frame, folder, encoder: csv_table(frame, folder, encoder, str.lower),
    "Parquet": parquet_table,
    "pandas": lambda frame, *_: frame,
    "pandas in chunks": lambda frame, *_: pd.concat([frame[:20], frame[20:]]),
    "Arrow": lambda frame, *_: pa.Table.from_pandas(frame),
    "polars": lambda frame, *_: pl.from_arrow(pa.Table.from_pandas(pd.DataFrame(frame.astype(object)))),
    "objects": lambda frame, *_: frame.astype(object),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("learned", "run"), [*itertools.permutations(FORMS, 2)])
def test_what_is_learned_from_one_form_is_scored_in_any(
    name: str, learned: str, run: str, tmp_path: Path
) -> None:
    frame = pd.DataFrame({name: COLUMNS[name], "n": rng.normal(size=N)})
    table = FORMS[learned](frame, tmp_path, None)
    encoder = TableEncoder().fit(table)
    expected = encoder.transform(table)
    assert np.array_equal(encoder.transform(FORMS[run](frame, tmp_path, encoder)), expected)
    assert not encoder.summarize(FORMS[run](frame, tmp_path, encoder)).unseen


def booleans(**columns: Any) -> TableEncoder:
    return TableEncoder(scaling="minmax").fit(pd.DataFrame(columns))


def test_words_for_true_and_false_are_booleans_where_booleans_were_learned_from_and_nowhere_else() -> None:
    flags = booleans(x=[True, False, False])
    assert flags.file_kinds_ == {"x": "boolean"}
    assert flags.kinds_ == {"x": "number"}
    written = pd.DataFrame({"x": ["TRUE", " false", "0", "1.0", None]})
    assert flags.transform(written)[:4, 0].tolist() == [1.0, 0.0, 0.0, 1.0]
    mixed = pd.DataFrame({"x": pd.Series([True, "false", 0], dtype=object)})
    assert flags.transform(mixed)[:, 0].tolist() == [1.0, 0.0, 0.0]
    for word in ("yes", "T", "on", "truth"):
        with pytest.raises(InputError, match=f"'{word}'"):
            flags.transform(pd.DataFrame({"x": ["true", word]}))
        assert flags.invalid_rows(pd.DataFrame({"x": ["true", word]})).tolist() == [False, True]
    numbers = booleans(x=[0, 1, 1])
    with pytest.raises(InputError, match="'true'"):
        numbers.transform(pd.DataFrame({"x": ["true", "false"]}))


@pytest.mark.parametrize("column", [{"x": [0, 1, 1]}, {"x": [0.5, 2.5, 9.0]}])
def test_only_columns_of_booleans_are_stored_as_such(column: dict[str, Any]) -> None:
    assert "boolean" not in booleans(**column).to_dict()["columns"][0]


@pytest.mark.parametrize("damage", [{"boolean": 1}, {"boolean": None}, {"high": 2.0}, {"kind": "duration"}])
def test_a_stored_column_of_booleans_is_checked(damage: dict[str, Any]) -> None:
    state = booleans(x=[True, False, False]).to_dict()
    assert TableEncoder.from_dict(state).file_kinds_ == {"x": "boolean"}
    state["columns"][0] |= damage
    with pytest.raises(ValueError, match="damaged"):
        TableEncoder.from_dict(state)


def test_a_category_in_another_writing_is_matched_only_where_one_is_meant() -> None:
    flags = booleans(x=["true", "false", "false"])
    assert flags.transform(pd.DataFrame({"x": [True, False]})).tolist() == [[1], [0]]
    both = booleans(x=pd.Series(["true", "True", "false"], dtype="category"))
    assert both.summarize(pd.DataFrame({"x": ["TRUE", "True"]})).unseen["x"].count == 1
    ports = TableEncoder(categories={"x": [80, 443]}).fit(pd.DataFrame({"x": [80, 443]}))
    assert ports.transform(pd.DataFrame({"x": ["443.0", "80.5"]})).tolist() == [[0, 1], [0, 0]]
    written = TableEncoder(categories={"x": ["80.0", "443.0"]}).fit(pd.DataFrame({"x": ["80.0", "443.0"]}))
    assert written.transform(pd.DataFrame({"x": ["443", "80.5"]})).tolist() == [[0, 1], [0, 0]]
    gaps = TableEncoder(categories={"x": ["80", "443", "-"]}).fit(pd.DataFrame({"x": ["80", "443", "-"]}))
    assert gaps.transform(pd.DataFrame({"x": ["443.0", "-"]})).tolist() == [[0, 1, 0], [0, 0, 1]]
    versions = booleans(x=["1", "1.10", "1"])
    codes = booleans(x=pd.Series(["1", "x", "1"]))
    assert versions.kinds_["x"] == "number"
    assert codes.summarize(pd.DataFrame({"x": ["1.0", "x"]})).unseen["x"].count == 1


@pytest.mark.parametrize("spell", [str, str.upper, str.lower])
def test_a_model_of_a_boolean_column_scores_the_csv_of_its_table(
    spell: Callable[[str], str], tmp_path: Path
) -> None:
    frame = pd.DataFrame({"v": rng.normal(size=N), "vip": pd.array(rng.random(N) < 0.3, dtype="boolean")})
    frame.loc[3, "vip"] = pd.NA
    parquet_table(frame, tmp_path, None)
    csv_table(frame, tmp_path, None, spell)
    model = A3Detector(random_state=0, target_schedule=SHORT, alarm_schedule=SHORT).fit(frame)
    model.save(tmp_path / "model")
    scores = {}
    for ending in ("csv", "parquet"):
        out = tmp_path / f"{ending}-scores.csv"
        arguments = ["score", str(tmp_path / "model"), str(tmp_path / f"table.{ending}"), "--out", str(out)]
        assert CliRunner().invoke(main, arguments).exit_code == 0
        scores[ending] = out.read_text()
    assert scores["csv"] == scores["parquet"]
    path = tmp_path / "table.csv"
    path.write_text(path.read_text().replace(spell("False"), "no", 1))
    refused = CliRunner().invoke(main, [*arguments[:2], str(path), "--out", str(out)])
    assert refused.exit_code == 2
    assert "'no' is neither true nor false" in refused.stderr


@pytest.mark.parametrize("cells", [["3.5"], ["0 days 00:00:03"]])
def test_a_text_file_for_a_model_of_durations_is_refused(cells: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"v": rng.normal(size=N), "took": pd.to_timedelta(rng.random(N), unit="s")})
    model = A3Detector(random_state=0, target_schedule=SHORT, alarm_schedule=SHORT).fit(frame)
    frame.to_parquet(tmp_path / "table.parquet")
    assert score_files(model, tmp_path / "table.parquet", out=tmp_path / "scores.csv").rows == N
    frame.iloc[:1].assign(took=cells).to_csv(tmp_path / "table.csv", index=False)
    with pytest.raises(InputError, match="the model learned durations in column 'took'") as refused:
        score_files(model, tmp_path / "table.csv", out=tmp_path / "scores.csv")
    assert (refused.value.code, refused.value.column) == ("wrong_type", "took")
