"""Bank marketing."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import UCI_URL, load_table


def _read(path: Path) -> pa.Table:
    return pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter=";"))


def load_bank_marketing(*, with_duration: bool = True) -> Table:
    """Bank marketing (bank-additional-full): phone calls of a bank, class "yes" is a sold deposit.

    Parameters
    ----------
    with_duration
        Keep the column `duration`, the length of the call. It is known only after the call, when the class is
        known too: leave it out to judge what a detector can do beforehand.

    Raises
    ------
    InputError
        The file is missing or is not the published one.

    Examples
    --------
    >>> table = load_bank_marketing(with_duration=False)  # doctest: +SKIP
    >>> table.frame.num_columns  # doctest: +SKIP
    19
    """
    table = load_table(BANK_MARKETING, _read, class_column="y")
    return table if with_duration else replace(table, frame=table.frame.drop_columns("duration"))


BANK_MARKETING = DatasetInfo(
    "bank-marketing",
    title="Bank marketing (additional, full)",
    rows=41_188,
    classes=2,
    licence="CC BY 4.0; cite Moro, Cortez and Rita, 2014",
    source="https://archive.ics.uci.edu/dataset/222/bank+marketing",
    caveat="duration is known only after the call: with_duration=False leaves it out",
    files=(
        (
            DataFile(
                "bank-marketing/bank-additional-full.csv.gz",
                sha256="25ef5a7f820659c9010405d079b068761b9e4a75c232a6271ee6a77fc3de52ae",
                size=353_533,
            ),
            DataFile(
                "bank-marketing/bank-additional-full.csv",
                sha256="74adfc578bf77a7ff4bb1ba4a9f8709d9e3c6907342959c2c8416847e0afb4d8",
                size=5_834_924,
                url=f"{UCI_URL}/00222/bank-additional.zip",
                member="bank-additional/bank-additional-full.csv",
            ),
        ),
    ),
    loader=load_bank_marketing,
)
