"""Labels of every container and spelling, and the wording of parameter errors."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict

from alarmnet import AlarmnetWarning, InputError, load
from alarmnet._shared.labels import read_labels
from alarmnet._shared.validation import check_choice, check_real
from alarmnet.networks.recipes import from_json, to_json

NAN = float("nan")
TEXTS = np.array(["normal"] * 190 + ["bad"] * 10)

CONTAINERS = {
    "list": [1, 0, None],
    "tuple": (1, 0, NAN),
    "list of pd.NA": [1, 0, pd.NA],
    "booleans": [True, False, None],
    "numpy float": np.array([1.0, 0.0, NAN]),
    "numpy object": np.array([True, False, None], dtype=object),
    "column": pd.Series([1.0, 0.0, NAN]),
    "pandas nullable": pd.Series([1, 0, None], dtype="Int64"),
    "pandas boolean": pd.Series([True, False, None], dtype="boolean"),
    "pandas arrow": pd.Series([1, 0, None], dtype="int64[pyarrow]"),
    "polars": pl.Series([1, 0, None]),
    "polars boolean": pl.Series([True, False, None]),
    "polars NaN": pl.Series([1.0, 0.0, NAN]),
    "numpy masked": np.ma.masked_array([1, 0, 5], mask=[False, False, True]),
    "list of NumPy's numbers": [np.int64(1), np.int64(0), None],
    "list of NumPy's booleans": [np.True_, np.False_, None],
    "decimals": [Decimal(1), Decimal(0), None],
    "text": ["1", "0", None],
    "values of a dict": {"a": 1, "b": 0, "c": None}.values(),
    "arrow": pa.array([1, 0, None]),
    "arrow chunks": pa.chunked_array([[True], [False, None]]),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_with_missing_labels(name: str) -> None:
    labels = read_labels(CONTAINERS[name], rows=3)
    np.testing.assert_array_equal(labels.values, [1, 0, NAN])
    assert labels.counts() == {"normal": 1, "anomaly": 1, "unlabelled": 1}


@pytest.mark.parametrize(
    "y",
    [
        [1, 0, 0],
        np.array([True, False, False]),
        np.array([1, 0, 0], dtype=np.uint8),
        pd.Series([1, 0, 0], index=[7, 7, 9]),
        pd.Series([1, 0, 0], dtype="Int64"),
        pd.Series([True, False, False], dtype="boolean"),
        pl.Series([1, 0, 0]),
        pa.array([True, False, False]),
    ],
)
def test_containers_without_missing_labels(y: Any) -> None:
    np.testing.assert_array_equal(read_labels(y, rows=3).values, [1, 0, 0])


@pytest.mark.parametrize(
    "y",
    [
        ["good", "bad", None],
        pd.Series(["good", "bad", None]),
        pd.Series(["good", "bad", None], dtype="category"),
        pl.Series(["good", "bad", None]),
        pa.array(["good", "bad", None]),
    ],
)
def test_text_labels_by_anomaly_label(y: Any) -> None:
    labels = read_labels(y, rows=3, anomaly_label="bad")
    np.testing.assert_array_equal(labels.values, [0, 1, NAN])
    assert labels.classes.tolist() == ["good", "bad"]


def test_no_label_at_all() -> None:
    labels = read_labels(None, rows=2)
    assert labels.unlabelled.all()
    assert labels.classes.tolist() == [0, 1]


def test_classes_are_the_callers_labels() -> None:
    assert read_labels([True, False], rows=2).classes.tolist() == [False, True]
    assert read_labels([0, 0], rows=2).classes.tolist() == [0, 1]
    assert read_labels([0, 1], rows=2, anomaly_label=0).classes.tolist() == [1, 0]


def test_three_labels_by_anomaly_label() -> None:
    labels = read_labels(["dos", "normal", "probe"], rows=3, anomaly_label="dos")
    assert labels.values.tolist() == [1, 0, 0]
    assert labels.classes.tolist() == [0, 1]


def test_one_foreign_label_is_read_with_anomaly_label() -> None:
    with pytest.warns(
        AlarmnetWarning, match="no label in y equals 'bad', which marks anomalies; the labels are 'fine'"
    ):
        assert read_labels(["fine", "fine"], rows=2, anomaly_label="bad").normal.all()


def test_text_of_0_and_1_stays_what_the_caller_calls_them() -> None:
    assert read_labels(["0", "1"], rows=2).classes.tolist() == ["0", "1"]
    assert read_labels(["0.0", "0.0"], rows=2).normal.all()


@pytest.mark.parametrize("y", [[1, 1], [None, np.nan]])
def test_labels_that_nothing_can_be_learned_from_can_be_read(y: list[object]) -> None:
    with pytest.raises(InputError):
        read_labels(y, rows=2)
    assert not read_labels(y, rows=2, to_learn=False).normal.any()


def test_known_anomalies_among_unlabelled_rows_suffice() -> None:
    assert read_labels([1, None, None], rows=3).counts() == {"normal": 0, "anomaly": 1, "unlabelled": 2}


def test_of_two_other_labels_the_second_is_the_anomaly_with_a_warning() -> None:
    with pytest.warns(
        AlarmnetWarning, match=r"'fraud' and 'paid': 'paid', of 1 rows, is taken as the anomaly; name it with"
    ):
        labels = read_labels(["paid", "fraud"], rows=2)
    assert labels.values.tolist() == [1, 0]
    assert labels.classes.tolist() == ["fraud", "paid"]


@pytest.mark.parametrize("normal", ["normal", "BENIGN", " good"])
def test_a_word_for_normal_rows_is_never_taken_for_the_anomaly(normal: str) -> None:
    for anomaly in ("attack", "zombie"):
        with pytest.warns(AlarmnetWarning, match=f"'{anomaly}', of 1 rows, is taken as the anomaly"):
            labels = read_labels([normal, anomaly, normal], rows=3)
        assert labels.values.tolist() == [0, 1, 0]
        assert labels.classes.tolist() == [normal, anomaly]


@pytest.mark.parametrize(
    ("anomaly", "normal"),
    [
        ("fraud", "genuine"),
        ("chargeback", "Legit"),
        ("fraud", "No"),
        ("Fraud", "non-fraud"),
        ("fraud", "not_fraud"),
        ("fraud", "nonfraud"),
        ("invalid", "valid"),
        ("not normal", "normal"),
        ("not ok", "ok"),
        ("non-normal", "normal"),
        ("not_passed", "passed"),
        ("no", "ok"),
        ("no", "regular"),
    ],
)
def test_words_and_negations_that_mean_normal_are_never_taken_for_the_anomaly(
    anomaly: str, normal: str
) -> None:
    with pytest.warns(AlarmnetWarning, match=f"'{anomaly}', of 1 rows, is taken as the anomaly"):
        assert read_labels([anomaly, normal], rows=2).classes.tolist() == [normal, anomaly]


def test_the_callers_labels_are_neither_changed_nor_kept() -> None:
    y = np.array([0.0, 1.0, NAN])
    labels = read_labels(y, rows=3)
    labels.values[:] = 5
    np.testing.assert_array_equal(y, [0, 1, NAN])


class Owner:
    """Stands for an estimator."""


@pytest.mark.parametrize("value", [0, 1, -0.1, NAN, np.inf, "0.5", None, True])
def test_check_real_refuses(value: object) -> None:
    with pytest.raises(InputError) as caught:
        check_real(Owner(), "share", value, 0, 1)
    assert str(caught.value) == (
        f"The 'share' parameter of Owner must be a number in (0, 1). Got {value!r} instead."
    )
    assert caught.value.code == "invalid_parameter"


def test_check_real_accepts() -> None:
    assert check_real(Owner(), "share", np.float32(0.5), 0, 1) == 0.5
    assert check_real(Owner(), "share", 1, 0, 1, open_ends=False) == 1
    with pytest.raises(InputError, match=r"in \[0, 1\]\. Got 2"):
        check_real(Owner(), "share", 2, 0, 1, open_ends=False)


def test_check_choice() -> None:
    check_choice(Owner(), "mode", "a", ("a", None))
    with pytest.raises(InputError, match=r"The 'mode' parameter of Owner must be one of 'a', None\. Got 'b'"):
        check_choice(Owner(), "mode", "b", ("a", None))


@pytest.mark.parametrize("spelled", ["ATTACK", "attack ", "a-ttack"])
def test_labels_that_may_be_anomalies_in_another_spelling_are_refused_until_they_are_listed(
    spelled: str,
) -> None:
    y = ["attack", spelled, "no attack"]
    with pytest.raises(InputError, match="is it the same in another spelling") as caught:
        read_labels(y, rows=3, anomaly_label="attack")
    assert caught.value.code == "near_label"
    for listed in (["attack", spelled], ("attack", spelled), {"attack", spelled}):
        labels = read_labels(y, rows=3, anomaly_label=listed)
        np.testing.assert_array_equal(labels.values, [1, 1, 0])
        assert labels.classes.tolist() == [0, 1]


def test_two_labels_of_which_one_is_the_other_in_another_spelling_are_refused() -> None:
    with pytest.raises(InputError, match="is it the same in another spelling"):
        read_labels(["Attack", "attack"], rows=2)


def test_several_labels_of_anomalies_go_into_files(small: Any, rows: Any, tmp_path: Path) -> None:
    y = np.array(["normal"] * 190 + ["dos"] * 5 + ["probe"] * 5)
    detector = clone(small(anomaly_label=["dos", "probe"])).fit(rows, y)
    assert detector.label_counts_["anomaly"] == 10
    detector.save(tmp_path / "m")
    assert load(tmp_path / "m").refit_alarm(rows, y).label_counts_["anomaly"] == 10


@pytest.mark.parametrize(
    "y",
    [
        pd.Series(TEXTS),
        TEXTS.astype(object),
        pd.Series(TEXTS, dtype="category"),
        pd.Series(TEXTS, dtype="string[pyarrow]"),
        pd.Series([None, *TEXTS[1:]], dtype=object),
    ],
    ids=["series", "objects", "category", "arrow", "with none"],
)
def test_a_detector_with_labels_of_text_goes_into_a_file(
    small: Any, rows: Any, tmp_path: Path, y: Any
) -> None:
    with pytest.warns(AlarmnetWarning, match="'bad', of 10 rows, is taken as the anomaly"):
        detector = small().fit(rows, y)
    detector.save(tmp_path / "m")
    assert load(tmp_path / "m").predict(rows).tolist() == detector.predict(rows).tolist()
    assert detector.classes_.tolist() == ["normal", "bad"]


@pytest.mark.parametrize(
    "kinds",
    [
        pd.Series(["dos", "probe"]),
        pd.Index(["dos", "probe"]),
        pl.Series(["dos", "probe"]),
        pa.array(["dos", "probe"]),
        np.array(["dos", "probe"]),
        {"dos", "probe"},
    ],
    ids=lambda kinds: type(kinds).__name__,
)
def test_any_list_of_labels_lists_the_anomalies(kinds: Any) -> None:
    assert read_labels(["dos", "normal", "probe"], rows=3, anomaly_label=kinds).values.tolist() == [1, 0, 1]
    assert sorted(from_json(to_json(kinds))) == ["dos", "probe"]


@pytest.mark.parametrize("kinds", [iter(["dos"]), {"dos": 1}, {"dos": 1}.keys(), []], ids=repr)
def test_what_does_not_list_labels_is_refused(kinds: Any) -> None:
    with pytest.raises(InputError, match="'anomaly_label' parameter must be a label or a list of labels"):
        read_labels(["dos", "normal"], rows=2, anomaly_label=kinds)


def test_a_listed_label_that_does_not_occur_is_told() -> None:
    with pytest.warns(AlarmnetWarning, match="no label in y equals 'prob', which marks anomalies"):
        assert read_labels(["dos", "x", "probe"], rows=3, anomaly_label=["dos", "prob"]).normal.sum() == 2


@pytest.mark.parametrize(
    ("y", "named"),
    [([0, 1], "attack"), ([True, False], ["dos", "probe"]), (["attack", "normal"], 1), ([None, 0], "attack")],
)
def test_numbers_where_the_anomaly_is_named_as_text_are_refused_and_the_reverse(y: Any, named: Any) -> None:
    with pytest.raises(
        InputError, match=r"which anomaly_label names: .* pass True for anomalies in y"
    ) as caught:
        read_labels(y, rows=2, anomaly_label=named)
    assert caught.value.code == "absent_label"


def test_labels_that_scikit_learn_makes_numbers_of_are_refused(small: Any, rows: Any) -> None:
    y = np.repeat(["normal", "attack"], [180, 20])
    with pytest.raises(InputError, match="no label in y equals 'attack'"):
        cross_val_predict(small(anomaly_label="attack"), rows, y, cv=3, method="decision_function")


@pytest.mark.parametrize(
    ("y", "said"),
    [
        (np.array([b"x", b"y"]), "bytes"),
        (np.array(["2020", "2021"], dtype="datetime64[s]"), "datetime64"),
        ([1j, 2j], "Complex"),
        (["x" * 5000, "y"], "5,000 characters"),
    ],
)
def test_labels_that_a_file_cannot_hold_are_refused_before_training(y: Any, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        read_labels(y, rows=2, anomaly_label=y[0])
    assert caught.value.code == "labels"


def test_the_width_of_a_type_is_no_length_of_labels() -> None:
    wide = np.array(["normal", "dos"], dtype="<U2000")
    assert read_labels(wide, rows=2, anomaly_label="dos").values.tolist() == [0, 1]
    assert read_labels(wide, rows=2, anomaly_label="dos").classes.itemsize < 100


def test_numbers_are_no_texts_of_numbers_however_many_are_listed() -> None:
    listed = [str(number) for number in range(1, 30)]
    with pytest.raises(InputError, match="y holds 1, while anomalies are '1'") as caught:
        read_labels([0, 1], rows=2, anomaly_label=listed)
    assert caught.value.code == "near_label"


@pytest.mark.parametrize("anomaly_label", [None, "attack"])
@pytest.mark.parametrize("word", ["", "nan", "None", "<NA>", " "])
def test_text_that_means_missing_is_no_label_until_it_is_named(word: str, anomaly_label: str | None) -> None:
    y = pa.array(["attack", word, word])  # as pyarrow reads a CSV file with empty cells
    with pytest.raises(InputError, match=r"means missing in tables\. Pass None in its place") as caught:
        read_labels(y, rows=3, anomaly_label=anomaly_label)
    assert caught.value.code == "labels"
    assert read_labels(y, rows=3, anomaly_label=word).values.tolist() == [0, 1, 1]
