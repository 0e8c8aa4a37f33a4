"""The command line on images: folders of PNG files, .npy and .npz arrays."""

import importlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray
from PIL import Image

import alarmnet
from alarmnet.cli import main
from alarmnet.detectors import DETECTORS, a3, conv_a3
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.training import Schedule

SHORT = Schedule(steps=20, batch_size=64, learning_rate=1e-2)
LABELS = ("--label", "state", "--anomaly", "bright")
BRIGHT = 6
"""The first so many images are the anomalies."""


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def facts(*arguments: object, code: int = 0) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(run(*arguments, "--json", code=code).stdout)
    return parsed


def pictures(rows: int = 80, *, seed: int = 0) -> NDArray[np.uint8]:
    images = np.random.default_rng(seed).integers(0, 90, size=(rows, 8, 10), dtype=np.uint8)
    images[:BRIGHT] += 140
    return images


def ids(rows: int = 80) -> list[str]:
    return [f"{'bc'[row % 2]}/{row:02}.png" for row in range(rows)]


def write_folder(path: Path, images: NDArray[np.uint8]) -> Path:
    for name, image in zip(ids(len(images)), images, strict=True):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / name)
    return path


def labels() -> pd.DataFrame:
    """Of all images but the last ten, the anomalies and four fine ones beyond doubt."""
    state = ["bright"] * BRIGHT + ["fine"] * 64
    return pd.DataFrame({"file": ids()[:70], "row": range(70), "state": state})


@pytest.fixture(scope="module", autouse=True)
def _short_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(a3, "target_schedule", lambda rows: SHORT)
        patch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: SHORT)
        patch.setattr(conv_a3, "joint_schedule", lambda rows, shape: SHORT)
        yield


@pytest.fixture(scope="module", params=[*DETECTORS])
def method(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def made(method: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, labels and a model that all tests read and none changes."""
    path = tmp_path_factory.mktemp("images")
    write_folder(path / "train", pictures())
    labels().to_csv(path / "labels.csv", index=False)
    arguments = (*LABELS, "--labels", path / "labels.csv", "--alarm-rate", "0.1")
    run("fit", path / "train", *arguments, "--method", method, "--out", path / "model")
    return path


def test_fit_says_what_it_found_and_equals_the_library(made: Path, method: str, tmp_path: Path) -> None:
    arguments = (
        "--method",
        method,
        *LABELS,
        "--labels",
        made / "labels.csv",
        "--alarm-rate",
        "0.1",
        "--out",
        tmp_path / "m",
    )
    first, second, *_ = run("fit", made / "train", *arguments, "--out", tmp_path / "m").stdout.splitlines()
    assert first.startswith("Images: 80 of 10 x 8 pixels, grey. Training takes about ")
    assert second == (
        "Labels in 'state': 6 anomalies, 64 normal, 10 unlabelled. Values of 'state': 'bright' 6 (anomaly), "
        "'fine' 64 (normal)."
    )
    order = np.argsort(ids(), kind="stable")
    y = np.where(np.arange(80) < BRIGHT, 1.0, np.where(np.arange(80) < 70, 0.0, np.nan))
    images = pictures()[order]
    detector = DETECTORS[method](alarm_rate=0.1, random_state=0).fit(images, y[order])
    loaded = alarmnet.load(tmp_path / "m")
    assert loaded.logits(images).tobytes() == detector.logits(images).tobytes()
    assert loaded.notes_ == {"ignored": [], "label": "state", "anomaly": ["bright"], "normal": []}


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_arrays_take_labels_by_row_or_from_the_archive(made: Path, tmp_path: Path, kind: str) -> None:
    images = pictures()
    state = np.where(np.arange(80) < BRIGHT, 1.0, np.where(np.arange(80) < 70, 0.0, np.nan))
    if kind == "npz":
        for name, part in (("a", slice(40)), ("b", slice(40, 80))):
            np.savez(tmp_path / f"{name}.npz", images=images[part], state=state[part])
        arguments = (tmp_path / "a.npz", tmp_path / "b.npz", "--label", "state", "--anomaly", "1")
    else:
        np.save(tmp_path / "a.npy", images)
        arguments = (tmp_path / "a.npy", *LABELS, "--labels", made / "labels.csv")  # type: ignore[assignment]
    found = facts("fit", *arguments, "--alarm-rate", "0.1", "--out", tmp_path / "m")
    assert found["labels"] == {"anomaly": 6, "normal": 64, "unlabelled": 10}
    assert (found["image_shape"], found["columns"], found["rows"]) == ([1, 8, 10], {}, 80)


def test_score_names_images_by_path_or_row(made: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "new", pictures(seed=1))
    np.save(tmp_path / "new.npy", pictures(seed=1))
    found = facts("score", made / "model", tmp_path / "new", "--out", tmp_path / "s.parquet")
    run("score", made / "model", tmp_path / "new.npy", "--out", tmp_path / "t.parquet")
    by_name, by_row = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in "st")
    assert list(by_name) == ["id", "score", "p_value", "alarm", "status"]
    assert by_name["id"].tolist() == sorted(ids())
    assert by_row["row"].tolist() == list(range(80))
    expected = by_row.set_index(pd.Index(ids()))["score"].loc[by_name["id"]]
    np.testing.assert_allclose(by_name["score"], expected, atol=1e-6)
    assert (found["rows"], found["alarms"], found["outside"]) == (80, int(by_name["alarm"].sum()), {})
    alarms = alarmnet.load(made / "model").predict(pictures(seed=1))
    assert by_row["alarm"].tolist() == (alarms == 1).tolist()


def test_an_unreadable_image_is_refused_or_flagged(made: Path, tmp_path: Path) -> None:
    new = write_folder(tmp_path / "new", pictures(20))
    (new / "b" / "04.png").write_bytes((new / "b" / "04.png").read_bytes()[:-40])
    Image.new("L", (8, 8)).save(new / "c" / "05.png")
    arguments = ("score", made / "model", new, "--out", tmp_path / "s.csv")
    said = run(*arguments, code=2).stderr
    assert f"{new}/b/04.png is a damaged or truncated image" in said
    assert "or remove it; `alarmnet score --on-bad-row flag` scores the other rows" in said
    assert not (tmp_path / "s.csv").exists()
    assert facts(*arguments, "--on-bad-row", "flag", code=3)["invalid"] == 2
    scores = pd.read_csv(tmp_path / "s.csv").set_index("id")
    assert scores.index[scores["status"] == "invalid"].tolist() == ["b/04.png", "c/05.png"]
    assert scores.loc[["b/04.png", "c/05.png"], ["score", "p_value", "alarm"]].isna().all(axis=None)
    assert scores["score"].notna().sum() == 18


def test_fit_drops_unreadable_images_with_their_labels(made: Path, tmp_path: Path) -> None:
    new = write_folder(tmp_path / "new", pictures())
    for name in ("b/00.png", "c/13.png", "c/79.png"):
        (new / name).write_text("text")
    arguments = (
        "fit",
        new,
        *LABELS,
        "--labels",
        made / "labels.csv",
        "--alarm-rate",
        "0.1",
        "--out",
        tmp_path / "m",
    )
    said = run(*arguments, code=2).stderr
    assert "b/00.png is not a PNG, JPEG, BMP, TIFF or WebP image" in said
    assert "`alarmnet fit --on-bad-row drop` leaves such rows out" in said
    found = facts(*arguments, "--on-bad-row", "drop")
    assert (found["rows"], found["dropped"]) == (77, 3)
    assert found["labels"] == {"anomaly": 5, "normal": 63, "unlabelled": 9}


def test_bad_pixels_are_numbered_over_all_files(made: Path, tmp_path: Path) -> None:
    images = pictures().astype(np.float32)
    np.save(tmp_path / "a.npy", images)
    images[3, 0, 0] = np.nan
    np.save(tmp_path / "b.npy", images)
    arguments = (tmp_path / "a.npy", tmp_path / "b.npy", "--out", tmp_path / "s.csv")
    refused = run("score", made / "model", *arguments, code=2)
    assert "Input X contains NaN: image 83. Every pixel must be a finite number. `alarmnet" in refused.stderr
    run("score", made / "model", *arguments, "--on-bad-row", "flag", code=3)
    assert np.flatnonzero(pd.read_csv(tmp_path / "s.csv")["status"] == "invalid").tolist() == [83]


def test_pixels_beyond_the_training_range_are_counted(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", pictures() / 255)
    np.save(tmp_path / "bright.npy", pictures() / 128)
    run("fit", tmp_path / "floats.npy", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    scored = run("score", tmp_path / "m", tmp_path / "bright.npy", "--out", tmp_path / "s.csv").stdout
    beyond = int((pictures() / 128 > (pictures() / 255).max()).sum())
    assert (
        f"Cells beyond the range of the rows that the model learned from: {beyond:,} ('pixels' {beyond:,})."
        in scored
    )


def test_bytes_are_refused_where_training_had_shares(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", pictures() / 255)
    np.save(tmp_path / "bytes.npy", pictures())
    run("fit", tmp_path / "floats.npy", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    refused = run("score", tmp_path / "m", tmp_path / "bytes.npy", "--out", tmp_path / "s.csv", code=2)
    assert "Images with pixels on the scale 0 to 255 came" in refused.output


def test_refit_and_evaluate_take_the_remembered_values(made: Path, tmp_path: Path) -> None:
    more = pd.concat([labels(), pd.DataFrame({"file": ids()[70:], "row": range(70, 80), "state": "fine"})])
    more.to_csv(tmp_path / "more.csv", index=False)
    with_labels = (made / "train", "--labels", tmp_path / "more.csv")
    found = facts("refit", made / "model", *with_labels, "--out", tmp_path / "m")
    assert found["labels"] == {"anomaly": 6, "normal": 74, "unlabelled": 0}
    measured = facts("evaluate", made / "model", *with_labels)
    assert (measured["normal"], measured["anomalies"]) == (74, 6)
    missing = run("evaluate", made / "model", made / "train", code=2)
    assert (
        "where are the labels of these images? Give a table that has the column 'state' with --labels FILE"
        in (" ".join(missing.stderr.split()))
    )


def test_report_shows_the_images(made: Path, tmp_path: Path) -> None:
    arguments = (made / "train", "--labels", made / "labels.csv", "--out", tmp_path / "r.html")
    found = facts("report", made / "model", *arguments)
    assert found["data"]["labels"] == {"normal": 64, "anomaly": 6, "unlabelled": 10}
    assert found["highest"][0]["id"] in ids()
    assert (tmp_path / "r.html").read_text().count('src="data:image/png;base64,') == 60
    without = facts("report", made / "model", made / "train", "--out", tmp_path / "r.json")
    assert without["evaluation"] is None


def test_images_are_explained_by_their_path(made: Path, tmp_path: Path) -> None:
    found = facts("explain", made / "model", made / "train", "--row", ids()[3])
    (row,) = found["rows"]
    assert row["id"] == ids()[3]
    assert row["reasons"][0]["column"] == "pixels"
    run("score", made / "model", made / "train", "--out", tmp_path / "scores.csv", "--explain", 1)
    scores = pd.read_csv(tmp_path / "scores.csv")
    assert scores["reason_1"].dropna().str.contains(" from pixels = rows ").all()
    assert (scores["explanation"].notna() == scores["alarm"]).all()


def test_images_may_be_none_when_scored(made: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", pictures()[:0])
    assert facts("score", made / "model", tmp_path / "a.npy", "--out", tmp_path / "s.csv")["rows"] == 0
    assert (tmp_path / "s.csv").read_text().replace('"', "").split() == ["row,score,p_value,alarm,status"]


def test_fit_refuses_images_that_do_not_fit_in_memory(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("alarmnet.cli.fit"), "available_bytes", lambda: 4096)
    result = run("fit", made / "train", "--no-classes", "--out", tmp_path / "m", code=2)
    assert "4 KiB are available: train on fewer or smaller images" in result.stderr


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (
            "file,state\nb/00.png,bright\nb/0.png,fine\n",
            "names 'b/0.png' (row 1), and there is no such image",
        ),
        ("file,state\n./b/00.png,bright\n../b/00.png,fine\n", "names '../b/00.png' (row 1)"),
        (
            "file,state\nb/00.png,bright\nb/02.png,bright\n./b/00.png,fine\n",
            "labels the image 'b/00.png' both normal and an anomaly, in rows 0, 2; leave one label",
        ),
        ("file,state\nb/00.png,fine\n", "has no 'bright'; it has 'fine'"),
        ("name,state\nb/00.png,bright\n", "has no column 'file', in which it names images by their paths"),
        ("file,class\nb/00.png,bright\n", "has no column 'state'; it has 'file', 'class'"),
    ],
)
def test_labels_that_do_not_fit_a_folder_are_refused(
    made: Path, tmp_path: Path, table: str, sentence: str
) -> None:
    (tmp_path / "l.csv").write_text(table)
    result = run(
        "fit", made / "train", *LABELS, "--labels", tmp_path / "l.csv", "--out", tmp_path / "m", code=2
    )
    assert sentence in result.stderr
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("row", ["80", "-1", "1.5", ""])
def test_labels_that_do_not_fit_an_array_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "l.csv").write_text(f"row,state\n0,bright\n{row},fine\n")
    np.save(tmp_path / "a.npy", pictures())
    arguments = (tmp_path / "a.npy", *LABELS, "--labels", tmp_path / "l.csv", "--out", tmp_path / "m")
    sentence = f"names the image {row or 'nan'} (row 1); there are 80, numbered from 0 over all files"
    assert sentence in run("fit", *arguments, code=2).stderr


def test_an_image_listed_twice_alike_or_without_a_label_counts_once(made: Path, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text(
        "file,state\nb/00.png,bright\n./b/00.png,bright\nb/00.png,\nb/10.png,fine\n"
    )
    arguments = (*LABELS, "--labels", tmp_path / "l.csv", "--alarm-rate", "0.5", "--out", tmp_path / "m")
    found = facts("fit", made / "train", *arguments)
    assert found["labels"] == {"anomaly": 1, "normal": 1, "unlabelled": 78}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["score", "model", "train", "--id", "x", "--out", "s.csv"],
            "--id names a column, and images have none",
        ),
        (["fit", "train", "--ignore", "x", "--out", "m"], "--ignore names a column, and images have none"),
        (["fit", "labels.csv", "--labels", "labels.csv", "--out", "m"], "--labels is for images"),
        (
            ["fit", "train", "labels.csv", "--out", "m"],
            "train holds images and labels.csv a table; give one kind",
        ),
        (
            ["score", "model", "labels.csv", "--out", "s.csv"],
            "was trained on images, but labels.csv is read as tables",
        ),
        (["score", "model", "new", "--out", "s.csv"], "new: there is no such file"),
        (["fit", "train", "new", "--out", "m"], "new: there is no such file"),
        (["explain", "model", "train", "--row", "3"], "no image '3' in the data; name images by their paths"),
        (["fit", "train", *LABELS, "--out", "m"], "where are the labels of these images?"),
        (["fit", "train", "--labels", "labels.csv", "--out", "m"], "--labels needs --label COLUMN"),
        (
            ["fit", "train", *LABELS, "--labels", "labels.csv", "--out", "labels.csv"],
            "labels.csv is an input too",
        ),
    ],
)
def test_usage_that_makes_no_sense_is_refused(
    made: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(made)
    before = sorted(made.iterdir())
    assert sentence in " ".join(run(*arguments, code=2).stderr.split())
    assert sorted(made.iterdir()) == before


def test_a_model_of_tables_refuses_images(made: Path, tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(30.0) % 7}).to_csv(tmp_path / "t.csv", index=False)
    run("fit", tmp_path / "t.csv", "--alarm-rate", "0.5", "--out", tmp_path / "m")
    result = run("score", tmp_path / "m", made / "train", "--out", tmp_path / "s.csv", code=2)
    assert "the model was trained on tables, but" in result.stderr
    assert "train is read as images; give tables" in result.stderr


def test_images_of_another_size_than_in_training_are_named(made: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 8, 9), np.uint8))
    result = run("score", made / "model", tmp_path / "a.npy", "--out", tmp_path / "s.csv", code=2)
    assert (
        "a.npy has 9 x 8 pixels (width x height) in grey, but the training images have 10 x 8"
        in result.stderr
    )


# a folder for each class


@pytest.fixture(scope="module")
def classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images in the folders bright, fine and odd."""
    path = tmp_path_factory.mktemp("classes") / "photos"
    for row, image in enumerate(pictures()):
        name = "bright" if row < BRIGHT else "fine" if row < 75 else "odd"
        (path / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / name / f"{row:02}.png")
    return path


def test_folders_that_may_be_classes_are_never_all_normal_unasked(classes: Path, tmp_path: Path) -> None:
    for data in ([classes], [*classes.iterdir()]):
        said = run("fit", *data, "--out", tmp_path / "m", code=2).stderr
        assert "the images lie in several folders ('fine' 69, 'bright' 6, 'odd' 5), and nothing says" in said
        assert "such as --normal good (images of all other folders are then anomalies)" in said
    found = facts("fit", classes, "--no-classes", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    assert found["labels"] == {"anomaly": 0, "normal": 0, "unlabelled": 80}
    run("fit", classes / "fine", "--alarm-rate", "0.1", "--out", tmp_path / "m")  # one class


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (["--normal", "fine"], (11, 69, 0)),
        (["--normal", "fine", "--normal", "odd"], (6, 74, 0)),
        (["--anomaly", "bright"], (6, 74, 0)),
        (["--anomaly", "bright", "--normal", "fine"], (6, 69, 5)),
        (["--label", "folder", "--anomaly", "bright"], (6, 74, 0)),
    ],
)
def test_folders_are_labels(
    classes: Path, tmp_path: Path, options: list[str], labels: tuple[int, ...]
) -> None:
    names = ("anomaly", "normal", "unlabelled")
    found = facts("fit", classes, *options, "--alarm-rate", "0.1", "--out", tmp_path / "m")
    assert found["labels"] == dict(zip(names, labels, strict=True))
    measured = facts("evaluate", tmp_path / "m", classes)  # the model remembers
    assert (measured["anomalies"], measured["normal"], measured["unlabelled"]) == labels
    found = facts("refit", tmp_path / "m", classes, "--out", tmp_path / "again")
    assert found["labels"] == dict(zip(names, labels, strict=True))


def test_a_report_takes_folders_as_labels_only_where_one_has_a_known_name(
    classes: Path, tmp_path: Path
) -> None:
    run("fit", classes, "--normal", "fine", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    report = facts("report", tmp_path / "m", classes, "--out", tmp_path / "r.json")
    assert report["data"]["labels"] == {"normal": 69, "anomaly": 11, "unlabelled": 0}
    shutil.copytree(classes / "bright", tmp_path / "new" / "may")
    report = facts("report", tmp_path / "m", tmp_path / "new", "--out", tmp_path / "r.json")
    assert report["evaluation"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--normal", "good"], "column 'folder' has no 'good'; it has 'bright', 'fine', 'odd'"),
        (
            ["--normal", "Fine"],
            "holds 'fine', while normal rows are 'Fine': is it the same in another",
        ),
        (
            ["--resize", "64"],
            "'64' is not a size: give width and height in pixels, at least 8, such as 64x48",
        ),
        (["--resize", "4x64", "--no-classes"], "'4x64' is not a size"),
        (["--label", "state", "--anomaly", "x"], "or leave --label out where folders are classes"),
    ],
)
def test_options_that_do_not_fit_the_folders_are_refused(
    classes: Path, tmp_path: Path, options: list[str], sentence: str
) -> None:
    said = " ".join(run("fit", classes, *options, "--out", tmp_path / "m", code=2).stderr.split())
    assert sentence in said


def test_options_of_folders_are_refused_for_tables(tmp_path: Path) -> None:
    pd.DataFrame({"x": np.arange(30.0) % 7}).to_csv(tmp_path / "t.csv", index=False)
    for options in (["--no-classes"], ["--resize", "9x9"]):
        said = run("fit", tmp_path / "t.csv", *options, "--out", tmp_path / "m", code=2).stderr
        assert "--resize and --no-classes are for folders of images" in said
    said = run("fit", tmp_path / "t.csv", "--normal", "good", "--out", tmp_path / "m", code=2).stderr
    assert "--anomaly and --normal need --label COLUMN." in said


def test_images_of_other_sizes_are_resized_now_and_later(tmp_path: Path) -> None:
    for row, image in enumerate(pictures()):
        (tmp_path / "train").mkdir(exist_ok=True)
        size = (20 + row % 3, 16 + row % 5)
        Image.fromarray(image).resize(size).save(tmp_path / "train" / f"{row:02}.bmp")
    arguments = ("fit", tmp_path / "train", "--alarm-rate", "0.1", "--out", tmp_path / "m")
    assert "`alarmnet fit --resize WIDTHxHEIGHT` makes it one" in run(*arguments, code=2).stderr
    assert facts(*arguments, "--resize", "10x8")["image_shape"] == [1, 8, 10]
    run("score", tmp_path / "m", tmp_path / "train", "--out", tmp_path / "s.csv")
    assert (pd.read_csv(tmp_path / "s.csv")["status"] == "ok").all()
    np.save(tmp_path / "a.npy", pictures())  # arrays have the model's size
    run("score", tmp_path / "m", tmp_path / "a.npy", "--out", tmp_path / "s.csv")
