"""Plain numbers of a few rows are encoded at once, to the bits that each column alone gets."""

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from alarmnet import InputError, TableEncoder
from alarmnet._shared.validation import EXACT_INTEGER_LIMIT
from alarmnet.preprocessing.number_block import FEW
from alarmnet.preprocessing.scales import Scaling

pytestmark = pytest.mark.filterwarnings("ignore:Column 'spelled' is read as numbers")

generator = np.random.default_rng(0)
ROWS = 5 * FEW
TABLE = pd.DataFrame(
    {
        "float": generator.normal(size=ROWS) * 1e-9,
        "text": generator.choice(list("abc"), ROWS),
        "missing": np.where(generator.random(ROWS) < 0.3, np.nan, generator.normal(size=ROWS) * 1e9),
        "whole": generator.integers(-9, 9, ROWS),
        "narrow": generator.normal(size=ROWS).astype(np.float32),
        "boolean": generator.random(ROWS) < 0.5,
        "lasting": pd.to_timedelta(generator.integers(0, 999, ROWS), unit="s"),
        "spelled": [f"{number:,.2f}" for number in generator.normal(size=ROWS) * 1e5],
        "zero": np.where(np.arange(ROWS) % 2, -0.0, 0.0),
    }
)


@pytest.mark.parametrize("of", [pd.DataFrame, pl.from_pandas, pa.Table.from_pandas])
@pytest.mark.parametrize("scaling", ["minmax", "standard", "quantile"])
@pytest.mark.parametrize("few", [1, FEW])
def test_few_rows_are_encoded_as_among_many(of: Any, scaling: Scaling, few: int) -> None:
    encoder = TableEncoder(scaling=scaling).fit(TABLE)
    expected = encoder.transform(TABLE)
    for start in range(0, ROWS, 5 * few):
        part = slice(start, start + few)
        assert encoder.transform(of(TABLE[part])).tobytes() == expected[part].tobytes()


def test_what_is_refused_or_warned_of_is_so_in_few_rows_too() -> None:
    encoder = TableEncoder(scaling="minmax").fit(TABLE)
    with pytest.raises(InputError, match="contains infinity: column 'narrow', row 1"):
        encoder.transform(TABLE[:2].assign(narrow=[0.0, np.inf]))
    with pytest.raises(InputError, match="float32 range"):
        encoder.transform(TABLE[:2].assign(float=[0.0, 1e39]))
    with pytest.raises(InputError, match="Column 'float' is read as numbers"):
        encoder.transform(TABLE[:1].assign(float=["many"]))
    with pytest.warns(match="'whole'"):
        encoder.transform(TABLE[:1].assign(whole=[EXACT_INTEGER_LIMIT + 1]))


def test_numbers_of_another_type_than_in_training_are_read_too() -> None:
    encoder = TableEncoder(scaling="minmax").fit(TABLE)
    as_text = encoder.transform(TABLE[:3].assign(whole=TABLE["whole"][:3].astype(str)))
    assert as_text.tobytes() == encoder.transform(TABLE[:3]).tobytes()
