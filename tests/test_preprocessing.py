import json
import warnings
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri
from sklearn import config_context
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from alarmnet.errors import AlarmnetWarning, InputError, InputTypeError
from alarmnet.preprocessing import TableEncoder, encoder_from_dict
from alarmnet.preprocessing.scales import Scaling

SCALINGS: list[Scaling] = ["quantile", "minmax", "standard", "quantile-normal"]
FLOAT32_MAX = float(np.finfo(np.float32).max)


def mixed_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "bytes": [0.0, 10.0, np.nan, 40.0],
            "service": ["http", "dns", "http", None],
            "start": pd.to_datetime(["2024-01-01 06:00", "2024-01-02 00:00", "2024-01-03 12:00", "NaT"]),
            "took": pd.to_timedelta([1, 2, 3, 5], unit="s"),
            "known": [True, False, True, True],
        }
    )


def test_mixed_table_encodes_each_kind() -> None:
    encoder = TableEncoder(scaling="minmax")
    encoded = encoder.fit_transform(mixed_table())
    assert encoder.kinds_ == {
        "bytes": "number",
        "service": "category",
        "start": "datetime",
        "took": "duration",
        "known": "number",
    }
    by_name = dict(zip(encoder.output_names_, encoded.T.tolist(), strict=True))
    assert by_name["bytes"] == [0.0, 0.25, 0.25, 1.0]  # the median of 0, 10 and 40 stands for the missing one
    assert by_name["bytes missing"] == [0, 0, 1, 0]
    assert by_name["service=http"] == [1, 0, 1, 0]
    assert by_name["service=dns"] == [0, 1, 0, 0]
    assert by_name["service missing"] == [0, 0, 0, 1]
    assert by_name["took"] == [0, 0.25, 0.5, 1]
    assert by_name["known"] == [1, 0, 1, 1]
    assert encoder.source_columns_[:4] == ("bytes", "bytes", "service", "service")
    assert encoder.columns_ == ("bytes", "service", "start", "took", "known")
    assert encoded.dtype == np.float32
    assert encoded.flags.c_contiguous


def test_datetime_is_time_of_day_and_day_of_week() -> None:
    encoder = TableEncoder()
    encoded = encoder.fit_transform(mixed_table()[["start"]])
    assert encoder.output_names_ == (
        "start time of day sin",
        "start time of day cos",
        "start day of week sin",
        "start day of week cos",
        "start missing",
    )
    monday_six = [1.0, 0.5, 0.5, 1.0, 0.0]
    assert encoded[0] == pytest.approx(monday_six, abs=1e-6)
    tuesday = 2 * np.pi / 7
    expected = [0.5, 1.0, 0.5 + np.sin(tuesday) / 2, 0.5 + np.cos(tuesday) / 2, 0.0]
    assert encoded[1] == pytest.approx(expected, abs=1e-6)
    assert encoded[3].tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]


def test_later_dates_and_other_time_zones_encode_like_training() -> None:
    first = pd.DataFrame({"start": pd.to_datetime(["2024-01-01 06:30", "2024-01-04 23:00"])})
    later = first + timedelta(weeks=500)
    zoned = first.assign(start=first["start"].dt.tz_localize("UTC").dt.tz_convert("Asia/Tokyo"))
    encoder = TableEncoder().fit(first)
    assert np.array_equal(encoder.transform(later), encoder.transform(first))
    assert np.array_equal(encoder.transform(zoned), encoder.transform(first))


@pytest.mark.parametrize("seconds", [10**9, -(10**9)])
def test_finer_fractions_are_dropped_alike_in_every_container(seconds: int) -> None:
    exact = pd.DataFrame(
        {"at": pd.to_datetime([0, seconds], unit="s"), "took": pd.to_timedelta([0, seconds], unit="s")}
    )
    encoder = TableEncoder().fit(exact)
    finer = exact.astype({"at": "datetime64[ns]", "took": "timedelta64[ns]"}) + pd.Timedelta(7, "ns")
    for table in (finer, pl.from_pandas(finer), pa.Table.from_pandas(finer)):
        assert np.array_equal(encoder.transform(table), encoder.transform(exact))


def test_dates_and_python_times_are_read_like_timestamps() -> None:
    stamps = pd.DataFrame({"day": pd.to_datetime(["2024-02-29", "2024-03-01"])})
    encoder = TableEncoder().fit(stamps)
    expected = encoder.transform(stamps)
    days = [date(2024, 2, 29), date(2024, 3, 1)]
    aware = [datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)]
    for cells in (days, aware):
        assert np.array_equal(encoder.transform(pd.DataFrame({"day": cells}, dtype=object)), expected)
        assert np.array_equal(encoder.transform(pl.DataFrame({"day": cells})), expected)
    raw = np.array(days, dtype="datetime64[D]").reshape(-1, 1)
    assert np.array_equal(TableEncoder().fit(raw).transform(raw), expected)


# --- containers ---------------------------------------------------------------------------------------------

CONTAINERS: dict[str, Callable[[np.ndarray[Any, Any]], Any]] = {
    "fortran": np.asfortranarray,
    "negative strides": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "other byte order": lambda X: X.astype(X.dtype.newbyteorder()),
    "object": lambda X: X.astype(object),
    "strings": lambda X: X.astype(object).astype(str),
    "strings in objects": lambda X: X.astype(str).astype(object),
    "bytes": lambda X: X.astype("S32"),
    "list": lambda X: X.tolist(),
    "list with None": lambda X: [[None if cell != cell else cell for cell in row] for row in X.tolist()],
    "float64": lambda X: X.astype(np.float64),
    "longdouble": lambda X: X.astype(np.longdouble),
    "tensor": lambda X: torch.tensor(X, requires_grad=True),
    "pandas without names": pd.DataFrame,
    "decimals": lambda X: [[None if c != c else Decimal(c) for c in row] for row in X.tolist()],
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_equal_values_give_equal_bits_whatever_the_array(container: str) -> None:
    X = np.array([[1.5, -0.0], [2.25, 7.0], [np.nan, 3.0], [-4.0, 0.1]], dtype=np.float32)
    encoder = TableEncoder().fit(X)
    other = CONTAINERS[container](X)
    assert encoder.transform(other).tobytes() == encoder.transform(X).tobytes()
    assert TableEncoder().fit(other).transform(X).tobytes() == encoder.transform(X).tobytes()


def named(frame: Any) -> dict[str, Any]:
    nullable = frame.convert_dtypes()
    return {
        "nullable": nullable,
        "objects": frame.astype(object).where(frame.notna(), None),
        "pandas arrow": nullable.convert_dtypes(dtype_backend="pyarrow"),
        "category": frame.assign(text=frame["text"].astype("category")),
        "polars": pl.from_pandas(frame),
        "polars categorical": pl.from_pandas(frame).with_columns(pl.col("text").cast(pl.Categorical)),
        "arrow": pa.Table.from_pandas(frame),
        "arrow dictionary": pa.table(
            {n: pa.array(frame[n], from_pandas=True).dictionary_encode() for n in frame.columns}
        ),
        "float16": frame.assign(number=frame["number"].astype(np.float16)),
        "numeric strings": frame.assign(number=[None if n != n else str(n) for n in frame["number"]]),
        "reordered": frame[frame.columns[::-1]],
        "other index": frame.set_axis(range(5, 5 + len(frame))),
    }


@given(
    numbers=st.lists(st.none() | st.integers(-1000, 1000).map(lambda n: n / 4), min_size=5, max_size=5),
    texts=st.lists(
        st.none() | st.sampled_from(["http", "dns", "Straße", "<b>", "", "a\nb"]), min_size=5, max_size=5
    ),
)
@settings(max_examples=15, deadline=None)
def test_equal_values_give_equal_bits_whatever_the_frame(
    numbers: list[float | None], texts: list[str | None]
) -> None:
    numbers, texts = [*numbers, 1.5], [*texts, "http"]
    frame = pd.DataFrame({"number": pd.Series(numbers, dtype=float), "text": pd.Series(texts, dtype="str")})
    frame["whole"] = np.arange(len(frame))
    encoder = TableEncoder().fit(frame)
    expected = encoder.transform(frame).tobytes()
    for container, other in named(frame).items():
        assert encoder.transform(other).tobytes() == expected, container
        # a column declared as a category is one, and the order of columns is that of training
        if container not in ("arrow dictionary", "reordered"):
            assert TableEncoder().fit(other).transform(frame).tobytes() == expected, container


def test_decimals_are_read_as_the_nearest_floats() -> None:
    texts = ["220.2", "137.012648", "-224.3573380403"]
    encoder = TableEncoder(scaling="minmax").fit(pd.DataFrame({"n": [float(text) for text in texts]}))
    decimals = pd.DataFrame({"n": [Decimal(text) for text in texts]})
    summary = encoder.summarize(decimals)
    assert summary.outside == {}


def test_integer_types_agree_and_stay_numbers() -> None:
    X = np.array([[0, 1], [200, 3], [7, 2]])
    expected = TableEncoder().fit(X).transform(X)
    for kind in (np.uint8, np.int16, np.uint64, np.float16):
        encoder = TableEncoder().fit(X.astype(kind))
        assert encoder.kinds_ == {"x0": "number", "x1": "number"}
        assert np.array_equal(encoder.transform(X), expected)


def test_read_only_memory_map_is_encoded_and_the_callers_data_is_untouched(tmp_path: Path) -> None:
    X = np.array([[1.0, np.nan], [2.0, 5.0], [-0.0, 3.0]], dtype=np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    before = X.tobytes()
    encoded = TableEncoder().fit(X).transform(X)
    assert np.array_equal(TableEncoder().fit(mapped).transform(mapped), encoded)
    assert X.tobytes() == before
    assert not np.shares_memory(encoded, X)


# --- scaling ------------------------------------------------------------------------------------------------


def test_minmax_is_linear_beyond_the_training_range() -> None:
    encoder = TableEncoder(scaling="minmax").fit([[0.0], [10.0]])
    assert encoder.transform([[-10.0], [5.0], [30.0]]).ravel().tolist() == [-1.0, 0.5, 3.0]


def test_standard_has_mean_zero_and_deviation_one() -> None:
    X = np.random.default_rng(0).normal(7, 3, size=(500, 1))
    encoded = TableEncoder(scaling="standard").fit_transform(X)
    assert encoded.mean() == pytest.approx(0, abs=1e-6)
    assert encoded.std() == pytest.approx(1, abs=1e-6)


def test_quantile_places_ties_in_the_middle_of_their_block() -> None:
    encoded = TableEncoder().fit_transform([[5.0], [1.0], [1.0], [1.0], [9.0]])
    assert encoded.ravel().tolist() == [0.75, 0.25, 0.25, 0.25, 1.0]


def test_quantile_of_many_values_is_their_rank() -> None:
    X = np.random.default_rng(0).lognormal(size=(5000, 1))
    X[:2000] = 1.0
    ranks = (
        np.searchsorted(np.sort(X[:, 0]), X[:, 0], "left")
        + np.searchsorted(np.sort(X[:, 0]), X[:, 0], "right")
        - 1
    ) / 2
    assert TableEncoder().fit_transform(X)[:, 0] == pytest.approx(ranks / 4999, abs=0.004)


def test_quantile_normal_is_the_normal_quantile() -> None:
    X = np.linspace(0, 1, 11).reshape(-1, 1)
    encoded = TableEncoder(scaling="quantile-normal").fit_transform(X)[:, 0]
    assert encoded == pytest.approx(ndtri(np.linspace(0, 1, 11).clip(1e-7, 1 - 1e-7)), abs=1e-5)


@pytest.mark.parametrize("scaling", ["quantile", "quantile-normal"])
def test_quantile_grows_without_end_beyond_the_training_range(scaling: Scaling) -> None:
    encoder = TableEncoder(scaling=scaling, keep=["x0"]).fit(np.arange(101.0).reshape(-1, 1))
    top, bottom = encoder.transform([[100.0], [0.0]]).ravel()
    above = encoder.transform([[101.0], [150.0], [1e6], [1e30], [FLOAT32_MAX]]).ravel()
    below = encoder.transform([[-1.0], [-50.0], [-1e6], [-1e30], [-FLOAT32_MAX]]).ravel()
    assert above[0] > top
    assert np.all(np.diff(above) > 0)
    assert above - top == pytest.approx(bottom - below, rel=1e-4)
    assert above[1] == pytest.approx(
        top + np.log1p(50 / 50), rel=1e-5
    )  # the spread is the interquartile range
    assert above[-1] < 100


@given(
    X=arrays(
        np.float32,
        st.tuples(st.integers(2, 12), st.just(2)),
        elements=st.floats(width=32, allow_infinity=False, allow_nan=False),
    ),
    later=arrays(np.float32, (3, 2), elements=st.floats(width=32, allow_infinity=False)),
    scaling=st.sampled_from(SCALINGS),
)
@settings(max_examples=150, deadline=None)
def test_every_finite_float32_encodes_to_finite_values_and_survives_json(
    X: np.ndarray[Any, Any], later: np.ndarray[Any, Any], scaling: Scaling
) -> None:
    encoder = TableEncoder(scaling=scaling).fit(X)
    for table in (X, later):
        encoded = encoder.transform(table)
        assert np.all(np.isfinite(encoded))
        state = json.loads(json.dumps(encoder.to_dict(), allow_nan=False))
        assert encoder_from_dict(state).transform(table).tobytes() == encoded.tobytes()


@pytest.mark.parametrize("scaling", SCALINGS)
def test_constant_columns_stay_and_are_named(scaling: Scaling) -> None:
    encoder = TableEncoder(scaling=scaling).fit([[0.1, 1.0], [0.1, 2.0], [0.1, 3.0]])
    assert encoder.constant_columns_ == ("x0",)
    encoded = encoder.transform([[0.1, 1.0], [1.1, 1.0]])[:, 0]
    assert encoded[1] > encoded[0]
    assert np.all(np.isfinite(encoded))


@pytest.mark.parametrize("span", [1e-30, 1e-310])
@pytest.mark.parametrize("scaling", SCALINGS)
def test_values_far_beyond_a_tiny_training_range_stay_finite(scaling: Scaling, span: float) -> None:
    encoder = TableEncoder(scaling=scaling).fit([[0.0], [span]])
    low, high = encoder.transform([[-FLOAT32_MAX], [FLOAT32_MAX]]).ravel()
    assert np.isfinite([low, high]).all()
    assert low < 0 < high


# --- categories ---------------------------------------------------------------------------------------------


def test_the_most_frequent_categories_are_kept_and_the_rest_share_other() -> None:
    texts = ["a"] * 3 + ["c"] * 2 + ["b"] * 2 + ["d"]
    encoder = TableEncoder(max_categories=2).fit(pd.DataFrame({"t": texts}))
    assert encoder.output_names_ == ("t=a", "t=b", "t other")
    encoded = encoder.transform(pd.DataFrame({"t": ["b", "c", "new", None]}))
    assert encoded.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_unseen_category_without_other_is_all_zeros() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"t": ["a", "b", "a"]}))
    assert encoder.transform(pd.DataFrame({"t": ["new", "a"]})).tolist() == [[0, 0], [1, 0]]


def test_fixed_categories_come_in_their_order_and_turn_numbers_into_categories() -> None:
    encoder = TableEncoder(categories={"port": [443, 80, 8080]}).fit(pd.DataFrame({"port": [80, 80, 22]}))
    assert encoder.output_names_ == ("port=443", "port=80", "port=8080", "port other")
    for ports in ([8080, 22], [8080.0, 22.0], ["8080", "22"], [Decimal(8080), Decimal(22)]):
        assert encoder.transform(pd.DataFrame({"port": ports})).tolist() == [[0, 0, 1, 0], [0, 0, 0, 1]]


def test_text_of_numbers_is_numbers_unless_declared_a_category() -> None:
    texts = pd.DataFrame({"zip": ["01", "2", " 3 ", None]})
    with pytest.warns(
        AlarmnetWarning, match=r"'zip' \('01'\)\. If they are codes, give the column a category"
    ):
        assert TableEncoder().fit(texts).kinds_ == {"zip": "number"}
    assert TableEncoder().fit(texts.astype("category")).kinds_ == {"zip": "category"}


def test_summary_counts_what_stands_out() -> None:
    encoder = TableEncoder().fit(
        pd.DataFrame({"n": [0, 1, 2], "t": ["HTTP", "dns", "dns"], "m": [1.0, None, 2.0]})
    )
    seen = encoder.summarize(
        pd.DataFrame({"n": [5, -1, None, 1], "t": ["http ", "new", "new", None], "m": [None, 1, 1, 1]})
    )
    assert seen.rows == 4
    assert seen.missing == {"n": 1, "t": 1, "m": 1}
    assert seen.outside == {"n": 2}
    assert seen.newly_missing == ("n", "t")
    assert seen.unseen["t"].count == 3
    assert seen.unseen["t"].examples == ("new", "http ")
    assert seen.unseen["t"].near_matches == {"http ": "HTTP"}


def test_only_rounded_numbers_lie_in_a_range_that_they_leave() -> None:
    exact = pd.DataFrame({"n": [0.7, 0.9, 1.1], "from_0": [0.0, 1.0, 2.0]})
    encoder = TableEncoder().fit(exact)
    rounded = exact.astype(np.float32)
    assert rounded["n"][0] < exact["n"][0]
    assert rounded["n"][2] > exact["n"][2]
    assert encoder.summarize(rounded).outside == {}
    assert encoder.summarize(exact - 1e-7).outside == {"n": 1, "from_0": 1}


def test_rare_training_categories_are_not_unseen() -> None:
    frame = pd.DataFrame({"t": ["a", "a", "b"]})
    encoder = TableEncoder(max_categories=1).fit(frame)
    assert encoder.summarize(frame).unseen == {}


def test_missing_cells_beside_text_in_a_list_are_missing() -> None:
    encoder = TableEncoder().fit([["a", 1.0], [float("nan"), 2.0], ["b", 3.0]])
    assert encoder.output_names_ == ("x0=a", "x0=b", "x0 missing", "x1")


def test_cells_of_a_mixed_column_that_are_not_text_are_no_categories() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"t": ["a", "b", "a"]}))
    cells = np.array([["a"], [5], ["\ud800"], [None]], dtype=object)
    with pytest.warns(AlarmnetWarning, match="feature names"):
        assert encoder.invalid_rows(cells).tolist() == [False, True, True, False]


# --- refused values -----------------------------------------------------------------------------------------


def test_text_in_a_numeric_column_marks_its_rows() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"n": [1, 2], "t": ["a", "b"]}))
    later = pd.DataFrame({"n": ["1", "x", None], "t": ["a", "b", "c"]})
    assert encoder.invalid_rows(later).tolist() == [False, True, False]
    with pytest.raises(InputTypeError, match="row 1 cannot be: the first is 'x'"):
        encoder.transform(later)


@pytest.mark.parametrize(
    ("column", "held"),
    [
        ("day", "dates and times"),
        ("took", "durations"),
    ],
)
def test_other_kind_than_in_training_is_refused(column: str, held: str) -> None:
    frame = pd.DataFrame({"day": pd.to_datetime(["2024-01-01"] * 2), "took": pd.to_timedelta([1, 2], "s")})
    encoder = TableEncoder().fit(frame)
    for cells in ([5.0, None], ["x", None], [b"x", None]):
        bad = frame.assign(**{column: pd.Series(cells, dtype=None if cells[0] == 5.0 else object)})
        assert encoder.invalid_rows(bad).tolist() == [True, False]
        with pytest.raises(InputTypeError, match=rf"{column!r} is read as {held}, but row 0 cannot be"):
            encoder.transform(bad)


def test_unreadable_cells_are_not_counted_as_missing() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"n": [1, 2]}))
    assert encoder.summarize(pd.DataFrame({"n": ["x", None]})).missing == {"n": 1}


@pytest.mark.parametrize("cell", [{"foo": "bar"}, [1], b"x", 1j, object()])
def test_cells_of_other_types_are_refused_as_scikit_learn_words_it(cell: object) -> None:
    cells = np.empty((3, 1), dtype=object)
    cells[:, 0] = [0.5, None, 1.5]
    cells[1, 0] = cell
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        TableEncoder().fit(cells)
    cells[0, 0] = cells[2, 0] = cell
    with pytest.raises(TypeError, match=r"argument must be .* string.* number"):
        TableEncoder().fit(cells)


def test_all_empty_column_is_missing_when_scored() -> None:
    frame = mixed_table()
    encoder = TableEncoder().fit(frame)
    empty = pa.table({name: pa.nulls(2) for name in frame.columns})
    assert np.all(np.isfinite(encoder.transform(empty)))
    assert encoder.summarize(empty).missing == dict.fromkeys(frame.columns, 2)


# --- refused shapes and columns -----------------------------------------------------------------------------


def test_scoring_needs_a_fit_a_row_and_the_columns_of_training() -> None:
    with pytest.raises(NotFittedError, match="not fitted yet"):
        TableEncoder().transform([[1.0]])
    with pytest.raises(NotFittedError):
        TableEncoder().to_dict()
    encoder = TableEncoder().fit([[1.0, 2.0], [3.0, 4.0]])
    assert encoder.transform([[1.0, 2.0]]).shape == (1, 2)
    assert (encoder.columns_, encoder.n_features_in_, hasattr(encoder, "feature_names_in_")) == (
        None,
        2,
        False,
    )
    with pytest.raises(
        InputError, match=r"X has 1 features, but TableEncoder is expecting 2 features as input"
    ):
        encoder.transform([[1.0]])
    with pytest.raises(InputError, match=r"0 sample\(s\)"):
        encoder.transform(np.empty((0, 2)))


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"scaling": "log"}, "'scaling' parameter of TableEncoder must be one of 'quantile'.*Got 'log'"),
        ({"on_extra": "drop"}, "'on_extra' parameter"),
        (
            {"max_categories": 0},
            "'max_categories' parameter of TableEncoder must be a whole number of at least 1. Got 0",
        ),
        ({"categories": ["a"]}, "'categories' parameter of TableEncoder must map"),
        ({"categories": {"x0": ["a", "a"]}}, "must list different categories"),
        ({"categories": {"y": ["a"]}}, "names columns that X does not have: 'y'. X has 'x0'"),
    ],
)
def test_parameters_are_checked_at_fit(parameters: dict[str, Any], sentence: str) -> None:
    encoder = TableEncoder(**parameters)
    with pytest.raises(InputError, match=sentence):
        encoder.fit([[1.0], [2.0]])


# --- stored state -------------------------------------------------------------------------------------------


def test_state_is_json_and_gives_the_same_encoder_back() -> None:
    frame = mixed_table().assign(rare=["a", "a", "b", "c"])
    encoder = TableEncoder(max_categories=1, categories={"known": ["True"]}).fit(frame)
    state = json.loads(json.dumps(encoder.to_dict(), allow_nan=False))
    assert state == encoder.to_dict()
    again = TableEncoder.from_dict(state)
    assert again.to_dict() == state
    assert again.transform(frame).tobytes() == encoder.transform(frame).tobytes()
    learned = {
        name: value
        for name, value in vars(encoder).items()
        if name.endswith("_") and name != "feature_names_in_"
    }
    assert learned == {name: getattr(again, name) for name in learned}
    assert again.feature_names_in_.tolist() == encoder.feature_names_in_.tolist()
    assert again.summarize(frame) == encoder.summarize(frame)


def paths(state: Any, *, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside = state.items() if isinstance(state, dict) else enumerate(state) if isinstance(state, list) else ()
    return [here, *(path for key, value in inside for path in paths(value, here=(*here, key)))]


@pytest.mark.parametrize(
    "junk",
    [None, "x", -1, 10**400, float("nan"), [], {}, [[]], {"kind": "number"}],
    ids=lambda junk: repr(junk)[:8],
)
def test_damaged_state_is_refused_or_harmless(junk: Any) -> None:
    frame = mixed_table()
    text = json.dumps(TableEncoder(categories={"service": ["http"]}).fit(frame).to_dict())
    for path in paths(json.loads(text))[1:]:
        state = json.loads(text)
        place = state
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = junk
        try:
            encoder = encoder_from_dict(state)
        except (ValueError, KeyError, TypeError):
            continue
        assert path[0] in ("max_categories", "categories", "names", "columns"), path
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                assert np.all(np.isfinite(encoder.transform(frame)))
            except InputError:
                continue


@pytest.mark.parametrize("state", [{}, {"kind": "pickle"}, {"kind": []}, [], None, {"kind": "table"}])
def test_state_of_nothing_known_is_refused(state: Any) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        encoder_from_dict(state)


def test_an_encoder_is_a_step_of_a_pipeline() -> None:
    table = pd.DataFrame({"a": np.arange(60.0) % 7, "b": [*"xy"] * 30})
    encoded = ColumnTransformer([("all", TableEncoder(), ["a", "b"])]).fit_transform(table, np.zeros(60))
    np.testing.assert_array_equal(encoded, TableEncoder().fit(table, None).transform(table))
    with pytest.raises(InputError, match="'keep' parameter of TableEncoder must be a list of column names"):
        TableEncoder(keep=None).fit(table)  # type: ignore[arg-type]


def test_output_columns_have_names_in_a_pipeline() -> None:
    table = pd.DataFrame({"a": np.arange(60.0) % 7, "b": ["x", "y"] * 30})
    steps = make_pipeline(TableEncoder(), StandardScaler()).fit(table)
    assert steps.get_feature_names_out().tolist() == ["a", "b=x", "b=y"]
    columns = ColumnTransformer([("all", TableEncoder(), ["a", "b"])]).fit(table)
    assert columns.get_feature_names_out().tolist() == ["all__a", "all__b=x", "all__b=y"]
    with pytest.raises(NotFittedError):
        TableEncoder().get_feature_names_out()


def test_scores_do_not_depend_on_the_output_that_scikit_learn_is_set_to(small: Callable[..., Any]) -> None:
    table = pd.DataFrame({"a": np.arange(60.0) ** 2 % 59, "b": ["x", "y"] * 30})
    expected = small().fit(table).anomaly_score(table)
    with config_context(transform_output="pandas"):
        np.testing.assert_array_equal(small().fit(table).anomaly_score(table), expected)
