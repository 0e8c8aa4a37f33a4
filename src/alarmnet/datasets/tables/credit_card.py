"""Credit card fraud."""

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import load_table

_SCHEMA = pa.schema(
    [
        ("Time", pa.int64()),
        *((f"V{number}", pa.float32()) for number in range(1, 29)),
        ("Amount", pa.float32()),
        ("Class", pa.string()),
    ]
)


def _read(path: Path) -> pa.Table:
    read = pyarrow.parquet.read_table if path.suffix == ".parquet" else pyarrow.csv.read_csv
    return read(path).select(_SCHEMA.names).cast(_SCHEMA)


def load_credit_card() -> Table:
    """Credit card fraud: two days of European card payments, class "1" is a fraud.

    V1 to V28 (principal components) and Amount are float32, whichever form the file has; Time is in seconds
    since the first payment. The 1,081 exact duplicate rows of the original are kept.

    Raises
    ------
    InputError
        The file is missing or is not the published one.

    Examples
    --------
    >>> table = load_credit_card()  # doctest: +SKIP
    >>> int((table.classes == "1").sum())  # doctest: +SKIP
    492
    """
    return load_table(CREDIT_CARD, _read, class_column="Class")


CREDIT_CARD = DatasetInfo(
    "credit-card",
    title="Credit card fraud (ULB)",
    rows=284_807,
    classes=2,
    licence="Open Database License / DbCL 1.0; cite Dal Pozzolo, Caelen, Johnson and Bontempi, 2015",
    source="https://www.kaggle.com/datasets/mlg-ulb/creditcardfraud",
    caveat="V1 to V28 and Amount as float32; 1,081 duplicate rows are kept",
    files=(
        (
            DataFile(
                "creditcard/creditcard.parquet",
                sha256="e5bd225ffb4fed2b20180f0208dc1bece497fd20b1e9035b0ca4ec9f2b6a8ea6",
                size=28_208_377,
            ),
            DataFile(
                "creditcard/creditcard.csv",
                sha256="76274b691b16a6c49d3f159c883398e03ccd6d1ee12d9d8ee38f4b4b98551a89",
                size=150_828_752,
                url="https://storage.googleapis.com/download.tensorflow.org/data/creditcard.csv",
            ),
        ),
    ),
    loader=load_credit_card,
)
