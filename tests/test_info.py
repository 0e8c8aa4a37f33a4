"""`alarmnet info`: what a model file holds."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

import alarmnet
from alarmnet.cli import main
from alarmnet.detectors import a3
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.training import Schedule

GOLDEN = Path(__file__).parent / "golden"
SHORT = Schedule(steps=5, batch_size=64)


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def facts(*arguments: object) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(run("info", *arguments, "--json").stdout)
    return parsed


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(a3, "target_schedule", lambda rows: SHORT)
    monkeypatch.setattr(AlarmSpec, "schedule_for", lambda self, rows, known: SHORT)
    table = pd.DataFrame(
        {
            "amount": [float(row % 17) for row in range(60)],
            "service": ["web", "shop", "post"] * 20,
            "id": range(60),
            "note": "same",
            "class": ["fraud"] * 4 + ["fine"] * 46 + [None] * 10,
        }
    )
    table.loc[5, "amount"] = None
    table.to_csv(tmp_path / "train.csv", index=False)
    options = ("--label", "class", "--anomaly", "fraud", "--ignore", "note", "--alarm-rate", "0.2")
    run("fit", tmp_path / "train.csv", *options, "--seed", 3, "--out", tmp_path / "m")
    return tmp_path / "m"


def test_a_model_says_what_it_was_trained_on(model: Path) -> None:
    found, detector = facts(model), alarmnet.load(model)
    assert found["columns"] == [
        {"name": "amount", "kind": "number", "had_missing": True, "low": 0.0, "high": 16.0},
        {
            "name": "service",
            "kind": "category",
            "had_missing": False,
            "categories": 3,
            "examples": detector.encoder_.to_dict()["columns"][1]["kept"],
        },
    ]
    assert [*found["left_out"]] == ["id"]
    assert found["ignored"] == ["note"]
    assert found["labels"] == {"anomaly": 4, "normal": 46, "unlabelled": 10}
    assert found["label_column"] == {"label": "class", "anomaly": ["fraud"], "normal": []}
    assert (found["alarm_rate"], found["seed"], found["bytes"]) == (0.2, 3, model.stat().st_size)
    assert found["threshold"] == detector.threshold_
    assert found["versions"]["alarmnet"] == "0.1.0"
    assert found["parameters"] == {}


def test_people_read_the_same(model: Path) -> None:
    said = " ".join(run("info", model).stdout.split())
    for part in (
        "method a3, default parameters",
        "4 anomalies, 46 normal, 10 unlabelled; column 'class', anomalies: 'fraud', normal: all other values",
        "alarm rate 0.2 requested, ",
        "ignored 'note'",
        "left out: 'id'",
        "Columns of the rows that the model learned from (calibration rows are held out):",
        "│ amount │ number │ yes │ 0 to 16",
    ):
        assert part in said


@pytest.mark.parametrize("name", ["a3-images-format-1", "conv-a3-format-1"])
def test_older_models_and_models_of_images_have_facts(name: str) -> None:
    path = GOLDEN / f"{name}.alarmnet"
    found, detector = facts(path), alarmnet.load(path)
    assert found["method"] == detector.method
    assert set(found["parameters"]) <= set(detector.get_params(deep=False))
    assert bool(found["image_shape"]) == (not found["columns"]) == ("images " in run("info", path).stdout)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("text")
    assert "cannot be read as a model" in run("info", tmp_path / "m", code=2).stderr
