"""Makes either encoder from its JSON-ready values."""

from collections.abc import Mapping
from typing import Any

from alarmnet.preprocessing.images import ImageScaler
from alarmnet.preprocessing.table_encoder import TableEncoder

ENCODERS: dict[str, type[TableEncoder | ImageScaler]] = {"table": TableEncoder, "images": ImageScaler}


def encoder_from_dict(state: Mapping[str, Any]) -> TableEncoder | ImageScaler:
    """Give the encoder back from what its ``to_dict`` gave, whichever of the two it was.

    Raises ValueError, KeyError or TypeError if the state is damaged.

    Examples
    --------
    >>> encoder = TableEncoder().fit([[0.0], [1.0]])
    >>> encoder_from_dict(encoder.to_dict()).transform([[1.0]])
    array([[1.]], dtype=float32)
    """
    return ENCODERS[state["kind"]].from_dict(state)
