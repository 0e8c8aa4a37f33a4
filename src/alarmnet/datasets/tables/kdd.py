"""What KDD Cup 1999 and NSL-KDD share: columns, groups of attacks, and how a file is read."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

FEATURES = (
    "duration",
    "protocol_type",
    "service",
    "flag",
    "src_bytes",
    "dst_bytes",
    "land",
    "wrong_fragment",
    "urgent",
    "hot",
    "num_failed_logins",
    "logged_in",
    "num_compromised",
    "root_shell",
    "su_attempted",
    "num_root",
    "num_file_creations",
    "num_shells",
    "num_access_files",
    "num_outbound_cmds",
    "is_host_login",
    "is_guest_login",
    "count",
    "srv_count",
    "serror_rate",
    "srv_serror_rate",
    "rerror_rate",
    "srv_rerror_rate",
    "same_srv_rate",
    "diff_srv_rate",
    "srv_diff_host_rate",
    "dst_host_count",
    "dst_host_srv_count",
    "dst_host_same_srv_rate",
    "dst_host_diff_srv_rate",
    "dst_host_same_src_port_rate",
    "dst_host_srv_diff_host_rate",
    "dst_host_serror_rate",
    "dst_host_srv_serror_rate",
    "dst_host_rerror_rate",
    "dst_host_srv_rerror_rate",
)
_ATTACKS = {
    "DoS": "back land neptune pod smurf teardrop apache2 mailbomb processtable udpstorm worm",
    "Probe": "ipsweep nmap portsweep satan mscan saint",
    "R2L": "ftp_write guess_passwd imap multihop phf spy warezclient warezmaster named sendmail "
    "snmpgetattack snmpguess xlock xsnoop httptunnel",
    "U2R": "buffer_overflow loadmodule perl rootkit ps sqlattack xterm",
}
GROUPS = {"normal": "normal"} | {
    attack: group for group, attacks in _ATTACKS.items() for attack in attacks.split()
}


def _type(column: str) -> pa.DataType:
    if column in ("protocol_type", "service", "flag", "label"):
        return pa.string()
    return pa.float64() if column.endswith("_rate") else pa.int64()


def connections(path: Path, *, ignored_columns: tuple[str, ...] = ()) -> Iterator[pa.Table]:
    """The features and the label of a file without a header, block by block; `ignored_columns` come last."""
    columns = (*FEATURES, "label")
    with pyarrow.csv.open_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=[*columns, *ignored_columns]),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=columns, column_types={column: _type(column) for column in columns}
        ),
    ) as blocks:
        for block in blocks:
            yield pa.Table.from_batches([block])
