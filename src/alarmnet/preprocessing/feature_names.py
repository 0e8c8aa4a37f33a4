"""Columns to encode compared with those of training, by name."""

from collections.abc import Collection, Iterable, Sequence

from alarmnet._shared.phrases import quoted
from alarmnet._shared.spelling import near_names
from alarmnet.errors import InputError

_PROBLEM = "The feature names should match those that were passed during fit.\n"


def refuse_other_names(
    names: Collection[str], *, needed: Iterable[str], extra: Sequence[str], ignored: bool
) -> None:
    """Refuse a table that lacks columns which are needed, or has `extra` ones that are not ignored."""
    missing = [name for name in needed if name not in names]
    if missing:
        raise InputError(
            f"{_PROBLEM}Feature names seen at fit time, yet now missing: {quoted(missing)}"
            f"{near_names(missing, extra) or '. Add these columns'}.",
            code="missing_columns",
            column=missing[0],
        )
    if extra and not ignored:
        raise InputError(
            f"{_PROBLEM}Feature names unseen at fit time: {quoted(extra)}. Drop these columns, or train with "
            "TableEncoder(on_extra='ignore').",
            code="extra_columns",
            column=extra[0],
        )
