"""KDD Cup 1999 and CSE-CIC-IDS2018 from small files in the official formats."""

import gzip
import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from alarmnet.datasets import (
    A3_SCENARIOS,
    DATASETS,
    DataFile,
    DatasetInfo,
    load_cse_cic_ids2018,
    load_kdd_http,
    load_kdd_portsweep,
    load_kddcup99,
    make_scenario,
    to_table,
)
from alarmnet.datasets.tables import cse_cic_ids2018, kddcup99
from alarmnet.datasets.tables.kdd import FEATURES
from alarmnet.errors import InputError

Publish = Callable[[dict[str, bytes]], None]


@pytest.fixture
def publish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Publish:
    """Puts files into the data folder and makes them the published ones."""

    def _forms(forms: tuple[DataFile, ...], contents: dict[str, bytes]) -> tuple[DataFile, ...]:
        return tuple(
            replace(form, sha256=hashlib.sha256(contents[form.path]).hexdigest(), url=None)
            for form in forms
            if form.path in contents
        )

    def _publish(contents: dict[str, bytes]) -> None:
        for path, content in contents.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(content)
        for module in (kddcup99, cse_cic_ids2018):
            for name, info in vars(module).copy().items():
                if isinstance(info, DatasetInfo):
                    files = tuple(found for forms in info.files if (found := _forms(forms, contents)))
                    monkeypatch.setattr(module, name, replace(info, files=files))

    monkeypatch.setenv("ALARMNET_DATA", str(tmp_path))
    monkeypatch.setenv("ALARMNET_CACHE", str(tmp_path / "cache"))
    return _publish


# KDD Cup 1999


def _connection(service: str, label: str, *, src_bytes: int = 0) -> str:
    values = {name: "0.50" if name.endswith("_rate") else "0" for name in FEATURES}
    values |= {"protocol_type": "tcp", "service": service, "flag": "SF", "src_bytes": str(src_bytes)}
    return ",".join([*values.values(), label])


TRAIN = (
    _connection("http", "normal.", src_bytes=215),
    _connection("http", "normal.", src_bytes=215),
    _connection("smtp", "normal."),
    _connection("http", "back.", src_bytes=1_379_963_888),
    _connection("private", "portsweep."),
    _connection("http", "normal.", src_bytes=7),
    _connection("private", "portsweep."),
    _connection("http", "normal.", src_bytes=215),
)


@pytest.fixture
def kdd(publish: Publish) -> None:
    whole, test = ("\n".join([*rows, ""]).encode() for rows in (TRAIN, [_connection("http", "apache2.")]))
    publish(
        {
            "kddcup99/kddcup.data.gz": gzip.compress(whole),
            "kddcup99/kddcup.data_10_percent": whole[: whole.index(b"\n") + 1],
            "kddcup99/corrected": test,
        }
    )


@pytest.mark.usefixtures("kdd")
def test_the_whole_kddcup99_is_read_with_its_labelled_test() -> None:
    table = load_kddcup99()
    assert table.test is not None
    assert table.train.classes.tolist() == [row.rpartition(",")[2] for row in TRAIN]
    assert table.test.classes.tolist() == ["apache2."]
    assert table.groups == {"apache2.": "DoS", "back.": "DoS", "normal.": "normal", "portsweep.": "Probe"}
    assert table.frame.column_names == list(FEATURES)
    row = table.frame.slice(3, 1).select(["service", "src_bytes", "serror_rate"]).to_pylist()
    assert row == [{"service": "http", "src_bytes": 1_379_963_888, "serror_rate": 0.5}]
    assert table.left_out == {}


@pytest.mark.usefixtures("kdd")
def test_ten_percent_of_kddcup99_has_the_same_test() -> None:
    table = load_kddcup99(ten_percent=True)
    assert table.classes.tolist() == ["normal.", "apache2."]
    assert table.train_rows == 1


@pytest.mark.usefixtures("kdd")
def test_kdd_http_holds_each_http_connection_once_and_in_order() -> None:
    table = load_kdd_http()
    assert table.frame["src_bytes"].to_pylist() == [215, 1_379_963_888, 7]
    assert table.classes.tolist() == ["normal.", "back.", "normal."]
    assert table.left_out == {"repeats an earlier row": 2}
    assert table.test is None


@pytest.mark.usefixtures("kdd")
def test_kdd_portsweep_holds_no_other_attack() -> None:
    table = load_kdd_portsweep()
    assert table.classes.tolist() == ["normal.", "normal.", "portsweep.", "normal."]
    assert table.frame["service"].to_pylist() == ["http", "smtp", "private", "http"]


def test_rows_that_differ_in_the_label_alone_are_both_kept(publish: Publish) -> None:
    rows = [_connection("http", "normal."), _connection("http", "phf."), _connection("http", "phf.")]
    publish({"kddcup99/kddcup.data.gz": gzip.compress("\n".join([*rows, ""]).encode())})
    assert load_kdd_http().classes.tolist() == ["normal.", "phf."]


def test_stand_in_joins_nsl_kdd_to_the_ten_percent_and_drops_what_repeats(publish: Publish) -> None:
    nsl_kdd = [f"{row.removesuffix('.')},21" for row in (TRAIN[0], TRAIN[3], TRAIN[4])]
    contents = {
        "kddcup99/kddcup.data_10_percent": "\n".join([*TRAIN[:2], ""]).encode(),
        "nsl-kdd/KDDTrain+.txt": "\n".join([*nsl_kdd, ""]).encode(),
    }
    publish(contents)
    assert load_kdd_http(stand_in=True).classes.tolist() == ["normal.", "back."]
    table = load_kdd_portsweep(stand_in=True)
    assert table.classes.tolist() == ["normal.", "portsweep."]
    assert table.info.caveat.endswith("say so with any result")


# CSE-CIC-IDS2018

DAYS = {
    "Wednesday-14-02-2018": ("FTP-BruteForce", "SSH-Bruteforce"),
    "Thursday-15-02-2018": ("DoS attacks-GoldenEye", "DoS attacks-Slowloris"),
    "Friday-16-02-2018": ("DoS attacks-SlowHTTPTest", "DoS attacks-Hulk"),
    "Thuesday-20-02-2018": ("DDoS attacks-LOIC-HTTP",),
    "Wednesday-21-02-2018": ("DDOS attack-LOIC-UDP", "DDOS attack-HOIC"),
    "Thursday-22-02-2018": ("Brute Force -Web", "Brute Force -XSS", "SQL Injection"),
    "Friday-23-02-2018": ("Brute Force -Web", "Brute Force -XSS", "SQL Injection"),
    "Wednesday-28-02-2018": ("Infilteration",),
    "Thursday-01-03-2018": ("Infilteration",),
    "Friday-02-03-2018": ("Bot",),
}
COLUMNS = ("Dst Port", "Protocol", "Timestamp", *cse_cic_ids2018._FEATURES[2:], "Label")
BENIGN, ATTACKS = 60, 40


def _flow(label: str, number: int, **changes: str) -> str:
    values = {
        "Protocol": "6",
        "Timestamp": "02/03/2018 08:47:38",
        "Flow Duration": str(number),
        "Label": label,
    }
    return ",".join((dict.fromkeys(COLUMNS, "0.5") | values | changes).values())


def _day(name: str) -> bytes:
    """A day as odd as the original: cells that are no numbers, repeated headers, more columns on the 20th."""
    header = ",".join(COLUMNS)
    flows = [_flow("Benign", number) for number in range(BENIGN)]
    flows += [_flow(DAYS[name][number % len(DAYS[name])], 1000 + number) for number in range(ATTACKS)]
    flows.insert(5, _flow("Benign", 7, **{"Flow Byts/s": "NaN", "Flow Pkts/s": "Infinity"}))
    flows.insert(9, _flow("Benign", 7, **{"Flow Byts/s": ""}))
    if name.startswith("Thuesday"):
        flows = [f"1.2.3.4-5,1.2.3.4,443,5.6.7.8,{flow}" for flow in flows]
        header = f"Flow ID,Src IP,Src Port,Dst IP,{header}"
    if name.startswith(("Friday-16", "Wednesday-28", "Thursday-01")):
        flows[30:30], flows[50:50] = [header], [header]
    return "\n".join([header, *flows, ""]).encode()


@pytest.fixture
def ids2018(publish: Publish) -> None:
    publish({f"cse-cic-ids2018/{name}_TrafficForML_CICFlowMeter.csv": _day(name) for name in DAYS})


@pytest.mark.usefixtures("ids2018")
def test_ten_official_days_become_one_table_without_odd_rows() -> None:
    table = load_cse_cic_ids2018()
    assert Counter(table.row_groups.tolist()) == {
        "Benign": 10 * BENIGN,
        "BruteForce": ATTACKS,
        "DDoS": 2 * ATTACKS,
        "DoS": 2 * ATTACKS,
        "Web": 2 * ATTACKS,
        "Infiltration": 2 * ATTACKS,
        "Bot": ATTACKS,
    }
    assert table.left_out == {"repeats the header": 6, "holds NaN or Infinity": 20}
    assert len(table.groups) == DATASETS["cse-cic-ids2018"].classes
    assert table.test is None


@pytest.mark.usefixtures("ids2018")
def test_official_days_have_float32_features_without_addresses_and_times() -> None:
    frame = load_cse_cic_ids2018().frame
    assert frame.column_names == [name for name in COLUMNS if name not in ("Timestamp", "Label")]
    assert {str(column.type) for column in frame.schema if column.name != "Protocol"} == {"float"}
    assert frame["Protocol"].unique().to_pylist() == ["6"]
    assert sum(column.null_count for column in frame.columns) == 0
    assert all(np.isfinite(frame[name].to_numpy()).all() for name in frame.column_names if name != "Protocol")
    assert sorted(frame["Flow Duration"].to_pylist()[:BENIGN]) == list(range(BENIGN))


@pytest.mark.usefixtures("ids2018")
def test_days_without_ddos_are_the_other_eight() -> None:
    table = load_cse_cic_ids2018(with_ddos_days=False)
    assert "DDoS" not in table.groups.values()
    assert table.frame.num_rows == 8 * (BENIGN + ATTACKS)
    assert len(table.groups) == DATASETS["cse-cic-ids2018-without-ddos"].classes
    assert to_table("cse-cic-ids2018-without-ddos").column_names[-2:] == ["class", "group"]


@pytest.mark.usefixtures("ids2018")
def test_days_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = load_cse_cic_ids2018()
    monkeypatch.setattr(cse_cic_ids2018, "_BLOCK_BYTES", 5_000)
    in_blocks = load_cse_cic_ids2018()
    assert in_blocks.frame.column(0).num_chunks > 5 * whole.frame.column(0).num_chunks
    assert in_blocks.frame.equals(whole.frame)
    assert (in_blocks.classes == whole.classes).all()
    assert in_blocks.left_out == whole.left_out


@pytest.mark.usefixtures("ids2018")
def test_a_day_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cse-cic-ids2018" / "Friday-02-03-2018_TrafficForML_CICFlowMeter.csv"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match=r"Friday-02-03.*csv is not the published file: its sha256 is"):
        load_cse_cic_ids2018()


@pytest.mark.usefixtures("ids2018")
@pytest.mark.parametrize("name", ["1e", "1f", "2e", "2f"])
def test_scenarios_on_ids2018_keep_their_promises(name: str) -> None:
    scenario, data = A3_SCENARIOS[name], make_scenario(name, known=20)
    groups = cse_cic_ids2018._GROUPS
    assert {groups[label] for label in data.train.classes[data.train.y == 1]} <= set(scenario.train_anomalies)
    assert {groups[label] for label in data.test.classes[data.test.y == 1]} == set(scenario.test_anomalies)
    assert set(data.test.classes[data.test.y == 0]) == {"Benign"}
    assert data.train.y.sum() == 20
    assert isinstance(data.train.X, pa.Table)
    assert data.categories == {"Protocol": ("6",)}


@pytest.mark.usefixtures("ids2018")
def test_scenarios_2e_and_2f_test_what_1e_and_1f_do_not() -> None:
    for known, unknown, group in (("1e", "2e", "Bot"), ("1f", "2f", "BruteForce")):
        assert (
            make_scenario(known, known=20).train.rows == make_scenario(unknown, known=20).train.rows
        ).all()
        more = set(A3_SCENARIOS[unknown].test_anomalies) - set(A3_SCENARIOS[known].test_anomalies)
        assert more == {group}
