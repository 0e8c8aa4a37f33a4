"""Explanations on the command line and in the report."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from alarmnet import A3Detector, InputError, score_files
from alarmnet.cli import main
from alarmnet.report import make_report

HOSTILE = '<script>alert("x")</script>\n& \u202eevil'


def table(rows: int = 150) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "payment": [f"p{number:04}" for number in range(rows)],
            HOSTILE: generator.normal(size=rows),
            "service": generator.choice(["web", HOSTILE], rows),
        }
    )
    frame.loc[:9, HOSTILE] += 9.0
    return frame


@pytest.fixture(scope="module")
def detector(small: Any) -> A3Detector:
    fitted: A3Detector = small().fit(table().drop(columns="payment"), np.repeat([1.0, 0.0], [10, 140]))
    return fitted


@pytest.fixture(scope="module")
def files(detector: A3Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    detector.save(folder / "a.model")
    table().to_parquet(folder / "new.parquet")
    return folder


def run(*arguments: object, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def test_a_row_is_explained_by_id_and_by_number(files: Path, detector: A3Detector) -> None:
    by_id = run("explain", files / "a.model", files / "new.parquet", "--id", "payment", "--row", "p0003")
    expected = detector.explain(table().drop(columns="payment"), rows=[3]).rows[0]
    assert by_id.stdout.startswith(f"Row p0003 (row 3): {expected.sentence}")
    assert "#" in by_id.stdout
    assert "a known anomaly in row 0 of the training data, counted from 0." in by_id.stdout
    assert "  Known anomaly in row 0 of the training data, counted from 0: 100% alike." in by_id.stdout
    assert "\u202e" not in by_id.stdout
    by_number = run(
        *("explain", files / "a.model", files / "new.parquet", "--ignore", "payment"),
        *("--row", 3, "--row", 7, "--json", "--columns", 1),
    )
    first, second = json.loads(by_number.stdout)["rows"]
    assert (first["id"], second["id"]) == ("3", "7")
    assert len(first["reasons"]) == 1
    assert first["score"] == expected.score


def test_rows_are_numbered_over_all_parts(files: Path, tmp_path: Path) -> None:
    """Files are read in parts of 16,384 rows."""
    pd.concat([table()] * 120).to_parquet(tmp_path / "new.parquet")
    arguments = ("explain", files / "a.model", tmp_path / "new.parquet", "--ignore", "payment", "--row")
    (explained,) = json.loads(run(*arguments, 17_003, "--json").stdout)["rows"]
    assert (explained["id"], explained["row"]) == ("17003", 17_003)


@pytest.mark.parametrize(
    "ids",
    [
        np.arange(150, dtype=float),
        (np.arange(150) / 10).astype(np.float32),
        pd.date_range("2024-03-01", periods=150, freq="s"),
        pd.date_range("2024-03-01", periods=150, freq="s", tz="Asia/Kolkata"),
        np.arange(150) == 3,
    ],
    ids=lambda ids: str(ids.dtype),
)
def test_an_id_is_found_as_score_writes_it_and_as_python_does(ids: Any, files: Path, tmp_path: Path) -> None:
    table().assign(payment=ids).to_parquet(tmp_path / "new.parquet")
    score_files(files / "a.model", tmp_path / "new.parquet", out=tmp_path / "s.csv", identifier="payment")
    written = (tmp_path / "s.csv").read_text().splitlines()[4].partition(",")[0]
    python = str(pd.read_parquet(tmp_path / "new.parquet")["payment"].tolist()[3])
    for name in (written, python):
        found = run("explain", files / "a.model", tmp_path / "new.parquet", "--id", "payment", "--row", name)
        assert re.match(rf"Row {re.escape(name)}( \(row 3\))?: ", found.stdout)


def test_a_row_that_is_not_there_is_refused(files: Path) -> None:
    refused = run(
        "explain", files / "a.model", files / "new.parquet", "--id", "payment", "--row", "none", code=2
    )
    assert "there is no id 'none'" in refused.stderr


def test_an_id_of_many_rows_is_refused(files: Path, tmp_path: Path) -> None:
    table().assign(payment=["a"] * 20 + ["b"] * 130).to_parquet(tmp_path / "new.parquet")
    arguments = ("explain", files / "a.model", tmp_path / "new.parquet", "--id", "payment", "--row")
    said = run(*arguments, "a").stdout
    assert [f"Row a (row {number}): " in said for number in range(21)] == [True] * 20 + [False]
    assert "130 rows have the id 'b', and at most 20 of one id" in run(*arguments, "b", code=2).stderr


def test_a_row_that_cannot_be_scored_is_refused(files: Path, tmp_path: Path) -> None:
    bad = table()
    bad.loc[3, HOSTILE] = np.inf
    bad.to_parquet(tmp_path / "bad.parquet")
    arguments = ("explain", files / "a.model", tmp_path / "bad.parquet", "--id", "payment", "--row")
    assert "row p0003 cannot be scored" in run(*arguments, "p0003", code=2).stderr
    run(*arguments, "p0004")


def test_scores_come_with_reasons(files: Path, detector: A3Detector) -> None:
    run(
        *("score", files / "a.model", files / "new.parquet", "--id", "payment", "--explain", 2),
        *("--out", files / "scores.parquet"),
    )
    scores = pd.read_parquet(files / "scores.parquet")
    assert [*scores.columns[-3:]] == ["reason_1", "reason_2", "explanation"]
    assert (scores["explanation"].notna() == scores["alarm"]).all()
    assert scores["alarm"].sum() >= 10
    told = json.loads(scores["explanation"][3])
    assert told["reasons"][0]["column"] == HOSTILE
    assert " from " in scores["reason_1"][3]
    found = detector.explain(table().drop(columns="payment"), rows=[3], columns=2)
    assert told["sentence"] == found.rows[0].sentence


def test_reasons_and_a_budget_exclude_each_other(files: Path) -> None:
    arguments = ("score", files / "a.model", files / "new.parquet", "--out", files / "b.csv")
    assert "exclude each other" in run(*arguments, "--explain", 1, "--budget", 3, code=2).stderr
    with pytest.raises(InputError, match="exclude each other"):
        score_files(files / "a.model", files / "new.parquet", out=files / "b.csv", budget=3, reasons=1)


def test_the_report_groups_rows_by_their_reasons_and_escapes_all(detector: A3Detector) -> None:
    data = table().drop(columns="payment")
    report = make_report(detector, data, top=2, date=datetime.date(2024, 4, 2))
    reasons = report.facts["reasons"]
    alarms = report.facts["alarms"]["alarms"]
    assert sum(pattern["rows"] for pattern in reasons) == alarms > 2
    assert reasons[0]["columns"][0] == HOSTILE
    first = reasons[0]["members"][0]
    assert (first["rank"], first["alarm"]) == (1, True)
    assert (
        max(reason["bar"] for pattern in reasons for row in pattern["members"] for reason in row["reasons"])
        == 1
    )
    page = report.to_html()
    assert "<script" not in page
    assert "\u202e" not in re.sub(r'title="[^"]*"', "", page)
    assert page.count('<details class="pattern"') == min(len(reasons), 2)
    assert "more rows with the same reasons" in page
    assert "Most unusual values" not in page
    assert json.loads(report.to_json()) == report.facts
    assert make_report(detector, data, top=2, date=datetime.date(2024, 4, 2)).to_html() == page
