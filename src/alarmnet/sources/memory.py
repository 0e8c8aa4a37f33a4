"""How much memory training takes, before it takes it."""

import math
from collections.abc import Sequence
from pathlib import Path

import psutil
import pyarrow as pa

from alarmnet._shared.containers import decoded
from alarmnet.detectors.a3 import WIDEST
from alarmnet.detectors.alarm_training import KEPT_ACTIVATIONS
from alarmnet.detectors.roles import VALIDATION_ROWS
from alarmnet.errors import InputError
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS
from alarmnet.networks.piecewise import SHARES
from alarmnet.networks.targets.dense import suggested_hidden
from alarmnet.preprocessing import TableEncoder

FLOAT32_BYTES = 4
TIMES_WEIGHTS = 4
"""A weight, its gradient, and the two moments that training keeps of it."""
TIMES_BATCH = 2_560
"""Rows as wide as what the networks read that are there while a batch passes them."""
KEPT_MAPS, PASSING_MAPS = 12, 80
"""Numbers a pixel that a convolutional target leaves in memory, and that are there while an image passes it."""


def _is_text(kind: pa.DataType) -> bool:
    return not (pa.types.is_primitive(kind) or pa.types.is_decimal(kind) or pa.types.is_null(kind))


def _encoded_width(column: pa.ChunkedArray) -> int:
    column = decoded(column)
    missing = int(column.null_count > 0)
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return 4 + missing
    if not _is_text(kind):
        return 1 + missing
    texts = len(column.unique()) - missing
    return min(texts, TableEncoder().max_categories) + 1 + missing


def _passing_bytes(columns: Sequence[pa.ChunkedArray]) -> int:
    """The networks that read these columns encoded, all but texts cut into pieces, and a batch that passes them."""
    pieces = 2 * (len(SHARES) - 1)
    read = sum(_encoded_width(column) * (1 if _is_text(column.type) else 1 + pieces) for column in columns)
    first, *_ = suggested_hidden(WIDEST)
    weights = read * (
        2 * first + sum(spec.shape.hidden[0] for spec in DEFAULT_ALARMS["inputs"] if spec.shape.hidden)
    )
    return FLOAT32_BYTES * (TIMES_WEIGHTS * weights + TIMES_BATCH * read)


def estimated_bytes(sample: pa.Table, *, rows: int, by_column: bool = False) -> int:
    """Guess the most that training on so many rows holds at once, from the first rows.

    It is the encoded matrix (four bytes a cell; a text column becomes as many cells as the sample has different
    texts) and what is copied of it, the activations that training keeps, the networks, and the table itself three
    times, unless it is read `by_column`.

    Examples
    --------
    >>> estimated_bytes(pa.table({"bytes": [1.0, 2.0]}), rows=1000)
    883664
    """
    width = sum(_encoded_width(column) for column in sample.columns)
    activations = rows * FLOAT32_BYTES * (width + 2 * sum(suggested_hidden(width)))
    table = rows * sample.nbytes / max(len(sample), 1)
    matrix = rows * FLOAT32_BYTES * width
    kept = min(activations, KEPT_ACTIVATIONS)
    return int(3 * table * (not by_column) + 1.5 * matrix + kept + _passing_bytes(sample.columns))


def estimated_image_bytes(shape: tuple[int, ...], *, rows: int, pixel_bytes: int) -> int:
    """Guess the most that training on so many images (C, H, W) holds at once.

    It is the images and their encoding (four bytes a pixel), three times each, the activations that training
    keeps, twice, and those of the images that are in the network at once.

    Examples
    --------
    >>> estimated_image_bytes((1, 28, 28), rows=10_000, pixel_bytes=1)
    937463552
    """
    pixels, area = rows * math.prod(shape), math.prod(shape[1:])
    kept = min(rows * area * KEPT_MAPS * FLOAT32_BYTES, KEPT_ACTIVATIONS)
    at_once = min(rows // 10 + 128, VALIDATION_ROWS)
    passing = at_once * area * PASSING_MAPS * FLOAT32_BYTES
    return 3 * pixels * (pixel_bytes + FLOAT32_BYTES) + 2 * kept + passing


def available_bytes() -> int:
    """Memory that is free now."""
    return int(psutil.virtual_memory().available)


def peak_bytes() -> int:
    """The most memory that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():
        facts = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return (
            int(facts["VmHWM"].split()[0]) * 1024
        )  # unlike getrusage's, not that of the process before exec
    if peak := getattr(psutil.Process().memory_info(), "peak_wset", 0):  # Windows
        return int(peak)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def shown_bytes(count: int) -> str:
    """Bytes for people.

    >>> shown_bytes(3 << 29), shown_bytes(3 << 20), shown_bytes(3 << 10)
    ('1.50 GiB', '3 MiB', '3 KiB')
    """
    if count < 1 << 20:
        return f"{count / (1 << 10):.0f} KiB"
    return f"{count / (1 << 30):.2f} GiB" if count >= 1 << 29 else f"{count / (1 << 20):.0f} MiB"


def check_memory(needed: int, available: int, *, remedy: str) -> None:
    """Refuse what does not fit, and say what to do.

    Raises
    ------
    InputError
        Says how much is needed and there.
    """
    if needed > available:
        raise InputError(
            f"training would take about {shown_bytes(needed)} of memory and {shown_bytes(available)} are "
            f"available: {remedy}",
            code="too_large",
        )
