"""What each kind of bad input gets on the command line, case by case: the sentence, the exit code, what is written.

In Python only, in test_bad_input_python.py:

- 11 complex numbers, 23 names that are not text, 25 columns of several levels, 26 dimensions, 33 sparse data,
  34 memory layouts, 36 tensors, 37 the caller's data: no file holds them;
- 40, 42 and 44 labels of another length, -1 beside 1, infinity: labels are cells of the table, and the anomalous
  ones are named;
- 52 scoring before fitting: `score` needs a model.
"""

import gzip
import importlib
import json
import os
import resource
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import alarmnet
from alarmnet._shared.persistence import FORMAT_VERSION
from alarmnet.cli import main
from alarmnet.detectors import a3
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.training import Schedule

SHORT = Schedule(steps=3, batch_size=64, learning_rate=1e-2)
LABELS = ("--label", "class", "--anomaly", "fraud", "--alarm-rate", "0.2")
ROWS = 60
PROGRAM = (sys.executable, "-c", "from alarmnet.cli import main; main()")


@pytest.fixture(scope="module", autouse=True)
def _short_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(a3, "target_schedule", lambda rows: SHORT)
        patch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: SHORT)
        yield


def table(rows: int = ROWS, /, **columns: Any) -> pd.DataFrame:
    """Numbers, texts and labels, and further or other columns."""
    amount = np.random.default_rng(0).normal(size=rows).round(4)
    frame = pd.DataFrame({"amount": amount, "service": ["web", "shop", "web"] * (rows // 3)})
    return frame.assign(**{"class": ["fraud"] * 3 + ["fine"] * (rows - 3)}).assign(**columns)


def amounts(*cells: str) -> pd.DataFrame:
    """Six rows to score, of which the first have these amounts."""
    return table(6, amount=[*cells, *["1"] * (6 - len(cells))])


def run(*arguments: object, code: int = 0) -> str:
    """What a command printed, on both streams."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result.output


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of `table()` that no test changes."""
    folder = tmp_path_factory.mktemp("model")
    table().to_csv(folder / "train.csv", index=False)
    run("fit", folder / "train.csv", *LABELS, "--out", folder / "model")
    return folder / "model"


class Desk:
    """A folder with a file of data, and the commands that read it."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.folder, self.model = folder, model
        self.data = folder / "data.csv"
        self.out = {"fit": folder / "new.model", "score": folder / "scores.csv"}

    def write(self, content: pd.DataFrame | str | bytes) -> "Desk":
        """Put the data there."""
        if isinstance(content, pd.DataFrame):
            content = content.to_csv(index=False)
        self.data.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def __call__(self, command: str, *options: object, code: int = 0) -> str:
        first = [self.data, *LABELS] if command == "fit" else [self.model, self.data]
        return run(command, *first, *options, "--out", self.out[command], code=code)

    def refused(self, command: str, *sentences: str, options: tuple[str, ...] = ()) -> None:
        """Refused with these words, exit code 2 and nothing written."""
        before = sorted(self.folder.iterdir())
        said = self(command, *options, code=2)
        for sentence in sentences:
            assert sentence in said, said
        assert sorted(self.folder.iterdir()) == before

    def facts(self, command: str, *options: str, code: int = 0) -> dict[str, Any]:
        """What it prints for programs."""
        said = self(command, "--json", *options, code=code)
        found: dict[str, Any] = json.loads(said[said.index("{\n") : said.rindex("}") + 1])
        return found


@pytest.fixture
def desk(tmp_path: Path, model: Path) -> Desk:
    return Desk(tmp_path, model)


# Values


def test_01_missing_values_are_counted_and_new_ones_named(desk: Desk) -> None:
    said = desk.write(amounts("", "NA", "null"))("score")
    assert "6 rows" in said
    assert "Cells missing: 3 ('amount' 3)." in said
    assert "In the rows that the model learned from, no cell is missing in 'amount'." in said
    assert desk.facts("score")["newly_missing"] == ["amount"]
    assert np.isfinite(pd.read_csv(desk.out["score"])["score"]).all()
    gaps = table(amount=[None, *table()["amount"][1:]])
    desk.write(gaps)("fit")
    desk.model = desk.out["fit"]
    assert "In training" not in desk("score")


@pytest.mark.parametrize("cell", ["inf", "-Infinity", "1e400"])
def test_02_and_08_infinity_is_refused(desk: Desk, cell: str) -> None:
    desk.write(amounts("1", cell)).refused(
        "score",
        "Error: Input X contains infinity: column 'amount', row 1. Make them missing (NaN) or finite.",
        "`alarmnet score --on-bad-row flag` scores the other rows",
    )
    desk.write(table(amount=[*["1"] * 50, *[cell] * 10])).refused(
        "fit",
        "contains infinity: column 'amount', rows 50, 51, 52, 53, 54 and 5 more. Make them missing (NaN) or "
        "finite. `alarmnet fit --on-bad-row drop` leaves such rows out",
    )


def test_02_a_refused_row_is_numbered_over_all_files(desk: Desk) -> None:
    rows = 16_384 + 10
    frame = pd.DataFrame({"amount": np.zeros(rows), "service": "web"})
    frame.loc[16_388, "amount"] = np.inf
    desk.data = desk.folder / "t.parquet"
    frame.to_parquet(desk.data)
    desk.refused("score", "column 'amount', row 16388. Make them missing (NaN) or finite.")
    desk("score", "--on-bad-row", "flag", code=3)
    scores = pd.read_csv(desk.out["score"])
    assert scores["row"].tolist() == list(range(rows))
    assert np.flatnonzero(scores["status"] == "invalid").tolist() == [16_388]


def test_03_values_beyond_float32_are_refused(desk: Desk) -> None:
    for command, frame in {"score": amounts("1e39"), "fit": table(amount=["1e39", *["1"] * 59])}.items():
        desk.write(frame).refused(
            command, "holds values outside the float32 range (3.4e38): column 'amount', row 0. Rescale them."
        )


def test_04_denormals_are_accepted_and_minus_zero_is_zero(desk: Desk) -> None:
    desk.write(amounts("0", "-0.0", "1e-45", "-1e-310").assign(service="web"))("score")
    scores = pd.read_csv(desk.out["score"])["score"]
    assert scores.notna().all()
    assert scores[0] == scores[1]


def test_05_integers_that_lose_digits_are_warned_of(desk: Desk) -> None:
    warning = "Warning: Integers beyond 2**53 lose their last digits: 'amount'."
    assert warning in desk.write(table(amount=[2**60 + row for row in range(ROWS)]))("fit")
    assert warning in desk.write(amounts("9007199254740993"))("score")
    assert "Warning" not in desk.write(amounts("9007199254740991", "1e20", "9007199254740993.5"))("score")


def test_06_booleans_are_0_and_1(desk: Desk) -> None:
    desk.write(amounts(*"101010"))("score")
    expected = desk.out["score"].read_bytes()
    desk.data = desk.folder / "t.parquet"
    amounts().assign(amount=[True, False] * 3).to_parquet(desk.data)
    desk("score")
    assert desk.out["score"].read_bytes() == expected


def test_07_a_file_column_is_numbers_only_if_all_of_it_is(desk: Desk) -> None:
    desk.write(table(amount=[f" {number % 9}" for number in range(ROWS)]))
    assert desk.facts("fit")["columns"]["amount"] == "number"
    said = desk.write(table(amount=["~", *[str(row // 2) for row in range(1, ROWS)]]))("fit")
    assert "Warning: Column 'amount' is read as text, because it holds '~' among numbers." in said
    assert alarmnet.load(desk.out["fit"]).encoder_.to_dict()["columns"][0]["kind"] == "category"


@pytest.mark.parametrize(
    "word", ["", "NaN", "nan", "NA", "null", "None", "N/A", "-", "?", " n.a.", "Unknown"]
)
def test_08_words_for_missing_numbers(desk: Desk, word: str) -> None:
    desk.write(amounts(word))
    assert desk.facts("score")["missing"] == {"amount": 1}


@pytest.mark.parametrize("cell", ["~", "ten", "0x10"])
def test_08_a_cell_that_is_no_number_is_refused_and_named(desk: Desk, cell: str) -> None:
    desk.write(amounts("1", cell)).refused(
        "score",
        f"{desk.data} line 3, column 'amount': '{cell}' is not a number; correct the cell, or leave it empty",
    )


def test_08_bad_rows_are_flagged(desk: Desk) -> None:
    frame = amounts("1", "text", "1e39", "-inf", "", "2")
    said = desk.write(frame)("score", "--on-bad-row", "flag", code=3)
    assert "6 rows" in said
    assert "3 invalid" in said
    scores = pd.read_csv(desk.out["score"])
    assert scores["status"].tolist() == ["ok", "invalid", "invalid", "invalid", "ok", "ok"]
    for column in ("score", "p_value", "alarm"):
        assert scores[column].notna().tolist() == (scores["status"] == "ok").tolist()
    first = pd.DataFrame({"amount": [1.0], "service": ["web"]})
    assert scores["score"][0] == pytest.approx(alarmnet.load(desk.model).anomaly_score(first)[0], abs=1e-12)


def test_08_bad_rows_are_dropped_and_counted(desk: Desk) -> None:
    desk.write(table(amount=[*map(str, range(58)), "inf", "1e39"]))
    found = desk.facts("fit", "--on-bad-row", "drop")
    assert (found["rows"], found["dropped"], found["labels"]["normal"]) == (58, 2, 55)
    assert "Dropped 2 rows: they hold infinity or numbers beyond float32." in desk(
        "fit", "--on-bad-row", "drop"
    )


@pytest.mark.parametrize("file", ["data.csv", "data.parquet"])
def test_08_refit_drops_the_bad_rows_that_fit_dropped(desk: Desk, file: str) -> None:
    desk.data = desk.folder / file
    frame = table()
    frame.loc[[0, ROWS - 1], "amount"] = 1e39, np.inf
    frame.to_csv(desk.data, index=False) if file.endswith(".csv") else frame.to_parquet(desk.data)
    desk("fit", "--on-bad-row", "drop")
    desk.model = desk.out["refit"] = desk.out["fit"]
    desk.refused("refit", "`alarmnet refit --on-bad-row drop` leaves such rows out")
    found = desk.facts("refit", "--on-bad-row", "drop")
    assert (found["rows"], found["dropped"]) == (58, 2)
    assert found["labels"] == {"anomaly": 2, "normal": 56, "unlabelled": 0}
    known = alarmnet.load(desk.model).fitted_state().known_numbers
    assert known is not None
    assert known.tolist() == [1, 2]


def test_08_refit_drops_cells_that_are_no_number_where_training_had_numbers(desk: Desk) -> None:
    desk.out["refit"] = desk.folder / "refitted.model"
    said = desk.write(table(amount=["text", *map(str, range(ROWS - 1))]))("refit", "--on-bad-row", "drop")
    assert "Dropped 1 row that the model cannot score." in said


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("fit", "dropped: they hold infinity or numbers beyond float32. Fit would learn from no anomaly."),
        ("refit", "dropped: the model cannot score them. Refit would forget the anomalies"),
    ],
)
def test_08_dropping_all_anomalies_is_refused(desk: Desk, command: str, said: str) -> None:
    desk.out["refit"] = desk.folder / "refitted.model"
    desk.write(table(amount=["inf", "inf", "inf", *map(str, range(ROWS - 3))]))
    words = f"all anomalies (3) are among the 3 rows {said}"
    desk.refused(command, words, options=("--on-bad-row", "drop"))


@pytest.mark.parametrize("cell", ["inf", "1e39", "text", "1,5"])
@pytest.mark.parametrize("command", ["score", "evaluate", "report", "refit"])
def test_08_each_command_says_what_it_can_do_about_bad_rows(desk: Desk, command: str, cell: str) -> None:
    desk.write(amounts("1", cell))
    out = (
        ()
        if command == "evaluate"
        else ("--out", desk.folder / ("s.csv" if command == "score" else "r.html"))
    )
    said = run(command, desk.model, desk.data, *out, code=2)
    ways_out = {
        "score": "`alarmnet score --on-bad-row flag` scores the other rows",
        "refit": "`alarmnet refit --on-bad-row drop` leaves such rows out",
    }
    assert ways_out.get(command, "`alarmnet score --on-bad-row flag` marks such rows") in said
    desk("score", "--on-bad-row", "flag", code=3)


def test_08_a_hint_is_given_only_where_it_helps(desk: Desk) -> None:
    comma = table(amount=["1", "2,5", *["3"] * 58])
    assert "--on-bad-row" not in desk.write(comma)("fit", code=2)
    assert "--on-bad-row" not in desk.write(table().drop(columns="amount"))("score", code=2)
    desk.data = desk.folder / "t.parquet"
    lists = pa.array([[row] for row in range(ROWS)])
    pq.write_table(pa.Table.from_pandas(table()).append_column("at", lists), desk.data)
    assert "--on-bad-row" not in desk("fit", code=2)


def test_09_a_decimal_comma_is_refused_with_a_hint(desk: Desk) -> None:
    said = (
        "Error: Column 'amount' writes numbers with a comma, such as '2,5'. Write them with a decimal point"
    )
    remedy = "no thousands separators (or read a CSV file with --decimal ,), or leave the column out"
    desk.write(table(amount=["1", "2,5", *["3"] * 58])).refused("fit", said, remedy)
    hint = f"{desk.data} line 3, column 'amount': '2,5' has a comma in a number; write 2.5 instead of 2,5"
    desk.write(amounts("1", "2,5")).refused("score", hint)


def test_10_numbers_and_text_in_a_column_are_text(desk: Desk) -> None:
    """A file has no types: a column that is not all numbers is text."""
    mixed = table(amount=["1.5", "x", "y"] * 20)
    assert desk.write(mixed).facts("fit")["columns"]["amount"] == "category"


def test_12_dates_and_durations_are_encoded_by_documented_rules(desk: Desk) -> None:
    desk.write(table(start=pd.date_range("2024-01-01", periods=ROWS).strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert desk.facts("fit")["columns"]["start"] == "datetime"
    desk.data = desk.folder / "t.parquet"
    times = pa.array([row % 9 for row in range(ROWS)], pa.duration("us"))
    pq.write_table(pa.Table.from_pandas(table()).append_column("took", times), desk.data)
    assert desk.facts("fit")["columns"]["took"] == "duration"
    times = pa.array([row * 10**7 for row in range(ROWS)], pa.time64("us"))
    pq.write_table(pa.Table.from_pandas(table()).append_column("at", times), desk.data)
    assert desk.facts("fit")["columns"]["at"] == "datetime"
    lists = pa.array([[row] for row in range(ROWS)])
    pq.write_table(pa.Table.from_pandas(table()).append_column("at", lists), desk.data)
    desk.out["fit"].unlink()
    desk.refused("fit", "column 'at' holds list<", "leave it out or turn it into numbers, text or dates")


def test_13_and_14_new_categories_are_counted_and_near_matches_named(desk: Desk) -> None:
    new = table(6, service=["Web", "web ", "ftp", "web", "web", "web"])
    said = desk.write(new)("score")
    assert "Cells of a category that no row has that the model learned from: 3 ('service' 3)." in said
    assert (
        "Unknown categories of 'service' that resemble known ones: 'Web' (training had 'web'), 'web ' ("
        in said
    )
    found = desk.facts("score")
    assert (found["unseen"], found["near_matches"]) == (
        {"service": 3},
        {"service": {"Web": "web", "web ": "web"}},
    )


def test_15_numbers_beyond_the_training_range_are_counted(desk: Desk) -> None:
    assert "Cells beyond the range of the rows that the model learned from: 2 ('amount' 2)." in desk.write(
        amounts("1e6", "-1e30")
    )("score")


def test_16_columns_without_values_are_left_out_unless_they_are_to_be_kept(desk: Desk) -> None:
    desk.write(table(gone="", void="NA"))
    said = " ".join(desk("fit").split())
    assert "Left out, because no row, or hardly any, has a value: 'gone', 'void'." in said
    assert "To keep" not in said
    run("score", desk.out["fit"], desk.data, "--out", desk.out["score"])
    desk.refused(
        "fit", "Column 'gone' has no value in any", "take it out of --keep", options=("--keep", "gone")
    )


def test_17_an_identifier_is_left_out_and_named(desk: Desk) -> None:
    desk.write(table(id=[f"user{row}" for row in range(ROWS)]))
    assert "Warning: Left out, because each row has a different text: 'id'." in desk("fit")
    assert desk.facts("fit")["left_out"] == {"id": "each row has a different text"}


# Shape and columns


def test_18_a_missing_column_is_refused(desk: Desk) -> None:
    desk.write(table().drop(columns="amount")).refused(
        "score", "data.csv lacks columns that the model was trained with: 'amount'; add them"
    )
    desk.data.write_text(desk.write(table()).data.read_text().replace(",", "~"))
    said = "its only column is 'amount~service~class': say what separates the cells with --delimiter"
    desk.refused("score", said)


@pytest.mark.parametrize("there", ["Amount", "amount ", "AMOUNT", "\u200bamount", "\uff41mount"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_18_a_column_in_another_spelling_is_named(desk: Desk, there: str, ending: str) -> None:
    desk.data = desk.folder / f"data.{ending}"
    frame = table().rename(columns={"amount": there})
    if ending == "csv":
        desk.write(frame)
    else:
        frame.to_parquet(desk.data)
    desk.refused(
        "score",
        f"trained with: 'amount'; {there!r} differs from 'amount' only in case, spaces or Unicode form: rename it",
    )


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("fit", ("--label", "Class", "--anomaly", "fraud")),
        ("fit", ("--ignore", "Class")),
        ("score", ("--id", "Class")),
        ("evaluate", ("--label", "Class", "--anomaly", "fraud")),
        ("report", ("--id", "class ")),
    ],
)
def test_18_an_option_that_names_a_column_in_another_spelling_is_answered_with_it(
    desk: Desk, command: str, options: tuple[str, ...]
) -> None:
    desk.write(table())
    first = [desk.data] if command == "fit" else [desk.model, desk.data]
    ending = "csv" if command == "score" else "html"
    out = () if command == "evaluate" else ("--out", desk.folder / f"out.{ending}")
    said = run(command, *first, *options, *out, code=2)
    name = options[1]
    assert f"'class' differs from {name!r} only in case, spaces or Unicode form: rename it" in said


def test_18_a_label_column_in_another_spelling_is_not_taken_as_a_column_too_many(desk: Desk) -> None:
    desk.write(table().rename(columns={"class": "Class"})).refused(
        "score", "not trained with: 'Class'; 'Class' differs from 'class' only in case"
    )


def test_19_an_extra_column_is_refused_unless_ignored(desk: Desk) -> None:
    desk.write(table(colour="red")).refused(
        "score", "not trained with: 'colour'; leave each out with --ignore COLUMN\n"
    )
    desk("score", "--ignore", "colour")
    desk.refused(
        "score",
        "--ignore 'amount': the model has learned this column and cannot score without it",
        options=("--ignore", "colour", "--ignore", "amount"),
    )


def test_20_columns_are_aligned_by_name(desk: Desk) -> None:
    scores = []
    for order in (["amount", "service"], ["service", "amount"]):
        desk.write(table()[order])("score")
        scores.append(pd.read_csv(desk.out["score"])["score"].tolist())
    assert scores[0] == scores[1]


def test_21_duplicated_names_are_refused(desk: Desk) -> None:
    desk.write("amount,service,amount,class\n1,web,2,fine\n")
    for command in ("fit", "score"):
        desk.refused(command, "names columns more than once: 'amount'; every column needs a name of its own")


def test_22_a_model_without_column_names_is_refused(desk: Desk) -> None:
    desk.model = desk.folder / "nameless.model"
    alarmnet.A3Detector(alarm_rate=0.5).fit(table()[["amount", "service"]].to_numpy()).save(desk.model)
    desk.write(table()).refused("score", "was trained on a table without column names; use it from Python")


def test_24_odd_names_and_values_are_kept_and_escaped(desk: Desk) -> None:
    script, names = "<script>alert(1)</script>", ["", "line\nbreak", "x" * 1000]
    odd = table(**{script: [script, "a\nb", 'c"d'] * (ROWS // 3)}, **dict.fromkeys(names, 1.0))
    assert [*desk.write(odd).facts("fit")["columns"]] == ["amount", "service", script, *names]
    desk.model = desk.out["fit"]
    desk("score", "--id", script)
    assert pd.read_csv(desk.out["score"])["id"].tolist() == odd[script].tolist()
    page = desk.folder / "report.html"
    run("report", desk.model, desk.data, "--id", script, "--out", page)
    assert script not in page.read_text()
    assert "&lt;script&gt;alert(1)" in page.read_text()
    desk.write(odd.assign(**{"line\nbreak": "inf"})).refused("score", r"column 'line\nbreak', rows 0, 1")


def test_27_no_rows_are_refused_at_fit_and_give_an_empty_result_at_score(desk: Desk) -> None:
    desk.write("amount,service,class\n").refused("fit", "has 0 rows that can be used; fit needs at least 2")
    for options in ((), ("--budget", "3"), ("--id", "class")):
        assert desk.facts("score", *options)["rows"] == 0
        name = "id" if "--id" in options else "row"
        header = desk.out["score"].read_text().replace('"', "").split()
        assert header == [f"{name},score,p_value,alarm,status"]


def test_27_a_report_on_no_rows_is_refused(desk: Desk) -> None:
    desk.out["report"] = desk.folder / "report.html"
    desk.write("amount,service,class\n").refused("report", "data.csv has no rows")


def test_28_no_columns_are_refused(desk: Desk) -> None:
    desk.write("class\nfine\nfraud\n").refused(
        "fit", "no column is left to learn from: all are labels or ignored"
    )


def test_29_one_row_is_refused_at_fit_and_works_at_score(desk: Desk) -> None:
    desk.write("amount,service,class\n1,web,fraud\n").refused(
        "fit", "has 1 row that can be used; fit needs at least 2"
    )
    assert desk.facts("score")["rows"] == 1


def test_30_rows_fewer_than_the_batch_and_one_more_than_it_work(desk: Desk) -> None:
    """Training takes 64 at once, scoring 1,024."""
    for rows in (30, 84):
        assert desk.write(table(rows)).facts("fit")["rows"] == rows
    assert desk.write(table(1026)[:1025]).facts("score")["rows"] == 1025


@pytest.mark.parametrize(("row", "cells"), [("2,web", 2), ("2,web,fine,more", 4)])
def test_31_ragged_rows_are_refused(desk: Desk, row: str, cells: int) -> None:
    desk.write(f"amount,service,class\n1,web,fine\n\n{row}\n")
    for command in ("fit", "score"):
        desk.refused(
            command,
            f"{desk.data} line 4 has {cells} cells where the header names 3 columns; correct that line",
        )


def test_32_a_table_too_large_is_refused_before_training(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.import_module("alarmnet.cli.fit"), "available_bytes", lambda: 4096)
    desk.write(table()).refused(
        "fit", "training would take about", "of memory and 4 KiB are available: train on fewer rows"
    )


def test_35_types_of_parquet_score_like_csv(desk: Desk) -> None:
    desk.write(amounts(*"123456"))("score")
    expected = desk.out["score"].read_bytes()
    desk.data = desk.folder / "t.parquet"
    texts = pa.array(table(6)["service"])
    numbers = (pa.int8(), pa.float32(), pa.decimal128(21, 2), pa.string())
    for kind, service in zip(numbers, (texts, texts.dictionary_encode()) * 2, strict=True):
        cells = pa.array([*"123456"]) if kind == pa.string() else pa.array(range(1, 7)).cast(kind)
        pq.write_table(pa.table({"service": service, "amount": cells}), desk.data)
        desk("score")
        assert desk.out["score"].read_bytes() == expected, kind


# Labels and degenerate data


def test_38_without_labels_it_says_so(desk: Desk) -> None:
    desk.write(table().drop(columns="class"))
    said = run("fit", desk.data, "--alarm-rate", "0.2", "--out", desk.out["fit"])
    assert "Labels: none (no --label was given). Training treats all 60 rows as normal, and contrasts" in said
    assert "calibrated on 12 held-out unlabelled rows. An estimated" in said
    assert "The threshold does not allow for them, so there may be fewer" in said
    assert alarmnet.load(desk.out["fit"]).label_counts_["unlabelled"] == ROWS
    said = desk.write(table(**{"class": ""}))("fit")
    assert "Labels: none (column 'class' labels no row)." in said


def test_38_one_calibration_row_is_one_row(desk: Desk) -> None:
    desk.write(table(6).drop(columns="class"))
    said = run("fit", desk.data, "--alarm-rate", "0.2", "--out", desk.out["fit"])
    assert "1 calibration row is too few for an alarm rate of 0.2" in said
    assert "calibrated on 1 held-out unlabelled row. " in said
    assert "calibrated on 1 held-out row labelled normal." in desk.write(table(6))("fit")


def test_39_anomalies_alone_are_refused(desk: Desk) -> None:
    desk.write(table(**{"class": "fraud"})).refused("fit", "Error: no normal rows: only one class")


def test_41_a_label_that_does_not_occur_is_refused(desk: Desk) -> None:
    desk.write(table(**{"class": "fine"})).refused("fit", "column 'class' has no 'fraud'; it has 'fine'")


def test_43_any_text_may_be_a_label(desk: Desk) -> None:
    desk.write(table(**{"class": ["fraud", "fine", "True", "-1", "inf", ""] * 10}))
    assert desk.facts("fit")["labels"] == {"anomaly": 10, "normal": 40, "unlabelled": 10}


def test_45_a_constant_column_stays_and_is_counted(desk: Desk) -> None:
    found = desk.write(table(constant=5)).facts("fit")
    assert found["constant"] == ["constant"]
    assert found["columns"]["constant"] == "number"


def test_46_and_47_equal_rows_are_warned_of(desk: Desk) -> None:
    said = desk.write(table(amount=1, service="web"))("fit")
    assert "Warning: all rows are equal: every score will be the same" in said
    assert "Warning: 57 rows equal a known anomaly in every column and are not labelled anomalous" in said
    desk.model = desk.out["fit"]
    desk("score")
    (score,) = set(pd.read_csv(desk.out["score"])["score"])
    assert 0 <= score <= 1


def test_48_one_known_anomaly(desk: Desk) -> None:
    desk.write(table(**{"class": ["fraud", *["fine"] * 59]}))
    assert desk.facts("fit")["labels"]["anomaly"] == 1


def test_49_too_few_calibration_rows_warn(desk: Desk) -> None:
    said = desk.write(table())("fit", "--alarm-rate", "0.001")
    assert (
        "Warning: 11 calibration rows are too few for an alarm rate of 0.001: the smallest possible rate is"
        in said
    )
    assert "at most 8.33% of normal rows raise an alarm" in said


def test_49_loading_a_model_does_not_warn_of_its_alarm_rate_again(desk: Desk) -> None:
    desk.write(table())("fit", "--alarm-rate", "0.001")
    arguments = {"info": (), "explain": (desk.data, "--row", 3), "evaluate": (desk.data,)}
    for command, more in arguments.items():
        assert "too few" not in (said := run(command, desk.out["fit"], *more)), command
        assert command == "explain" or "at most 8.33% of normal rows raise an alarm" in said
    score = ("score", desk.out["fit"], desk.data, "--out", desk.out["score"])
    assert run(*score).count("11 calibration rows are too few for an alarm rate of 0.001") == 1
    assert "too few" not in run(*score, "--alarm-rate", "0.2")
    assert "too few" not in run(*score, "--budget", "3")
    with pytest.warns(alarmnet.AlarmnetWarning, match="11 calibration rows are too few"):
        alarmnet.score_files(desk.out["fit"], desk.data, out=desk.out["score"])


@pytest.mark.parametrize(
    ("command", "options", "sentence"),
    [
        ("fit", ("--alarm-rate", "0"), "'--alarm-rate': 0.0 is not in the range 0<x<1."),
        ("fit", ("--alarm-rate", "1"), "'--alarm-rate': 1.0 is not in the range 0<x<1."),
        (
            "fit",
            ("--alarm-rate", "low"),
            "'--alarm-rate': 'low' is not a rate: give a number between 0 and 1",
        ),
        (
            "fit",
            ("--alarm-rate", "nan"),
            "'alarm_rate' parameter of A3Detector must be a number in (0, 1). Got nan",
        ),
        ("fit", ("--seed", "-1"), "'--seed': -1 is not in the range x>=0."),
        ("fit", ("--method", "b3"), "'b3' is not one of a3"),
        ("score", ("--alarm-rate", "nan"), "must be a number in (0, 1). Got nan instead."),
        ("score", ("--budget", "0"), "'--budget': 0 is not in the range x>=1."),
    ],
)
def test_50_options_out_of_range_are_refused(
    desk: Desk, command: str, options: tuple[str, ...], sentence: str
) -> None:
    desk.write(table()).refused(command, sentence, options=options)


def test_51_training_that_diverges_is_an_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    wild = Schedule(steps=30, learning_rate=1e38)
    monkeypatch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: wild)
    desk.write(table()).refused(
        "fit", "Error: the loss of the second alarm network is no longer finite", "lower its"
    )


# Files

GOOD = "amount,service,class\n1,wéb,fine\n2,web,fine\n"


@pytest.mark.parametrize(
    "content",
    [b"\xef\xbb\xbf" + GOOD.encode(), GOOD.replace("\n", "\r\n").encode(), gzip.compress(GOOD.encode())],
)
def test_53_marks_line_ends_and_gzip_are_decoded(desk: Desk, content: bytes) -> None:
    desk.write(GOOD)("score")
    expected = desk.out["score"].read_bytes()
    desk.write(content)("score")
    assert desk.out["score"].read_bytes() == expected


ENCODINGS: dict[str, tuple[bytes, str]] = {
    "UTF-16": (GOOD.encode("utf-16"), "is UTF-16 text, by the mark at byte 0; convert it to UTF-8"),
    "UTF-16 without a mark": (GOOD.encode("utf-16-le"), "is UTF-16LE text, by its zero bytes"),
    "Latin-1": (
        GOOD.encode("latin-1"),
        "is not UTF-8 at byte 24 (0xE9), and may be Windows-1252 or Latin-1 text; convert it to UTF-8: iconv -f",
    ),
    "NUL": (GOOD.encode().replace(b"fine", b"f\0ne"), "holds a NUL byte at byte 29, so it is not UTF-8 text"),
    "open quote": (
        GOOD.replace("2,", '"2,').encode(),
        "line 3 opens a quote that is not closed where its cell ends",
    ),
}


@pytest.mark.parametrize("name", ENCODINGS)
def test_53_other_encodings_and_open_quotes_are_refused(desk: Desk, name: str) -> None:
    content, sentence = ENCODINGS[name]
    desk.write(content)
    for command in ("fit", "score"):
        desk.refused(command, f"Error: {desk.data} {sentence}")


@pytest.mark.parametrize("head", ["amount,service,class\n1,", 'amount,service,class\n1,"', ""])
def test_53_a_line_of_a_gigabyte_is_refused_soon(desk: Desk, head: str) -> None:
    block = gzip.compress(b"x" * (16 << 20))
    desk.write(gzip.compress(head.encode()) + 64 * block)
    start = time.process_time()
    expected = (
        "comes a line longer than 8 MiB, or a quote that is never closed" if head else "is longer than 1 MiB"
    )
    desk.refused("score", expected)
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("1,2,3\n4,5,6\n", "has no header: its first line holds numbers only (1, 2, 3); put a line"),
        ("\n" + GOOD, "begins with an empty line; the first line must name the columns"),
        ("", "is empty; it needs a line with the column names"),
        (GOOD + GOOD, "line 4 repeats the header; remove that line (were files joined with their headers?)"),
    ],
)
def test_54_headers_absent_or_repeated_are_refused(desk: Desk, content: str, sentence: str) -> None:
    desk.write(content)
    for command in ("fit", "score"):
        desk.refused(command, f"Error: {desk.data} {sentence}")


def parquet(folder: Path) -> bytes:
    table().to_parquet(folder / "whole")
    content = (folder / "whole").read_bytes()
    (folder / "whole").unlink()
    return content


def bomb(folder: Path) -> bytes:
    """An archive of 4 KB that promises a terabyte."""
    header = np.lib.format.header_data_from_array_1_0(np.zeros((1, 8, 8), np.uint8)) | {
        "shape": (1 << 34, 8, 8)
    }
    with (folder / "one").open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        stream.write(bytes(4096))
    return zipped(folder, (folder / "one").read_bytes())


def zipped(folder: Path, array: bytes) -> bytes:
    with zipfile.ZipFile(folder / "zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", array)
    content = (folder / "zip").read_bytes()
    for made in folder.iterdir():
        made.unlink()
    return content


def pickled(folder: Path) -> bytes:
    np.save(folder / "o.npy", np.array([{}] * 9, dtype=object), allow_pickle=True)
    content = (folder / "o.npy").read_bytes()
    (folder / "o.npy").unlink()
    return content


DAMAGED: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "truncated gzip": (
        "d.csv.gz",
        lambda _: gzip.compress(GOOD.encode())[:-20],
        "FILE is cut short: its compressed data",
    ),
    "truncated Parquet": (
        "d.parquet",
        lambda path: parquet(path)[:-100],
        "FILE is not a complete Parquet file: ",
    ),
    "wrong magic": (
        "d.parquet",
        lambda _: b"PK\3\4",
        "FILE is not a complete Parquet file: it does not begin as one",
    ),
    "workbook": (
        "d.xlsx",
        lambda _: b"PK\3\4",
        "FILE has a format that is not read; CSV (.csv, .tsv, .txt)",
    ),
    "binary as text": ("d.csv", lambda path: parquet(path)[4:], "FILE "),
    "no array": (
        "d.npy",
        lambda _: b"abcdefgh" * 20,
        "FILE is damaged, or holds pickled objects, which are never read",
    ),
    "pickled array": ("d.npy", pickled, "FILE is damaged, or holds pickled objects, which are never read"),
    "zip bomb": ("d.npz", bomb, "training would take about 15360.60 GiB of memory"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_55_damaged_files_are_refused(desk: Desk, name: str) -> None:
    ending, content, sentence = DAMAGED[name]
    data = content(desk.folder)
    desk.data = desk.folder / ending
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    said = run("fit", desk.write(data).data, "--alarm-rate", "0.2", "--out", desk.out["fit"], code=2)
    assert "Error: " + sentence.replace("FILE", str(desk.data)) in said
    assert [path.name for path in desk.folder.iterdir()] == [ending]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_56_what_is_no_file_is_refused_at_once(desk: Desk) -> None:
    desk.write(table())
    os.mkfifo(desk.folder / "pipe.csv")
    (desk.folder / "loop.csv").symlink_to(desk.folder / "loop.csv")
    (desk.folder / "folder").mkdir()
    start = time.monotonic()
    for path, as_data, as_model in (
        (desk.folder / "pipe.csv", "is a pipe; give the path of a regular file", "is a pipe"),
        (Path("/dev/zero"), "is a device; give the path of a regular file", "is a device"),
        (
            desk.folder / "loop.csv",
            "cannot be read: Too many levels of symbolic links",
            "cannot be read: Too many",
        ),
        (desk.folder / "none.csv", "there is no such file", "there is no such file"),
        (
            desk.folder / "folder",
            "the model was trained on tables, but",
            "is a folder; give the path of a regular",
        ),
    ):
        for arguments, sentence in (([desk.model, path], as_data), ([path, desk.data], as_model)):
            said = run("score", *arguments, "--out", desk.out["score"], code=2)
            assert str(path) in said
            assert sentence in said
    assert "holds no image and no table: no file in it ends in" in run(
        "fit", desk.folder / "folder", "--out", desk.out["fit"], code=2
    )
    assert time.monotonic() - start < 11 * 2
    assert not desk.out["score"].exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_56_an_unreadable_file_is_refused(desk: Desk) -> None:
    desk.write(table()).data.chmod(0)
    desk.refused("score", f"{desk.data} cannot be read: Permission denied")


def test_56_a_program_neither_waits_for_a_pipe_nor_reads_a_device(desk: Desk) -> None:
    os.mkfifo(desk.folder / "pipe")
    arguments = [
        "score",
        str(desk.model),
        str(desk.folder / "pipe"),
        "/dev/zero",
        "--out",
        str(desk.out["score"]),
    ]
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"Error: {desk.folder / 'pipe'} is a pipe; give the path of a regular file\n"


def test_57_a_full_disk_leaves_the_old_result(desk: Desk) -> None:
    """The largest file that the process may write stands for a disk that is full."""
    desk.write(pd.concat([table()[["amount", "service"]]] * 200)).out["score"].write_text("old")
    arguments = ["score", str(desk.model), str(desk.data), "--out", str(desk.out["score"])]
    done = subprocess.run(
        [*PROGRAM, *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"Error: {desk.out['score']} could not be written")
    assert desk.out["score"].read_text() == "old"
    assert sorted(path.name for path in desk.folder.iterdir()) == ["data.csv", "scores.csv"]


def test_57_outputs_that_cannot_be_written_are_refused(desk: Desk) -> None:
    desk.write(table())
    before = desk.data.read_bytes()
    (desk.folder / "loop").symlink_to(desk.folder / "loop")
    for out, sentence in (
        (desk.folder / "none" / "s.csv", f"there is no folder {desk.folder / 'none'}; create it first"),
        (desk.folder, f"{desk.folder} is a folder; give the name of a file"),
        (desk.folder / "loop", f"{desk.folder / 'loop'} is a loop of links; give the path of a regular file"),
        (Path("/dev/full"), "/dev/full is a device; give the path of a regular file"),
        (Path("/proc/scores.csv"), "/proc/scores.csv"),
        (desk.folder / "s.xlsx", "give a name that ends in .csv, .csv.gz or .parquet"),
        (desk.data, "data.csv is an input too; write to another file"),
    ):
        assert sentence in run("score", desk.model, desk.data, "--out", out, code=2)
    assert desk.data.read_bytes() == before
    assert sorted(path.name for path in desk.folder.iterdir()) == ["data.csv", "loop"]
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[:-1], "it is cut short or damaged"),
    "changed": (lambda data: data[:-99] + bytes([data[-99] ^ 1]) + data[-98:], "its digest does not match"),
    "renamed": (lambda _: GOOD.encode(), "it is not an alarmnet file, since it begins with other bytes"),
    "newer": (
        lambda data: data[:8] + bytes([FORMAT_VERSION + 1]) + data[9:],
        f"written by a newer alarmnet (format {FORMAT_VERSION + 1}, this one reads",
    ),
    "hostile": (
        lambda data: data[:12] + (1 << 62).to_bytes(8, "little") + data[20:],
        "bytes where its header says 46",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_58_a_damaged_model_file_is_refused(desk: Desk, name: str) -> None:
    change, reason = DAMAGE[name]
    damaged = desk.folder / "damaged.model"
    damaged.write_bytes(change(desk.model.read_bytes()))
    desk.model = damaged
    desk.write(table()).refused("score", f"Error: {damaged} cannot be read as a model: ", reason)


@pytest.mark.parametrize("named", [(), ("--normal", "fine")])
def test_normal_values_that_are_named_are_not_asked_for(desk: Desk, named: tuple[str, ...]) -> None:
    desk.write(table(amount=1e6))
    said = run("evaluate", desk.model, desk.data, "--label", "class", "--anomaly", "fraud", *named)
    assert "Normal rows raise more alarms than chance explains" in said
    assert ("Use --normal to name the values that are normal." in said) == (not named)
