"""How much memory training is expected to take."""

from datetime import date, datetime
from typing import Any

import pyarrow as pa
import pytest

from alarmnet.sources.memory import available_bytes, estimated_bytes, estimated_image_bytes

TEXTS = pa.array(["a", "b", None] * 5)
NUMBERS = pa.array([1.0, 2.0, None] * 5)


def estimated(cells: pa.Array) -> int:
    """Of many rows without the table itself, so that the width it is encoded to decides."""
    return estimated_bytes(pa.table({"x": cells}), rows=10**5 * len(cells)) - 3 * 10**5 * int(cells.nbytes)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_texts_of_every_type_become_as_many_columns(kind: pa.DataType) -> None:
    assert estimated(TEXTS.cast(kind)) == estimated(TEXTS.dictionary_encode()) > estimated(NUMBERS)


@pytest.mark.parametrize("times", [[date(2024, 1, 31), None, None], [datetime(2024, 1, 31), None, None]])
def test_times_become_several_columns(times: list[Any]) -> None:
    assert estimated(pa.array(times * 5)) > estimated(TEXTS)


def test_networks_of_wide_tables_weigh() -> None:
    def wide(columns: int) -> int:
        return estimated_bytes(pa.table({str(n): [1.0] for n in range(columns)}), rows=1, by_column=True)

    assert wide(1500) > 400 << 20  # 600 MiB were measured
    assert wide(1500) == pytest.approx(100 * wide(15), rel=0.01)


def test_texts_are_not_cut_into_pieces() -> None:
    texts = pa.table({str(n): [str(m) for m in range(100)] for n in range(100)})  # 10,100 columns encoded
    assert estimated_bytes(texts, rows=100, by_column=True) < 300 << 20


def test_images_take_more_by_their_size_number_and_type() -> None:
    small = estimated_image_bytes((1, 28, 28), rows=1000, pixel_bytes=1)
    assert small < estimated_image_bytes((1, 28, 28), rows=1000, pixel_bytes=8)
    assert small < estimated_image_bytes((3, 28, 28), rows=1000, pixel_bytes=1)
    assert estimated_image_bytes((1, 300, 300), rows=5000, pixel_bytes=1) > 3 * 5000 * 300 * 300 * 5


def test_available_memory_is_known_here() -> None:
    available = available_bytes()
    assert available is not None
    assert available > 1 << 20
