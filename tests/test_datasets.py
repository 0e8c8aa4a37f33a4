"""The public data sets and the scenarios made of them; real data where it is at hand."""

import functools
import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

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
    load_cifar10,
    load_emnist_letters,
    load_thyroid,
    make_scenario,
    to_table,
)
from alarmnet.datasets.images import IMAGES, cifar10
from alarmnet.datasets.images.idx import read_idx
from alarmnet.datasets.tables import TABLES, celeba_attributes, census_income, credit_card
from alarmnet.datasets.tables.thyroid import THYROID
from alarmnet.errors import InputError

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "datasets.md"


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


@pytest.mark.parametrize("name", [info.name for info in TABLES])
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
    table = credit_card._read(path)
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
    row = census_income._read(path).to_pylist()[0]
    assert row["age"] == 73
    assert row["class of worker"] == "Not in universe"
    assert row["detailed industry recode"] == "0"
    assert row["weeks worked in year"] == 4
    assert row["state of previous residence"] is None
    assert row["label"] == "- 50000."


def test_celeba_attributes_have_the_published_counts(data_folder: Path) -> None:
    table = _table("celeba-attributes")
    assert Counter(table.classes.tolist()) == {"-1": 202_599 - 4_547, "1": 4_547}
    assert table.test is None
    assert table.frame.num_columns == 39
    assert {str(kind) for kind in table.frame.schema.types} == {"int8"}
    assert "Bald" not in table.frame.column_names
    first = table.frame.slice(0, 2).select(["5_o_Clock_Shadow", "Bags_Under_Eyes", "Bangs", "Young"])
    assert [list(row.values()) for row in first.to_pylist()] == [[-1, -1, -1, 1], [-1, 1, -1, 1]]


def test_kddcup99_has_the_published_counts(data_folder: Path) -> None:
    table = _table("kddcup99-10-percent")
    assert table.test is not None
    train, test = Counter(table.train.classes.tolist()), Counter(table.test.classes.tolist())
    assert (sum(train.values()), sum(test.values())) == (494_021, 311_029)
    assert (train["smurf."], train["neptune."], train["normal."]) == (280_790, 107_201, 97_278)
    assert (test["smurf."], test["neptune."], test["normal."]) == (164_091, 58_001, 60_593)


@pytest.mark.parametrize(("name", "repeats"), [("http", 7_297), ("portsweep", 17_542)])
def test_kdd_stand_ins_have_the_counts_their_page_says(data_folder: Path, name: str, repeats: int) -> None:
    table = _table(f"kdd-{name}-stand-in")
    attacks = {"http": 2_351, "portsweep": 2_992}[name]
    assert (table.classes != "normal.").sum() == attacks
    assert table.left_out == {"repeats an earlier row": repeats}
    assert table.test is None


def test_ids2018_samples_have_their_counts(data_folder: Path) -> None:
    sample, improved = (_table(f"cse-cic-ids2018-{name}sample") for name in ("", "improved-"))
    assert Counter(sample.row_groups.tolist()) == {"Benign": 6_000, "BruteForce": 3_053, "DDoS": 3_000}
    assert Counter(improved.row_groups.tolist()) == {
        "Benign": 2_500,
        "DoS": 1_297,
        "DDoS": 972,
        "Bot": 101,
        "BruteForce": 67,
        "Infiltration": 63,
    }
    assert (sample.frame.num_columns, improved.frame.num_columns) == (77, 83)
    row = sample.frame.slice(0, 1).select(["Protocol", "Tot Fwd Pkts", "Bwd Pkt Len Max"]).to_pylist()
    assert row == [{"Protocol": "6", "Tot Fwd Pkts": 25, "Bwd Pkt Len Max": 976}]


def test_scenario_of_ones_own_runs_on_the_ids2018_sample(data_folder: Path) -> None:
    scenario = Scenario("own", "cse-cic-ids2018-sample", ("Benign",), ("BruteForce",), ("BruteForce", "DDoS"))
    data = make_scenario(scenario)
    assert data.train.y.sum() == 100
    assert set(data.train.classes[data.train.y == 1]) <= {"FTP-BruteForce", "SSH-Bruteforce"}
    assert data.categories == {"Protocol": ("0", "17", "6")}


@pytest.mark.parametrize("name", ["list.txt", "list.txt.gz"])
def test_celeba_rows_are_read_packed_or_not_without_the_image_name(tmp_path: Path, name: str) -> None:
    lines = ["2", "Young Bald Smiling ", "000001.jpg -1  1 -1", "000002.jpg  1 -1  1", ""]
    content = "\r\n".join(lines).encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    assert celeba_attributes._read(path).to_pylist() == [
        {"Young": -1, "Bald": "1", "Smiling": -1},
        {"Young": 1, "Bald": "-1", "Smiling": 1},
    ]


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
    with pytest.raises(InputError, match=r"labels\.gz is not an idx file of 1 dimensions of uint8"):
        read_idx(path, dimensions=1)


def test_idx_is_read(tmp_path: Path) -> None:
    path = tmp_path / "images.gz"
    path.write_bytes(gzip.compress(bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, *range(6)])))
    assert read_idx(path, dimensions=3).tolist() == [[[0, 1, 2], [3, 4, 5]]]


def test_emnist_letters_have_the_counts_of_their_own_split(data_folder: Path) -> None:
    images = DATASETS["emnist-letters"].loader()
    assert isinstance(images, Images)
    assert images.train_images.shape == (69_243, 28, 28)
    assert images.test_images.shape == (58_405, 28, 28)
    assert images.train_images.dtype == images.test_labels.dtype == images.train_labels.dtype == np.uint8
    assert "".join(images.class_names) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    assert np.bincount(images.train_labels)[[0, 4, 25]].tolist() == [3_352, 5_192, 1_056]
    assert np.bincount(images.test_labels)[[0, 4, 25]].tolist() == [2_706, 4_943, 915]
    assert images.train_labels[:4].tolist() == [23, 18, 16, 2]
    assert images.train_images.mean() / 255 == pytest.approx(0.1744, abs=5e-5)


def test_emnist_letters_are_not_called_the_official_ones() -> None:
    caveat = "EMNIST letters, own split: not the official 124,800 + 20,800"
    assert dataset_info("emnist-letters").caveat == caveat


def test_missing_emnist_letters_say_which_file_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALARMNET_DATA", str(tmp_path))
    monkeypatch.setenv("ALARMNET_CACHE", str(tmp_path / "cache"))
    with pytest.raises(
        InputError, match=r"emnist-letters\.npz is not available and has no stable public"
    ) as caught:
        load_emnist_letters()
    assert f"(now: {tmp_path}) or into {tmp_path / 'cache'} as emnist/emnist-letters.npz (sha256" in str(
        caught.value
    )


def test_cifar10_has_the_published_counts(data_folder: Path) -> None:
    images = DATASETS["cifar10"].loader()
    assert isinstance(images, Images)
    assert images.train_images.shape == (50_000, 32, 32, 3)
    assert images.test_images.shape == (10_000, 32, 32, 3)
    assert images.train_images.dtype == images.test_labels.dtype == images.train_labels.dtype == np.uint8
    assert np.bincount(images.train_labels).tolist() == [5_000] * 10
    assert np.bincount(images.test_labels).tolist() == [1_000] * 10
    assert images.train_images[0, 0, 0].tolist() == [59, 62, 63]
    assert images.train_images.mean((0, 1, 2)) / 255 == pytest.approx([0.49139968, 0.48215841, 0.44653091])
    assert [images.class_names[label] for label in images.train_labels[:3]] == ["frog", "truck", "truck"]


@pytest.fixture
def few_photographs() -> dict[str, Any]:
    """Ten training images, two of each batch, and two test images, under the names of the npz file."""
    generator = np.random.default_rng(0)
    return {
        "x_train": generator.integers(256, size=(10, 32, 32, 3), dtype=np.uint8),
        "y_train": np.arange(10),
        "x_test": generator.integers(256, size=(2, 32, 32, 3), dtype=np.uint8),
        "y_test": np.array([7, 3]),
    }


def _record(image: NDArray[np.uint8], label: int) -> bytes:
    return bytes([label]) + b"".join(image[..., colour].tobytes() for colour in range(3))


def test_cifar10_is_read_from_its_binary_version(tmp_path: Path, few_photographs: dict[str, Any]) -> None:
    x_train, y_train, x_test, y_test = few_photographs.values()
    train, test = list(map(_record, x_train, y_train)), list(map(_record, x_test, y_test))
    batches = {f"data_batch_{number}": train[2 * number - 2 : 2 * number] for number in range(1, 6)}
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, records in {"test_batch": test, **batches}.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}.bin")
            member.size = len(b"".join(records))
            archive.addfile(member, io.BytesIO(b"".join(records)))
    for read, expected in zip(cifar10._read_binary(path), few_photographs.values(), strict=True):
        assert read.dtype == np.uint8
        assert read.flags.writeable
        assert read.tolist() == expected.tolist()


def test_cifar10_is_read_from_an_npz_file_however_it_is_packed(
    tmp_path: Path, few_photographs: dict[str, Any]
) -> None:
    np.savez(tmp_path / "stored.npz", **few_photographs)
    np.savez_compressed(tmp_path / "packed.npz", **few_photographs, more=np.zeros(3))
    sha256 = cifar10._arrays_sha256(few_photographs.values())
    for name in ("stored.npz", "packed.npz"):
        for read, expected in zip(
            cifar10._read_npz(tmp_path / name, sha256=sha256), few_photographs.values(), strict=True
        ):
            assert read.dtype == np.uint8
            assert read.tolist() == expected.tolist()


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": np.zeros((10, 32, 32, 3), dtype=np.uint8)},
        {"y_train": np.arange(10, dtype=np.uint64)},
        {"y_test": np.array(["frog", "truck"])},
        {"x_test": np.zeros((0, 32, 32, 3), dtype=np.uint8)},
        {"y_test": np.array([[7, 3]])},
    ],
)
def test_npz_with_other_arrays_is_refused(
    tmp_path: Path, few_photographs: dict[str, Any], change: dict[str, Any]
) -> None:
    np.savez(tmp_path / "cifar10.npz", **few_photographs | change)
    sha256 = cifar10._arrays_sha256(few_photographs.values())
    with pytest.raises(
        InputError, match=f"npz is not CIFAR-10: .* expected {sha256}. It must hold"
    ) as caught:
        cifar10._read_npz(tmp_path / "cifar10.npz", sha256=sha256)
    assert caught.value.code == "data_file_checksum"


def _check_unreadable(path: Path, reason: str) -> None:
    with pytest.raises(
        InputError, match=rf"cifar10\.npz cannot be read \(.*{reason}.*\)\. It must"
    ) as caught:
        cifar10._read_npz(path)
    assert caught.value.code == "data_file_format"


def test_npz_that_cannot_be_read_is_refused(tmp_path: Path, few_photographs: dict[str, Any]) -> None:
    path = tmp_path / "cifar10.npz"
    np.savez(path, x_train=few_photographs["x_train"])
    _check_unreadable(path, "y_train is not a file in the archive")
    np.savez(path, **few_photographs | {"y_test": np.array([{"a": 1}], dtype=object)})
    _check_unreadable(path, "allow_pickle=False")
    path.write_bytes(path.read_bytes()[:-100])
    _check_unreadable(path, "not a zip file")


def test_npz_that_unpacks_to_too_much_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_photographs: dict[str, Any]
) -> None:
    monkeypatch.setattr(cifar10, "_NPZ_BYTES", 30_000)
    np.savez_compressed(tmp_path / "cifar10.npz", **few_photographs)
    _check_unreadable(tmp_path / "cifar10.npz", r"it unpacks to 3\d,\d{3} bytes")


def test_cifar10_npz_of_the_data_folder_comes_before_a_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_photographs: dict[str, Any]
) -> None:
    monkeypatch.setenv("ALARMNET_DATA", str(tmp_path))
    (tmp_path / "cifar10").mkdir()
    np.savez(tmp_path / "cifar10" / "cifar10.npz", **few_photographs)
    with pytest.raises(InputError, match="remove it to have the published"):
        load_cifar10()


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
    with pytest.raises(InputError, match="mnist holds images and is not a table"):
        to_table("mnist")
    with pytest.raises(InputError, match="there is no data set 'iris'; choose one of nsl-kdd, credit-card"):
        dataset_info("iris")


def test_every_data_set_is_exported_and_on_its_page() -> None:
    page = PAGE.read_text()
    for info in (*TABLES, *IMAGES):
        assert getattr(info.loader, "func", info.loader).__name__ in alarmnet.datasets.__all__
        assert f"\n| `{info.name}` |" in page
        for file in (file for forms in info.files for file in forms):
            folder, _, file_name = file.path.rpartition("/")
            assert f"`{file.path}`" in page or (f"`{folder}/`" in page and f"`{file_name}`" in page)


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
    with pytest.raises(InputError, match="there is no scenario '5a'; choose one of 1a, 1b, 1c"):
        make_scenario("5a")
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
