"""Numbers in dress: what is read, what is refused, and that a later file is read by the form of training."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

from alarmnet import AlarmnetWarning, InputError, InputTypeError, TableEncoder
from alarmnet.cli import main
from alarmnet.preprocessing.columns import column_from_dict
from alarmnet.preprocessing.number_forms import NumberForm


def frame(cells: Any) -> pd.DataFrame:
    return pd.DataFrame({"amount": pd.Series(cells, dtype=object)})


def learned(cells: Any, said: str) -> TableEncoder:
    with pytest.warns(AlarmnetWarning, match=said) as warned:
        encoder = TableEncoder(scaling="minmax").fit(frame(cells))
    assert len(warned) == 1
    return encoder


def read(encoder: TableEncoder, cells: Any) -> list[float]:
    return [float(number) for number in encoder.transform(frame(cells))[:, 0]]


@pytest.mark.parametrize(
    ("zero", "half", "one", "said"),
    [
        ("0.00", "1,234.50", "2,469.00", "thousands separated by commas, such as"),
        ("0", "1,000,000", "2,000,000", "thousands separated by commas"),
        ("0.00", "12,34,567.5", "24,69,135", "thousands separated by commas"),
        ("$0.00", "$1234.50", "$2,469.00", r"thousands separated by commas, in \$"),
        ("0 €", "1 234.50 €", "2 469.00 €", "thousands separated by spaces, in €"),
        ("0", "1\u00a0234.50", "2\u202f469", "thousands separated by spaces"),
        ("0", "1\u2009234", "2\u2009468", "thousands separated by spaces"),
        ("0", "1'234.50", "2\u2019469", "thousands separated by apostrophes"),
        ("0%", "12 %", "24\u00a0%", "in percent, such as"),
        ("USD 0", "USD 5.5", "USD11", "in USD"),
        ("0 EUR", "5.5 EUR", "11EUR", "in EUR"),
        ("(1,234.50)", "0", "1,234.50", "thousands separated by commas"),
        ("($2.00)", "-$1.00", "$0.00", r"in \$"),
        ("$-2.00", "-$1.00", "$0.00", r"in \$"),
        ("\u22122", "\u22121", "0", "signs before or behind them, or brackets"),
        ("2-", "1-", "0", "signs before or behind them"),
    ],
)
def test_dressed_numbers_are_read(zero: str, half: str, one: str, said: str) -> None:
    encoder = learned([zero, half, one], f"Column 'amount' is read as numbers: {said}")
    assert encoder.kinds_ == {"amount": "number"}
    assert read(encoder, [zero, half, one, half]) == pytest.approx([0, 0.5, 1, 0.5])


def test_the_form_is_stored_and_a_plain_file_is_read_too() -> None:
    encoder = learned(["$0.00", "$1,000.50", "$2,001.00"], "in \\$")
    state = encoder.to_dict()
    assert state["columns"][0]["form"] == {"thousands": ",", "unit": "$"}
    again = TableEncoder.from_dict(state)
    plain = [0.0, 1000.5, 2001.0]
    for cells in (plain, [str(cell) for cell in plain], ["$0", "1000.5", "$2,001"]):
        assert read(again, cells) == pytest.approx([0, 0.5, 1])
    assert again.transform(pl.DataFrame({"amount": ["$0", None, "$2,001"]}))[:, 0].tolist() == [0, 0.5, 1]


@pytest.mark.parametrize(
    "cell", ["1,5", "€5", "1 234", "x", "1'234", "5%", "$", "(5", "$5 $", "--5", "$1,23"]
)
def test_a_cell_of_another_form_is_a_bad_cell(cell: str) -> None:
    encoder = learned(["$0.00", "$1,000.50"], "in \\$")
    assert encoder.invalid_rows(frame(["$1", cell, "-"])).tolist() == [False, True, False]
    with pytest.raises(
        InputTypeError, match=r"read as numbers.*thousands separated by commas, in \$, but row 1"
    ):
        encoder.transform(frame(["$1", cell]))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["1,5", "2"], "point and no thousands separators (or read a CSV file with Reading(decimal="),
        (["1.234,50", "2.000,00"], "such as '1.234,50'. Write them with a decimal point"),
        (["1 234,50", "2"], "such as '1 234,50'"),
        (["1,50 €", "2,75 €"], "such as '1,50 €'"),
        (["1,234", "2,345", "7"], "such as '1,234', which may be 1.234 or 1234"),
        (["0,123", "0,456"], "such as '0,123'"),
        (["1,234.50", "1,5"], "no thousands separators, or leave the column out"),  # no reading suits both
    ],
)
def test_a_comma_that_may_be_a_decimal_point_is_refused(cells: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        TableEncoder().fit(frame(cells))
    assert said in str(caught.value)
    assert (caught.value.code, caught.value.column) == ("decimal_comma", "amount")


def test_a_point_elsewhere_shows_that_commas_part_thousands() -> None:
    encoder = learned(["1,234", "0.5", "7"], "thousands separated by commas")
    assert encoder.to_dict()["columns"][0]["high"] == 1234


def test_several_currencies_are_refused() -> None:
    with pytest.raises(InputError, match="amounts in several currencies, '\\$', '€'") as caught:
        TableEncoder().fit(frame(["€1", "$2", "3"]))
    assert caught.value.code == "mixed_currencies"


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (["12 %", "0.5", "0.25"], "because it writes numbers in several ways. Write them in one way"),
        (["1,234.5", "1 234.5", "2"], "because it writes numbers in several ways"),
        ([*[f"{n},000.50" for n in range(1, 20)], "abc"], "because it holds 'abc' among numbers"),
        (
            [*[f"{day:02}/07/2017 08:00" for day in range(1, 30)], "soon"],
            "because it holds 'soon' among times",
        ),
    ],
)
def test_what_is_read_as_text_beside_dressed_numbers_is_said(cells: list[str], said: str) -> None:
    encoder = learned(cells * 2, said)
    assert encoder.kinds_ == {"amount": "category"}


@pytest.mark.parametrize(
    "cells", [["a", "b"], ["1 a", "2 b"], ["+48 600 100 200", "+48 600 100 201"], ["-", "?"]]
)
def test_other_text_is_a_category_without_a_word(cells: list[str]) -> None:
    encoder = TableEncoder().fit(frame(cells))
    assert encoder.kinds_ == {"amount": "category"}
    assert "form" not in encoder.to_dict()["columns"][0]


@pytest.mark.parametrize(
    "word",
    [
        "-",
        "--",
        "?",
        ".",
        "N/A",
        "n.a.",
        "none",
        " NULL",
        "Unknown",
        "MISSING ",
        "#N/A",
        "#DIV/0!",
        "nil",
        "\u2013",
    ],
)
@pytest.mark.parametrize("dress", ["{}", "{}.5", "$1,23{}.00"])
def test_words_for_missing_beside_numbers(word: str, dress: str) -> None:
    cells = [dress.format(digit) for digit in (1, 2, 3)] * 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AlarmnetWarning)
        encoder = TableEncoder().fit(frame([*cells, word]))
        same = TableEncoder().fit(frame([*cells, None]))
    assert encoder.to_dict() == same.to_dict()
    assert encoder.kinds_ == {"amount": "number"}
    assert encoder.transform(frame([word])).tolist() == same.transform(frame([None])).tolist()


def test_a_word_for_missing_is_said_unless_every_reader_takes_it_so() -> None:
    learned(["1", "2", "n.a."], "A cell of 'amount' that holds 'n.a.' is missing.")
    learned(
        ["$1", "$2", "-"], r"is read as numbers: in \$, such as '\$1'. A cell of 'amount' that holds '-' is"
    )
    TableEncoder().fit(frame(["1", "2", "NA", ""]))


def test_a_column_of_nothing_but_missing_words_has_no_value() -> None:
    with pytest.raises(
        InputError, match=r"No column is left to learn from\. Left out, because no row"
    ) as caught:
        TableEncoder().fit(frame(["NA", "null"]))
    assert caught.value.code == "no_columns"


@pytest.mark.parametrize(
    "form",
    [{"thousands": ".", "unit": ""}, {"thousands": ",", "unit": "x" * 9}, {"thousands": 1, "unit": ""}, {}],
)
def test_a_form_that_no_training_makes_is_refused(form: dict[str, object]) -> None:
    state = learned(["$0.00", "$1,000.50"], "in \\$").to_dict()["columns"][0]
    with pytest.raises((ValueError, TypeError)):
        column_from_dict({**state, "form": form})
    with pytest.raises(ValueError, match="form of numbers"):
        column_from_dict({**state, "kind": "duration"})


def test_plain_numbers_store_no_form() -> None:
    assert "form" not in TableEncoder().fit(frame(["1", "2"])).to_dict()["columns"][0]
    assert NumberForm("", "$").parse("12") == 12


def test_files_are_read_like_frames_and_bad_rows_flagged(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).lognormal(7, 1, 60).round(2)
    table = pd.DataFrame({"amount": [f"{number:,.2f}" for number in numbers]})
    table.to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"amount": ["1,234.50", "1,5", "-", "1234.5"]}).to_csv(tmp_path / "new.csv", index=False)

    def run(*arguments: str, code: int = 0) -> str:
        made = [str(tmp_path / word) if "." in word and "0" not in word else word for word in arguments]
        result = CliRunner().invoke(main, made)
        assert result.exit_code == code, result.output
        return result.output

    said = run("fit", "train.csv", "--alarm-rate", "0.2", "--out", "m.model")
    assert (
        said.count("Warning: Column 'amount' is read as numbers: thousands separated by commas, such as") == 1
    )
    assert "row 1 cannot be: the first is '1,5'" in run(
        "score", "m.model", "new.csv", "--out", "s.csv", code=2
    )
    run("score", "m.model", "new.csv", "--out", "s.csv", "--on-bad-row", "flag", code=3)
    scores = pd.read_csv(tmp_path / "s.csv")
    assert scores["status"].tolist() == ["ok", "invalid", "ok", "ok"]
    assert scores["score"][0] == scores["score"][3]


@pytest.mark.parametrize("form", ["4_{}", "\u0664{}", "{} \u00b0C", "{}ms", "<{}"])
def test_what_only_python_reads_as_a_number_and_measurements_with_units_are_no_numbers(form: str) -> None:
    cells = [form.format(number) for number in range(1, 15)] * 2
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        encoder = TableEncoder().fit(pd.DataFrame({"x": cells}))
    assert encoder.kinds_["x"] == "category"
    has_unit = form[0] in "{<"
    assert any("numbers with" in str(warning.message) for warning in said) == has_unit


def test_text_of_true_and_false_is_what_booleans_are() -> None:
    truths = [True, False, None, True] * 5
    of_text = TableEncoder().fit(pd.DataFrame({"x": ["True", "FALSE", None, "true"] * 5}))
    of_booleans = TableEncoder().fit(pd.DataFrame({"x": truths}))
    assert of_text.to_dict() == of_booleans.to_dict()
