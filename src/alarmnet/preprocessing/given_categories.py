"""The categories that a user lists for columns."""

from collections.abc import Mapping

from alarmnet.errors import InputError, InputTypeError
from alarmnet.preprocessing.cells import as_text


def given_categories(categories: object) -> dict[str, tuple[str, ...]]:
    """Read the `categories` parameter of a `TableEncoder`: column name to different texts, in the user's order."""
    if not isinstance(categories, Mapping | None):
        raise InputTypeError(
            "The 'categories' parameter of TableEncoder must map column names to lists of categories. "
            f"Got {categories!r} instead.",
            code="invalid_parameter",
        )
    given = {name: tuple(as_text(value) for value in values) for name, values in (categories or {}).items()}
    for name, texts in given.items():
        if not texts or len(set(texts)) < len(texts):
            raise InputError(
                f"The 'categories' parameter of TableEncoder must list different categories. "
                f"Got {texts!r} for column {name!r} instead.",
                code="invalid_parameter",
                column=name,
            )
    return given
