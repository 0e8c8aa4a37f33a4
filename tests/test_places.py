"""Tables from standard input, folders and patterns, and results on standard output."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

import alarmnet
from alarmnet import A3Detector, Schedule
from alarmnet.cli import main
from alarmnet.data_files import Reading, local_files
from alarmnet.errors import InputError

SHORT = Schedule(steps=3, batch_size=64, learning_rate=1e-2)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    values = {"a": generator.normal(size=60), "port": generator.choice([22, 80, 443], 60)}
    return pd.DataFrame(values).assign(label=["bad"] * 3 + ["fine"] * 57)


@pytest.fixture(scope="module")
def model(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model"
    detector = A3Detector(target_schedule=SHORT, alarm_schedule=SHORT, alarm_rate=0.2, random_state=0)
    detector.fit(table.drop(columns="label"), table["label"].eq("bad"))
    detector.notes_ = {"label": "label", "anomaly": ["bad"], "normal": []}
    detector.save(path)
    return path


def run(*words: object, given: bytes | str = b"", code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(word) for word in words], input=given)
    assert result.exit_code == code, result.output
    return result


def arrow_stream(table: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    whole = pa.Table.from_pandas(table, preserve_index=False)
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole, max_chunksize=7)
    return sink.getvalue()


def parquet(table: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    table.to_parquet(sink)
    return sink.getvalue()


FORMS = {
    "CSV": lambda table: table.to_csv(index=False).encode(),
    "JSON lines": lambda table: table.to_json(orient="records", lines=True, double_precision=15).encode(),
    "Arrow": arrow_stream,
    "Parquet": parquet,
}


@pytest.mark.parametrize("form", FORMS)
def test_standard_input_scores_as_a_file_does(
    form: str, table: pd.DataFrame, model: Path, tmp_path: Path
) -> None:
    table.to_csv(tmp_path / "t.csv", index=False)
    run("score", model, tmp_path / "t.csv", "--out", tmp_path / "scores.csv")
    found = run("score", model, "-", "--out", "-", given=FORMS[form](table))
    said, expected = pd.read_csv(io.StringIO(found.stdout)), pd.read_csv(tmp_path / "scores.csv")
    pd.testing.assert_frame_equal(said, expected, rtol=1e-9)
    assert "Wrote standard output: 60 rows" in found.stderr


def test_standard_output_can_be_an_arrow_stream(table: pd.DataFrame, model: Path) -> None:
    found = run("score", model, "-", "--out", "-", "--format", "arrow", "--json", given=arrow_stream(table))
    scores = pa.ipc.open_stream(found.stdout_bytes).read_all()
    assert (len(scores), scores.column_names[:2]) == (60, ["row", "score"])
    assert '"rows": 60' in found.stderr


@pytest.mark.parametrize("command", ["fit", "refit", "evaluate", "report", "explain"])
def test_commands_read_standard_input(command: str, table: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    labels, out = ["--label", "label", "--anomaly", "bad"], ["--out", tmp_path / "out.json"]
    words: dict[str, list[object]] = {
        "fit": ["-", *labels, *out, "--alarm-rate", "0.2"],
        "refit": [model, "-", *out],
        "evaluate": [model, "-"],
        "report": [model, "-", *out],
        "explain": [model, "-", "--row", 1],
    }
    run(command, *words[command], given=FORMS["CSV"](table))


def test_an_arrow_stream_that_is_cut_is_refused(table: pd.DataFrame, model: Path) -> None:
    found = run("score", model, "-", "--out", "-", given=arrow_stream(table)[:-700], code=2)
    assert "Error: standard input is no whole Arrow stream" in found.stderr
    assert found.stdout == ""


def test_refusals_name_standard_input(model: Path) -> None:
    assert (
        "standard input line 3 has 1 cells"
        in run("score", model, "-", "--out", "-", given="a,port\n1,2\n3\n", code=2).stderr
    )
    assert "standard input is empty" in run("score", model, "-", "--out", "-", code=2).stderr
    assert "is named twice" in run("score", model, "-", "-", "--out", "-", code=2).stderr


def test_a_refused_output_is_told_before_standard_input_is_read(model: Path, tmp_path: Path) -> None:
    found = run("score", model, "-", "--out", tmp_path / "none" / "s.csv", given="", code=2)
    assert "there is no folder" in found.stderr


def test_nothing_is_left_of_standard_input(
    table: pd.DataFrame, model: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    run("score", model, "-", "--out", "-", given=FORMS["CSV"](table))
    run("score", model, "-", "--out", "-", given="x\n1\n", code=2)
    assert [*tmp_path.iterdir()] == []


def test_a_reader_that_stops_ends_scoring_quietly(table: pd.DataFrame, model: Path, tmp_path: Path) -> None:
    pd.concat([table] * 400).to_csv(tmp_path / "t.csv", index=False)
    words = [sys.executable, "-m", "alarmnet", "score", model, tmp_path / "t.csv", "--out", "-"]
    script = "import sys; from alarmnet.cli import main; main(sys.argv[1:])"
    with subprocess.Popen(
        [sys.executable, "-c", script, *map(str, words[3:])], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(10)
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.fixture
def folder(table: pd.DataFrame, tmp_path: Path) -> Path:
    for place, name in enumerate(("b", "a", "sub/c")):
        path = tmp_path / "flows" / f"{name}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        table.iloc[20 * place : 20 * place + 20].to_parquet(path)
    for name in (".hidden.parquet", "_SUCCESS", "README.md"):
        (tmp_path / "flows" / name).write_text("no table")
    return tmp_path / "flows"


def test_a_folder_and_a_pattern_stand_for_their_tables_in_order(folder: Path) -> None:
    with local_files([folder]) as files:
        assert [path.name for path in files] == ["a.parquet", "b.parquet", "c.parquet"]
    with local_files([folder / "*.parquet"]) as files:
        assert [path.name for path in files] == ["a.parquet", "b.parquet"]
    with local_files([folder / "**" / "c.*"]) as files:
        assert [path.name for path in files] == ["c.parquet"]
    with pytest.raises(InputError, match="no file matches this pattern"), local_files([folder / "*.zip"]):
        pass


def test_a_folder_with_a_picture_or_nothing_is_one_of_images(folder: Path, tmp_path: Path) -> None:
    (folder / "sub" / "x.PNG").touch()
    with local_files([folder]) as files:
        assert files == [folder]
    (tmp_path / "empty").mkdir()
    with local_files([tmp_path / "empty"]) as files:
        assert files == [tmp_path / "empty"]


def test_python_scores_folders_and_patterns(folder: Path, model: Path, tmp_path: Path) -> None:
    assert alarmnet.score_files(model, folder, out=tmp_path / "1.csv", ignored=["label"]).rows == 60
    assert alarmnet.score_files(model, f"{folder}/*.parquet", out=tmp_path / "2.csv").rows == 40
    (tmp_path / "t.txt").write_text("a~port\n1~22\n")
    reading = Reading(delimiter="~")
    assert alarmnet.score_files(model, tmp_path / "t.txt", out=tmp_path / "3.csv", reading=reading).rows == 1


def test_a_result_among_the_inputs_is_refused(folder: Path, model: Path) -> None:
    (folder / "a.parquet").rename(folder / "scores.parquet")
    found = run("score", model, folder, "--out", folder / "scores.parquet", code=2)
    assert "is an input too" in found.stderr


def test_a_model_remembers_words_that_mean_missing(table: pd.DataFrame, tmp_path: Path) -> None:
    gaps = table.assign(a=table["a"].where(table["port"] != 22, -999))
    gaps.to_csv(tmp_path / "t.csv", index=False)
    table.assign(a=table["a"].where(table["port"] != 22)).to_csv(tmp_path / "empty.csv", index=False)
    words = ["--label", "label", "--anomaly", "bad", "--missing", "-999", "--alarm-rate", "0.2"]
    run("fit", tmp_path / "t.csv", *words, "--out", tmp_path / "m")
    scored = [
        run("score", tmp_path / "m", tmp_path / f"{name}.csv", "--out", "-").stdout for name in ("t", "empty")
    ]
    assert scored[0] == scored[1]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_numbers_can_be_categories(table: pd.DataFrame, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"t.{form}"
    table.to_csv(path, index=False) if form == "csv" else table.to_parquet(path)
    words = ["--label", "label", "--anomaly", "bad", "--alarm-rate", "0.2", "--out", tmp_path / "m"]
    run("fit", path, *words, "--category", "port")
    encoder = alarmnet.load(tmp_path / "m").encoder_
    assert isinstance(encoder, alarmnet.TableEncoder)
    assert encoder.kinds_ == {"a": "number", "port": "category"}
    assert set(encoder.output_names_) == {"a", "port=22", "port=80", "port=443"}
    assert '"unseen": {}' in run("score", tmp_path / "m", path, "--out", "-", "--json").stderr
    assert (
        "--category 'prt': there is no such column"
        in run("fit", path, *words, "--category", "prt", code=2).stderr
    )


def test_categories_of_images_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((9, 8, 8), np.uint8))
    found = run("fit", tmp_path / "x.npy", "--category", "a", "--out", tmp_path / "m", code=2)
    assert "--category names a column, and images have none" in found.stderr


def test_compare_reads_standard_input_in_other_processes(table: pd.DataFrame) -> None:
    words = ["--label", "label", "--anomaly", "bad", "--methods", "isolation-forest", "--folds", "2"]
    found = run("compare", "-", *words, "--category", "port", "--json", given=FORMS["CSV"](table))
    assert '"standard-input"' in found.stdout
    assert '"fault": null' in found.stdout


def test_an_empty_arrow_stream_gives_an_empty_result(table: pd.DataFrame, model: Path) -> None:
    found = run("score", model, "-", "--out", "-", given=arrow_stream(table.iloc[:0]))
    assert found.stdout.count("\n") == 1
