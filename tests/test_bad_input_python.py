"""What each kind of bad input gets in Python, case by case, through the detectors and `alarmnet.load`.

On the command line only, in test_bad_input_command_line.py:

- 8 words for missing numbers, 53 encodings, 54 headers, 55 damaged data files, 56 what is no file: Python's callers
  have read their files.
"""

import hashlib
import json
import resource
import struct
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from alarmnet import (
    A3Detector,
    AlarmnetWarning,
    InputError,
    ModelFileError,
    Schedule,
    TableEncoder,
    TrainingDivergedError,
    load,
    make_report,
)
from alarmnet._shared.persistence import FORMAT_VERSION
from alarmnet.detectors import BaseDetector
from alarmnet.thresholds import conformal_threshold

Make = Any  # conftest's Maker
Floats = NDArray[np.float64]
ROWS = 80
FLOAT32_MAX = float(np.finfo(np.float32).max)


def table(**columns: Any) -> pd.DataFrame:
    """80 rows of a number and a text, and further or other columns."""
    amount = np.random.default_rng(0).normal(size=ROWS).astype(np.float32).astype(float)
    return pd.DataFrame({"amount": amount, "service": ["web", "shop"] * (ROWS // 2)}).assign(**columns)


@pytest.fixture(scope="module")
def fit(small: Make) -> Callable[..., Any]:
    """Fits a detector in a few steps."""

    def fitted(X: Any, y: Any = None, **parameters: Any) -> Any:
        return small(**({"alarm_rate": 0.2, "schedule": Schedule(steps=3)} | parameters)).fit(X, y)

    return fitted


@pytest.fixture(scope="module")
def detector(fit: Callable[..., Any]) -> Any:
    """A detector of `table()` that no test changes."""
    return fit(table())


Fit = Callable[..., Any]


def refused(
    call: Callable[[Any], Any], X: Any, *, code: str, column: str | None = None, rows: tuple[int, ...] = ()
) -> str:
    """The sentence of a refusal, once code, column and rows have been found right."""
    with pytest.raises(InputError) as caught:
        call(X)
    assert (caught.value.code, caught.value.column, caught.value.rows) == (code, column, rows)
    return str(caught.value)


# Values


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NA, pd.NaT])
def test_01_missing_values_are_accepted_and_counted(fit: Fit, nothing: Any) -> None:
    amount, service = table()["amount"].astype(object), table()["service"].astype(object)
    amount[::4] = service[1::4] = nothing
    gaps = table(amount=amount, service=service)
    learned = fit(gaps)
    assert {"amount missing", "service missing"} < set(learned.encoder_.output_names_)
    assert np.isfinite(learned.decision_function(gaps)).all()
    assert learned.encoder_.summarize(gaps).missing == {"amount": 20, "service": 20}
    number = learned.encoder_._plan["amount"]
    encoded = learned.encoder_.transform(gaps)[::4, 0]
    np.testing.assert_array_equal(encoded, np.float32(number.scale(np.array([number.median]))[0]))


def test_01_a_column_missing_for_the_first_time_is_reported(detector: A3Detector) -> None:
    gaps = table(amount=[None, *table()["amount"][1:]])
    assert np.isfinite(detector.decision_function(gaps)).all()
    assert isinstance(detector.encoder_, TableEncoder)
    assert detector.encoder_.summarize(gaps).newly_missing == ("amount",)


@pytest.mark.parametrize("infinity", [np.inf, -np.inf, "inf", 10**400], ids=["inf", "-inf", "text", "int"])
def test_02_infinity_is_refused(fit: Fit, detector: A3Detector, infinity: object) -> None:
    amount = table()["amount"].astype(object)
    amount[[7, *range(60, 66)]] = infinity
    for call in (fit, detector.decision_function):
        sentence = refused(
            call, table(amount=amount), code="infinite_value", column="amount", rows=(7, 60, 61, 62, 63)
        )
        assert "Input X contains infinity: column 'amount', rows 7, 60, 61, 62, 63 and 2 more." in sentence
        assert "Make them missing (NaN) or finite." in sentence


def test_02_rows_are_those_of_the_whole_table(fitted: A3Detector, rows: Floats) -> None:
    X = np.tile(rows, (400, 1))
    X[70_000, 2] = np.inf
    sentence = refused(fitted.decision_function, X, code="infinite_value", column="x2", rows=(70_000,))
    assert "column 'x2', row 70000. Make them missing (NaN) or finite." in sentence
    X[70_000:70_009, 2] = np.inf
    sentence = refused(
        fitted.decision_function,
        X,
        code="infinite_value",
        column="x2",
        rows=(70_000, 70_001, 70_002, 70_003, 70_004),
    )
    assert "column 'x2', rows 70000, 70001, 70002, 70003, 70004 and 4 more." in sentence


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_03_values_beyond_float32_are_refused(fit: Fit, detector: A3Detector, value: float) -> None:
    amount = table()["amount"].copy()
    amount[5] = value
    for call in (fit, detector.decision_function):
        sentence = refused(call, table(amount=amount), code="beyond_float32", column="amount", rows=(5,))
        assert "holds values outside the float32 range (3.4e38): column 'amount', row 5. Rescale" in sentence
    amount[5] = np.copysign(FLOAT32_MAX, value)
    assert np.isfinite(detector.decision_function(table(amount=amount))).all()


def test_04_denormals_are_accepted_and_minus_zero_is_zero(detector: A3Detector) -> None:
    scores = detector.decision_function(table(amount=[0.0, -0.0, 1e-45, -1e-310] * 20))
    assert np.isfinite(scores).all()
    assert scores[0] == detector.decision_function(table(amount=-0.0))[0]


@pytest.mark.parametrize("value", [2**53 + 1, -(2**60), 2**63, 2**70])
def test_05_integers_that_lose_digits_are_warned_of(fit: Fit, detector: A3Detector, value: int) -> None:
    large = table(amount=np.array([value, *range(9), *range(ROWS - 10)], dtype=object))
    for call in (fit, detector.decision_function):
        with pytest.warns(AlarmnetWarning, match=r"Integers beyond 2\*\*53 lose their last digits: 'amount'"):
            call(large)
    assert np.isfinite(detector.decision_function(table(amount=2**53))).all()


def test_06_booleans_are_0_and_1(detector: A3Detector) -> None:
    booleans, numbers = (table(amount=cells * (ROWS // 2)) for cells in ([True, False], [1, 0]))
    np.testing.assert_array_equal(detector.decision_function(booleans), detector.decision_function(numbers))


def test_07_numbers_written_as_text_are_read(fit: Fit, detector: A3Detector) -> None:
    texts = table(amount=table()["amount"].astype(str))
    np.testing.assert_array_equal(detector.decision_function(texts), detector.decision_function(table()))
    assert fit(texts).encoder_.kinds_["amount"] == "number"


def test_07_text_among_numbers_as_text_makes_text_and_is_warned_of(fit: Fit, detector: A3Detector) -> None:
    texts = table(amount=["~", *table()["amount"].round(1).astype(str)[1:]])
    with pytest.warns(AlarmnetWarning, match="'amount' is read as text, because it holds '~' among numbers"):
        assert fit(texts).encoder_.kinds_["amount"] == "category"
    sentence = refused(detector.predict, texts, code="wrong_type", column="amount", rows=(0,))
    assert "row 0 cannot be: the first is '~' (str). Give the whole column one type." in sentence


def test_09_a_decimal_comma_is_refused_with_a_hint(fit: Fit, detector: A3Detector) -> None:
    commas = table(amount=["1,5", *["2"] * (ROWS - 1)])
    sentence = refused(fit, commas, code="decimal_comma", column="amount")
    assert "'amount' writes numbers with a comma, such as '1,5'. Write them with a decimal point" in sentence
    sentence = refused(detector.predict, commas, code="wrong_type", column="amount", rows=(0,))
    assert "the first is '1,5' (str). Write a decimal point instead of the comma, or read" in sentence
    assert 'with Reading(decimal=",") or pandas.read_csv(..., decimal=",").' in sentence


def test_10_a_column_of_several_types_is_refused(fit: Fit) -> None:
    mixed = table(amount=pd.Series([1.5] * 70 + ["x"] * 10, dtype=object))
    with pytest.raises(TypeError):
        fit(mixed)
    sentence = refused(fit, mixed, code="wrong_type", column="amount", rows=(70, 71, 72, 73, 74))
    assert "Column 'amount' is read as numbers" in sentence
    assert "rows 70, 71, 72, 73, 74 and 5 more cannot be: the first is 'x' (str). Give the whole" in sentence


def test_11_complex_numbers_are_refused(fit: Fit, detector: A3Detector) -> None:
    for call in (fit, detector.predict):
        sentence = refused(call, table(amount=1j * table()["amount"]), code="complex", column="amount")
        assert "Complex data not supported: column 'amount' is complex. Pass real and imaginary" in sentence
    assert "column 'x0' is complex" in refused(fit, np.ones((9, 2)) * 1j, code="complex", column="x0")


def test_12_dates_and_durations_are_encoded_by_documented_rules(fit: Fit) -> None:
    start, took = (
        pd.date_range("2024-01-01", periods=ROWS, freq="7h"),
        pd.to_timedelta(np.arange(ROWS) % 9, "min"),
    )
    learned = fit(table(start=start, took=took))
    assert learned.encoder_.kinds_ == {
        "amount": "number",
        "service": "category",
        "start": "datetime",
        "took": "duration",
    }
    later = table(start=start + pd.Timedelta(weeks=999), took=took)
    np.testing.assert_array_equal(
        learned.decision_function(later), learned.decision_function(table(start=start, took=took))
    )
    assert learned.encoder_.transform(later).max() <= 1


@pytest.mark.parametrize(
    "cells",
    [
        pd.period_range("2024-01", periods=ROWS, freq="M"),
        pd.interval_range(0, ROWS),
        [[1, 2]] * ROWS,
    ],
    ids=["period", "interval", "list"],
)
def test_12_other_times_are_refused_with_a_hint(fit: Fit, cells: Any) -> None:
    sentence = refused(fit, table(at=cells), code="wrong_type", column="at")
    assert sentence.startswith("Column 'at' holds ")
    assert "Pass numbers, text, dates or durations, or drop the column." in sentence


def test_13_and_14_new_categories_are_counted_and_near_matches_named(detector: A3Detector) -> None:
    new = table(service=["Web", "web ", "web\u00a0", "ftp", *["web"] * (ROWS - 4)])
    scores = detector.decision_function(new.assign(amount=0.0))
    assert np.isfinite(scores).all()
    assert len(set(scores[:4])) == 1
    assert isinstance(detector.encoder_, TableEncoder)
    unseen = detector.encoder_.summarize(new).unseen["service"]
    assert unseen.count == 4
    assert set(unseen.examples) == {"Web", "web ", "web\u00a0", "ftp"}
    assert unseen.near_matches == dict.fromkeys(["Web", "web ", "web\u00a0"], "web")


def test_15_numbers_beyond_the_training_range_are_accepted_and_counted(detector: A3Detector) -> None:
    far = table(amount=[1e6, -1e30, *[0.0] * (ROWS - 2)])
    assert np.isfinite(detector.decision_function(far)).all()
    assert isinstance(detector.encoder_, TableEncoder)
    assert detector.encoder_.summarize(far).outside == {"amount": 2}


@pytest.mark.parametrize("nothing", [np.nan, None, pd.NaT])
def test_16_a_column_without_values_is_left_out(fit: Fit, nothing: object) -> None:
    with pytest.warns(AlarmnetWarning, match="Left out, because no row, or hardly any, has a value: 'gone'"):
        learned = fit(table(gone=nothing))
    np.testing.assert_array_equal(learned.decision_function(table()), fit(table()).decision_function(table()))


def test_17_an_identifier_is_left_out_and_named(fit: Fit) -> None:
    named = table(id=[f"user{row}" for row in range(ROWS)])
    with pytest.warns(AlarmnetWarning, match="Left out, because each row has a different text: 'id'"):
        learned = fit(named)
    assert list(learned.encoder_.left_out_) == ["id"]
    scores = learned.decision_function(named)
    np.testing.assert_array_equal(learned.decision_function(named.assign(id="another")), scores)
    assert fit(named[:19]).encoder_.left_out_ == {}
    with pytest.raises(InputError, match="No column is left to learn from"):
        fit(named[["id"]])


# Shape and columns


def test_18_a_missing_column_is_refused(detector: A3Detector) -> None:
    fewer = table()[["amount"]]
    sentence = refused(detector.predict, fewer, code="missing_columns", column="service")
    assert "Feature names seen at fit time, yet now missing: 'service'. Add these columns." in sentence


def test_18_a_column_in_another_spelling_is_named(fit: Fit, detector: A3Detector) -> None:
    respelled = table().rename(columns={"service": "Service ", "amount": "\ufeffamount"})
    sentence = refused(detector.predict, respelled, code="missing_columns", column="amount")
    assert "'\\ufeffamount' differs from 'amount', 'Service ' differs from 'service' only in case" in sentence
    assert sentence.endswith("rename them.")
    twins = fit(table().assign(Amount=1.0))
    assert "Add these columns." in refused(twins.predict, table(), code="missing_columns", column="Amount")


def test_19_an_extra_column_is_refused_unless_ignored(fit: Fit, detector: A3Detector) -> None:
    more = table(extra=1, other=2)
    sentence = refused(detector.predict, more, code="extra_columns", column="extra")
    assert "Feature names unseen at fit time: 'extra', 'other'. Drop these columns" in sentence
    assert "TableEncoder(on_extra='ignore')" in sentence
    ignoring = fit(table(), encoder=TableEncoder(on_extra="ignore"))
    np.testing.assert_array_equal(ignoring.predict(more), ignoring.predict(table()))


def test_20_named_columns_are_aligned(detector: A3Detector) -> None:
    turned = table()[["service", "amount"]]
    np.testing.assert_array_equal(detector.decision_function(turned), detector.decision_function(table()))


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.table])
def test_21_duplicated_names_are_refused(fit: Fit, kind: Any) -> None:
    columns = [np.arange(9.0), np.arange(9.0)]
    twice = (
        pa.table(columns, names=["a", "a"]) if kind is pa.table else pd.DataFrame(dict(enumerate(columns)))
    )
    if kind is pd.DataFrame:
        twice.columns = ["a", "a"]
    sentence = refused(fit, twice, code="duplicate_columns", column="a")
    assert "must be unique, but these occur more than once: 'a'. Rename or drop them." in sentence


def test_22_names_at_one_end_only_are_warned_of(fit: Fit, detector: A3Detector) -> None:
    array = table().to_numpy()
    with pytest.warns(AlarmnetWarning, match="X does not have valid feature names, but .* was fitted with"):
        scores = detector.decision_function(array)
    np.testing.assert_array_equal(scores, detector.decision_function(table()))
    nameless = fit(array)
    with pytest.warns(AlarmnetWarning, match="X has feature names, but .* was fitted without feature names"):
        nameless.decision_function(table())
    assert "X has 3 features" in refused(nameless.predict, np.ones((5, 3)), code="column_count")


def test_23_names_that_are_not_text_count_as_none_and_mixed_ones_are_refused(fit: Fit) -> None:
    numbered = table().set_axis([0, 1], axis=1)
    assert not hasattr(fit(numbered), "feature_names_in_")
    sentence = refused(fit, table().set_axis(["a", 1], axis=1), code="mixed_names")
    assert "only supported if all input features have string names" in sentence
    assert "X.columns = X.columns.astype(str)" in sentence


def test_23_columns_named_by_numbers_from_0_on_are_matched_by_these(fit: Fit, tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(size=(ROWS, 4)) * [1, 2, 3, 4]
    frame = pd.DataFrame(array)
    turned = frame[[3, 0, 2, 1]]
    for learned in (fit(frame), fit(array), fit(turned)):
        scores = learned.decision_function(array)
        np.testing.assert_array_equal(learned.decision_function(frame), scores)
        np.testing.assert_array_equal(learned.decision_function(turned), scores)
        learned.save(tmp_path / "m")
        np.testing.assert_array_equal(load(tmp_path / "m").decision_function(turned), scores)


@pytest.mark.parametrize("names", [[1, 2, 3], [0, 1, 5], [0.5, 1, 2], [(0,), (1,), (2,)]], ids=str)
def test_23_columns_of_other_names_that_are_not_text_are_taken_by_position_with_a_warning(
    fit: Fit, names: list[Any]
) -> None:
    array = np.random.default_rng(0).normal(size=(ROWS, 3))
    frame = pd.DataFrame(array)
    frame.columns = pd.Index(names, tupleize_cols=False)
    learned = fit(array)
    with pytest.warns(AlarmnetWarning, match=r"taken by position.*X\.columns = X\.columns\.astype\(str\)"):
        scores = learned.decision_function(frame)
    np.testing.assert_array_equal(scores, learned.decision_function(array))
    with pytest.warns(AlarmnetWarning, match="taken by position"):
        again = fit(frame)
    np.testing.assert_array_equal(again.decision_function(array), scores)


def test_24_odd_names_and_values_are_kept_and_escaped(fit: Fit, tmp_path: Path) -> None:
    script, names = "<script>alert(1)</script>", ["", "line\nbreak", "x" * 1000]
    odd = table(**{script: [script, "a\nb"] * (ROWS // 2)}, **dict.fromkeys(names, 1.0))
    learned = fit(odd)
    assert learned.feature_names_in_.tolist() == ["amount", "service", script, *names]
    assert np.isfinite(learned.decision_function(odd)).all()
    learned.save(tmp_path / "odd.model")
    np.testing.assert_array_equal(load(tmp_path / "odd.model").predict(odd), learned.predict(odd))
    made = make_report(learned, odd, ids=[script] * ROWS)
    made.save(tmp_path / "r.html")
    assert script not in (tmp_path / "r.html").read_text()
    assert "&lt;script&gt;alert(1)" in (tmp_path / "r.html").read_text()
    made.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["highest"][0]["id"] == script
    sentence = refused(learned.predict, odd.assign(**{"line\nbreak": np.inf})[:1], **INFINITE_LINE_BREAK)
    assert r"column 'line\nbreak', row 0" in sentence


INFINITE_LINE_BREAK: Any = {"code": "infinite_value", "column": "line\nbreak", "rows": (0,)}


def test_25_columns_of_several_levels_are_refused(fit: Fit) -> None:
    levels = table().set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), axis=1)
    sentence = refused(fit, levels, code="multi_index")
    assert "X has MultiIndex columns of 2 levels" in sentence
    assert "X.columns = ['_'.join(map(str, name)) for name in X.columns]" in sentence


@pytest.mark.parametrize(
    ("X", "dimensions"),
    [
        (np.arange(9.0), 1),
        (pd.Series(np.arange(9.0)), 1),
        (np.zeros((9, 2, 2)).tolist(), 3),
        (np.zeros((9, 2, 2, 2, 2)), 5),
        (5.0, 0),
        (None, 0),
        (iter([[1.0]]), 0),
    ],
)
def test_26_what_has_not_two_dimensions_is_refused(
    fit: Fit, fitted: A3Detector, X: Any, dimensions: int
) -> None:
    for call in (fit, fitted.predict):
        sentence = refused(call, X, code="not_2d")
        assert f"Expected 2D array, got {dimensions}D array instead" in sentence
        assert "Reshape your data" in sentence or f"X is a {type(X).__name__}" in sentence


def test_26_images_are_refused_by_a_model_of_tables(fitted: A3Detector) -> None:
    assert "got 3D array instead (shape=(4, 9, 9))" in refused(
        fitted.predict, np.zeros((4, 9, 9)), code="not_2d"
    )


def test_26_an_unread_frame_is_refused(fit: Fit, fitted: A3Detector) -> None:
    for call in (fit, fitted.predict):
        assert "X is lazy (LazyFrame); pass X.collect()." in refused(
            call, pl.LazyFrame({"a": [1]}), code="lazy"
        )


def test_27_no_rows_are_refused(fit: Fit, detector: A3Detector, fitted: A3Detector) -> None:
    wanted = r"Found array with 0 sample(s) (shape=(0, {})) while a minimum of {} is required."
    assert wanted.format(3, 2) in refused(fit, np.empty((0, 3)), code="too_few_rows")
    assert wanted.format(2, 1) in refused(detector.predict, table()[:0], code="too_few_rows")
    assert wanted.format(5, 1) in refused(fitted.predict, np.empty((0, 5)), code="too_few_rows")


def test_27_a_report_on_no_rows_is_refused(fitted: A3Detector) -> None:
    for name, called in ((None, "X"), ("new.csv", "new.csv")):
        report = partial(make_report, fitted, data_name=name)
        assert f"{called} has no rows" in refused(report, np.empty((0, 5)), code="too_few_rows")


def test_27_a_calibration_share_that_leaves_one_row_to_learn_from_is_refused(
    make: Make, rows: Floats
) -> None:
    said = r"calibration_share=0.999 takes 59 of 60 rows to calibrate \w+ on and leaves 1 to learn from"
    with pytest.raises(InputError, match=said):
        make(calibration_share=0.999).fit(rows[:60])


def test_28_no_columns_are_refused(fit: Fit) -> None:
    for nothing in (np.empty((20, 0)), pd.DataFrame(index=range(20))):
        sentence = refused(fit, nothing, code="no_columns")
        assert "Found array with 0 feature(s) (shape=(20, 0)) while a minimum of 1 is required." in sentence


def test_29_one_row_is_refused_at_fit_and_works_at_score(
    make: Make, trained: BaseDetector, rows: Floats
) -> None:
    assert "Found array with 1 sample(s)" in refused(make().fit, rows[:1], code="too_few_rows")
    assert trained.predict_proba(rows[:1]).shape == (1, 2)
    assert trained.p_value(rows[:1].tolist()).shape == (1,)


def test_29_too_few_rows_to_learn_and_calibrate_are_refused(make: Make, rows: Floats) -> None:
    """One would calibrate, and the encoder learns from two."""
    assert "needs three rows or more" in refused(make(schedule=Schedule(steps=3)).fit, rows[:2], code="rows")
    with pytest.raises(InputError, match=r"needs two normal or unlabelled rows.* got 1"):
        make(schedule=Schedule(steps=3)).fit(rows[:3], [1, 1, np.nan])
    with pytest.warns(AlarmnetWarning, match="^1 calibration row is too few"):
        detector = make(schedule=Schedule(steps=3)).fit(rows[:3])
    assert np.isfinite(detector.decision_function(rows)).all()


@pytest.mark.parametrize("count", [20, 64, 65, 129])
def test_30_any_number_of_rows_beside_the_batch_size_works(make: Make, rows: Floats, count: int) -> None:
    schedule = Schedule(steps=3, batch_size=64)
    detector = make(schedule=schedule, calibration_share=0.01, alarm_rate=0.5).fit(rows[: count + 1])
    assert np.isfinite(detector.decision_function(rows)).all()


def test_31_ragged_lists_are_refused(fit: Fit, fitted: A3Detector) -> None:
    for call in (fit, fitted.predict):
        assert "its rows differ in length" in refused(call, [[1, 2]] * 9 + [[3]], code="ragged")


def test_32_a_table_too_large_is_scored_in_parts(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Encoded at once it would take 20 MiB."""
    monkeypatch.setattr("alarmnet.detectors.scoring.ENCODED_AT_ONCE", 8192)
    rows, columns = 40_000, 130
    learned = fit(np.random.default_rng(0).normal(size=(40, columns)), alarm_rate=0.5)
    large = np.broadcast_to(np.float32(0), (rows, columns))
    tracemalloc.start()
    scores = learned.decision_function(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(set(scores)) == 1
    assert peak < 12 << 20


def test_32_a_table_too_large_to_train_on_is_refused_before_allocation(fit: Fit) -> None:
    with pytest.raises(MemoryError, match=r"Unable to allocate 7\.11 PiB"):
        fit(np.broadcast_to(np.float32(0), (10**15, 2)))


def test_33_a_sparse_tensor_is_refused(fit: Fit, fitted: A3Detector) -> None:
    for call in (fit, fitted.predict):
        sentence = refused(call, torch.eye(9).to_sparse(), code="sparse")
        assert "Sparse data was passed" in sentence
        assert "dense data is required: use X.to_dense()." in sentence


def test_33_sparse_matrices_are_read_as_dense_ones(fit: Fit, monkeypatch: pytest.MonkeyPatch) -> None:
    dense = np.random.default_rng(0).normal(size=(ROWS, 5)) * (np.arange(5) > 1)
    dense[::3] = 0.0
    detector = fit(dense)
    scores = detector.logits(dense)
    triplets = sparse.coo_array(dense)
    doubled = sparse.coo_array(
        (np.tile(triplets.data / 2, 2), tuple(np.tile(places, 2) for places in triplets.coords)), dense.shape
    )
    for matrix in (sparse.csr_matrix(dense), sparse.csc_array(dense), triplets, doubled):
        assert (fit(matrix).logits(dense) == scores).all()
        assert (detector.logits(matrix) == scores).all()
    monkeypatch.setattr("alarmnet.detectors.scoring.ENCODED_AT_ONCE", 16)  # in batches of bounded size
    assert (detector.logits(triplets) == scores).all()


def test_33_sparse_matrices_too_large_to_be_made_dense_are_refused(fit: Fit, fitted: A3Detector) -> None:
    wide = sparse.csr_array((ROWS, 2**30))
    for call in (fit, fitted.predict):
        sentence = refused(call, wide, code="too_large")
        assert "TruncatedSVD" in sentence


def test_33_a_column_transformer_may_give_sparse_rows() -> None:
    rows = pd.DataFrame({"kind": ["a", "b", "c", "d"] * 20, "size": np.random.default_rng(0).normal(size=80)})
    columns = make_column_transformer(
        (OneHotEncoder(), ["kind"]), ("passthrough", ["size"]), sparse_threshold=1
    )
    assert sparse.issparse(columns.fit_transform(rows))
    short = Schedule(steps=5)
    detector = A3Detector(target_schedule=short, alarm_schedule=short, alarm_rate=0.2, random_state=0)
    scores = make_pipeline(columns, detector).fit(rows, np.arange(80) < 4).decision_function(rows)
    assert np.isfinite(scores).all()


def test_33_a_masked_array_is_refused(fit: Fit, fitted: A3Detector) -> None:
    for call in (fit, fitted.predict):
        sentence = refused(call, np.ma.masked_array(np.ones((9, 5))), code="masked")
        assert "X is a masked array; pass X.astype(float).filled(np.nan)." in sentence


def test_33_a_sparse_column_is_refused(fit: Fit) -> None:
    one = table(some=pd.arrays.SparseArray([0.0, 1.0] * (ROWS // 2)))
    assert "Column 'some' is sparse, but dense data is required" in refused(
        fit, one, code="sparse", column="some"
    )


def memory_mapped(X: Floats, folder: Path) -> Any:
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


LAYOUTS: dict[str, Callable[[Floats, Path], Any]] = {
    "memory map": memory_mapped,
    "Fortran order": lambda X, _: np.asfortranarray(X),
    "negative strides": lambda X, _: X[::-1, ::-1].copy()[::-1, ::-1],
    "other byte order": lambda X, _: X.astype(X.dtype.newbyteorder()),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_34_scores_do_not_depend_on_the_layout(
    trained: BaseDetector, rows: Floats, tmp_path: Path, layout: str
) -> None:
    scores = trained.decision_function(LAYOUTS[layout](rows, tmp_path))
    np.testing.assert_array_equal(scores, trained.decision_function(rows))


QUARTERS = np.random.default_rng(0).integers(-40, 40, size=(ROWS, 2)) / 4.0
ARRAYS: dict[str, Callable[[Floats], Any]] = {
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "longdouble": lambda X: X.astype(np.longdouble),
    "objects": lambda X: X.astype(object),
    "strings": lambda X: X.astype(str),
    "lists": np.ndarray.tolist,
    "decimals": lambda X: [[Decimal(cell) for cell in row] for row in X.tolist()],
    "tensor": torch.tensor,
}
FRAMES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "ints": lambda X: X.astype({"amount": np.int16}),
    "nullable": lambda X: X.convert_dtypes(),
    "pandas Arrow": lambda X: X.convert_dtypes(dtype_backend="pyarrow"),
    "pandas str": lambda X: X.astype({"service": "str"}),
    "pandas objects": lambda X: X.astype(object),
    "categories": lambda X: X.astype({"service": "category"}),
    "polars": pl.from_pandas,
    "polars categories": lambda X: pl.from_pandas(X).with_columns(pl.col("service").cast(pl.Categorical)),
    "Arrow": pa.Table.from_pandas,
    "Arrow dictionary": lambda X: pa.table({name: pa.array(X[name]).dictionary_encode() for name in X}),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_35_equal_values_score_alike_in_every_array(fit: Fit, kind: str) -> None:
    other = ARRAYS[kind](QUARTERS)
    scores = fit(QUARTERS).decision_function(QUARTERS)
    np.testing.assert_array_equal(fit(QUARTERS).decision_function(other), scores)
    np.testing.assert_array_equal(fit(other).decision_function(QUARTERS), scores)


@pytest.mark.parametrize("kind", FRAMES)
def test_35_equal_values_score_alike_in_every_frame(detector: A3Detector, kind: str) -> None:
    whole = table(amount=[-2.0, 0.0, 1.0, 3.0] * (ROWS // 4))
    np.testing.assert_array_equal(
        detector.decision_function(FRAMES[kind](whole)), detector.decision_function(whole)
    )


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_36_tensors_come_to_the_host(fit: Fit, kind: torch.dtype) -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensor = torch.tensor(QUARTERS, dtype=kind, device=device, requires_grad=True)
    expected = fit(QUARTERS)
    np.testing.assert_array_equal(expected.decision_function(tensor), expected.decision_function(QUARTERS))
    np.testing.assert_array_equal(fit(tensor).decision_scores_, expected.decision_scores_)
    assert (
        "device are copied to the host"
        in (Path(__file__).parents[1] / "docs" / "reference" / "bad-input.md").read_text()
    )


def test_37_the_callers_data_is_neither_changed_nor_kept(make: Make, rows: Floats, labels: Floats) -> None:
    X, y = rows.astype(np.float32), labels.copy()
    detector = make(schedule=Schedule(steps=3)).fit(X, y)
    scores, deviations = detector.decision_function(X), detector.column_deviations(X)
    np.testing.assert_array_equal(X, rows.astype(np.float32))
    np.testing.assert_array_equal(y, labels)
    kept, X[:] = X.copy(), 1e6
    np.testing.assert_array_equal(detector.decision_function(kept), scores)
    np.testing.assert_array_equal(detector.column_deviations(kept), deviations)


def test_37_the_callers_frame_is_not_changed(fit: Fit) -> None:
    frame = table(amount=[None, *table()["amount"][1:]])
    before = frame.copy(deep=True)
    fit(frame, pd.Series([0, 1] * (ROWS // 2))).predict(frame)
    pd.testing.assert_frame_equal(frame, before)


# Labels and degenerate data


def test_38_without_any_label(make: Make, rows: Floats) -> None:
    detector = make().fit(rows)
    assert detector.label_counts_ == {"normal": 0, "anomaly": 0, "unlabelled": 200, "contradictory": 0}
    assert not detector.calibration_is_labelled_
    assert detector.classes_.tolist() == [0, 1]
    assert set(detector.predict(rows)) == {0, 1}


def labelled(fit: Fit, **parameters: Any) -> Callable[[Any], Any]:
    return lambda y: fit(QUARTERS, y, **parameters)


def test_39_anomalies_alone_are_refused(fit: Fit) -> None:
    sentence = refused(labelled(fit), np.ones(ROWS), code="one_class")
    assert "no normal rows: only one class, 1, is in y; give rows labelled normal, or unlabelled" in sentence


@pytest.mark.parametrize("count", [ROWS - 1, ROWS + 1, 0])
def test_40_labels_of_another_length_are_refused(fit: Fit, count: int) -> None:
    sentence = refused(labelled(fit), np.zeros(count), code="length_mismatch")
    assert f"inconsistent numbers of samples: X has {ROWS} rows, y has {count} labels" in sentence


NAN = float("nan")
LABELS: dict[str, tuple[list[Any], str, str]] = {
    "three": (
        [0, 1, 2, 2],
        "labels",
        "Only binary classification is supported. The labels are 0, 1, 2: name the",
    ),
    "continuous": ([0.5, 0.7, 1, 0], "labels", "Unknown label type: continuous; y holds 0.0, 0.5, 0.7, 1.0"),
    "missing": (
        [NAN, NAN, None, None],
        "no_labels",
        "Input y contains NaN only: no row is labelled; pass y=None",
    ),
    "one": (
        ["fine"] * 4,
        "one_class",
        "holds one class only, 'fine', which is neither 0 (normal) nor 1 (anomaly)",
    ),
    "types": ([1, "bad", None, None], "labels", "labels of several types (int, str) in y; use one type"),
    "columns": (
        [[0, 1], [0, 0], [1, 1], [0, 0]],
        "labels",
        "y should be a 1d array, got an array of shape (80, 2)",
    ),
}


@pytest.mark.parametrize("name", LABELS)
def test_41_labels_that_are_not_two_classes_are_refused(fit: Fit, name: str) -> None:
    four, code, sentence = LABELS[name]
    assert sentence in refused(labelled(fit), four * (ROWS // 4), code=code)


def test_41_labels_in_a_frame_of_two_columns_are_refused(fit: Fit) -> None:
    sentence = refused(labelled(fit), pd.DataFrame({"a": [0] * ROWS, "b": 1}), code="labels")
    assert "y should be a 1d array, got an array of shape (80, 2)" in sentence


def test_41_the_anomaly_among_several_labels_may_be_named(fit: Fit) -> None:
    y = ["dos", "normal", "probe", "normal"] * (ROWS // 4)
    assert fit(QUARTERS, y, anomaly_label="dos").label_counts_["anomaly"] == ROWS // 4
    assert fit(QUARTERS, ["fine", None] * (ROWS // 2), anomaly_label="fine").label_counts_["normal"] == 0


def test_42_minus_one_and_one_are_warned_about_with_both_readings(fit: Fit) -> None:
    with pytest.warns(
        AlarmnetWarning,
        match=r"labels are -1 and 1: 1, of 10 rows, is taken as the anomaly \(as scikit-learn's classifiers have "
        r"it; its outlier detectors call anomalies -1\); name it with anomaly_label=",
    ):
        learned = fit(QUARTERS, np.repeat([-1, 1], [70, 10]))
    assert learned.label_counts_["anomaly"] == 10


@pytest.mark.parametrize("kind", [list, np.array, pd.Series, pl.Series, pa.array])
def test_43_text_labels_are_read_by_the_anomalys_name(fit: Fit, kind: Any) -> None:
    learned = fit(QUARTERS, kind(["good", "good", "good", "bad"] * (ROWS // 4)), anomaly_label="bad")
    assert learned.classes_.tolist() == ["good", "bad"]
    assert learned.label_counts_["anomaly"] == ROWS // 4
    assert set(learned.predict(QUARTERS)) <= {"good", "bad"}


def test_43_booleans_say_anomalous_or_not(fit: Fit) -> None:
    learned = fit(QUARTERS, [False, False, False, True] * (ROWS // 4))
    assert learned.classes_.tolist() == [False, True]
    assert learned.label_counts_["anomaly"] == ROWS // 4


@pytest.mark.parametrize("kind", [np.array, pd.Series, list])
def test_44_infinity_in_labels_is_refused(fit: Fit, kind: Any) -> None:
    y = kind([0.0] * 70 + [NAN, -np.inf, np.inf] + [0.0] * 7)
    sentence = refused(labelled(fit), y, code="label", rows=(71, 72))
    assert "Input y contains infinity; labels are 1, 0 or missing" in sentence


def test_45_a_constant_column_stays_and_is_counted(fit: Fit) -> None:
    learned = fit(table(constant=0.1))
    assert learned.encoder_.constant_columns_ == ("constant",)
    assert "constant" in learned.encoder_.output_names_
    scores = [learned.decision_function(table(constant=value)) for value in (0.1, 1.1, FLOAT32_MAX)]
    assert np.isfinite(scores).all()
    assert (scores[0] != scores[1]).any()


def test_46_equal_rows_give_equal_finite_scores(make: Make) -> None:
    with pytest.warns(AlarmnetWarning, match="all rows are equal: every score will be the same"):
        detector = make(schedule=Schedule(steps=3)).fit(np.ones((60, 3)))
    assert np.isfinite(detector.decision_scores_).all()
    assert len(set(detector.decision_scores_)) == 1
    assert not detector.labels_.any()


def test_47_equal_rows_with_opposite_labels_are_counted(make: Make, rows: Floats, labels: Floats) -> None:
    X = rows.copy()
    X[3] = X[160] = X[-1]
    with pytest.warns(AlarmnetWarning, match="2 rows equal a known anomaly in every column"):
        detector = make(schedule=Schedule(steps=3)).fit(X, labels)
    assert detector.label_counts_["contradictory"] == 2


def test_48_one_known_anomaly(make: Make, rows: Floats, labels: Floats) -> None:
    one = np.where(labels == 1, np.nan, labels)
    one[-1] = 1
    for parameters in ({}, {"known_weight": None}, {"schedule": Schedule(steps=5, patience=2)}):
        detector = make(**{"schedule": Schedule(steps=3)} | parameters).fit(rows, one)
        assert detector.label_counts_["anomaly"] == 1


def test_48_most_rows_labelled_anomalous(make: Make, rows: Floats) -> None:
    """The labels may be reversed, but not where many normal rows are labelled, or most rows are unlabelled."""

    def fit(**counts: int) -> None:
        labels = np.repeat([1.0, 0.0, np.nan], [25, counts["normal"], counts["unlabelled"]])
        make(schedule=Schedule(steps=3), alarm_rate=0.5).fit(rows[: len(labels)], labels)

    said = "rows are labelled anomalous: 25, and 4 are labelled normal. If .* reversed, name .* anomaly_label"
    with pytest.warns(AlarmnetWarning, match=said):
        fit(normal=4, unlabelled=0)
    fit(normal=4, unlabelled=30)
    fit(normal=8, unlabelled=0)


def test_49_too_few_calibration_rows_warn(make: Make, rows: Floats, labels: Floats) -> None:
    with pytest.warns(
        AlarmnetWarning,
        match=r"30 calibration rows are too few for an alarm rate of 0\.01: the smallest possible rate is",
    ):
        detector = make(schedule=Schedule(steps=3), alarm_rate=0.01).fit(rows, labels)
    assert detector.alarm_rate_held_ == 1 / 31
    assert detector.threshold_ == conformal_threshold(detector.calibration_scores_, 1 / 31).value
    assert 0 < detector.threshold_ - detector.calibration_scores_.max() < 0.001


def test_49_a_few_rows_labelled_normal_calibrate_instead_of_the_unlabelled_ones(
    small: Make, rows: Floats
) -> None:
    known = np.full(len(rows), np.nan)
    known[:10], known[-5:] = 0, 1
    said = rf"2 of the 10 rows labelled normal calibrate, and none of the {len(rows) - 15} unlabelled rows\. For an"
    with pytest.warns(AlarmnetWarning, match="too few"), pytest.warns(AlarmnetWarning, match=said):
        small(alarm_rate=0.1).fit(rows, known)
    known[:10] = np.nan
    small(alarm_rate=0.1).fit(rows, known)  # no warning


IN_0_1 = "'{}' parameter of {{kind}} must be a number in (0, 1). Got {}"


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"alarm_rate": 0},
            "The 'alarm_rate' parameter of {kind} must be a number in (0, 1). Got 0 instead.",
        ),
        ({"alarm_rate": 1.0}, IN_0_1.format("alarm_rate", "1.0")),
        ({"alarm_rate": NAN}, IN_0_1.format("alarm_rate", "nan")),
        ({"alarm_rate": "low"}, IN_0_1.format("alarm_rate", "'low'")),
        ({"calibration_share": 1}, IN_0_1.format("calibration_share", "1")),
        (
            {"unlabelled": "drop"},
            "'unlabelled' parameter of {kind} must be one of 'normal', 'ignore'. Got 'drop'",
        ),
        ({"generated_weight": -1}, "'generated_weight' parameter of {kind} must be a number in [0, inf"),
        ({"known_weight": 0}, "'known_weight' parameter of {kind} must be a number in (0, inf). Got 0"),
        ({"target": "dense"}, "'target' parameter of {kind}"),
        ({"generator": "noise"}, "'generator' parameter of {kind}"),
        ({"alarm": (8, 4)}, "'alarm' parameter of {kind}"),
        ({"device": "nowhere"}, "'device' parameter of {kind}"),
        (
            {"encoder": TableEncoder(max_categories=0)},
            "'max_categories' parameter of TableEncoder must be a whole number of at least 1. Got 0 instead.",
        ),
        (
            {"encoder": TableEncoder(scaling="log")},  # type: ignore[arg-type]
            "'scaling' parameter of TableEncoder must be one of 'quantile'",
        ),
    ],
)
def test_50_parameters_out_of_range_are_refused_at_fit(
    make: Make, rows: Floats, parameters: dict[str, Any], sentence: str
) -> None:
    said = refused(make(**parameters).fit, rows, code="invalid_parameter")
    assert sentence.format(kind=make.kind.__name__) in said


def test_51_training_that_diverges_is_an_error(make: Make, rows: Floats, labels: Floats) -> None:
    wild = Schedule(steps=30, learning_rate=1e38)
    for schedule, network in zip(make.schedules, make.networks, strict=False):
        with pytest.raises(
            TrainingDivergedError,
            match=rf"the loss of the ({network}|third alarm) network is no longer .*lower its learning rate",
        ):
            make(**{schedule: wild}).fit(rows, labels)


def test_51_weights_that_diverge_in_the_last_step_are_an_error(
    make: Make, rows: Floats, labels: Floats
) -> None:
    """A score is never NaN or infinite."""
    with pytest.raises(TrainingDivergedError):
        make(schedule=Schedule(steps=1, learning_rate=1e30)).fit(rows, labels)


def test_52_scoring_before_fitting(make: Make, rows: Floats) -> None:
    detector = make()
    for call in (
        detector.logits,
        detector.decision_function,
        detector.predict,
        detector.predict_proba,
        detector.anomaly_score,
        detector.p_value,
        detector.column_deviations,
        lambda X: detector.refit_alarm(X, None),
        lambda X: detector.set_alarm_rate(0.1),
        lambda X: detector.save("never.model"),
    ):
        with pytest.raises(NotFittedError, match=f"This {make.kind.__name__} instance is not fitted yet"):
            call(rows)


# Files


def test_57_a_full_disk_leaves_the_old_model(detector: A3Detector, tmp_path: Path) -> None:
    path = tmp_path / "some.model"
    path.write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        sentence = refused(detector.save, path, code="unwritable")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert sentence == f"{path} could not be written: File too large"
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("some.model", "old")]


def hostile(_: bytes) -> bytes:
    """A right digest over a manifest that names a command, and arrays of terabytes that are not there."""
    manifest = b'{"kind": "os.system", "method": "true"}'
    header = json.dumps({"a": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    arrays = struct.pack("<Q", len(header)) + header
    body = struct.pack("<8sIQQ", b"ALARMNET", 1, len(manifest), len(arrays)) + manifest + arrays
    return body + hashlib.sha256(body).digest()


DAMAGE: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "truncated": (lambda data: data[:-10], "it is cut short or damaged"),
    "changed": (lambda data: data[:-99] + bytes([data[-99] ^ 1]) + data[-98:], "its digest does not match"),
    "renamed": (
        lambda _: b"amount,service\n1,web\n",
        "it is not an alarmnet file, since it begins with other",
    ),
    "newer": (
        lambda data: data[:8] + struct.pack("<I", FORMAT_VERSION + 1) + data[12:],
        f"it was written by a newer alarmnet (format {FORMAT_VERSION + 1}, this one reads up to "
        f"{FORMAT_VERSION}): upgrade alarmnet",
    ),
    "hostile": (hostile, "its arrays cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_58_a_damaged_model_file_is_refused(detector: A3Detector, tmp_path: Path, name: str) -> None:
    path = tmp_path / "some.model"
    detector.save(path)
    change, reason = DAMAGE[name]
    path.write_bytes(change(path.read_bytes()))
    tracemalloc.start()
    with pytest.raises(ModelFileError) as caught:
        load(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert str(caught.value).startswith(f"{path} cannot be read as a model: ")
    assert reason in str(caught.value)
    assert peak < 3 * path.stat().st_size + (1 << 20)
