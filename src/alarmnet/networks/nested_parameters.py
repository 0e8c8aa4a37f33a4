"""scikit-learn's nested parameters where values are frozen: `set_params(alarm_schedule__steps=300)`."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Self

from sklearn.base import BaseEstimator, clone

from alarmnet.errors import InputError
from alarmnet.networks.training import Schedule, ScheduleChanges


def _settings(value: Any) -> dict[str, Any]:
    """The settings of a parameter's value, by name."""
    if isinstance(value, ScheduleChanges):
        return dict(value.changes)
    if not is_dataclass(value) or isinstance(value, type):
        return {}
    own = {field.name: getattr(value, field.name) for field in fields(value)}
    return own | _nested(own)


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{name}__{key}": setting
        for name, value in values.items()
        for key, setting in _settings(value).items()
    }


def _split(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Parameters that are given whole, and the changed settings of each other parameter by its name."""
    whole: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        first, nested, rest = name.partition("__")
        if nested:
            parts.setdefault(first, {})[rest] = value
        else:
            whole[name] = value
    return whole, parts


def _changed(value: Any, changes: Mapping[str, Any], name: str) -> Any:
    """A value like a parameter's with other settings; `name` is the parameter's."""
    whole, parts = _split(changes)
    kind = Schedule if isinstance(value, ScheduleChanges) else type(value)
    known = [field.name for field in fields(kind)] if is_dataclass(kind) else []
    for setting in (*whole, *parts):
        if setting not in known:
            has = f"its settings are {', '.join(known)}" if known else f"it is {value!r}, which has none"
            raise InputError(
                f"set_params knows no setting {setting!r} of {name!r}: {has}.", code="invalid_parameter"
            )
    whole |= {part: _changed(getattr(value, part), inner, f"{name}__{part}") for part, inner in parts.items()}
    return (
        value.changed(**whole) if isinstance(value, Schedule | ScheduleChanges) else replace(value, **whole)
    )


class Parameters(BaseEstimator):  # type: ignore[misc]
    """An estimator whose parameters' own settings scikit-learn can read, set and search over."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` adds those of their values, such as `alarm_schedule__steps`."""
        parameters: dict[str, Any] = super().get_params(deep)
        return parameters | (_nested(super().get_params(deep=False)) if deep else {})

    def set_params(self, **parameters: Any) -> Self:
        """Change parameters, or settings of their values: `set_params(alarm_schedule__steps=300)`.

        Where a schedule is None, what is not set stays as `fit` chooses it. What is refused changes nothing.

        Raises
        ------
        InputError
            A value has no such setting; says which it has.
        """
        whole, parts = _split(parameters)
        own = super().get_params(deep=False)
        for name in (*whole, *parts):
            if name not in own:
                super().set_params(**{name: None})  # refuses the name
        own |= whole
        estimators: dict[str, Any] = {}
        for name, changes in parts.items():
            value = self._default_of(name) if own[name] is None else own[name]
            if hasattr(value, "set_params"):
                clone(value).set_params(**changes)  # refuses what the estimator refuses
                estimators[name] = value
            else:
                whole[name] = _changed(value, changes, name)
        super().set_params(**whole | estimators)
        for name, value in estimators.items():
            value.set_params(**parts[name])
        return self

    def _default_of(self, name: str) -> Any:
        """The value that None stands for, if settings of this value can be changed."""
        return ScheduleChanges() if name.endswith("schedule") else None
