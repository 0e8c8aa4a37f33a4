"""CSE-CIC-IDS2018: the official daily files, and two samples of cleaned editions."""

from collections import Counter
from collections.abc import Iterator
from functools import partial, reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import as_table

_FEATURES = (
    "Dst Port",
    "Protocol",
    "Flow Duration",
    "Tot Fwd Pkts",
    "Tot Bwd Pkts",
    "TotLen Fwd Pkts",
    "TotLen Bwd Pkts",
    "Fwd Pkt Len Max",
    "Fwd Pkt Len Min",
    "Fwd Pkt Len Mean",
    "Fwd Pkt Len Std",
    "Bwd Pkt Len Max",
    "Bwd Pkt Len Min",
    "Bwd Pkt Len Mean",
    "Bwd Pkt Len Std",
    "Flow Byts/s",
    "Flow Pkts/s",
    "Flow IAT Mean",
    "Flow IAT Std",
    "Flow IAT Max",
    "Flow IAT Min",
    "Fwd IAT Tot",
    "Fwd IAT Mean",
    "Fwd IAT Std",
    "Fwd IAT Max",
    "Fwd IAT Min",
    "Bwd IAT Tot",
    "Bwd IAT Mean",
    "Bwd IAT Std",
    "Bwd IAT Max",
    "Bwd IAT Min",
    "Fwd PSH Flags",
    "Bwd PSH Flags",
    "Fwd URG Flags",
    "Bwd URG Flags",
    "Fwd Header Len",
    "Bwd Header Len",
    "Fwd Pkts/s",
    "Bwd Pkts/s",
    "Pkt Len Min",
    "Pkt Len Max",
    "Pkt Len Mean",
    "Pkt Len Std",
    "Pkt Len Var",
    "FIN Flag Cnt",
    "SYN Flag Cnt",
    "RST Flag Cnt",
    "PSH Flag Cnt",
    "ACK Flag Cnt",
    "URG Flag Cnt",
    "CWE Flag Count",
    "ECE Flag Cnt",
    "Down/Up Ratio",
    "Pkt Size Avg",
    "Fwd Seg Size Avg",
    "Bwd Seg Size Avg",
    "Fwd Byts/b Avg",
    "Fwd Pkts/b Avg",
    "Fwd Blk Rate Avg",
    "Bwd Byts/b Avg",
    "Bwd Pkts/b Avg",
    "Bwd Blk Rate Avg",
    "Subflow Fwd Pkts",
    "Subflow Fwd Byts",
    "Subflow Bwd Pkts",
    "Subflow Bwd Byts",
    "Init Fwd Win Byts",
    "Init Bwd Win Byts",
    "Fwd Act Data Pkts",
    "Fwd Seg Size Min",
    "Active Mean",
    "Active Std",
    "Active Max",
    "Active Min",
    "Idle Mean",
    "Idle Std",
    "Idle Max",
    "Idle Min",
)
_GROUPS = {
    "Benign": "Benign",
    "Bot": "Bot",
    "FTP-BruteForce": "BruteForce",
    "SSH-Bruteforce": "BruteForce",
    "DDoS attacks-LOIC-HTTP": "DDoS",
    "DDOS attack-LOIC-UDP": "DDoS",
    "DDOS attack-HOIC": "DDoS",
    "DoS attacks-GoldenEye": "DoS",
    "DoS attacks-Slowloris": "DoS",
    "DoS attacks-SlowHTTPTest": "DoS",
    "DoS attacks-Hulk": "DoS",
    "Infilteration": "Infiltration",
    "Brute Force -Web": "Web",
    "Brute Force -XSS": "Web",
    "SQL Injection": "Web",
}
_IMPROVED_GROUPS = {
    "BENIGN": "Benign",
    "Botnet Ares": "Bot",
    "SSH-BruteForce": "BruteForce",
    "DDoS-HOIC": "DDoS",
    "DDoS-LOIC-HTTP": "DDoS",
    "DDoS-LOIC-UDP": "DDoS",
    "DoS GoldenEye": "DoS",
    "DoS Hulk": "DoS",
    "DoS Slowloris": "DoS",
    "Infiltration - NMAP Portscan": "Infiltration",
}
_NO_FEATURES = (
    "id",
    "Flow ID",
    "Src IP",
    "Src Port",
    "Dst IP",
    "Timestamp",
    "Attempted Category",
)
_BLOCK_BYTES = 16 << 20


def _type(column: str) -> pa.DataType:
    return pa.string() if column in ("Protocol", "Label") else pa.float32()


def _blocks(path: Path) -> Iterator[pa.Table]:
    """A day's rows as in its file; in a repeated header line every number is null."""
    columns = (*_FEATURES, "Label")
    with pyarrow.csv.open_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=columns,
            column_types={column: _type(column) for column in columns},
            null_values=["", *_FEATURES],
        ),
    ) as blocks:
        for block in blocks:
            yield pa.Table.from_batches([block])


def _finite_rows(block: pa.Table, left_out: Counter[str]) -> pa.Table:
    numbers = [block[name] for name in _FEATURES if _type(name) == pa.float32()]
    finite = reduce(pc.and_, map(pc.is_finite, numbers)).fill_null(False)
    rows = block.filter(finite)
    headers = pc.sum(pc.equal(block["Label"], "Label"), min_count=0).as_py()
    left_out["repeats the header"] += headers
    left_out["holds NaN or Infinity"] += block.num_rows - rows.num_rows - headers
    return rows


def load_cse_cic_ids2018(*, with_ddos_days: bool = True) -> Table:
    """CSE-CIC-IDS2018: network flows of ten days in the official CSV files, class "Benign" is normal.

    78 features: Protocol is a string column, the others are float32. As in the A3 paper, addresses, flow ids
    and times are left out, and so are rows with NaN or Infinity; `left_out` counts them. `groups` maps the
    labels to Benign, Bot, BruteForce, DDoS, DoS, Infiltration and Web. The files are read block by block; the
    table takes about 6.6 GB of memory, without the days of DDoS 2.9 GB.

    Parameters
    ----------
    with_ddos_days
        Read 20 and 21 February too. The A3 paper left the DDoS data out: its scenarios use eight days.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_cse_cic_ids2018(with_ddos_days=False)  # doctest: +SKIP
    >>> table.frame.num_rows, table.groups["Infilteration"]  # doctest: +SKIP
    (7199313, 'Infiltration')
    """
    info = CSE_CIC_IDS2018 if with_ddos_days else CSE_CIC_IDS2018_WITHOUT_DDOS
    left_out: Counter[str] = Counter()
    rows = [_finite_rows(block, left_out) for path in info.paths() for block in _blocks(path)]
    return as_table(info, pa.concat_tables(rows), class_column="Label", groups=_GROUPS, left_out=left_out)


def _read_sample(path: Path) -> pa.Table:
    """Flows of the cleaned edition under the official names; it has the columns in the same order."""
    return pyarrow.parquet.read_table(path).rename_columns([*_FEATURES[1:], "Label"])


def _read_improved(path: Path) -> pa.Table:
    return pyarrow.parquet.read_table(path).drop_columns(_NO_FEATURES)


def load_cse_cic_ids2018_sample(*, improved: bool = False) -> Table:
    """Small samples of CSE-CIC-IDS2018: 12,053 flows of two days, half of them attacks; "Benign" is normal.

    The columns are those of `load_cse_cic_ids2018` without Dst Port.

    Parameters
    ----------
    improved
        Take 5,000 flows of the relabelled edition of 2022 instead, with nine kinds of attacks and "BENIGN" as
        normal. Another program made its 83 features, under other names: never mix the two.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_cse_cic_ids2018_sample()  # doctest: +SKIP
    >>> table.frame.num_rows, sorted(table.groups.values())  # doctest: +SKIP
    (12053, ['Benign', 'BruteForce', 'BruteForce', 'DDoS'])
    """
    info = CSE_CIC_IDS2018_IMPROVED_SAMPLE if improved else CSE_CIC_IDS2018_SAMPLE
    read = _read_improved if improved else _read_sample
    rows = pa.concat_tables(
        table.cast(pa.schema([(name, _type(name)) for name in table.column_names]), safe=False)
        for table in map(read, info.paths())
    )
    return as_table(info, rows, class_column="Label", groups=_IMPROVED_GROUPS if improved else _GROUPS)


def _day(name: str, *, sha256: str, size: int) -> tuple[DataFile, ...]:
    file_name = f"{name}_TrafficForML_CICFlowMeter.csv"
    folder = "https://cse-cic-ids2018.s3.amazonaws.com/Processed%20Traffic%20Data%20for%20ML%20Algorithms"
    return (DataFile(f"cse-cic-ids2018/{file_name}", sha256, size, url=f"{folder}/{file_name}"),)


_DAYS = (
    _day(
        "Wednesday-14-02-2018",
        sha256="acff8bc61376ee031d80878ee6099e0b1a87a1bd711d8068298421418c9f8147",
        size=358_223_333,
    ),
    _day(
        "Thursday-15-02-2018",
        sha256="fa2947a8256d81ee9103ae16139d62d0e17aa23e696ee80d9e76fb51c01c9c4b",
        size=375_945_899,
    ),
    _day(
        "Friday-16-02-2018",
        sha256="1a4919faa0c49c7af97230b0c2d076eba23ee6dd81103a3801d51ac316355d8b",
        size=333_723_605,
    ),
    _day(
        "Thursday-22-02-2018",
        sha256="da33c927018274f9d49b145baa00e4ce0526c25b3b890b34c489e247b5e24544",
        size=382_636_202,
    ),
    _day(
        "Friday-23-02-2018",
        sha256="d0a7f5059d9823b6e9b392b759e306481a3502d190dea7a1b5502ae079ea069b",
        size=382_840_456,
    ),
    _day(
        "Wednesday-28-02-2018",
        sha256="f15e2a12304446058a0186c8ad67de2bd15735a9ba5c70c9a1f4c4242ab06771",
        size=209_249_758,
    ),
    _day(
        "Thursday-01-03-2018",
        sha256="b0534c5d7d8b41e03df71c6966c995d116a8ed28e61f377c8b14cdf5d28f4edf",
        size=107_842_858,
    ),
    _day(
        "Friday-02-03-2018",
        sha256="d96f38e7496aba83475031e6fb8c6fdf1abf6aa1b71325a917798f3c7de93de1",
        size=352_368_373,
    ),
)
_DDOS_DAYS = (
    _day(
        "Thuesday-20-02-2018",
        sha256="7287a4d7740a1dddbf330ceb2beb6a4889d33ba63674558a68b5eb50d16711df",
        size=4_054_925_350,
    ),
    _day(
        "Wednesday-21-02-2018",
        sha256="a5f4a1c2689e0aa6566c03a58466de9c407c0be0cbd3cc69306544026611be04",
        size=328_893_673,
    ),
)
_LICENCE = "free with a citation and a link; cite Sharafaldin, Lashkari and Ghorbani, 2018"
_SOURCE = "https://www.unb.ca/cic/datasets/ids-2018.html"

CSE_CIC_IDS2018 = DatasetInfo(
    "cse-cic-ids2018",
    title="CSE-CIC-IDS2018, ten days",
    rows=16_137_183,
    classes=15,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="6.9 GB to download; 95,760 rows with NaN or Infinity are left out; duplicate rows are kept",
    files=(*_DAYS, *_DDOS_DAYS),
    loader=load_cse_cic_ids2018,
)
CSE_CIC_IDS2018_WITHOUT_DDOS = DatasetInfo(
    "cse-cic-ids2018-without-ddos",
    title="CSE-CIC-IDS2018, the eight days without DDoS",
    rows=7_199_313,
    classes=12,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="2.5 GB to download; 36,307 rows with NaN or Infinity are left out; duplicate rows are kept",
    files=_DAYS,
    loader=partial(load_cse_cic_ids2018, with_ddos_days=False),
)
CSE_CIC_IDS2018_SAMPLE = DatasetInfo(
    "cse-cic-ids2018-sample",
    title="CSE-CIC-IDS2018, a sample of two days",
    rows=12_053,
    classes=4,
    licence=_LICENCE,
    source="https://github.com/Houssaynimaryame/cloud-intrusion-detection-cicids2018",
    caveat="a sample of L. D'hooge's cleaned edition without duplicates and Dst Port; half of it is attacks",
    files=(
        (
            DataFile(
                "cse-cic-ids2018/Bruteforce-Wednesday-14-02-2018_TrafficForML_CICFlowMeter.sample6k.parquet",
                sha256="8174a2b47e952d57004231be574f119aa682eb559b5d73228127d272cc872453",
                size=892_412,
            ),
        ),
        (
            DataFile(
                "cse-cic-ids2018/DDoS1-Tuesday-20-02-2018_TrafficForML_CICFlowMeter.sample6k.parquet",
                sha256="adba5a95a89db06ac238e05feeb1a9b7e39b06d158bc657a18970b5b266ff01e",
                size=780_041,
            ),
        ),
    ),
    loader=load_cse_cic_ids2018_sample,
)
CSE_CIC_IDS2018_IMPROVED_SAMPLE = DatasetInfo(
    "cse-cic-ids2018-improved-sample",
    title="CSE-CIC-IDS2018, a sample of the relabelled edition",
    rows=5_000,
    classes=10,
    licence=f"{_LICENCE}; Liu, Engelen, Lynar, Essam and Joosen, 2022",
    source="https://github.com/Chilla-tech/ae-gmm-nids",
    caveat="other features than the official files: never mix them; half of it is attacks",
    files=(
        (
            DataFile(
                "cse-cic-ids2018/ids2018-improved-5k.parquet",
                sha256="5c1898b2a3a92397414d02a7b9e150aaf287aa2736fec7257d2850727bced15a",
                size=967_414,
            ),
        ),
    ),
    loader=partial(load_cse_cic_ids2018_sample, improved=True),
)
