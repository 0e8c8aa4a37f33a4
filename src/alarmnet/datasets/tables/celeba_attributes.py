"""CelebA attributes."""

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import load_table

_CLASS = "Bald"


def _read(path: Path) -> pa.Table:
    """The attributes alone: line 1 is the number of rows, line 2 their names, and a row starts with an image."""
    with pa.input_stream(path) as content:
        _, names, rows = content.read().split(b"\n", 2)
    attributes = names.decode().split()
    return pyarrow.csv.read_csv(
        io.BytesIO(rows.replace(b"  ", b" ")),
        read_options=pyarrow.csv.ReadOptions(column_names=["image", *attributes]),
        parse_options=pyarrow.csv.ParseOptions(delimiter=" "),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=attributes,
            column_types=dict.fromkeys(attributes, pa.int8()) | {_CLASS: pa.string()},
        ),
    )


def load_celeba_attributes() -> Table:
    """CelebA: 40 attributes of 202,599 pictures of faces, without the pictures; class "1" is bald, "-1" is not.

    The other 39 attributes are the features: int8, 1 where the face has it and -1 where not.

    Raises
    ------
    InputError
        The file is missing or is not the published one.

    Examples
    --------
    >>> table = load_celeba_attributes()  # doctest: +SKIP
    >>> table.frame.num_columns, int((table.classes == "1").sum())  # doctest: +SKIP
    (39, 4547)
    """
    return load_table(CELEBA_ATTRIBUTES, _read, class_column=_CLASS)


CELEBA_ATTRIBUTES = DatasetInfo(
    "celeba-attributes",
    title="CelebA attributes",
    rows=202_599,
    classes=2,
    licence="non-commercial research only; cite Liu, Luo, Wang and Tang, 2015",
    source="https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    caveat="the class is the attribute Bald: 1 or -1",
    files=(
        (
            DataFile(
                "celeba/list_attr_celeba.txt.gz",
                sha256="60e4f178f34e53533bae65f38caa929d7d22245d6f364516554c7828d745c37a",
                size=1_801_631,
            ),
            DataFile(
                "celeba/list_attr_celeba.txt",
                sha256="f0e5da289d5ccf75ffe8811132694922b60f2af59256ed362afa03fefba324d0",
                size=26_721_026,
            ),
        ),
    ),
    loader=load_celeba_attributes,
)
