"""Clocks, counters and identities: what is left out, what is not, and how it is kept."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

from alarmnet import AlarmnetWarning, InputError, TableEncoder
from alarmnet.baselines import IsolationForestBaseline
from alarmnet.cli import main
from alarmnet.detectors import BaseDetector
from alarmnet.preprocessing.frames import read_frame

ROWS = 400
RANDOM = np.random.default_rng(0)
GROWS = "the numbers only increase, or only decrease, from row to row"
COUNTS = "each row has a different whole number"
IDENTITIES = "they are many different ids or addresses"
TEXTS = "each row has a different text"


def table(name: str, cells: Any) -> pd.DataFrame:
    return pd.DataFrame({name: cells, "x": RANDOM.normal(size=len(cells))})


def addresses(kind: str, different: int) -> list[str]:
    made: dict[str, Callable[[int], str]] = {
        "IPv4": lambda n: f"10.0.{n // 256}.{n % 256}",
        "IPv4 with port": lambda n: f"10.0.{n // 256}.{n % 256}:443",
        "IPv6": lambda n: f"2001:db8::{n:x}",
        "long IPv6": lambda n: f"2001:0db8:0:0:0:0:0:{n:x}",
        "MAC": lambda n: f"00:1b:44:11:{n // 256:02x}:{n % 256:02X}",
        "UUID": lambda n: str(uuid.UUID(int=n)),
        "e-mail": lambda n: f"user.{n}@mail.example.org",
        "digest": lambda n: f"{n:032x}"[::-1].replace("0", "f"),
    }
    return [made[kind](row % different) for row in range(ROWS)]


LEFT_OUT: dict[str, tuple[str, Any, str]] = {
    "seconds since the start": ("elapsed", np.cumsum(RANDOM.random(ROWS)), GROWS),
    "a log with the last first": ("elapsed", np.cumsum(RANDOM.random(ROWS))[::-1], GROWS),
    "with ties": ("sequence", np.arange(ROWS) // 4, GROWS),
    "Excel's serial days": ("serial", 43000 + np.arange(ROWS) / 7, GROWS),
    "a timedelta": ("took", pd.to_timedelta(np.arange(ROWS), "s"), GROWS),
    "dressed": ("count", [f"{1000 + row:,}.0" for row in range(ROWS)], GROWS),
    "with gaps": ("elapsed", [None if row % 9 == 0 else float(row) for row in range(ROWS)], GROWS),
    "records whose numbers may be seconds": ("record_id", 1_700_000_000 + np.arange(ROWS) * 7, GROWS),
    "a nameless index": ("", np.arange(ROWS), GROWS),
    "a shuffled index": ("Unnamed: 0", RANDOM.permutation(ROWS), COUNTS),
    "ids by chance": ("number", RANDOM.permutation(5 * ROWS)[:ROWS], COUNTS),
    "digits with leading zeros": ("nr", [f"{n:06}" for n in RANDOM.permutation(ROWS)], COUNTS),
    "a sparse index": ("index", RANDOM.integers(0, 10**9, ROWS), COUNTS),
    "customers": ("customer_id", RANDOM.integers(0, 10**6, 60)[RANDOM.integers(0, 60, ROWS)], IDENTITIES),
    "customers in camel case": ("customerID", RANDOM.integers(0, 99, ROWS), IDENTITIES),
    "names of customers": ("Customer ID", [f"C{n}" for n in RANDOM.integers(0, 99, ROWS)], IDENTITIES),
    **{
        f"{kind} in a column of any name": ("from", addresses(kind, 90), IDENTITIES)
        for kind in ("IPv4", "IPv4 with port", "IPv6", "long IPv6", "MAC", "UUID", "e-mail", "digest")
    },
    "sessions": ("session", [f"s{n}" for n in RANDOM.integers(0, 99, ROWS)], IDENTITIES),
    "seconds of a busy hour": ("elapsed", np.repeat(np.arange(1000), 20), GROWS),
    "texts": ("remark", [f"row {row}" for row in range(ROWS)], TEXTS),
}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_clocks_counters_and_identities_are_left_out(name: str) -> None:
    column, cells, reason = LEFT_OUT[name]
    rows = table(column, cells)
    with pytest.warns(AlarmnetWarning) as warned:
        encoder = TableEncoder().fit(rows)
    assert str(warned[-1].message).startswith(f"Left out, because {reason}: {column!r}. To keep a column")
    assert str(warned[-1].message).endswith("name it in the encoder's keep=.")
    assert encoder.left_out_ == {column: reason}
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())))
    assert again.left_out_ == encoder.left_out_
    assert again.summarize(rows).left_out == encoder.left_out_
    assert again.output_names_ == ("x",)
    later = rows.assign(**{column: "anything"})
    assert again.transform(later).tobytes() == encoder.transform(rows).tobytes()


LEARNED: dict[str, tuple[str, Any]] = {
    "a category of digits": ("device_id", np.arange(ROWS) % 5),
    "a category of text": ("protocol_id", [f"p{row % 12}" for row in range(ROWS)]),
    "a few addresses": ("server", addresses("IPv4", 8)),
    "words": ("service", [f"word{row % 90}" for row in range(ROWS)]),
    "a sorted feature of few values": ("level", np.arange(ROWS) // 30),
    "a constant": ("constant", np.ones(ROWS)),
    "measurements": ("bytes", RANDOM.lognormal(9, 2, ROWS).round()),
    "distinct measurements": ("bytes", RANDOM.permutation(10**7)[:ROWS]),
    "an index that counts no rows": ("index", RANDOM.normal(size=ROWS)),
    "whole scores": ("score", RANDOM.integers(0, 10**4, ROWS)),
    "bytes of an address": ("ip_bytes", RANDOM.integers(0, 500, ROWS)),
    "a count of sessions": ("session", RANDOM.integers(0, 500, ROWS)),
    "what ends like an id": ("paid", RANDOM.integers(0, 500, ROWS)),
    "pages": ("url", [f"https://example.org/{row % 99}" for row in range(ROWS)]),
}


@pytest.mark.parametrize("name", LEARNED)
def test_measurements_and_categories_are_learned(name: str) -> None:
    encoder = TableEncoder().fit(table(*LEARNED[name]))
    assert encoder.left_out_ == {}
    assert not {"left_out", "keep"} & set(encoder.to_dict())


@pytest.mark.parametrize("rows", [2, 10, 19])
def test_small_tables_keep_their_sorted_numbers(rows: int) -> None:
    assert TableEncoder().fit(np.arange(rows * 2.0).reshape(rows, 2)).left_out_ == {}


def test_growth_is_judged_in_the_order_of_the_table() -> None:
    frame = read_frame(table("elapsed", np.cumsum(RANDOM.random(ROWS))))
    with pytest.warns(AlarmnetWarning, match="only increase"):
        encoder = TableEncoder().fit(frame.take(RANDOM.permutation(ROWS)[:300]))
    assert encoder.left_out_ == {"elapsed": GROWS}


def test_a_shuffled_clock_of_fractions_is_learned() -> None:
    """Nothing tells it from a measurement."""
    assert (
        TableEncoder().fit(table("elapsed", RANDOM.permutation(np.cumsum(RANDOM.random(ROWS))))).left_out_
        == {}
    )


@pytest.mark.parametrize("container", [lambda frame: frame, pl.from_pandas, lambda frame: frame.to_numpy()])
def test_a_detector_judges_all_rows_in_their_order(make: Any, container: Any) -> None:
    """Known anomalies are the last of its training rows, and some rows calibrate."""
    rows = pd.DataFrame(RANDOM.normal(size=(ROWS, 3)), columns=list("abc"))
    rows.insert(0, "seen", np.arange(ROWS) / 7)
    labels = np.zeros(ROWS)
    labels[100:110] = 1
    with pytest.warns(AlarmnetWarning, match="only increase"):
        detector: BaseDetector = make().fit(container(rows), labels)
    plain = make().fit(container(rows.drop(columns="seen")), labels)
    assert list(detector.encoder_.left_out_.values()) == [GROWS]  # type: ignore[union-attr]
    np.testing.assert_array_equal(detector.decision_scores_, plain.decision_scores_)


def test_baselines_leave_them_out_too() -> None:
    rows = table("elapsed", np.arange(ROWS) / 7)
    with pytest.warns(AlarmnetWarning, match="only increase"):
        model = IsolationForestBaseline(random_state=0).fit(rows)
    assert isinstance(model.encoder_, TableEncoder)
    assert model.encoder_.output_names_ == ("x",)


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_column_that_is_kept_is_learned(name: str) -> None:
    column, cells, _ = LEFT_OUT[name]
    rows = table(column, cells)
    if name in ("dressed", "digits with leading zeros"):
        with pytest.warns(AlarmnetWarning, match="(?i)read as numbers"):
            encoder = TableEncoder(keep=[column]).fit(rows)
    else:
        encoder = TableEncoder(keep=[column]).fit(rows)
    assert encoder.left_out_ == {}
    state = encoder.to_dict()
    assert state["keep"] == [column]
    assert TableEncoder.from_dict(state).to_dict() == state


@pytest.mark.parametrize(
    ("keep", "said"), [(["y"], "names columns that X does not have: 'y'"), ("x", "a list of")]
)
def test_unknown_names_are_refused(keep: Any, said: str) -> None:
    with pytest.raises(InputError, match=f"The 'keep' parameter of TableEncoder .*{said}"):
        TableEncoder(keep=keep).fit(table("z", [1, 2, 3]))


def test_a_table_of_which_all_is_left_out_is_refused() -> None:
    rows = pd.DataFrame({"id": [f"row {row}" for row in range(ROWS)], "at": np.arange(ROWS) / 7})
    with pytest.raises(
        InputError, match=r"No column is left to learn from\. Left out, because .*'at'.*'id'"
    ) as caught:
        TableEncoder().fit(rows)
    assert caught.value.code == "no_columns"


@pytest.mark.parametrize(
    "change",
    [
        {"left_out": {"x": "grows"}},
        {"left_out": {"z": "grows"}},
        {"left_out": {"at": "x"}},
        {"left_out": ["at"]},
        {"keep": ["z"]},
        {"keep": 5},
        {"keep": "x"},
    ],
)
def test_a_state_that_no_training_makes_is_refused(change: dict[str, Any]) -> None:
    with pytest.warns(AlarmnetWarning):
        state = TableEncoder().fit(table("at", np.arange(ROWS) / 7)).to_dict()
    with pytest.raises((ValueError, TypeError)):
        TableEncoder.from_dict({**state, **change})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = pd.DataFrame(RANDOM.normal(size=(200, 2)), columns=["a", "b"]).assign(fraud=[0, 1] * 100)
    rows.insert(0, "at", np.arange(200) / 7)
    rows.to_csv(tmp_path / "t.csv")
    return tmp_path / "t.csv"


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_fit_names_what_it_leaves_out_and_keeps(file: Path) -> None:
    model = file.with_name("m")
    labels = ("--label", "fraud", "--anomaly", "1", "--alarm-rate", "0.2")
    said = run("fit", file, *labels, "--out", model)
    assert said.count(f"Warning: Left out, because {GROWS}: '', 'at'. To keep a column") == 1
    run("score", model, file, "--out", file.with_name("s.csv"))
    page = file.with_name("r.json")
    run("report", model, file, "--out", page)
    assert json.loads(page.read_text())["data"]["left_out"] == {"": GROWS, "at": GROWS}
    kept = CliRunner().invoke(
        main, ["fit", str(file), *labels, "--out", str(model), "--json", "--keep", "at"]
    )
    facts = json.loads(kept.stdout)
    assert facts["left_out"] == {"": GROWS}
    assert facts["columns"] == {"at": "number", "a": "number", "b": "number"}
    run("score", model, file, "--out", file.with_name("s.csv"))


@pytest.mark.parametrize("command", ["fit", "compare"])
def test_keeping_what_is_not_learned_from_is_refused(file: Path, command: str) -> None:
    out = ("--out", file.with_name("m")) if command == "fit" else ()
    for name in ("fraud", "nothing"):
        said = run(command, file, "--label", "fraud", "--anomaly", "1", "--keep", name, *out, code=2)
        assert f"Error: --keep {name!r}: there is no such column; there are '', 'at', 'a', 'b'" in said


def test_methods_are_compared_with_columns_that_are_kept(file: Path) -> None:
    from alarmnet.sources.comparison.processes import Task, _made
    from alarmnet.sources.labels import Labelling

    labelling = Labelling("fraud", ["1"], [])
    for method in ("a3", "conv-a3", "isolation-forest", "gradient-boosting"):
        task = Task(method, [file], None, labelling, [], folds=2, seed=0, device="cpu", kept=["at"])
        assert _made(task).encoder.keep == ["at"]


def test_spreadsheet_days_in_a_column_that_says_date_are_times() -> None:
    days = 45_000 + np.random.default_rng(0).permutation(ROWS) / 4
    with pytest.warns(AlarmnetWarning, match="days since 1900, as spreadsheets count them"):
        encoder = TableEncoder().fit(pd.DataFrame({"date": days, "x": np.arange(ROWS) % 7}))
    assert encoder.kinds_["date"] == "datetime"
    stamp = pd.DataFrame({"date": [pd.Timestamp("2023-03-15 06:00")], "x": [0]})
    serial = pd.DataFrame({"date": [45_000.25], "x": [0]})
    np.testing.assert_array_equal(encoder.transform(serial), encoder.transform(stamp))


def test_columns_that_are_left_out_need_not_be_there_when_scoring() -> None:
    table = pd.DataFrame({"": np.arange(ROWS), "x": np.arange(ROWS) % 7})
    with pytest.warns(AlarmnetWarning, match="Left out"):
        encoder = TableEncoder().fit(table)
    expected = encoder.transform(table)
    np.testing.assert_array_equal(encoder.transform(table[["x"]]), expected)
    np.testing.assert_array_equal(encoder.transform(table.rename(columns={"": "Unnamed: 0"})), expected)


def test_a_number_of_a_card_or_customer_is_an_identity() -> None:
    cards = np.random.default_rng(0).choice(10**15, size=ROWS // 2) + 4 * 10**15
    table = pd.DataFrame({"card_number": np.tile(cards, 2), "port_number": np.tile(cards % 60_000, 2)})
    with pytest.warns(AlarmnetWarning, match="ids or addresses"):
        assert list(TableEncoder().fit(table).left_out_) == ["card_number"]
