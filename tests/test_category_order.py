"""Categories in order: which order, what trees read of it, and how it is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.metrics import average_precision_score

import alarmnet
from alarmnet import A3Detector, AlarmnetWarning, InputError, TableEncoder
from alarmnet.data_files import TableFiles
from alarmnet.detectors.likeness_scorer import LikenessScorer
from alarmnet.networks.category_order import CategoryOrder
from alarmnet.preprocessing.columns import MOST_IN_ORDER, CategoryColumn

GROUPS = [[1.0], [0.5, 1.0], [1.0]]


def places(cells: list[Any], **settings: Any) -> list[float]:
    table = np.array([cells], dtype=object).T
    return TableEncoder(**settings).fit(table).category_places()[0]


def test_categories_become_one_number_and_others_stay() -> None:
    order = CategoryOrder.of(GROUPS)
    assert order is not None
    assert order.width == 3
    rows = torch.tensor([[7.5, 1.0, 0.0, -1.0], [0.0, 0.0, 1.0, 2.0], [3.0, 0.0, 0.0, 4.0]])
    assert order(rows).tolist() == [[7.5, 0.5, -1.0], [0.0, 1.0, 2.0], [3.0, 0.0, 4.0]]
    assert order.columns(np.array([4, 5, 5, 6])).tolist() == [4, 5, 6]


def test_numbers_alone_need_no_order() -> None:
    assert CategoryOrder.of([[1.0], [1.0]]) is None
    encoder = TableEncoder().fit(np.array([[0.0, "a"], [np.nan, "b"], [2.0, "a"]], dtype=object))
    assert encoder.category_places() == [[1.0]] * 4  # a number, whether it is missing, two categories


def test_categories_are_in_the_order_of_text_and_of_the_numbers_in_it() -> None:
    # the encoded numbers are in the order of frequency: 10 days, 9 days, 2 days
    cells = ["10 days"] * 3 + ["9 days"] * 2 + ["2 days"]
    assert places(cells) == pytest.approx([1, 2 / 3, 1 / 3])
    long = ["v1", "v1" + "0" * 5000, "v" + "9" * 5000]
    assert places(long) == pytest.approx([1 / 3, 1, 2 / 3])
    assert places(["v007", "v07", "v7"]) == pytest.approx([1 / 3, 2 / 3, 1])


def test_numbers_as_categories_are_in_their_order() -> None:
    assert places([-1, -1, -1, 0, 0, 2], categories={"x0": [-1, 0, 2]}) == pytest.approx([1 / 3, 2 / 3, 1])
    column = CategoryColumn(kind="category", missing=False, kept=["1", "0.25", "-2", "-10"], rare=[])
    assert column.places(in_order=False) == [[1, 0.75, 0.5, 0.25]]


def test_an_encoder_that_is_not_fitted_has_no_places() -> None:
    with pytest.raises(NotFittedError):
        TableEncoder().category_places()


def test_many_categories_have_no_order() -> None:
    names = [f"service {number}" for number in range(MOST_IN_ORDER + 1)]
    assert len(places(names[:-1])) == MOST_IN_ORDER
    assert places(names) == [1.0]


def test_a_given_order_is_kept_with_missing_and_rare_categories_first() -> None:
    sizes = ["S", "M", "L"]
    cells = ["L"] * 3 + ["M"] * 2 + ["S", None, "XL"]
    assert places(cells, categories={"x0": sizes}) == pytest.approx([3 / 5, 4 / 5, 1, 2 / 5, 1 / 5])
    assert places(cells, max_categories=2) == pytest.approx([3 / 4, 1, 2 / 4, 1 / 4])


def test_the_order_survives_a_file() -> None:
    encoder = TableEncoder(categories={"x0": ["S", "M", "L"]}).fit(
        np.array([["L", "M", "S"]], dtype=object).T
    )
    assert TableEncoder.from_dict(encoder.to_dict()).category_places() == encoder.category_places()


SIZES = ["S", "M", "L", "XL"]
CELLS = ["L", "M", "S", "L"]


def as_pandas(ordered: bool) -> pd.DataFrame:
    return pd.DataFrame({"size": pd.Categorical(CELLS, categories=SIZES, ordered=ordered)})


def as_arrow(ordered: bool) -> pa.Table:
    return pa.Table.from_pandas(as_pandas(ordered))


def as_chunks(ordered: bool) -> pa.Table:
    """Each chunk has categories of its own, as Arrow allows."""
    parts = [
        pa.DictionaryArray.from_arrays([0, 1, 2], texts, ordered=ordered)
        for texts in (["M", "L", "S"], ["S", "M", "L"])
    ]
    return pa.table({"size": pa.chunked_array(parts)})


def as_polars(ordered: bool) -> pl.DataFrame:
    return pl.DataFrame({"size": pl.Series(CELLS, dtype=pl.Enum(SIZES) if ordered else pl.Categorical)})


def as_read(ordered: bool) -> pa.Table:
    """As Parquet files are read: an empty chunk comes first."""
    table = as_arrow(ordered)
    return pa.concat_tables([table.schema.empty_table(), table])


@pytest.mark.parametrize("table", [as_pandas, as_arrow, as_read, as_polars])
def test_categories_of_an_ordered_type_are_in_its_order(table: Callable[[bool], Any]) -> None:
    encoder = TableEncoder().fit(table(True))
    assert encoder.output_names_ == ("size=S", "size=M", "size=L")
    assert encoder.category_places()[0] == pytest.approx([1 / 3, 2 / 3, 1])
    stored = TableEncoder.from_dict(encoder.to_dict())
    assert stored.category_places() == encoder.category_places()
    np.testing.assert_array_equal(stored.transform(table(False)), encoder.transform(table(True)))
    without = TableEncoder().fit(table(False))
    assert without.output_names_ == ("size=L", "size=M", "size=S")
    assert without.category_places()[0] == pytest.approx([1 / 3, 2 / 3, 1])


def test_a_list_of_categories_comes_before_the_order_of_their_type() -> None:
    encoder = TableEncoder(categories={"size": ["M", "S", "L"]}).fit(as_pandas(True))
    assert encoder.output_names_ == ("size=M", "size=S", "size=L")
    assert encoder.category_places()[0] == pytest.approx([1 / 3, 2 / 3, 1])


def test_categories_that_are_numbers_keep_the_order_of_their_type() -> None:
    table = pd.DataFrame({"risk": pd.Categorical([1, 2, 3, 1], categories=[3, 1, 2], ordered=True)})
    assert TableEncoder().fit(table).output_names_ == ("risk=3", "risk=1", "risk=2")


def test_an_order_of_chunks_that_differ_is_not_taken() -> None:
    assert (
        TableEncoder().fit(as_chunks(True)).category_places()
        == TableEncoder().fit(as_chunks(False)).category_places()
    )


def test_rare_categories_of_an_ordered_type_are_other() -> None:
    table = pd.DataFrame({"size": pd.Categorical([*CELLS, "M"], categories=SIZES, ordered=True)})
    encoder = TableEncoder(max_categories=2).fit(table)
    assert encoder.output_names_ == ("size=M", "size=L", "size other")
    assert encoder.category_places()[0] == pytest.approx([2 / 3, 1, 1 / 3])


@pytest.mark.parametrize("ordered", [1, "yes", None])
def test_a_damaged_order_of_a_type_is_refused(ordered: Any) -> None:
    state = TableEncoder().fit(as_pandas(True)).to_dict()
    state["columns"][0]["ordered"] = ordered
    with pytest.raises(ValueError, match="order of categories"):
        TableEncoder.from_dict(state)


Graded = tuple[NDArray[Any], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def graded() -> Graded:
    """Grades; anomalies have one of the three lowest in the first four of seven columns."""
    grades = np.random.default_rng(0).choice([*"abcdef"], (1500, 7))
    return grades.astype(object), np.all(grades[:, :4] <= "c", axis=1)


def precision(graded: Graded, detector: A3Detector) -> float:
    table, anomalous = graded
    return float(average_precision_score(anomalous[750:], detector.logits(table[750:])))


def fitted(graded: Graded) -> A3Detector:
    """A detector that knows fifteen anomalies of the first half."""
    table, anomalous = graded
    rows = np.arange(750)
    rows = np.concatenate([rows[~anomalous[:750]], rows[anomalous[:750]][:15]])
    return A3Detector(random_state=0, alarm_rate=0.1).fit(table[rows], anomalous[rows].astype(float))


def test_forests_find_what_several_categories_have_in_common(
    graded: Graded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = fitted(graded)
    scorer = detector._scorer
    assert isinstance(scorer, LikenessScorer)
    assert [forest.order is not None for forest in scorer.forests] == [True, False, True]
    detector.save(tmp_path / "model.alarmnet")
    table = graded[0][750:]
    np.testing.assert_array_equal(
        alarmnet.load(tmp_path / "model.alarmnet").logits(table), detector.logits(table)
    )
    monkeypatch.setattr(TableEncoder, "category_places", lambda self: [[1.0]] * len(self.output_names_))
    assert precision(graded, detector) > precision(graded, fitted(graded)) + 0.02


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("places", np.array([0, 2, 2, 3])),
        ("places", np.array([1, 1, 1, 2])),
        ("places", np.array([0, 1, 0, 2])),
        ("places", np.array([0, 1, 1])),
        ("places", np.array([0, 1, 1, 2], dtype=np.int32)),
        ("factors", np.ones(3, dtype=np.float32)),
        ("factors", np.ones(4)),
        ("factors", np.array([1, np.nan, 1, 1], dtype=np.float32)),
    ],
)
def test_a_damaged_order_is_refused(name: str, value: NDArray[Any]) -> None:
    order = CategoryOrder.of(GROUPS)
    assert order is not None
    arrays = {f"order.{key}": tensor.numpy() for key, tensor in order.state_dict().items()}
    again = CategoryOrder.stored(arrays, "order.", 4)
    assert again is not None
    assert torch.equal(again.places, order.places)
    with pytest.raises(ValueError, match="order of categories"):
        CategoryOrder.stored(arrays | {f"order.{name}": value}, "order.", 4)


def test_trees_ask_about_numbers_that_the_order_gives(graded: Graded) -> None:
    scorer = fitted(graded)._scorer
    assert isinstance(scorer, LikenessScorer)
    width = scorer.nearness.stored.shape[1]
    for forest, name in zip(scorer.forests[::2], ("columns", "level_columns"), strict=True):
        arrays = {key: tensor.numpy().copy() for key, tensor in forest.state_dict().items()}
        rows = scorer.nearness.stored[:50]
        assert torch.equal(type(forest).stored(arrays, "", width)(rows), forest(rows))
        assert forest.order is not None
        arrays[name].flat[0] = forest.order.width
        with pytest.raises(ValueError, match="not there"):
            type(forest).stored(arrays, "", width)


def test_files_without_an_order_have_none() -> None:
    assert CategoryOrder.stored({}, "order.", 4) is None


@pytest.mark.parametrize(
    "listed", ["low", {"S", "M"}, {"S": 1}, iter(["S"]), 5, ["S", None], ["S", "S"], []], ids=repr
)
def test_what_is_no_list_of_categories_is_refused(listed: Any) -> None:
    with pytest.raises(InputError, match=r"must (list|map)") as caught:
        TableEncoder(categories={"size": listed}).fit(as_pandas(False))
    assert (caught.value.code, caught.value.column) == ("invalid_parameter", "size")


def test_too_long_a_list_of_categories_is_refused() -> None:
    with pytest.raises(InputError, match=r"may list 65,536 categories for a column\. Got 70,000"):
        TableEncoder(categories={"size": range(70_000)}).fit(as_pandas(False))


@pytest.mark.parametrize("listed", [pd.Index(SIZES), pa.array(SIZES), np.array(SIZES), pl.Series(SIZES)])
def test_any_container_lists_categories(listed: Any) -> None:
    encoder = TableEncoder(categories={"size": listed}).fit(as_pandas(False))
    assert encoder.output_names_ == ("size=S", "size=M", "size=L", "size=XL")


def test_a_list_without_any_category_of_the_column_is_refused() -> None:
    with pytest.raises(InputError, match=r"lists 's', 'm', 'l' for column 'size'.* They hold 'L', 'M', 'S'"):
        TableEncoder(categories={"size": ["s", "m", "l"]}).fit(as_pandas(False))


def test_another_spelling_than_in_the_list_is_told() -> None:
    with pytest.warns(AlarmnetWarning, match=r"another spelling than its list: 'M' \(listed as 'm'\)"):
        encoder = TableEncoder(categories={"size": ["S", "m", "L"]}).fit(as_pandas(False))
    assert encoder.output_names_ == ("size=S", "size=m", "size=L", "size other")


def test_parquet_files_keep_the_order_if_they_keep_the_categories(tmp_path: Path) -> None:
    for dictionary, kept in ((True, True), (False, False)):
        path = tmp_path / f"{dictionary}.parquet"
        as_pandas(True).to_parquet(path, use_dictionary=dictionary)
        assert TableFiles(path).read()["size"].type.ordered == kept
        expected = ("size=S", "size=M", "size=L") if kept else ("size=L", "size=M", "size=S")
        assert TableEncoder().fit(TableFiles(path).read()).output_names_ == expected
