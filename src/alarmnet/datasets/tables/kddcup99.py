"""KDD Cup 1999: whole, its 10 %, and the two sets that the E2E-ConvA3 paper takes from it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import UCI_URL, as_table, load_table
from alarmnet.datasets.tables.kdd import GROUPS, connections
from alarmnet.datasets.tables.nsl_kdd import NSL_KDD, read_nsl_kdd

_GROUPS = {f"{attack}.": group for attack, group in GROUPS.items()}
_HTTP = pc.field("service") == "http"
_NORMAL_OR_PORTSWEEP = pc.field("label").isin(["normal.", "portsweep."])


def _read(path: Path) -> pa.Table:
    return pa.concat_tables(connections(path))


def _blocks(path: Path) -> Iterator[pa.Table]:
    """Rows of either edition; NSL-KDD writes labels without the dot."""
    if path.name.startswith("KDDTrain+"):
        rows = read_nsl_kdd(path)
        dotted = pc.binary_join_element_wise(rows["label"], ".", "")
        yield rows.set_column(rows.column_names.index("label"), "label", dotted)
    else:
        yield from connections(path)


def _distinct(info: DatasetInfo, keep: pc.Expression) -> Table:
    rows = pa.concat_tables(block.filter(keep) for path in info.paths() for block in _blocks(path))
    distinct = rows.group_by(rows.column_names, use_threads=False).aggregate([])
    left_out = {"repeats an earlier row": rows.num_rows - distinct.num_rows}
    return as_table(info, distinct, class_column="label", groups=_GROUPS, left_out=left_out)


def load_kddcup99(*, ten_percent: bool = False) -> Table:
    """KDD Cup 1999: network connections, the labelled test ("corrected") as test part; class "normal." is normal.

    `groups` maps the attack names to DoS, Probe, R2L and U2R as for NSL-KDD. Duplicate rows, most of the set,
    are kept. The whole set takes about 2 GB of memory, its 10 % a sixth of that.

    Parameters
    ----------
    ten_percent
        Train on the published 10 % (494,021 rows) instead of all 4,898,431. The test part stays the same.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_kddcup99(ten_percent=True)  # doctest: +SKIP
    >>> table.train.frame.num_rows, table.groups["smurf."]  # doctest: +SKIP
    (494021, 'DoS')
    """
    info = KDDCUP99_10_PERCENT if ten_percent else KDDCUP99
    return load_table(info, _read, class_column="label", groups=_GROUPS)


def load_kdd_http(*, stand_in: bool = False) -> Table:
    """kdd(http) of the E2E-ConvA3 paper: the distinct http connections of KDD Cup 1999, every attack an anomaly.

    Parameters
    ----------
    stand_in
        Take the distinct rows of the 10 % and of NSL-KDD's training part instead: 97,334 of the 580,507 rows,
        with 2.4 % attacks instead of 0.48 %. Say so with any result.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_kdd_http(stand_in=True)  # doctest: +SKIP
    >>> table.frame.num_rows, int((table.classes != "normal.").sum())  # doctest: +SKIP
    (97334, 2351)
    """
    return _distinct(KDD_HTTP_STAND_IN if stand_in else KDD_HTTP, _HTTP)


def load_kdd_portsweep(*, stand_in: bool = False) -> Table:
    """kdd(ps) of the E2E-ConvA3 paper: the distinct normal and portsweep connections of KDD Cup 1999.

    Parameters
    ----------
    stand_in
        Take the distinct rows of the 10 % and of NSL-KDD's training part instead: 151,050 of the 816,378 rows,
        with 2.0 % attacks instead of 0.44 %. Say so with any result.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_kdd_portsweep(stand_in=True)  # doctest: +SKIP
    >>> table.frame.num_rows, int((table.classes == "portsweep.").sum())  # doctest: +SKIP
    (151050, 2992)
    """
    return _distinct(KDD_PORTSWEEP_STAND_IN if stand_in else KDD_PORTSWEEP, _NORMAL_OR_PORTSWEEP)


_URL = f"{UCI_URL}/kddcup99-mld"
_SOURCE = "https://archive.ics.uci.edu/dataset/130/kdd+cup+1999+data"
_LICENCE = "CC BY 4.0; S. Stolfo, W. Lee and others, 1999"
_WHOLE = (
    DataFile(
        "kddcup99/kddcup.data.gz",
        sha256="3b6c942aa0356c0ca35b7b595a26c89d343652c9db428893e7494f837b274292",
        size=18_115_902,
        url=f"{_URL}/kddcup.data.gz",
    ),
)
_TEN_PERCENT = (
    DataFile(
        "kddcup99/kddcup.data_10_percent.gz",
        sha256="8045aca0d84e70e622d1148d7df782496f6333bf6eb979a1b0837c42a9fd9561",
        size=2_144_903,
        url=f"{_URL}/kddcup.data_10_percent.gz",
    ),
    DataFile(
        "kddcup99/kddcup.data_10_percent",
        sha256="f8c8267ebcd9c0ed1fd7d6277fe5bfff8732e9b7db8e61b873542b2a534b6f9a",
        size=74_889_749,
    ),
)
_TEST = (
    DataFile(
        "kddcup99/corrected.gz",
        sha256="74f0daef49b242badc09f2adbd457dea6a45b4f77177efbd11216d333651044b",
        size=1_409_035,
    ),
    DataFile(
        "kddcup99/corrected",
        sha256="547dfb9c0f0dc1d9944219ec79e851191faebaeb8acbfa1cd171c418397052a4",
        size=47_251_540,
        url=f"{_URL}/corrected.gz",
    ),
)

KDDCUP99 = DatasetInfo(
    "kddcup99",
    title="KDD Cup 1999",
    rows=5_209_460,
    classes=40,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="four rows in five are duplicates; 17 attack names are in the test part only",
    files=(_WHOLE, _TEST),
    loader=load_kddcup99,
)
KDDCUP99_10_PERCENT = DatasetInfo(
    "kddcup99-10-percent",
    title="KDD Cup 1999, 10 % of the training part",
    rows=805_050,
    classes=40,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="most rows are duplicates; 17 attack names are in the test part only",
    files=(_TEN_PERCENT, _TEST),
    loader=partial(load_kddcup99, ten_percent=True),
)
KDD_HTTP = DatasetInfo(
    "kdd-http",
    title="kdd(http): distinct http connections of KDD Cup 1999",
    rows=580_507,
    classes=8,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="none",
    files=(_WHOLE,),
    loader=load_kdd_http,
)
KDD_PORTSWEEP = DatasetInfo(
    "kdd-portsweep",
    title="kdd(ps): distinct normal and portsweep connections of KDD Cup 1999",
    rows=816_378,
    classes=2,
    licence=_LICENCE,
    source=_SOURCE,
    caveat="none",
    files=(_WHOLE,),
    loader=load_kdd_portsweep,
)
_STAND_IN_LICENCE = f"{_LICENCE}; {NSL_KDD.licence}"
_STAND_IN_SOURCE = f"{_SOURCE} and {NSL_KDD.source}"
KDD_HTTP_STAND_IN = DatasetInfo(
    "kdd-http-stand-in",
    title="kdd(http) from the 10 % and NSL-KDD",
    rows=97_334,
    classes=8,
    licence=_STAND_IN_LICENCE,
    source=_STAND_IN_SOURCE,
    caveat="a sixth of kdd(http), with 2.4 % attacks instead of 0.48 %: say so with any result",
    files=(_TEN_PERCENT, NSL_KDD.files[0]),
    loader=partial(load_kdd_http, stand_in=True),
)
KDD_PORTSWEEP_STAND_IN = DatasetInfo(
    "kdd-portsweep-stand-in",
    title="kdd(ps) from the 10 % and NSL-KDD",
    rows=151_050,
    classes=2,
    licence=_STAND_IN_LICENCE,
    source=_STAND_IN_SOURCE,
    caveat="a fifth of kdd(ps), with 2.0 % attacks instead of 0.44 %: say so with any result",
    files=(_TEN_PERCENT, NSL_KDD.files[0]),
    loader=partial(load_kdd_portsweep, stand_in=True),
)
