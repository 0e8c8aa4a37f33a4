"""Files scored from Python, as the command does."""

import copy
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner
from sklearn.exceptions import NotFittedError

from alarmnet import AlarmnetWarning, InputError, TableEncoder, score_files
from alarmnet.cli import main
from alarmnet.data_files import TableFiles, write_table
from alarmnet.sources import open_to_run
from alarmnet.sources.scoring import Tally, set_threshold


@pytest.fixture(scope="module")
def table() -> pa.Table:
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[-10:] += 4
    return pa.Table.from_pandas(pd.DataFrame(values, columns=["a", "b", "c"]))


@pytest.fixture(scope="module")
def detector(small: Any, table: pa.Table) -> Any:
    return small().fit(table, np.repeat([0.0, 1.0], [190, 10]))


def test_files_are_scored_as_the_rows_are(detector: Any, table: pa.Table, tmp_path: Path) -> None:
    detector.save(tmp_path / "some.model")
    write_table(tmp_path / "new.parquet", [table])
    done: list[int] = []
    for model in (detector, tmp_path / "some.model"):
        out = tmp_path / "scores.parquet"
        tally = score_files(model, tmp_path / "new.parquet", out=out, progress=done.append)
        scores = TableFiles(out).read()
        np.testing.assert_array_equal(scores["score"], detector.anomaly_score(table))
        np.testing.assert_array_equal(scores["alarm"], detector.predict(table) == 1)
        np.testing.assert_array_equal(scores["p_value"], detector.p_value(table))
        assert (tally.rows, tally.alarms, tally.invalid) == (200, detector.predict(table).sum(), 0)
    assert done == [200, 200]


def test_a_detector_that_is_given_keeps_its_alarm_rate(
    detector: Any, table: pa.Table, tmp_path: Path
) -> None:
    write_table(tmp_path / "new.csv", [table])
    before = detector.threshold_
    many = score_files(detector, [tmp_path / "new.csv"], out=tmp_path / "scores.csv", alarm_rate=0.5)
    few = score_files(detector, tmp_path / "new.csv", out=tmp_path / "scores.csv", budget=3)
    assert many.alarms > few.alarms == 3
    assert detector.threshold_ == before


def test_scoring_warns_of_the_models_own_rate_if_it_cannot_be_held(detector: Any) -> None:
    held = copy.copy(detector)
    with pytest.warns(AlarmnetWarning, match="too few for an alarm rate of 0.001"):
        set_threshold(held, 0.001, budget=None)
    with pytest.warns(AlarmnetWarning, match="too few for an alarm rate of 0.001"):
        set_threshold(held, None, budget=None)
    set_threshold(held, None, budget=3)


def test_bad_rows_are_refused_or_flagged(detector: Any, table: pa.Table, tmp_path: Path) -> None:
    bad = table.to_pandas()
    bad.loc[5, "a"] = np.inf
    bad.to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match="infinity") as caught:
        score_files(detector, tmp_path / "new.csv", out=tmp_path / "scores.csv")
    assert caught.value.rows == (5,)
    assert not (tmp_path / "scores.csv").exists()
    flagged = score_files(detector, tmp_path / "new.csv", out=tmp_path / "scores.csv", on_bad_row="flag")
    assert flagged.invalid == 1
    status = pd.read_csv(tmp_path / "scores.csv")["status"]
    assert status[status == "invalid"].index.tolist() == [5]


def test_a_budget_and_an_alarm_rate_exclude_each_other(detector: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exclude each other"):
        score_files(detector, tmp_path / "new.csv", out=tmp_path / "s.csv", alarm_rate=0.1, budget=3)


@pytest.mark.parametrize(
    "options",
    [
        {"budget": 0},
        {"budget": -1},
        {"budget": 2.5},
        {"alarm_rate": 0},
        {"on_bad_row": "Flag"},
        {"reasons": 1.5},
        {"reading": {"delimiter": ";"}},
    ],
    ids=str,
)
def test_options_that_cannot_be_used_are_refused(
    detector: Any, table: pa.Table, tmp_path: Path, options: dict[str, Any]
) -> None:
    write_table(tmp_path / "new.csv", [table])
    with pytest.raises(InputError, match=f"The '{next(iter(options))}' parameter of") as caught:
        score_files(detector, tmp_path / "new.csv", out=tmp_path / "scores.csv", **options)
    assert caught.value.code == "invalid_parameter"
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize("name", ["new.csv", "new.parquet"])
def test_an_input_is_not_overwritten(detector: Any, table: pa.Table, tmp_path: Path, name: str) -> None:
    write_table(tmp_path / name, [table])
    detector.save(tmp_path / "some.model.csv")
    before = (tmp_path / name).read_bytes()
    with pytest.raises(InputError, match="is an input too") as caught:
        score_files(detector, tmp_path / name, out=tmp_path / name)
    assert caught.value.code == "output_is_input"
    with pytest.raises(InputError, match="is an input too"):
        score_files(tmp_path / "some.model.csv", tmp_path / name, out=tmp_path / "some.model.csv")
    assert (tmp_path / name).read_bytes() == before


def test_a_frame_or_an_unfitted_detector_is_refused(
    small: Any, detector: Any, table: pa.Table, tmp_path: Path
) -> None:
    write_table(tmp_path / "new.csv", [table])
    with pytest.raises(InputError, match=r"Got DataFrame instead\. Score rows in memory by"):
        score_files(detector, table.to_pandas(), out=tmp_path / "s.csv")
    listed = (path for path in tmp_path.glob("*.csv"))
    assert score_files(detector, listed, out=tmp_path / "s.parquet").rows == 200
    with pytest.raises(NotFittedError):
        score_files(small(), tmp_path / "new.csv", out=tmp_path / "s.csv")


@pytest.mark.parametrize("name", ["account", "code"])
def test_ids_are_copied_as_they_are_written_even_if_the_model_reads_them_as_numbers(
    small: Any, tmp_path: Path, name: str
) -> None:
    generator = np.random.default_rng(0)
    ids = {
        "account": [str(10**18 + 7 * int(place)) for place in generator.integers(0, 10**6, 200)],
        "code": [f"{place:06}" for place in generator.integers(0, 5000, 200)],
    }
    table = pd.DataFrame({**ids, "amount": generator.normal(size=200)})
    table.to_csv(tmp_path / "table.csv", index=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # integers that floats cannot hold
        files = TableFiles(tmp_path / "table.csv").read().to_pandas()
        assert files[name].dtype.kind == "f"
        model = small(encoder=TableEncoder(keep=[*ids])).fit(files, np.repeat([0.0, 1.0], [190, 10]))
        score_files(model, tmp_path / "table.csv", out=tmp_path / "scores.csv", identifier=name)
        rows = open_to_run(model, [tmp_path / "table.csv"], identifier=name, ignored=[])
    assert pd.read_csv(tmp_path / "scores.csv", dtype=str)["id"].tolist() == rows.ids() == ids[name]


def test_many_alarms_are_many_of_the_rows_that_are_scored(detector: Any) -> None:
    assert Tally(rows=1_000, alarms=40).drift_note(detector) is None
    assert "100.00%" in str(Tally(rows=1_000, alarms=40, invalid=960).drift_note(detector))


@pytest.mark.parametrize("gaps", [0.0, 0.9])
def test_dates_alone_are_named_where_the_model_learned_from_times(
    small: Any, tmp_path: Path, gaps: float
) -> None:
    generator = np.random.default_rng(0)
    seconds = pd.Series(generator.integers(0, 60 * 86_400, 200))
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(seconds, unit="s")
    present = generator.random(200) >= gaps
    table = pd.DataFrame({"n": generator.normal(size=200), "at": times.where(present)})
    dates = table.assign(at=table["at"].dt.normalize())
    for learned, scored, said in [(table, dates, ["at"]), (dates, dates, []), (table, table, [])]:
        scored.to_parquet(tmp_path / "new.parquet")
        model = small().fit(learned)
        tally = score_files(model, tmp_path / "new.parquet", out=tmp_path / "scores.csv")
        assert tally.dates_only(model) == said
    small().fit(table).save(tmp_path / "model")
    dates.to_csv(tmp_path / "new.csv", index=False)
    out = ("--out", str(tmp_path / "scores.csv"))
    result = CliRunner().invoke(main, ["score", str(tmp_path / "model"), str(tmp_path / "new.csv"), *out])
    assert result.output.count("All times in 'at' are at midnight") == 1
