"""The column names of files: each once in a file, and the same in all of them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from alarmnet._shared.spelling import near_names
from alarmnet.errors import InputError


def check_unique(path: Path, names: Sequence[str]) -> None:
    """Refuse names that stand there twice."""
    doubled = [name for name, count in Counter(names).items() if count > 1]
    if doubled:
        hint = "is the first line a header?"
        if "" in doubled:  # as spreadsheets write empty columns
            hint = f"{names.count('')} have none: name or remove them"
        raise InputError(
            f"{path} names columns more than once: {', '.join(map(repr, doubled[:5]))}; "
            f"every column needs a name of its own ({hint})",
            code="duplicate_columns",
        )


def check_same(path: Path, names: Sequence[str], *, first_path: Path, first_names: Sequence[str]) -> None:
    """Refuse other names than the first file has; their order may differ."""
    absent = [name for name in first_names if name not in names]
    added = [name for name in names if name not in first_names]
    if absent or added:
        differences = [f"lacks {absent}" if absent else "", f"also has {added}" if added else ""]
        raise InputError(
            f"{path} has other columns than {first_path}: it {' and '.join(filter(None, differences))}"
            f"{near_names(absent, added)}",
            code="columns_differ",
        )
