"""Parameters as JSON and back: the values a model file needs to make the same networks again."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from alarmnet._shared.labels import listed
from alarmnet.networks.alarm_specs import AlarmSpec
from alarmnet.networks.alarms import ConvAlarm, DenseAlarm
from alarmnet.networks.generators import GENERATORS
from alarmnet.networks.targets import TARGETS, ExternalTarget
from alarmnet.networks.training import Schedule, ScheduleChanges

RECIPES: dict[str, type[Any]] = {
    recipe.__name__: recipe
    for recipe in (
        *TARGETS,
        *GENERATORS,
        DenseAlarm,
        ConvAlarm,
        Schedule,
        ScheduleChanges,
        AlarmSpec,
    )
}
"""Every value that a model file may name; nothing else is ever made from a file."""


def to_json(value: Any) -> Any:
    """A parameter as JSON-ready values; what has no recipe is named by its type alone.

    >>> to_json(DenseAlarm(hidden=(8, 4)))
    {'recipe': 'DenseAlarm', 'hidden': [8, 4], 'dropout': 0.1}
    """
    if isinstance(value, np.generic):
        return value.item()
    if type(value) in RECIPES.values():
        fields = {field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"recipe": type(value).__name__, **fields}
    if isinstance(value, range) or hasattr(value, "to_numpy"):
        value = listed(value)
    if isinstance(value, tuple | list | set | frozenset | np.ndarray):
        return [to_json(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    given = {"given": type(value).__name__}
    return {**given, "layers": [*value.layers]} if isinstance(value, ExternalTarget) else given


def from_json(value: Any) -> Any:
    """The parameter again; one that has no recipe comes back as None.

    Raises
    ------
    KeyError, TypeError, ValueError
        The value names no recipe, or fields it does not have.

    >>> from_json(to_json(DenseAlarm(hidden=(8, 4)))) == DenseAlarm(hidden=(8, 4))
    True
    """
    if isinstance(value, Mapping):
        if "given" in value:
            return None
        fields = {name: from_json(field) for name, field in value.items() if name != "recipe"}
        return RECIPES[value["recipe"]](**fields)
    if isinstance(value, list):
        return tuple(from_json(item) for item in value)
    return value
