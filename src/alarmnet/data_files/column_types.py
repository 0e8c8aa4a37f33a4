"""Columns of types that nothing can be learned from."""

from collections.abc import Mapping
from pathlib import Path

from alarmnet.errors import InputError


def refuse_unusable(path: Path, held: Mapping[str, object]) -> None:
    """Refuse the first of some columns, given with what they hold."""
    for name, what in held.items():
        raise InputError(
            f"{path}: column {name!r} holds {what}, which cannot be used; "
            "leave it out or turn it into numbers, text or dates",
            code="column_type",
            column=name,
        )
