import json
import os
import re
import shlex
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

import alarmnet
from alarmnet.cli import COMMANDS, datasets, main, terminal
from alarmnet.detectors import DETECTORS, A3Detector, a3, conv_a3
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.training import Schedule
from alarmnet.sources.labels import Labelling

DOCS = Path(__file__).parents[1] / "docs" / "reference" / "command-line.md"
SHORT = Schedule(steps=30, batch_size=64, learning_rate=1e-2)
LABELS = ("--label", "class", "--anomaly", "fraud")


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def facts(*arguments: object, code: int = 0) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(run(*arguments, "--json", code=code).stdout)
    return parsed


def table(rows: int = 150, *, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "payment": [f"p{number:04}" for number in range(rows)],
            "amount": generator.normal(size=rows),
            "service": generator.choice(["web", "shop"], rows),
            "class": "fine",
        }
    )
    frame.loc[:8, "amount"] += 9.0
    frame.loc[:8, "class"] = "fraud"
    frame.loc[9:13, "class"] = None
    return frame


@pytest.fixture(scope="module", autouse=True)
def _short_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(a3, "target_schedule", lambda rows: SHORT)
        patch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: SHORT)
        patch.setattr(conv_a3, "joint_schedule", lambda rows, shape: SHORT)
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and a model that all tests read and none changes."""
    made = tmp_path_factory.mktemp("cli")
    table().to_csv(made / "train.csv", index=False)
    table(seed=1).to_csv(made / "test.csv.gz", index=False)
    arguments = (*LABELS, "--ignore", "payment", "--alarm-rate", "0.05")
    run("fit", made / "train.csv", *arguments, "--out", made / "model")
    return made


# fit


@pytest.mark.parametrize("method", DETECTORS)
def test_fit_and_score_with_every_method_equal_the_library(folder: Path, tmp_path: Path, method: str) -> None:
    arguments = (*LABELS, "--ignore", "payment", "--alarm-rate", "0.05", "--method", method)
    run("fit", folder / "train.csv", *arguments, "--out", tmp_path / "m")
    run("score", tmp_path / "m", folder / "test.csv.gz", "--out", tmp_path / "s.parquet")
    train, new = table(), table(seed=1).drop(columns=["payment", "class"])
    y = train["class"].map({"fraud": 1.0, "fine": 0.0}).to_numpy(dtype=float)
    detector = DETECTORS[method](alarm_rate=0.05, random_state=0)
    detector.fit(train.drop(columns=["payment", "class"]), y)
    scores = pd.read_parquet(tmp_path / "s.parquet")["score"]
    np.testing.assert_allclose(scores, detector.anomaly_score(new), atol=1e-6)


def test_fit_says_labels_and_memory_before_training_and_remembers_them(folder: Path, tmp_path: Path) -> None:
    arguments = (folder / "train.csv", *LABELS, "--ignore", "payment", "--seed", "3", "--out", tmp_path / "m")
    result = run("fit", *arguments, "--alarm-rate", "0.05")
    table_line, labels_line, *_ = result.stdout.splitlines()
    assert re.fullmatch(
        r"Table: 150 rows, 2 columns\. Training takes about \d+ [KM]iB of memory, .+ are available\.",
        table_line,
    )
    assert labels_line == (
        "Labels in 'class': 9 anomalies, 136 normal, 5 unlabelled. Values of 'class': 'fraud' 9 (anomaly), "
        "'fine' 136 (normal), empty 5 (unlabelled)."
    )
    detector = alarmnet.load(tmp_path / "m")
    assert detector.notes_ == {
        "label": "class",
        "anomaly": ["fraud"],
        "normal": [],
        "ignored": ["payment"],
    }
    assert (detector.seed_, detector.alarm_rate_) == (3, 0.05)
    assert list(detector.feature_names_in_) == ["amount", "service"]


def test_labels_match_as_text_and_as_numbers() -> None:
    some = Labelling("class", anomaly=["1", "bad"], normal=[])
    assert [some.meaning(cell) for cell in ("1", "1.0", "bad", "0", "Bad")] == [1, 1, 1, 0, 0]
    assert all(np.isnan(some.meaning(cell)) for cell in (None, " ", "NA", "nan"))
    yes = Labelling("class", anomaly=["True"], normal=[])
    assert [yes.meaning(cell) for cell in ("true", "TRUE", "1", "false")] == [1, 1, 0, 0]
    both = Labelling("class", anomaly=["NA"], normal=["0"])
    assert [both.meaning(cell) for cell in ("NA", "0.0")] == [1, 0]
    assert np.isnan(both.meaning("2"))


@pytest.mark.parametrize("values", [[1.0, 0.0, None] * 5, [True, False, None] * 5])
def test_label_columns_of_parquet_need_be_no_text(tmp_path: Path, values: list[object]) -> None:
    frame = pd.DataFrame({"x": np.arange(15.0), "y": pd.array(values)})
    frame.to_parquet(tmp_path / "t.parquet")
    anomaly = "1" if values[0] == 1.0 and not isinstance(values[0], bool) else "true"
    arguments = ("--label", "y", "--anomaly", anomaly, "--alarm-rate", "0.5", "--out", tmp_path / "m")
    assert facts("fit", tmp_path / "t.parquet", *arguments)["labels"] == {
        "anomaly": 5,
        "normal": 5,
        "unlabelled": 5,
    }


def test_normal_values_leave_the_others_unlabelled(folder: Path, tmp_path: Path) -> None:
    frame = table().drop(columns="payment")
    frame.loc[100:, "class"] = "pending"
    frame.to_csv(tmp_path / "t.csv", index=False)
    found = facts(
        "fit", tmp_path / "t.csv", *LABELS, "--normal", "fine", "--alarm-rate", "0.1", "--out", tmp_path / "m"
    )
    assert found["labels"] == {"anomaly": 9, "normal": 86, "unlabelled": 55}
    assert found["columns"] == {"amount": "number", "service": "category"}


def test_a_column_of_labels_that_nobody_named_is_warned_of(folder: Path, tmp_path: Path) -> None:
    said = run("fit", folder / "train.csv", "--out", tmp_path / "m", code=0).stderr
    assert "Warning: column 'class' is learned like every other column. If it holds labels" in said
    left = run("fit", folder / "train.csv", "--ignore", "class", "--out", tmp_path / "m", code=0).stderr
    assert "is learned like every other" not in left


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.1, 1.2, 2.5] * 50, dtype=np.float32),
        np.array([1e-5, 2.0, 3.5] * 50),
        [Decimal("1.50"), Decimal("2.00"), Decimal("3.25")] * 50,
        [True, False, None] * 50,
        pa.array(["a", "b", "c"] * 50).dictionary_encode(),
    ],
)
def test_a_column_of_categories_has_no_unseen_ones_in_its_own_table(tmp_path: Path, values: Any) -> None:
    amounts = np.random.default_rng(0).normal(size=150)
    pq.write_table(pa.table({"amount": amounts, "kind": pa.array(values)}), tmp_path / "t.parquet")
    run("fit", tmp_path / "t.parquet", "--category", "kind", "--out", tmp_path / "m")
    said = facts("score", tmp_path / "m", tmp_path / "t.parquet", "--out", tmp_path / "s.csv", "--json")
    assert not said["unseen"]


def test_times_are_no_categories(tmp_path: Path) -> None:
    days = pa.array(pd.date_range("2024-01-01", periods=30))
    pq.write_table(pa.table({"amount": np.arange(30) % 7, "day": days}), tmp_path / "t.parquet")
    error = run("fit", tmp_path / "t.parquet", "--category", "day", "--out", tmp_path / "m", code=2).stderr
    assert "which --category cannot take as categories" in " ".join(error.split())


def test_answers_are_not_overwritten_by_the_model(tmp_path: Path) -> None:
    (tmp_path / "looks.csv").write_text("row,logit,anomaly\n")
    arguments = ("--answers", tmp_path / "looks.csv", "--out", tmp_path / "looks.csv")
    (tmp_path / "m").touch()
    assert "looks.csv" in run("recalibrate", tmp_path / "m", *arguments, code=2).stderr
    assert (tmp_path / "looks.csv").read_text().startswith("row")


@pytest.mark.parametrize("rate", ["0.2", "20%", " 20 %"])
def test_an_alarm_rate_is_a_share_or_a_percentage(folder: Path, tmp_path: Path, rate: str) -> None:
    arguments = [*LABELS, "--alarm-rate", rate, "--out", tmp_path / "m", "--json"]
    assert json.loads(run("fit", folder / "train.csv", *arguments, code=0).stdout)["alarm_rate"] == 0.2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--label", "class"], "--label needs --anomaly VALUE"),
        (["--anomaly", "fraud"], "--anomaly and --normal need --label COLUMN."),
        ([*LABELS, "--anomaly", "froud"], "has no 'froud'; it has 'fraud', 'fine'"),
        ([*LABELS, "--normal", "fraud"], "'fraud' is given as --anomaly and as --normal"),
        (["--label", "klass", "--anomaly", "x"], "has no column 'klass'; it has 'payment', 'amount'"),
        (["--ignore", "x"], "--ignore 'x': there is no such column; there are 'payment', 'amount'"),
        (["--method", "b3"], "'b3' is not one of a3"),
        (["--alarm-rate", "1"], "1.0 is not in the range 0<x<1."),
        (["--ignore", "payment", "--ignore", "amount", "--ignore", "service", *LABELS], "no column is left"),
    ],
)
def test_fit_refuses_in_a_sentence(folder: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result = run("fit", folder / "train.csv", *arguments, "--out", tmp_path / "m", code=2)
    assert sentence in result.stderr
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


def test_outputs_are_checked_before_the_tables(folder: Path, tmp_path: Path) -> None:
    missing = run("fit", "nothing.csv", "--out", tmp_path / "new" / "m", code=2)
    assert f"there is no folder {tmp_path / 'new'}; create it first" in missing.stderr
    a_folder = run("score", "nothing", "nothing.csv", "--out", tmp_path, code=2)
    assert f"{tmp_path} is a folder; give the name of a file" in a_folder.stderr
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    a_loop = run("score", "nothing", "nothing.csv", "--out", tmp_path / "loop", code=2)
    assert f"{tmp_path / 'loop'} is a loop of links; give the path of a regular file" in a_loop.stderr
    before = (folder / "train.csv").read_bytes()
    an_input = run("fit", folder / "train.csv", "--out", folder / "train.csv", code=2)
    assert "train.csv is an input too; write to another file" in an_input.stderr
    assert (folder / "train.csv").read_bytes() == before


def test_interrupted_training_exits_with_130_and_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(A3Detector, "fit", interrupted)
    result = run("fit", folder / "train.csv", *LABELS, "--out", tmp_path / "m", code=130)
    assert result.stderr == (
        "Interrupted: the output was not written. The training is lost; --checkpoint FOLDER would keep it.\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "said"),
    [("triage", "Interrupted.\n"), ("score", "Interrupted: the output was not written.\n")],
)
def test_an_interruption_speaks_of_an_output_only_where_there_is_one(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, said: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("alarmnet.cli.score.load_model", interrupted)
    monkeypatch.setattr("alarmnet.loop.page.starting.open_to_train", interrupted)
    words = {
        "triage": (folder / "train.csv", "--labels", tmp_path / "a.sqlite"),
        "score": ("m", folder / "train.csv", "--out", tmp_path / "s.csv"),
    }
    assert run(command, *words[command], code=130).stderr == said


def test_warnings_are_sentences(folder: Path, tmp_path: Path) -> None:
    result = run("fit", folder / "train.csv", *LABELS, "--alarm-rate", "0.001", "--out", tmp_path / "m")
    warnings = result.stderr.splitlines()
    assert warnings[0].startswith("Warning: Left out, because each row has a different text: 'payment'.")
    assert warnings[0].endswith("name it in --keep.")
    assert warnings[1].startswith("Warning: 27 calibration rows are too few for an alarm rate of 0.001")
    assert len(warnings) == 2


# refit


def test_refit_takes_the_remembered_labels_and_overwrites_the_model(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes((folder / "model").read_bytes())
    frame = table()
    frame.loc[9:13, "class"] = "fraud"
    frame.to_csv(tmp_path / "new.csv", index=False)
    found = facts("refit", tmp_path / "model", tmp_path / "new.csv")
    assert found["labels"] == {"anomaly": 14, "normal": 136, "unlabelled": 0}
    refitted, before = alarmnet.load(tmp_path / "model"), alarmnet.load(folder / "model")
    assert refitted.notes_ == before.notes_
    assert refitted.history_["target"] == before.history_["target"]
    assert refitted.history_["second alarm"] != before.history_["second alarm"]


def test_commands_label_rows_of_a_model_whose_labels_are_words(tmp_path: Path) -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=list("abc"))
    detector = DETECTORS["a3"](alarm_rate=0.1, random_state=0, anomaly_label="attack").fit(rows)
    detector.save(tmp_path / "m")
    rows.assign(**{"class": ["bad"] * 4 + ["good"] * 96}).to_csv(tmp_path / "t.csv", index=False)
    label = ("--label", "class", "--anomaly", "bad")
    assert facts("refit", tmp_path / "m", tmp_path / "t.csv", *label, "--out", tmp_path / "r")["labels"] == {
        "anomaly": 4,
        "normal": 96,
        "unlabelled": 0,
    }
    assert alarmnet.load(tmp_path / "r").anomaly_label == "attack"
    answered = detector.calibration_rows_[-1]
    (tmp_path / "a.csv").write_text(f"row,anomaly\n{answered},1\n")
    run("recalibrate", tmp_path / "m", "--answers", tmp_path / "a.csv", "--out", tmp_path / "c")
    assert alarmnet.load(tmp_path / "c").calibration_weights_[-1] == 0


def test_no_row_is_left_to_review_where_a_refit_labels_them_all(tmp_path: Path) -> None:
    frame = table().drop(columns="payment").fillna("fine")
    frame.to_csv(tmp_path / "t.csv", index=False)
    model, rows = tmp_path / "m", tmp_path / "t.csv"
    assert "review some rows" in run("fit", rows, "--ignore", "class", "--out", model).stdout
    said = run("refit", model, rows, *LABELS).stdout
    assert "held-out rows, which have all been reviewed or labelled since." in said
    assert "review some rows" not in said
    refused = run("recalibrate", model, "--ask", tmp_path / "looks.csv", "--data", rows, code=2)
    assert "every calibration row is reviewed or labelled: none is left to review" in refused.stderr
    assert not (tmp_path / "looks.csv").exists()


def test_remembered_normal_values_count_only_with_the_remembered_column_and_anomalies(tmp_path: Path) -> None:
    frame = table()
    kinds = frame["class"].where(frame.index % 3 > 0, "odd")
    frame.assign(**{"class": kinds, "kind": kinds}).to_csv(tmp_path / "t.csv", index=False)
    without = ("--ignore", "kind", "--ignore", "payment", "--out", tmp_path / "m")
    run("fit", tmp_path / "t.csv", *LABELS, "--normal", "fine", "--alarm-rate", 0.1, *without)
    few, odd, all_rows = (kinds == "fraud").sum(), (kinds == "odd").sum(), kinds.count()
    for options, normal, anomalies in (
        ((), all_rows - few - odd, few),
        (("--label", "class"), all_rows - few - odd, few),
        (("--normal", "odd"), odd, few),
        (("--label", "kind"), all_rows - few, few),
        (("--anomaly", "odd"), all_rows - odd, odd),
        (("--anomaly", "fine"), few + odd, all_rows - few - odd),
        (("--anomaly", "odd", "--normal", "fine"), all_rows - few - odd, odd),
    ):
        found = facts("evaluate", tmp_path / "m", tmp_path / "t.csv", *options)
        assert (found["normal"], found["anomalies"]) == (normal, anomalies), options


@pytest.mark.parametrize("command", ["refit", "evaluate", "report"])
def test_a_remembered_anomaly_in_another_spelling_is_not_taken_as_normal(
    folder: Path, tmp_path: Path, command: str
) -> None:
    frame = table()
    frame["class"] = frame["class"].str.upper()
    frame.to_csv(tmp_path / "t.csv", index=False)
    before = (folder / "model").read_bytes()
    out = ("--out", tmp_path / "o.json") if command != "evaluate" else ()
    result = run(command, folder / "model", tmp_path / "t.csv", *out, code=2)
    assert (
        "column 'class' holds 'FRAUD', while anomalies are 'fraud': is it the same in another spelling"
        in result.stderr
    )
    assert (folder / "model").read_bytes() == before
    assert not (tmp_path / "o.json").exists()


@pytest.mark.parametrize(
    ("wanted", "spelled"),
    [
        ("fraud", "FRAUD"),
        ("fraud", "fraud "),
        ("fraud", "\uff46raud"),
        ("card fraud", "card-fraud"),
        ("1", "True"),
        ("true", "1.0"),
    ],
)
def test_cells_that_may_be_anomalies_in_another_spelling_are_refused_until_they_are_named(
    tmp_path: Path, wanted: str, spelled: str
) -> None:
    frame = table()
    frame["class"] = ([wanted] * 5 + [spelled] * 4 + ["0"] * 141)[: len(frame)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    start = ("fit", tmp_path / "t.csv", "--label", "class", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    for more in ((), ("--normal", "0")):
        refused = run(*start, "--anomaly", wanted, *more, code=2)
        assert f"holds {spelled!r}, while anomalies are {wanted!r}: is it the same" in refused.stderr
        assert f"add --anomaly {shlex.quote(spelled)}" in refused.stderr
    anomalies = json.loads(run(*start, "--anomaly", wanted, "--anomaly", spelled, "--json").stdout)
    assert anomalies["labels"] == {"anomaly": 9, "normal": 141, "unlabelled": 0}
    assert {"value": spelled, "rows": 4, "counts_as": "anomaly"} in anomalies["label_values"]
    normal = run(*start, "--anomaly", wanted, "--normal", spelled, "--normal", "0")
    assert f"{spelled!r} 4 (normal)" in normal.stdout


def test_the_most_frequent_values_of_many_are_shown(tmp_path: Path) -> None:
    frame = table()
    frame["class"] = ["fraud"] * 9 + [f"kind {row % 30}" for row in range(len(frame) - 9)]
    frame.to_csv(tmp_path / "t.csv", index=False)
    said = run(
        *("fit", tmp_path / "t.csv", "--label", "class", "--anomaly", "fraud", "--alarm-rate", "0.1"),
        *("--out", tmp_path / "m"),
    ).stdout
    assert "Values of 'class': 'fraud' 9 (anomaly), 'kind 0' 5 (normal)" in said
    assert ", 21 other values " in said


def test_refit_unlearns_no_anomalies(folder: Path, tmp_path: Path) -> None:
    table()[20:].to_csv(tmp_path / "t.csv", index=False)
    result = run("refit", folder / "model", tmp_path / "t.csv", "--out", tmp_path / "m", code=2)
    assert "column 'class' has no 'fraud', which marks anomalies: refit would forget the" in result.stderr
    assert not (tmp_path / "m").exists()


def test_refit_needs_labels(folder: Path, tmp_path: Path) -> None:
    table().assign(**{"class": None}).to_csv(tmp_path / "t.csv", index=False)
    arguments = (folder / "model", tmp_path / "t.csv", "--out", tmp_path / "m")
    assert "column 'class' labels no row" in run("refit", *arguments, code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    run("fit", folder / "train.csv", "--ignore", "payment", "--ignore", "class", "--out", tmp_path / "m")
    for command in ("refit", "evaluate"):
        unnamed = run(command, tmp_path / "m", folder / "train.csv", "--ignore", "class", code=2)
        assert "the model remembers no label column: name one with --label" in unnamed.stderr


# score


def test_scores_equal_the_library(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "scores.csv"
    found = facts("score", folder / "model", folder / "test.csv.gz", "--out", out)
    detector, frame = alarmnet.load(folder / "model"), table(seed=1)[["amount", "service"]]
    scores = pd.read_csv(out)
    assert list(scores) == ["row", "score", "p_value", "alarm", "status"]
    assert scores["row"].tolist() == list(range(150))
    np.testing.assert_allclose(scores["score"], detector.anomaly_score(frame), atol=1e-12)
    np.testing.assert_allclose(scores["p_value"], detector.p_value(frame), rtol=1e-15)  # as pandas 2 reads it
    np.testing.assert_array_equal(scores["alarm"], detector.predict(frame) == 1)
    assert set(scores["status"]) == {"ok"}
    assert (found["rows"], found["alarms"], found["invalid"]) == (150, int(scores["alarm"].sum()), 0)
    assert found["alarm_rate"] == 0.05


def test_several_files_are_one_table_and_ids_are_copied_as_they_stand(folder: Path, tmp_path: Path) -> None:
    frame = table(seed=1).assign(payment=[f"{number:04}" for number in range(150)])
    frame[:70].to_csv(tmp_path / "a.csv", index=False)
    frame[70:].to_csv(tmp_path / "b.csv", index=False)
    out = tmp_path / "scores.parquet"
    run("score", folder / "model", tmp_path / "a.csv", tmp_path / "b.csv", "--id", "payment", "--out", out)
    assert pd.read_parquet(out)["id"].tolist() == frame["payment"].tolist()


def test_alarm_rate_and_budget(folder: Path, tmp_path: Path) -> None:
    test, out = folder / "test.csv.gz", tmp_path / "scores.parquet"
    more = facts("score", folder / "model", test, "--out", out, "--alarm-rate", "0.5")
    detector = alarmnet.load(folder / "model").set_alarm_rate(0.5)
    assert more["alarms"] == int(detector.predict(table(seed=1)[["amount", "service"]]).sum())
    found = facts("score", folder / "model", test, test, "--out", out, "--budget", "7")
    scores = pd.read_parquet(out)
    assert found["alarms"] == 7
    order = np.argsort(-scores["score"].to_numpy(), kind="stable")
    # both files hold the same rows, so every score occurs twice: four in the first file, three in the second
    assert sorted(scores["row"][scores["alarm"]]) == sorted(order[:7])
    assert (scores["row"][scores["alarm"]] < 150).sum() == 4
    both = run("score", folder / "model", test, "--out", out, "--budget", "7", "--alarm-rate", "0.5", code=2)
    assert "--budget and --alarm-rate exclude each other" in both.stderr


def test_score_says_that_more_rows_raise_an_alarm_than_normal_rows_would(
    folder: Path, tmp_path: Path
) -> None:
    table().assign(amount=lambda frame: frame["amount"] + 9).to_csv(tmp_path / "t.csv", index=False)
    scoring = ("score", folder / "model", tmp_path / "t.csv", "--out", tmp_path / "s.csv")
    note = facts(*scoring)["drift_note"]
    assert note.startswith("More rows raise an alarm than chance explains for normal rows: ")
    assert note in run(*scoring, "--out", "-").stderr.splitlines()
    assert facts(*scoring, "--budget", 140)["drift_note"] is None
    frame = table().query("`class` == 'fine'")
    frame.to_csv(tmp_path / "t.csv", index=False)
    assert facts(*scoring)["drift_note"] is None


def test_budget_beyond_the_valid_rows(folder: Path, tmp_path: Path) -> None:
    frame = table()[:5].assign(amount=["1", "x", "2", "inf", ""])
    frame.to_csv(tmp_path / "t.csv", index=False)
    arguments = ("--out", tmp_path / "s.parquet", "--budget", "9", "--on-bad-row", "flag")
    found = facts("score", folder / "model", tmp_path / "t.csv", *arguments, code=3)
    assert (found["alarms"], found["invalid"]) == (3, 2)


def test_progress_is_shown_on_a_terminal(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("score", folder / "model", folder / "test.csv.gz", "--out", tmp_path / "s.csv")
    assert not run(*arguments).stderr
    monkeypatch.setattr(terminal, "shows_progress", lambda *, quiet: not quiet)
    assert "150 rows" in run(*arguments).stderr
    assert not run(*arguments, "--quiet").stderr
    assert "150 rows" in run("report", *arguments[1:4], tmp_path / "r.html").stderr


# evaluate and report


def test_evaluate_finds_what_the_model_remembers(folder: Path) -> None:
    found = facts("evaluate", folder / "model", folder / "test.csv.gz", "--budget", "20")
    assert (found["normal"], found["anomalies"], found["unlabelled"], found["budget"]) == (136, 9, 5, 20)
    assert found["average_precision"]["value"] > 0.9
    frame = table(seed=1)
    alarms = alarmnet.load(folder / "model").predict(frame[["amount", "service"]])
    assert found["alarm_rate"]["value"] == alarms[frame["class"] == "fine"].mean()
    assert found["recall"]["value"] == alarms[frame["class"] == "fraud"].mean()
    assert found["roc_auc"]["low"] <= found["roc_auc"]["value"] <= found["roc_auc"]["high"]
    shown = run("evaluate", folder / "model", folder / "test.csv.gz").stdout
    assert "136 normal rows, 9 anomalies, 5 unlabelled rows left out" in shown
    assert "alarm rate on normal rows (requested: 0.05)" in shown
    assert f"{found['roc_auc']['value']:.3f}" in shown


def test_evaluate_says_where_normal_rows_raise_more_alarms_than_asked_for(
    folder: Path, tmp_path: Path
) -> None:
    frame = table(seed=1)
    frame.loc[frame["class"] == "fine", "amount"] += 50
    frame.to_csv(tmp_path / "t.csv", index=False)
    said = "This data may differ from the training data, or include unlabelled anomalies."
    assert said in run("evaluate", folder / "model", tmp_path / "t.csv").stdout
    assert said not in run("evaluate", folder / "model", folder / "test.csv.gz").stdout


def test_evaluate_says_where_labels_look_reversed(folder: Path, tmp_path: Path) -> None:
    frame = table(seed=1)
    frame.loc[:13, "amount"], frame.loc[:13, "class"] = 9.0, "fraud"
    frame.to_csv(tmp_path / "t.csv", index=False)
    arguments = ("evaluate", folder / "model", tmp_path / "t.csv", "--label", "class")
    said = "may be reversed, here or in training: see which value --anomaly names."
    assert said in run(*arguments, "--anomaly", "fine").stdout
    assert said not in run(*arguments, "--anomaly", "fraud").stdout


def test_evaluate_needs_both_kinds_of_rows(folder: Path, tmp_path: Path) -> None:
    table()[20:].to_csv(tmp_path / "t.csv", index=False)
    result = run("evaluate", folder / "model", tmp_path / "t.csv", code=2)
    assert "only one class: 130 normal rows and no anomaly" in result.stderr
    table()[20:].assign(**{"class": ["yes", "no"] * 65}).to_csv(tmp_path / "t.csv", index=False)
    result = run("evaluate", folder / "model", tmp_path / "t.csv", code=2)
    assert "Values of 'class': 'no' 65 (normal), 'yes' 65 (normal). --anomaly names" in " ".join(
        result.stderr.split()
    )


def test_report_says_what_the_label_values_count_as(folder: Path, tmp_path: Path) -> None:
    table()[20:].assign(**{"class": ["yes", "no"] * 65}).to_csv(tmp_path / "t.csv", index=False)
    arguments = ("report", folder / "model", tmp_path / "t.csv", "--out", tmp_path / "r.json")
    assert "Values of 'class': 'no' 65 (normal), 'yes' 65 (normal)." in run(*arguments).stdout


def test_report_is_a_page_or_json_and_labels_may_be_absent(folder: Path, tmp_path: Path) -> None:
    test, page = folder / "test.csv.gz", tmp_path / "report.html"
    found = facts("report", folder / "model", test, "--id", "payment", "--out", page)
    assert found["highest"][0]["id"].startswith("p000")
    assert found["data"]["labels"] == {"normal": 136, "anomaly": 9, "unlabelled": 5}
    assert found["highest"][0]["id"] in page.read_text()
    table(seed=1).drop(columns="class").to_csv(tmp_path / "t.csv", index=False)
    run("report", folder / "model", tmp_path / "t.csv", "--out", tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["evaluation"] is None


# the rest


def test_fit_on_answers_of_triage_points_to_refit(tmp_path: Path) -> None:
    frame = table().drop(columns="payment").rename(columns={"class": "verdict"})
    frame["verdict"] = frame["verdict"].map({"fraud": "anomaly", "fine": "normal"})
    arguments = ("--anomaly", "anomaly", "--normal", "normal", "--alarm-rate", "0.3", "--out", tmp_path / "m")
    for name, chosen in (("verdict", True), ("verdict_", True), ("checked", False)):
        frame.columns = [*frame.columns[:-1], name]
        frame.to_csv(tmp_path / "t.csv", index=False)
        result = run("fit", tmp_path / "t.csv", "--label", name, *arguments)
        assert ("use alarmnet refit" in " ".join(result.stderr.split())) == chosen
        assert "The rate holds if the rows labelled normal are a random sample" in result.stdout
    frame["checked"] = frame["checked"].fillna("normal")
    frame.to_csv(tmp_path / "t.csv", index=False)
    result = run("fit", tmp_path / "t.csv", "--label", "checked", *arguments)
    assert "random sample" not in result.stdout, "all rows are labelled"


def test_explain_takes_row_numbers_as_pages_show_them(folder: Path, tmp_path: Path) -> None:
    table(1_300).drop(columns="class").to_csv(tmp_path / "t.csv", index=False)
    said = [
        run("explain", folder / "model", tmp_path / "t.csv", "--row", row).stdout for row in ("1,234", 1234)
    ]
    assert said[0] == said[1]
    assert said[0].startswith("Row 1234: ")
    run("explain", folder / "model", tmp_path / "t.csv", "--id", "payment", "--row", "1,234", code=2)
    assert (
        "no row '12,34'"
        in run("explain", folder / "model", tmp_path / "t.csv", "--row", "12,34", code=2).stderr
    )


def test_datasets_are_listed() -> None:
    names = [info["name"] for info in facts("datasets")["datasets"]]
    assert "thyroid" in names
    assert "thyroid" in run("datasets").stdout


def test_an_unknown_dataset_is_refused(tmp_path: Path) -> None:
    result = run("datasets", "get", "nothing", "--out", tmp_path / "t.csv", code=2)
    assert "there is no data set 'nothing'; choose one of nsl-kdd" in result.stderr


def test_a_dataset_becomes_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(os.environ.get("ALARMNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "ann-thyroid").is_dir():
        pytest.skip("the thyroid files are neither in ALARMNET_DATA nor in ../shared/data")
    monkeypatch.setenv("ALARMNET_DATA", str(data))
    out = tmp_path / "thyroid.parquet"
    assert facts("datasets", "get", "thyroid", "--part", "test", "--out", out)["rows"] == 3428
    assert pd.read_parquet(out)["class"].nunique() == 3


def test_two_columns_of_labels_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grouped = pa.table({"x": [1], "class": ["neptune"], "group": ["DoS"]})
    monkeypatch.setattr(datasets, "to_table", lambda *_, **__: grouped)
    shown = run("datasets", "get", "nsl-kdd", "--out", tmp_path / "t.csv").stdout
    assert "with --label class, leave out the other with --ignore group." in shown


def test_demo_runs_the_commands_it_shows(tmp_path: Path) -> None:
    result = run("demo", "--out", tmp_path / "demo")
    shown = [line.split()[2] for line in result.stdout.splitlines() if line.startswith("$ alarmnet")]
    assert shown == [
        *("fit", "recalibrate", "recalibrate", "score", "evaluate", "report"),
        *("fit", "score"),  # without labels
    ]
    for words in ("isolation forest", "logistic regression", "alarmnet, without labels", "report.html"):
        assert words in result.stdout
    train = pd.read_csv(tmp_path / "demo" / "train.csv")
    assert (train["digit"] == 8).sum() == train["digit"].notna().sum() == 10
    assert "5% of normal rows may raise an alarm" in result.stdout
    assert (tmp_path / "demo" / "report.html").exists()


def test_demo_refuses_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be created" in run("demo", "--out", tmp_path / "file", code=2).stderr


def commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below
            yield from commands(below, f"{path} {name}")


@pytest.mark.parametrize(("path", "command"), list(commands(main, "alarmnet"))[1:])
def test_every_command_and_option_is_documented(path: str, command: click.Command) -> None:
    sections = re.split(r"^## ", DOCS.read_text(), flags=re.M)
    section = next(text for text in sections if text.startswith(f"`{path}`"))
    assert f"```sh\n{path}" in section or f"\n{path}" in section
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else ():
            assert f"`{option}" in section, option


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_exit_codes_are_documented(code: int) -> None:
    assert re.search(rf"^\| {code} \|", DOCS.read_text(), flags=re.M)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command
    assert command.help
    assert command.help.splitlines()[0] == COMMANDS[name].summary
    assert COMMANDS[name].summary in run("--help").stdout


def test_an_unknown_command_is_refused() -> None:
    assert "No such command 'guess'." in run("guess", code=2).stderr


@pytest.mark.parametrize(("path", "command"), list(commands(main, "alarmnet")))
def test_help_explains_every_option(path: str, command: click.Command) -> None:
    shown = run(*path.split()[1:], "--help").stdout
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert parameter.opts[0] in shown


def test_models_go_to_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table().to_csv("t.csv", index=False)
    for command in (("fit", "t.csv"), ("refit", "m", "t.csv"), ("recalibrate", "m", "--answers", "t.csv")):
        error = run(*command, "--out", "-", code=2).stderr
        assert "- is standard output, and this command writes a file" in " ".join(error.split())
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_options_without_an_effect_are_refused(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    scoring = ("score", tmp_path / "m", tmp_path / "t.csv", "--out", tmp_path / "s.csv")
    assert "--format is for --out -" in run(*scoring, "--format", "arrow", code=2).stderr
    checkpoint = ("--checkpoint", tmp_path / "t.csv", "--out", tmp_path / "m")
    error = run("fit", tmp_path / "t.csv", *checkpoint, code=2).stderr
    assert "t.csv is a file; give a folder" in " ".join(error.split())


def test_the_ending_of_a_report_is_checked_before_any_work(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "m").write_text("no model")
    error = run("report", tmp_path / "m", tmp_path / "t.csv", "--out", tmp_path / "r.pdf", code=2).stderr
    assert "cannot save a report as 'r.pdf'; end the name in .html or .json" in error
