"""Templates of pages: everything escaped, values in words, and the pieces that pages share."""

from typing import TYPE_CHECKING

from alarmnet import plots
from alarmnet._shared.phrases import counted
from alarmnet.report import words

if TYPE_CHECKING:
    from jinja2 import Environment


def templates(*packages: str) -> "Environment":
    """Give the templates of these packages; a page of another package finds the report's pieces in the last one.

    Raises
    ------
    MissingExtraError
        If Jinja2 is not installed.
    """
    plots.require_extra("jinja2")
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": words.as_count,
        "counted": counted,
        "percent": words.as_percent,
        "decimal": words.as_decimal,
        "p_value": words.as_p_value,
        "visible": words.as_visible,
        "shortened": words.shortened,
    }
    return environment
