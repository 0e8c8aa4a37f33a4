"""Times in any usual form: what is read, in which order, and that a later file is read by the form."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from alarmnet import AlarmnetWarning, InputTypeError, TableEncoder
from alarmnet.preprocessing.columns import column_from_dict
from alarmnet.preprocessing.frames import read_frame

START = datetime.datetime(2017, 7, 5, 8, 0)
TIMES = [START + datetime.timedelta(hours=7 * step, seconds=13 * step) for step in range(60)]


def frame(cells: Any, name: str = "when") -> pd.DataFrame:
    return pd.DataFrame({name: cells, "x": np.arange(len(cells)) % 7})


def fitted(table: pd.DataFrame, said: str, **parameters: Any) -> TableEncoder:
    with pytest.warns(AlarmnetWarning, match=said) as warned:
        encoder = TableEncoder(**parameters).fit(table)
    assert len(warned) == 1
    return encoder


FORMS = {
    "%d/%m/%Y %H:%M:%S": "the day first",
    "%d.%m.%Y %H:%M:%S": "the day first",
    "%d-%m-%Y, %H:%M:%S": "the day first",
    "%d/%m/%y %H:%M:%S": "the day first",
    "%m/%d/%Y %I:%M:%S %p": "the month first",
    "%Y/%m/%d %H:%M:%S": "the year first",
    "%Y%m%dT%H%M%SZ": "the year first",
    "%d/%b/%Y:%H:%M:%S +0000": "the month by name",
    "%a, %d %b %Y %H:%M:%S GMT": "the month by name",
    "%a %b %d %H:%M:%S %Y": "the month by name",
    "%B %d, %Y %H:%M:%S": "the month by name",
}


@pytest.mark.parametrize(("pattern", "form"), FORMS.items())
def test_times_as_text_are_encoded_like_times(pattern: str, form: str) -> None:
    texts = frame([time.strftime(pattern) for time in TIMES])
    typed = frame(TIMES)
    encoder = fitted(texts, f"Column 'when' is read as times, {form}, such as")
    plain = TableEncoder().fit(typed)
    assert encoder.kinds_ == plain.kinds_
    assert encoder.output_names_ == plain.output_names_
    expected = plain.transform(typed).tobytes()
    again = TableEncoder.from_dict(encoder.to_dict())
    for table in (texts, typed, pl.from_pandas(texts)):
        assert again.transform(table).tobytes() == expected


@pytest.mark.parametrize("pattern", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S.%f+00:00"])
def test_iso_text_is_read_without_a_word_and_stores_no_form(pattern: str) -> None:
    texts = frame([time.strftime(pattern) for time in TIMES])
    encoder = TableEncoder().fit(texts)
    assert encoder.to_dict() == TableEncoder().fit(frame(TIMES)).to_dict()
    assert encoder.transform(texts).tobytes() == encoder.transform(frame(TIMES)).tobytes()
    assert encoder.invalid_rows(frame(["2017-07-05", "soon"])).tolist() == [False, True]


def test_syslog_has_no_weekday_and_a_time_of_day_no_date() -> None:
    syslog = frame([f"{time:%b} {time.day:2} {time:%H:%M:%S}" for time in TIMES])
    clock = frame([f"{time:%H:%M:%S}" for time in TIMES])
    made = []
    for table, form in ((syslog, "no year"), (clock, "the time of day alone")):
        encoder = fitted(table, f"as times, {form}, such as .* The hour is learned")
        assert encoder.output_names_[:2] == ("when time of day sin", "when time of day cos")
        assert encoder.output_names_[2] == "x"
        made.append(encoder.transform(table))
    assert made[0].tobytes() == made[1].tobytes()


@pytest.mark.parametrize("form", ["{}:{:02}:{:02}", "{} days 0{}:{:02}:00", "{}:{:02}"])
def test_durations_as_text_are_said_to_be_none(form: str) -> None:
    texts = frame([form.format(step, step % 10, step) for step in range(60)] * 2, "took")
    encoder = fitted(texts, "'took' is read as text, because it holds durations, such as .* them in seconds")
    assert encoder.kinds_["took"] == "category"
    short = frame([f"0:{minute:02}:00" for minute in range(60)] * 2, "took")
    fitted(short, "the time of day alone, such as '0:00:00'. If these are durations, write them in seconds")


def test_the_order_of_day_and_month_shows_in_any_row() -> None:
    common = ["05/07/2017 08:00", "06/08/2017 09:00"] * 10
    with pytest.warns(AlarmnetWarning, match="the day first, such as '05/07/2017 08:00'") as warned:
        TableEncoder().fit(frame([*common, "13/07/2017 08:00"]))
    assert "may come first" not in str(warned[0].message)
    fitted(frame([*common, "07/13/2017 08:00"]), "the month first")
    fitted(
        frame(common),
        "the day first.*The month may come first as well: if it does, write the dates as 2017-05-07.",
    )


def test_the_order_shows_in_rows_that_the_encoder_does_not_learn_from() -> None:
    table = read_frame(frame(["05/07/2017 08:00", "06/07/2017 09:00", "07/13/2017 10:00"]))
    with pytest.warns(AlarmnetWarning, match="the month first"):
        TableEncoder().fit(table.take(np.array([0, 1])))


def test_zones_halves_of_days_and_fractions() -> None:
    encoder = fitted(frame(["13/07/2017 00:30:00.5", "13/07/2017 13:00"]), "the day first")
    for one, other in (
        ("13/07/2017 12:30 AM", "13/07/2017 00:30"),
        ("13/07/2017 01:00:00 pm", "13/07/2017 13:00"),
        ("13/07/2017 02:00 +0200", "13/07/2017 00:00"),
        ("12/07/2017 22:30:00 -01:30", "13/07/2017 00:00"),
    ):
        assert encoder.transform(frame([one])).tobytes() == encoder.transform(frame([other])).tobytes()


@pytest.mark.parametrize(
    "cell", ["2017-07-13", "07/13/2017", "31/02/2017", "13/07/2017 25:00", "13/07/2017 13:00 PM", "x", "13/7"]
)
def test_a_cell_of_another_form_is_a_bad_cell(cell: str) -> None:
    encoder = fitted(frame(["13/07/2017 08:00", "14/07/2017"]), "the day first")
    assert encoder.invalid_rows(frame(["1/2/2018", cell, "-", None])).tolist() == [False, True, False, False]
    with pytest.raises(InputTypeError, match="read as dates and times, the day first, but row 1 cannot be"):
        encoder.transform(frame(["1/2/2018", cell]))


def test_a_missing_word_among_times() -> None:
    said = "the day first.* A cell of 'when' that holds '-' is missing"
    encoder = fitted(frame(["13/07/2017 08:00", "14/07/2017", "-"]), said)
    assert "when missing" in encoder.output_names_


@pytest.mark.parametrize("cells", [["1.2.3", "1.2.4"], ["may", "jun"], ["16:9", "4:3"], ["25:10", "26:10"]])
def test_what_is_no_time_is_a_category(cells: list[str]) -> None:
    assert TableEncoder().fit(frame(cells)).kinds_["when"] == "category"


SECONDS = np.array([time.replace(tzinfo=datetime.UTC).timestamp() for time in TIMES])
UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("as_type", [np.int64, np.float64, str])
@pytest.mark.parametrize("order", ["growing", "falling", "shuffled", "few, named"])
def test_seconds_since_1970_are_times(unit: str, as_type: type, order: str) -> None:
    counted = SECONDS.astype(np.int64) * UNITS[unit]
    if order == "falling":
        counted = counted[::-1]
    if order == "shuffled":
        counted = np.random.default_rng(0).permutation(counted)
    if order == "few, named":
        counted = np.repeat(counted[[9, 1]], 9)
    name = "created_at" if order == "few, named" else "x0"
    numbers = pd.DataFrame({name: counted.astype(as_type), "x": np.arange(len(counted)) % 7})
    encoder = fitted(numbers, f"Column '{name}' is read as times, {unit} since 1970. Hour and weekday")
    assert encoder.kinds_[name] == "datetime"
    stamps = pd.to_datetime(counted // UNITS[unit], unit="s")
    again = TableEncoder.from_dict(encoder.to_dict())
    for table in (numbers, numbers.assign(**{name: stamps})):
        np.testing.assert_allclose(again.transform(table), encoder.transform(numbers), atol=1e-6)
    assert again.invalid_rows(numbers.assign(**{name: 5})).all()
    with pytest.raises(InputTypeError, match=f"read as dates and times, {unit} since 1970, but rows 0, 1"):
        again.transform(numbers.assign(**{name: 5}))


def test_seconds_are_numbers_where_a_row_that_is_not_learned_from_holds_no_time() -> None:
    table = read_frame(pd.DataFrame({"ts": [*np.random.default_rng(0).permutation(SECONDS), -1.0]}))
    assert TableEncoder().fit(table.take(np.arange(60))).kinds_ == {"ts": "number"}


def test_kept_seconds_are_numbers_as_before() -> None:
    numbers = pd.DataFrame({"ts": SECONDS, "x": np.arange(60) % 7})
    encoder = TableEncoder(keep=["ts"]).fit(numbers)
    assert encoder.kinds_["ts"] == "number"
    assert encoder.transform(numbers)[:, 0].tolist() == pytest.approx(np.linspace(0, 1, 60))


def test_dates_in_digits_are_times() -> None:
    digits = frame([int(f"{time:%Y%m%d}") for time in TIMES])
    encoder = fitted(digits, "as times, digits, yyyymmdd")
    days = frame([datetime.datetime(time.year, time.month, time.day) for time in TIMES])
    assert encoder.transform(digits).tobytes() == encoder.transform(days).tobytes()
    for cell in (20170231, 20171301, 20170705.5, 0, 1e30):
        assert encoder.invalid_rows(digits.assign(when=cell)).all()
    long = frame([int(f"{time:%Y%m%d%H%M%S}") for time in TIMES])
    assert (
        fitted(long, "yyyymmddhhmmss").transform(long).tobytes() == encoder.transform(frame(TIMES)).tobytes()
    )


@pytest.mark.parametrize(
    "numbers",
    [
        np.random.default_rng(0).lognormal(21.3, 0.1, 200),  # unnamed, in the range, and widely spread
        np.random.default_rng(0).choice([2.412e9, 2.437e9, 2.462e9], 200),  # radio channels
        np.random.default_rng(0).normal(1.7e9, 5e8, 200),
        np.random.default_rng(0).integers(0, 2**32, 200),  # addresses as numbers
    ],
)
def test_large_measurements_are_no_times(numbers: np.ndarray) -> None:
    assert TableEncoder().fit(pd.DataFrame({"f": numbers})).kinds_ == {"f": "number"}


@pytest.mark.parametrize("form", ["the week first", 1, ["the day first"]])
def test_a_form_that_no_training_makes_is_refused(form: object) -> None:
    with pytest.raises(ValueError, match="form of times"):
        column_from_dict({"kind": "datetime", "missing": False, "form": form})


def every(minutes: float, rows: int = 60) -> list[datetime.datetime]:
    return [START + datetime.timedelta(minutes=minutes * row) for row in range(rows)]


def test_times_of_less_than_a_day_are_left_out() -> None:
    """Else every row of a later hour would look anomalous."""
    table = frame(every(3))
    encoder = fitted(table, "Left out, because the times span less than a day, .*: 'when'")
    assert encoder.output_names_ == ("x",)
    stored = TableEncoder.from_dict(encoder.to_dict())
    assert stored.left_out_ == encoder.left_out_
    np.testing.assert_array_equal(stored.transform(frame(every(60))), encoder.transform(table))
    seconds = frame([time.timestamp() for time in every(3)])
    assert fitted(seconds, "the times span less than a day").output_names_ == ("x",)
    assert len(TableEncoder(keep=["when"]).fit(table).output_names_) == 3
    assert len(TableEncoder().fit(frame(every(3, rows=19))).output_names_) == 5


def test_times_of_less_than_a_week_have_no_day_of_the_week() -> None:
    table = frame(every(60))
    encoder = TableEncoder().fit(table)
    assert encoder.output_names_ == ("when time of day sin", "when time of day cos", "x")
    stored = TableEncoder.from_dict(encoder.to_dict())
    np.testing.assert_array_equal(stored.transform(table), encoder.transform(table))
    week = frame(every(180))
    assert "when day of week sin" in TableEncoder().fit(week).output_names_
    seconds = frame([time.timestamp() for time in every(60)])
    assert len(fitted(seconds, "The hour is learned, the date is not").output_names_) == 3
    texts = frame([time.strftime("%d/%m/%Y %H:%M") for time in every(60)])
    assert len(fitted(texts, "The hour is learned, the date is not").output_names_) == 3
    assert (
        len(fitted(frame([time.strftime("%d/%m/%Y %H:%M") for time in every(3)]), "span less").output_names_)
        == 1
    )


def test_a_later_month_first_is_said_to_be_one() -> None:
    encoder = fitted(frame(["03/02/2026 08:00", "03/05/2026 15:00"] * 20), "the day first")
    with pytest.raises(InputTypeError, match="If the month comes first, write the dates year first"):
        encoder.transform(frame(["03/13/2026 08:00"]))
    with pytest.raises(InputTypeError, match="Write the whole column in one way"):
        encoder.transform(frame(["soon"]))


def test_a_damaged_day_of_the_week_is_refused() -> None:
    state = {"kind": "datetime", "missing": False, "weekday": 1}
    with pytest.raises(ValueError, match="day of week"):
        column_from_dict(state)


def test_times_of_day_alone_are_learned_whatever_they_span() -> None:
    table = frame([time.strftime("%H:%M:%S") for time in every(3)])
    encoder = fitted(table, "the time of day alone")
    assert "when time of day sin" in encoder.output_names_
