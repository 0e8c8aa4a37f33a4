"""The public data sets and the scenarios made of them; real data where it is at hand."""

import functools
import gzip
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import alarmnet.datasets
from alarmnet.datasets import (
    A3_SCENARIOS,
    DATASETS,
    Images,
    Scenario,
    ScenarioData,
    Table,
    dataset_info,
    load_bank_marketing,
    load_thyroid,
    make_scenario,
    to_table,
)
from alarmnet.datasets.images import _read_idx
from alarmnet.datasets.tables import THYROID, _read_census, _read_credit_card
from alarmnet.errors import InputError

TABLE_NAMES = ["nsl-kdd", "credit-card", "bank-marketing", "thyroid", "census-income"]


def _no_network(*arguments: object, **options: object) -> None:
    raise OSError("tests download nothing")


def _kept_or_skipped(loader: Callable[[], Table | Images]) -> Callable[[], Table | Images]:
    @functools.cache
    def load() -> Table | Images:
        try:
            return loader()
        except InputError as error:
            if error.code == "data_file_missing":
                pytest.skip(f"real data is not at hand: {error}")
            raise

    return load


@pytest.fixture(scope="module")
def data_folder() -> Iterator[Path]:
    """The folder of real data; each set is loaded once, and its test skipped where it is missing."""
    folder = Path(os.environ.get("ALARMNET_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"real data is not at hand: set ALARMNET_DATA, {folder} does not exist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ALARMNET_DATA", str(folder))
        patch.setattr("urllib.request.urlopen", _no_network)
        for name, info in list(DATASETS.items()):
            patch.setitem(DATASETS, name, replace(info, loader=_kept_or_skipped(info.loader)))
        yield folder


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Table:
    """A table of 2,000 rows without an official split: 1,600 normal, 200 of each of two anomalies."""
    classes = np.repeat(["fine", "odd", "strange"], [1600, 200, 200])
    frame = pa.table({"number": np.arange(2000), "text": np.where(np.arange(2000) % 2, "a", "b")})
    table = Table(THYROID, frame, classes, {"fine": "normal", "odd": "odd", "strange": "strange"})
    monkeypatch.setitem(DATASETS, "small", replace(THYROID, name="small", loader=lambda: table))
    return table


SMALL = Scenario("s", "small", ("normal",), ("odd",), ("odd", "strange"))


def _table(name: str) -> Table:
    table = DATASETS[name].loader()
    assert isinstance(table, Table)
    return table


# Tables


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_registry_tells_the_truth(data_folder: Path, name: str) -> None:
    info, table = DATASETS[name], _table(name)
    assert table.info.name == info.name == name
    assert table.frame.num_rows == len(table.classes) == info.rows
    assert len(np.unique(table.classes)) == info.classes
    assert set(table.groups) == set(np.unique(table.classes))
    assert info.licence
    assert info.source.startswith("https://")


def test_nsl_kdd_has_the_published_counts(data_folder: Path) -> None:
    table = _table("nsl-kdd")
    assert table.test is not None
    train, test = Counter(table.train.classes.tolist()), Counter(table.test.classes.tolist())
    assert (sum(train.values()), sum(test.values())) == (125_973, 22_544)
    assert (train["normal"], train["neptune"], train["smurf"]) == (67_343, 41_214, 2_646)
    assert (test["normal"], test["guess_passwd"], test["mscan"]) == (9_711, 1_231, 996)
    assert Counter(table.test.row_groups.tolist()) == {
        "normal": 9_711,
        "DoS": 7_460,
        "Probe": 2_421,
        "R2L": 2_885,
        "U2R": 67,
    }
    assert (table.groups["worm"], table.groups["httptunnel"]) == ("DoS", "R2L")


def test_nsl_kdd_encodes_to_122_columns(data_folder: Path) -> None:
    table = _table("nsl-kdd")
    sizes = {name: len(values) for name, values in table.categories.items()}
    assert sizes == {"protocol_type": 3, "service": 70, "flag": 11}
    assert table.frame.num_columns - len(sizes) + sum(sizes.values()) == 122
    assert table.frame.slice(0, 1).select(["protocol_type", "src_bytes", "same_srv_rate"]).to_pylist() == [
        {"protocol_type": "tcp", "src_bytes": 491, "same_srv_rate": 1.0}
    ]


def test_credit_card_has_the_published_counts(data_folder: Path) -> None:
    table = _table("credit-card")
    assert Counter(table.classes.tolist()) == {"0": 284_315, "1": 492}
    amounts = table.frame["Amount"].to_numpy().astype(np.float64)
    assert amounts.round(2).sum() == pytest.approx(25_162_590.01, abs=0.005)
    assert table.test is None
    assert table.train.frame.num_rows == 284_807


def test_credit_card_csv_reads_like_the_parquet_file(tmp_path: Path) -> None:
    columns = ["Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class"]
    header = ",".join(f'"{column}"' for column in columns)
    rows = [f'{time},{",".join(["-1.3598071336738"] * 28)},{amount},"{label}"' for time, amount, label in
            [("99999", "149.62", 0), ("1e+05", "2", 1)]]  # fmt: skip
    path = tmp_path / "creditcard.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    table = _read_credit_card(path)
    assert table["Time"].to_pylist() == [99_999, 100_000]
    assert table["Class"].to_pylist() == ["0", "1"]
    assert table["V28"].to_numpy()[0] == np.float32(-1.3598071336738)
    assert [str(table.schema.field(name).type) for name in ("Time", "V1", "Amount")] == [
        "int64",
        "float",
        "float",
    ]


def test_bank_marketing_has_the_published_counts(data_folder: Path) -> None:
    table = _table("bank-marketing")
    assert Counter(table.classes.tolist()) == {"no": 36_548, "yes": 4_640}
    assert table.frame.num_columns == 20
    assert table.frame["job"][0].as_py() == "housemaid"
    without = load_bank_marketing(with_duration=False)
    assert set(table.frame.column_names) - set(without.frame.column_names) == {"duration"}


def test_thyroid_has_the_published_counts(data_folder: Path) -> None:
    table = _table("thyroid")
    assert table.test is not None
    assert Counter(table.train.classes.tolist()) == {"1": 93, "2": 191, "3": 3_488}
    assert Counter(table.test.classes.tolist()) == {"1": 73, "2": 177, "3": 3_178}
    floats = [field.name for field in table.frame.schema if pa.types.is_floating(field.type)]
    assert floats == ["age", "TSH", "T3", "TT4", "T4U", "FTI"]
    assert table.frame.slice(0, 1).select(["age", "I131_treatment", "FTI"]).to_pylist() == [
        {"age": 0.73, "I131_treatment": 1, "FTI": 0.146}
    ]


def test_thyroid_in_its_original_form_is_the_same_table(
    data_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original ends its lines with two spaces; its published sha256 is checked on the way."""
    (tmp_path / "ann-thyroid").mkdir()
    ours = _table("thyroid")
    for name in ("ann-train.data", "ann-test.data"):
        lines = (data_folder / "ann-thyroid" / name).read_text().splitlines()
        text = "".join(f"{line.rstrip()}  \n" for line in lines)
        (tmp_path / "ann-thyroid" / name).write_bytes(text.encode())
    monkeypatch.setenv("ALARMNET_DATA", str(tmp_path))
    original = load_thyroid()
    assert original.frame.equals(ours.frame)
    assert (original.classes == ours.classes).all()


def test_census_income_has_the_published_counts(data_folder: Path) -> None:
    table = _table("census-income")
    assert table.test is not None
    assert Counter(table.train.classes.tolist()) == {"- 50000.": 187_141, "50000+.": 12_382}
    assert Counter(table.test.classes.tolist()) == {"- 50000.": 93_576, "50000+.": 6_186}
    assert "instance weight" not in table.frame.column_names
    assert (len(table.categories), table.frame.num_columns) == (33, 40)
    assert table.frame["state of previous residence"].null_count == 1_038
    for values in table.categories.values():
        assert not any(value == "?" or value.startswith(" ") for value in values)
    assert "NA" in table.categories["hispanic origin"]


def test_census_row_is_read_without_spaces_and_question_marks(tmp_path: Path) -> None:
    fields = ["73", "Not in universe", "0", "0", *["x"] * 37, "- 50000."]
    for position in (5, 16, 17, 18, 30, 39):
        fields[position] = "4"
    fields[21] = "?"
    path = tmp_path / "census.gz"
    path.write_bytes(gzip.compress((", ".join(fields) + "\n").encode()))
    row = _read_census(path).to_pylist()[0]
    assert row["age"] == 73
    assert row["class of worker"] == "Not in universe"
    assert row["detailed industry recode"] == "0"
    assert row["weeks worked in year"] == 4
    assert row["state of previous residence"] is None
    assert row["label"] == "- 50000."


# Images


@pytest.mark.parametrize(
    ("name", "train_counts"),
    [
        ("mnist", [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]),
        ("fashion-mnist", [6000] * 10),
    ],
)
def test_images_have_the_published_counts(data_folder: Path, name: str, train_counts: list[int]) -> None:
    images = DATASETS[name].loader()
    assert isinstance(images, Images)
    assert images.train_images.shape == (60_000, 28, 28)
    assert images.test_images.shape == (10_000, 28, 28)
    assert images.train_images.dtype == images.train_labels.dtype == np.uint8
    assert np.bincount(images.train_labels).tolist() == train_counts
    assert len(images.test_labels) == 10_000
    assert len(images.class_names) == DATASETS[name].classes
    assert DATASETS[name].rows == 70_000
    if name == "mnist":
        assert images.train_images.mean() == pytest.approx(33.3184, abs=1e-4)


@pytest.mark.parametrize(
    "content",
    [
        bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]),
        bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3, 4]),
        bytes([0, 0, 9, 1, 0, 0, 0, 3, 1, 2, 3]),
        bytes([0, 0, 8, 3, 0, 0, 0, 3, 1, 2, 3]),
    ],
)
def test_idx_of_wrong_kind_or_size_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(InputError, match=r"labels\.gz is no idx file of 1 dimensions of uint8"):
        _read_idx(path, dimensions=1)


def test_idx_is_read(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)])))
    assert _read_idx(path, dimensions=3).tolist() == [[[0, 1, 2], [3, 4, 5]]]


# Registry


def test_to_table_adds_class_and_group(data_folder: Path) -> None:
    table = to_table("nsl-kdd", part="test")
    assert table.num_rows == 22_544
    assert table.column_names[-2:] == ["class", "group"]
    assert table.slice(0, 1).select(["class", "group"]).to_pylist() == [{"class": "neptune", "group": "DoS"}]
    assert to_table("thyroid").column_names[-1] == "class"
    assert to_table("thyroid", part="train").num_rows == 3_772


def test_to_table_names_what_it_cannot_do(small: Table) -> None:
    with pytest.raises(InputError, match="small has no part 'test'; choose one of all"):
        to_table("small", part="test")
    with pytest.raises(InputError, match="mnist holds images and is no table"):
        to_table("mnist")
    with pytest.raises(InputError, match="there is no data set 'iris'; choose one of nsl-kdd, credit-card"):
        dataset_info("iris")


def test_exported_names_exist_and_are_sorted() -> None:
    assert sorted(alarmnet.datasets.__all__) == sorted(set(alarmnet.datasets.__all__))
    for name in alarmnet.datasets.__all__:
        assert hasattr(alarmnet.datasets, name)


# Scenarios


@pytest.fixture(scope="module")
def scenario_data(data_folder: Path) -> Callable[[str], ScenarioData]:
    return functools.cache(make_scenario)


def _groups(name: str, classes: np.ndarray[tuple[int], np.dtype[np.str_]]) -> set[str]:
    data = DATASETS[A3_SCENARIOS[name].dataset].loader()
    present = set(classes.tolist())
    return {data.groups[name] for name in present} if isinstance(data, Table) else present


@pytest.mark.parametrize("name", A3_SCENARIOS)
def test_scenario_keeps_its_promises(scenario_data: Callable[[str], ScenarioData], name: str) -> None:
    scenario, data = A3_SCENARIOS[name], scenario_data(name)
    parts = (data.train, data.validation, data.test)
    rows = np.concatenate([part.rows for part in parts])
    assert len(np.unique(rows)) == len(rows)
    assert data.train.y.sum() == (100 if scenario.train_anomalies else 0)
    assert _groups(name, data.train.classes[data.train.y == 1]) <= set(scenario.train_anomalies)
    for part in (data.validation, data.test):
        assert _groups(name, part.classes[part.y == 1]) == set(scenario.test_anomalies)
    for part in parts:
        assert _groups(name, part.classes[part.y == 0]) == set(scenario.normal)
        assert len(part.y) == len(part.classes) == len(part.rows)
        assert len(part.y) == (part.X.num_rows if isinstance(part.X, pa.Table) else len(part.X))


def test_scenario_1c_and_2c_have_the_published_test_rows(
    scenario_data: Callable[[str], ScenarioData],
) -> None:
    known, unknown = scenario_data("1c").test, scenario_data("2c").test
    assert ((known.y == 0).sum(), known.y.sum()) == (9_711, 7_460 + 2_421)
    assert ((unknown.y == 0).sum(), unknown.y.sum()) == (9_711, 22_544 - 9_711)


def test_scenario_1a_takes_the_official_mnist_test(scenario_data: Callable[[str], ScenarioData]) -> None:
    data = scenario_data("1a")
    assert data.test.rows.min() >= 60_000
    assert max(data.train.rows.max(), data.validation.rows.max()) < 60_000
    assert data.test.y.sum() == 958 + 1_028
    images = DATASETS["mnist"].loader()
    assert isinstance(images, Images)
    assert isinstance(data.train.X, np.ndarray)
    assert (data.train.X[5] == images.train_images[data.train.rows[5]]).all()


def test_scenarios_of_one_data_set_share_training(scenario_data: Callable[[str], ScenarioData]) -> None:
    assert (scenario_data("1c").train.rows == scenario_data("2c").train.rows).all()
    assert set(scenario_data("4a").train.rows) < set(scenario_data("1a").train.rows)


def test_scenario_1g_leaves_time_out(scenario_data: Callable[[str], ScenarioData]) -> None:
    data = scenario_data("1g")
    assert isinstance(data.train.X, pa.Table)
    assert data.train.X.column_names == [*(f"V{number}" for number in range(1, 29)), "Amount"]
    assert len(data.test.y) == round(0.15 * 284_807)
    assert len(data.validation.y) == round(0.05 * 284_807)


def test_rows_are_split_80_5_15_without_an_official_test(small: Table) -> None:
    data = make_scenario(SMALL, known=10, seed=3)
    assert (len(data.test.rows), len(data.validation.rows)) == (300, 100)
    assert (data.train.y == 0).sum() == 1600 - (data.test.y == 0).sum() - (data.validation.y == 0).sum()
    assert isinstance(data.test.X, pa.Table)
    assert (data.test.X["number"].to_numpy() == data.test.rows).all()
    assert (data.test.classes == small.classes[data.test.rows]).all()
    assert data.categories == {"text": ("a", "b")}


def test_seed_fixes_the_draw_and_fewer_known_are_part_of_more(small: Table) -> None:
    few, many, again = (make_scenario(SMALL, known=known) for known in (5, 50, 50))
    assert (many.train.rows == again.train.rows).all()
    assert set(few.train.rows[few.train.y == 1]) < set(many.train.rows[many.train.y == 1])
    other = make_scenario(SMALL, known=50, seed=1)
    assert (other.test.rows != many.test.rows).any()
    assert make_scenario(SMALL, known=0).train.y.sum() == 0


def test_scenario_errors_name_what_is_there(small: Table) -> None:
    with pytest.raises(InputError, match="there is no scenario '3a'; choose one of 1a, 1b, 1c"):
        make_scenario("3a")
    with pytest.raises(
        InputError, match=r"known=500 anomalies were asked for, but scenario s has 1\d\d to draw"
    ):
        make_scenario(SMALL, known=500)
    with pytest.raises(InputError, match="known=-1 anomalies"):
        make_scenario(SMALL, known=-1)
    with pytest.raises(
        InputError, match=r"names the groups \['DoS'\], which small does not have; choose from"
    ):
        make_scenario(replace(SMALL, train_anomalies=("DoS",)))
    with pytest.raises(InputError, match=r"has \['odd'\] both as normal and as anomalies"):
        make_scenario(replace(SMALL, normal=("odd",)))
