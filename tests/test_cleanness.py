"""Anomalies among unlabelled calibration rows: they are estimated, allowed for, and found by a few looks."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from benchmarks.golden_files import golden
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from alarmnet import InputError, load
from alarmnet.cli import main
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.cleanness import (
    ANOMALY,
    NORMAL,
    UNANSWERED,
    hidden_share,
    weights_by_scores,
    weights_of,
    worth_a_look,
)
from alarmnet.thresholds import conformal_p_values, conformal_threshold

Floats = NDArray[np.float64]
Make = Callable[..., BaseDetector]

HIDDEN = 0.05


def scores(
    hidden: float = HIDDEN, *, seed: int = 0, rows: int = 2000
) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Calibration scores, which of them are anomalies', and those of 25 known anomalies."""
    generator = np.random.default_rng(seed)
    odd = np.arange(rows) < round(hidden * rows)
    values = np.where(odd, generator.normal(9, 2, rows), generator.exponential(1, rows))
    order = np.argsort(values)
    return values[order], odd[order], generator.normal(10, 2, 25)


def observed(values: Floats, weights: Floats, rate: float) -> float:
    """The share of fresh normal rows in alarm."""
    return float(np.exp(-conformal_threshold(values, rate, weights).value))


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05])
def test_hidden_anomalies_silence_alarms_unless_they_are_allowed_for(rate: float) -> None:
    ratios = []
    for seed in range(20):
        values, _, known = scores(seed=seed)
        unanswered = np.full(len(values), UNANSWERED, dtype=np.int8)
        ratios.append(observed(values, weights_of(values, known, unanswered), rate) / rate)
        assert observed(values, np.ones(len(values)), rate) < 0.4 * rate
    assert 0.7 < np.mean(ratios) < 1.2


def test_clean_rows_keep_their_weight() -> None:
    for seed in range(10):
        values, _, known = scores(0.0, seed=seed)
        assert weights_by_scores(values, known).mean() > 0.998


def test_without_known_anomalies_or_answers_every_row_counts() -> None:
    values, _, known = scores()
    unanswered = np.full(len(values), UNANSWERED, dtype=np.int8)
    assert (weights_of(values, known[:2], unanswered) == 1).all()
    assert (weights_of(values, known[:3], unanswered) < 1).any()


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.05])
def test_thirty_looks_hold_the_rate_without_a_known_anomaly(rate: float) -> None:
    ratios = []
    for seed in range(20):
        values, odd, known = scores(seed=seed)
        answers = np.full(len(values), UNANSWERED, dtype=np.int8)
        for _ in range(3):
            places = worth_a_look(weights_of(values, known[:0], answers), answers, rate=rate, count=10)
            assert (answers[places] == UNANSWERED).all()
            assert (np.diff(places) < 0).all()
            answers[places] = np.where(odd[places], ANOMALY, NORMAL)
        assert (answers != UNANSWERED).sum() == 30
        ratios.append(observed(values, weights_of(values, known[:0], answers), rate) / rate)
    assert 0.8 < np.mean(ratios) < 1.2


@pytest.mark.parametrize("count", range(1, 25))
def test_as_many_rows_are_chosen_as_are_asked_for(count: int) -> None:
    """Also where the doubt about one row is so large that it would be chosen twice."""
    weights = np.append(np.ones(19), 0.5)
    places = worth_a_look(weights, np.full(20, UNANSWERED, dtype=np.int8), rate=0.5, count=count)
    assert len(places) == min(count, 20)
    assert (np.diff(places) < 0).all()


def test_the_share_is_estimated_with_its_interval() -> None:
    for hidden in (0.0, 0.02, 0.05):
        values, odd, known = scores(hidden)
        found = hidden_share(values, known, np.full(len(values), UNANSWERED, dtype=np.int8))
        assert found.value == pytest.approx(odd.mean(), abs=0.01)
        assert found.low <= found.value <= found.high
        assert found.low - 0.01 < odd.mean() < found.high + 0.01


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=12), st.integers(0, 4), st.floats(0.3, 0.95))
@settings(max_examples=100, deadline=None)
def test_any_few_scores_give_weights(values: list[float], known: int, rate: float) -> None:
    """Also equal ones, and one alone."""
    sorted_ = np.sort(values)
    answers = np.full(len(values), UNANSWERED, dtype=np.int8)
    for _ in range(2):
        weights = weights_of(sorted_, np.arange(float(known)), answers)
        assert ((weights >= 0) & (weights <= 1)).all()
        places = worth_a_look(weights, answers, rate=rate, count=2)
        answers[places] = NORMAL
    assert 0 <= hidden_share(sorted_, np.arange(float(known)), answers).value <= 1


@given(
    st.lists(st.tuples(st.integers(-3, 3).map(float), st.sampled_from([0, 0.5, 1])), min_size=4, max_size=15),
    st.floats(0.4, 0.95),
)
@settings(max_examples=100, deadline=None)
@pytest.mark.filterwarnings("ignore:.* too few for an alarm rate")
def test_weighted_p_values_agree_with_alarms(pairs: list[tuple[float, float]], rate: float) -> None:
    values, weights = np.array(sorted(pairs)).T
    weights[0] = 1.0
    fresh = np.arange(-4, 4.5, 0.5)
    threshold = conformal_threshold(values, rate, weights)
    p = conformal_p_values(values, fresh, weights)
    np.testing.assert_array_equal(fresh > threshold.value, p <= threshold.held * (1 + 1e-12))
    assert threshold.held <= max(rate, 1 / (1 + weights.sum())) * (1 + 1e-9)


@pytest.fixture(scope="module")
def unclean() -> tuple[Floats, NDArray[np.bool_], Floats]:
    """1,000 rows of which 60 are anomalies, and labels that know twenty of these."""
    generator = np.random.default_rng(0)
    odd = generator.permutation(1000) < 60
    rows = generator.normal(size=(1000, 5)) + 4 * odd[:, None]
    y = np.full(1000, np.nan)
    y[np.flatnonzero(odd)[:20]] = 1
    return rows, odd, y


@pytest.fixture(scope="module")
def doubted(make: Make, unclean: tuple[Floats, NDArray[np.bool_], Floats]) -> BaseDetector:
    """A detector of each kind in turn, with unlabelled calibration rows; a test that changes it takes a copy."""
    rows, _, y = unclean
    return make(alarm_rate=0.05).fit(rows, y)


def test_a_detector_names_its_calibration_rows(doubted: BaseDetector, unclean: Any) -> None:
    rows, _, y = unclean
    logits = doubted.logits(rows)[doubted.calibration_rows_]
    np.testing.assert_allclose(logits, doubted.calibration_scores_, atol=1e-5)
    assert np.isnan(y[doubted.calibration_rows_]).all()


def test_a_detector_asks_and_learns_from_answers(doubted: BaseDetector, unclean: Any, tmp_path: Path) -> None:
    rows, odd, _ = unclean
    detector = copy.deepcopy(doubted)
    for _ in range(5):
        asked = detector.calibration_queries(10)
        places = np.searchsorted(detector.calibration_scores_, asked.logits)
        np.testing.assert_array_equal(detector.calibration_rows_[places], asked.rows)
        detector.set_calibration_labels(asked.rows, odd[asked.rows])
    share = detector.unclean_share()
    assert share is not None
    assert share.value == pytest.approx(odd[detector.calibration_rows_].mean(), abs=0.02)
    found = detector.calibration_weights_[odd[detector.calibration_rows_]]
    assert (
        found.max() < 0.5 < np.delete(detector.calibration_weights_, odd[detector.calibration_rows_]).mean()
    )
    labels = detector.decision_scores_ > detector.threshold_
    np.testing.assert_array_equal(detector.labels_, labels)
    detector.save(tmp_path / "model")
    again: Any = load(tmp_path / "model")
    assert again.threshold_ == detector.threshold_
    assert again.unclean_share() == share
    np.testing.assert_array_equal(again.calibration_queries(5).rows, detector.calibration_queries(5).rows)
    np.testing.assert_array_equal(again.p_value(rows[:50]), detector.p_value(rows[:50]))


def test_rows_can_be_called_as_in_a_table_with_more_rows(doubted: BaseDetector) -> None:
    """As `alarmnet fit` does, which drops bad rows."""
    detector = copy.deepcopy(doubted)
    detector.rename_rows(2 * np.arange(1000))
    np.testing.assert_array_equal(detector.calibration_rows_, 2 * doubted.calibration_rows_)
    before, after = doubted.scored_encoded().known_numbers, detector.scored_encoded().known_numbers
    assert before is not None
    np.testing.assert_array_equal(after, 2 * before)
    asked = detector.calibration_queries(5).rows
    assert detector.set_calibration_labels(asked, [0] * 5)._sorted_answers().max() == NORMAL


def test_answers_can_be_withdrawn(doubted: BaseDetector) -> None:
    detector = copy.deepcopy(doubted)
    rows = detector.calibration_queries(6).rows
    detector.set_calibration_labels(rows, [1, 1, 0, None, 0, 1])
    assert detector.threshold_ != doubted.threshold_
    detector.set_calibration_labels(rows, [None] * 6)
    assert detector.threshold_ == doubted.threshold_


def test_a_refit_keeps_answers_and_takes_labels_as_answers(doubted: BaseDetector, unclean: Any) -> None:
    rows, odd, y = unclean
    detector = copy.deepcopy(doubted)
    asked = detector.calibration_queries(8).rows
    detector.set_calibration_labels(asked[:4], odd[asked[:4]])
    more = y.copy()
    more[asked[4:]] = odd[asked[4:]]
    detector.refit_alarm(rows, more)
    left = detector.calibration_rows_
    assert not set(left) & set(asked[4:][odd[asked[4:]]])
    answered = set(left[detector._sorted_answers() != UNANSWERED].tolist())
    assert answered == set(asked[:4]) | set(asked[4:][~odd[asked[4:]]])


def test_labelled_rows_keep_the_guarantee(trained: BaseDetector) -> None:
    assert trained.unclean_share() is None
    assert (trained.calibration_weights_ == 1).all()
    with pytest.raises(InputError, match="labelled normal: the alarm rate holds without reviewing") as caught:
        trained.calibration_queries()
    assert caught.value.code == "labelled_calibration"


def test_answers_that_cannot_be_used_are_refused(doubted: BaseDetector) -> None:
    stranger = next(row for row in range(1000) if row not in set(doubted.calibration_rows_))
    with pytest.raises(InputError, match=f"row {stranger} does not calibrate this detector") as caught:
        copy.deepcopy(doubted).set_calibration_labels([stranger], [1])
    assert (caught.value.code, caught.value.rows) == ("not_calibrating", (stranger,))
    with pytest.raises(InputError, match="every calibration row is labelled anomalous"):
        copy.deepcopy(doubted).set_calibration_labels(doubted.calibration_rows_, [1] * 196)
    with pytest.raises(InputError, match="'n' parameter"):
        doubted.calibration_queries(0)
    row = int(doubted.calibration_rows_[0])
    with pytest.raises(InputError, match=f"row {row} is labelled both normal and anomalous"):
        copy.deepcopy(doubted).set_calibration_labels([row, row], [1, 0])
    for wrong in (row, [[row]]):
        with pytest.raises(InputError, match="pass one row number for each label"):
            copy.deepcopy(doubted).set_calibration_labels(wrong, [1])
    rows, answers = pd.Series([row, row + 1], index=[0, 1]), pd.Series([1, 0], index=[1, 0])
    with pytest.raises(InputError, match="rows and y have the same index in different orders"):
        copy.deepcopy(doubted).set_calibration_labels(rows, answers)


def test_files_of_older_versions_do_not_name_calibration_rows() -> None:
    old = load(golden("a3-three-alarms-format-1").path)
    with pytest.raises(InputError, match="older version, which does not name its calibration rows") as caught:
        old.calibration_queries()
    assert caught.value.code == "old_model_file"


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_the_command_asks_and_takes_answers(unclean: Any, tmp_path: Path, doubted: BaseDetector) -> None:
    _, odd, _ = unclean
    model, looks = tmp_path / "flows.model", tmp_path / "looks.csv"
    doubted.save(model)
    assert f"Wrote {looks}: 7 rows of the training data" in run(
        "recalibrate", model, "--ask", looks, "--count", 7
    )
    table = pd.read_csv(looks)
    assert [*table] == ["row", "logit", "anomaly"]
    data = tmp_path / "train.csv"
    data.write_text("a\n1\n")
    assert "column names" in run("recalibrate", model, "--ask", looks, "--data", data, code=2)
    assert "--data is for --ask" in run("recalibrate", model, "--answers", looks, "--data", data, code=2)
    assert "--count is for --ask" in run("recalibrate", model, "--answers", looks, "--count", 3, code=2)
    assert "--out is for --answers" in run("recalibrate", model, "--ask", looks, "--out", "m", code=2)
    assert "column 'anomaly' is empty" in run("recalibrate", model, "--answers", looks, code=2)
    table["anomaly"] = odd[table["row"]].astype(int)
    table.loc[0, "anomaly"] = None
    table.to_csv(looks, index=False)
    refused = " ".join(run("recalibrate", model, "--ask", looks, code=2).split())
    assert f"has answers that the model has not taken, such as about row {table['row'][1]}" in refused
    assert len(pd.read_csv(looks)) == 7
    said = run("recalibrate", model, "--answers", looks, "--out", tmp_path / "new.model")
    assert "Read 6 answers.\nAlarm threshold: about" in said
    assert "% of normal rows raise an alarm" in said
    assert "but not for anomalies that do not score like the known ones. There may be fewer alarms" in said
    known = load(tmp_path / "new.model")
    assert (known._sorted_answers() != UNANSWERED).sum() == 6
    run("recalibrate", tmp_path / "new.model", "--ask", looks)
    assert pd.read_csv(looks)["anomaly"].isna().all()
    asked_row = table["row"][0]
    for wrong in ("anomaly", "2"):
        looks.write_text(f"row,anomaly\n{asked_row},{wrong}\n")
        refused = " ".join(run("recalibrate", model, "--answers", looks, code=2).split())
        assert f"the answer about row {asked_row} is '{wrong}'" in refused
        assert "write 1 for an anomaly and 0 for a normal row" in refused
    assert "Give --ask FILE or --answers FILE." in run("recalibrate", model, code=2)
    table.rename(columns={"anomaly": "is"}).to_csv(looks, index=False)
    assert "has no column 'anomaly'" in run("recalibrate", model, "--answers", looks, code=2)


@pytest.fixture(scope="module")
def asked(small: Any, unclean: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, and the table that it was trained on; "row" and "row_" are columns of it."""
    folder = tmp_path_factory.mktemp("asked")
    rows, odd, _ = unclean
    table = pd.DataFrame(rows, columns=["row", "b", "c", "d", "e"]).assign(
        row_=[f"n{place}" for place in range(1000)]
    )
    table.iloc[:500].to_csv(folder / "1.csv", index=False)
    table.iloc[500:].to_csv(folder / "2.csv", index=False)
    known = np.where(odd & (np.cumsum(odd) <= 20), 1, np.nan)
    small(alarm_rate=0.05).fit(table.drop(columns="row_"), known).save(folder / "m")
    return folder


def test_cells_of_the_rows_to_review_are_written_beside_them(asked: Path, tmp_path: Path) -> None:
    looks = tmp_path / "looks.csv"
    files = ("--data", asked / "1.csv", "--data", asked / "2.csv")
    run("recalibrate", asked / "m", "--ask", looks, "--count", 20, *files)
    table = pd.read_csv(looks)
    assert [*table] == ["row", "logit", "anomaly", "row__", "b", "c", "d", "e", "row_"]
    assert table["row_"].tolist() == [f"n{row}" for row in table["row"]]
    assert (table["row"] < 500).any()
    assert (table["row"] >= 500).any()
    again = tmp_path / "again.csv"
    run("recalibrate", asked / "m", "--ask", again, "--count", 20, "--data", f"{asked}/*.csv")
    assert again.read_text() == looks.read_text()


def test_other_rows_than_those_of_training_are_refused(asked: Path, tmp_path: Path) -> None:
    ask = ("recalibrate", asked / "m", "--ask", tmp_path / "looks.csv", "--count", 20)
    swapped = ("--data", asked / "2.csv", "--data", asked / "1.csv")
    assert "that the model was trained on" in " ".join(run(*ask, *swapped, code=2).split())
    assert "1.csv has 500 rows:" in run(*ask, "--data", asked / "1.csv", code=2)
    (tmp_path / "other.csv").write_text("amount,shop\n1,a\n")
    assert "lacks columns" in run(*ask, "--data", tmp_path / "other.csv", code=2)
    assert not (tmp_path / "looks.csv").exists()


def test_answers_are_counted_by_rows_and_none_is_lost(doubted: BaseDetector, tmp_path: Path) -> None:
    model, looks = tmp_path / "m", tmp_path / "looks.csv"
    doubted.save(model)
    first, second = doubted.calibration_rows_[-2:].tolist()
    looks.write_text(f"row,anomaly\n{first},1\n{first},\n{second}.0,1\n")
    assert "Read 2 answers." in run("recalibrate", model, "--answers", looks, "--out", tmp_path / "new")
    assert (load(tmp_path / "new")._sorted_answers() == ANOMALY).sum() == 2
    looks.write_text(f"row,anomaly\n{first},1\n,\n")
    assert "Read 1 answer." in run("recalibrate", model, "--answers", looks, "--out", tmp_path / "new")
    assert "say how to read --data" in run("recalibrate", model, "--answers", looks, "--decimal", ",", code=2)
    asked = CliRunner().invoke(main, ["recalibrate", str(model), "--ask", "-", "--json"])
    assert asked.stdout.startswith('"row","logit","anomaly"')
    assert json.loads(asked.stderr)["written"] == "-"
    looks.write_text(f"row,anomaly\n{first},1\n{first},0\n")
    assert "labelled both normal and anomalous" in run("recalibrate", model, "--answers", looks, code=2)
    looks.write_text(f"row,anomaly\n{first},1\nabc,0\n")
    assert "'abc', in column 'row', is no row number" in run("recalibrate", model, "--answers", looks, code=2)


def test_answers_may_be_numbers_of_a_parquet_file(doubted: BaseDetector, tmp_path: Path) -> None:
    model, looks = tmp_path / "m", tmp_path / "looks.parquet"
    doubted.save(model)
    for answers in ([1.0, 0.0, None], [1, 0, 0]):
        pd.DataFrame({"row": doubted.calibration_rows_[-3:], "anomaly": answers}).to_parquet(looks)
        run("recalibrate", model, "--answers", looks, "--out", tmp_path / "new")
        assert (load(tmp_path / "new")._sorted_answers() == ANOMALY).sum() == 1


def test_json_counts_the_rows_that_were_written(doubted: BaseDetector, tmp_path: Path) -> None:
    model, looks = tmp_path / "m", tmp_path / "looks.csv"
    doubted.save(model)
    facts = json.loads(run("recalibrate", model, "--ask", looks, "--count", 100_000, "--json"))
    assert facts["rows"] == len(pd.read_csv(looks)) < 100_000
