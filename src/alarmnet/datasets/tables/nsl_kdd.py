"""NSL-KDD."""

from pathlib import Path

import pyarrow as pa

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import load_table
from alarmnet.datasets.tables.kdd import GROUPS, connections


def read_nsl_kdd(path: Path) -> pa.Table:
    """Features and label of either part; the difficulty is left out."""
    return pa.concat_tables(connections(path, ignored_columns=("difficulty",)))


def load_nsl_kdd() -> Table:
    """NSL-KDD: network connections, KDDTrain+ as training part and KDDTest+ as test part.

    `classes` holds the attack names and `groups` maps them to normal, DoS, Probe, R2L and U2R. Papers differ
    on two names: worm counts as DoS here, httptunnel as R2L. The difficulty column is left out.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_nsl_kdd()  # doctest: +SKIP
    >>> table.train.frame.num_rows, table.groups["smurf"]  # doctest: +SKIP
    (125973, 'DoS')
    """
    return load_table(NSL_KDD, read_nsl_kdd, class_column="label", groups=GROUPS)


NSL_KDD = DatasetInfo(
    "nsl-kdd",
    title="NSL-KDD",
    rows=148_517,
    classes=40,
    licence="free for research; cite Tavallaee, Bagheri, Lu and Ghorbani, 2009",
    source="https://www.unb.ca/cic/datasets/nsl.html",
    caveat="17 attack names are in the test part only; worm counts as DoS, httptunnel as R2L",
    files=(
        (
            DataFile(
                "nsl-kdd/KDDTrain+.txt.gz",
                sha256="39e78eaceffb1a183af002b4994b100b69795895bfbf67cfc62dabd4c9b76d4e",
                size=2_047_387,
            ),
            DataFile(
                "nsl-kdd/KDDTrain+.txt",
                sha256="1b86d2f957b33082081bba410fe129b475efebcc13c9014c3f447c8271aadf95",
                size=19_109_424,
            ),
        ),
        (
            DataFile(
                "nsl-kdd/KDDTest+.txt.gz",
                sha256="1ebe1079af669e3c35ef7be25b5bafde1e47951244d1b4834682b14a22238da1",
                size=373_913,
            ),
            DataFile(
                "nsl-kdd/KDDTest+.txt",
                sha256="fa46b0935342616aa83b7c2578db355b6a7aaabbc492248172c7a1e8b7ab8f84",
                size=3_441_513,
            ),
        ),
    ),
    loader=load_nsl_kdd,
)
