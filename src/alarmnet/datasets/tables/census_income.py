"""Census income."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from alarmnet.datasets.base import DatasetInfo, Table
from alarmnet.datasets.fetch import DataFile
from alarmnet.datasets.tables.base import UCI_URL, load_table

_COLUMNS = (
    "age",
    "class of worker",
    "detailed industry recode",
    "detailed occupation recode",
    "education",
    "wage per hour",
    "enroll in edu inst last wk",
    "marital stat",
    "major industry code",
    "major occupation code",
    "race",
    "hispanic origin",
    "sex",
    "member of a labor union",
    "reason for unemployment",
    "full or part time employment stat",
    "capital gains",
    "capital losses",
    "dividends from stocks",
    "tax filer stat",
    "region of previous residence",
    "state of previous residence",
    "detailed household and family stat",
    "detailed household summary in household",
    "instance weight",
    "migration code-change in msa",
    "migration code-change in reg",
    "migration code-move within reg",
    "live in this house 1 year ago",
    "migration prev res in sunbelt",
    "num persons worked for employer",
    "family members under 18",
    "country of birth father",
    "country of birth mother",
    "country of birth self",
    "citizenship",
    "own business or self employed",
    "fill inc questionnaire for veteran's admin",
    "veterans benefits",
    "weeks worked in year",
    "year",
    "label",
)
_NUMBERS = frozenset(
    {
        "age",
        "wage per hour",
        "capital gains",
        "capital losses",
        "dividends from stocks",
        "num persons worked for employer",
        "weeks worked in year",
    }
)


def _without_leading_space(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not pa.types.is_dictionary(column.type):
        return column
    chunks = [pc.utf8_ltrim_whitespace(chunk.dictionary).take(chunk.indices) for chunk in column.chunks]
    return pa.chunked_array(chunks, type=pa.string())


def _read(path: Path) -> pa.Table:
    columns = [name for name in _COLUMNS if name != "instance weight"]
    # Dictionaries, so that a value is cleaned once and not once a row.
    text = pa.dictionary(pa.int32(), pa.string())
    rows = pyarrow.csv.read_csv(
        path,
        read_options=pyarrow.csv.ReadOptions(column_names=_COLUMNS),
        convert_options=pyarrow.csv.ConvertOptions(
            include_columns=columns,
            column_types={name: pa.int64() if name in _NUMBERS else text for name in columns},
            null_values=[" ?"],
            strings_can_be_null=True,
        ),
    ).unify_dictionaries()
    return pa.table({name: _without_leading_space(rows[name]) for name in columns})


def load_census_income() -> Table:
    """Census income (KDD): people in US surveys of 1994 and 1995, class "50000+." is a high income.

    The instance weight is left out, "?" is missing, and codes written as numbers (industry, occupation, year)
    are string columns, as the original documentation has them: 7 numeric and 33 nominal columns.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> table = load_census_income()  # doctest: +SKIP
    >>> table.train.frame.num_rows, table.groups  # doctest: +SKIP
    (199523, {'- 50000.': '- 50000.', '50000+.': '50000+.'})
    """
    return load_table(CENSUS_INCOME, _read, class_column="label")


CENSUS_INCOME = DatasetInfo(
    "census-income",
    title="Census income (KDD)",
    rows=299_285,
    classes=2,
    licence="CC BY 4.0; T. Lane and R. Kohavi, US Census Bureau",
    source="https://archive.ics.uci.edu/dataset/117/census+income+kdd",
    caveat="the instance weight is left out; duplicate rows are kept",
    files=(
        (
            DataFile(
                "census-income/census-income.data.gz",
                sha256="3a8265c042a3a804761b804e3fbd2b44d26780fc11848cdc499a439b6ec209c2",
                size=5_988_689,
            ),
            DataFile(
                "census-income/census-income.data",
                sha256="3676a81db7d3528f3f8b9f3c699d0f0aa28db45e6e994fa0b8ed38327539ee86",
                size=103_874_469,
                url=f"{UCI_URL}/census-income-mld/census-income.data.gz",
            ),
        ),
        (
            DataFile(
                "census-income/census-income.test.gz",
                sha256="5ac4cacd3ca9f1ecb10de1a0a41e4ac68fdc419e3fec190f5c0c6cc03b2ea659",
                size=3_261_416,
            ),
            DataFile(
                "census-income/census-income.test",
                sha256="98402b1ab879573d0a7f38a699a40258080e25e33d3401e7bf9c96d3fa0fab8c",
                size=51_918_813,
                url=f"{UCI_URL}/census-income-mld/census-income.test.gz",
            ),
        ),
    ),
    loader=load_census_income,
)
