"""Parameters as JSON and back."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from alarmnet import (
    AlarmSpec,
    ColumnSwap,
    ConvAlarm,
    ConvAutoencoder,
    DenseAlarm,
    DenseAutoencoder,
    GaussianNoise,
    InputError,
    Schedule,
    StridedAutoencoder,
    UniformNoise,
    VaeAnomalies,
    VariationalAutoencoder,
)
from alarmnet.networks.recipes import RECIPES, from_json, to_json
from alarmnet.networks.training import ScheduleChanges

VALUES = [
    DenseAutoencoder(hidden=(8, 4), loss="squared"),
    DenseAutoencoder(),
    ConvAutoencoder(dropout=0.3),
    StridedAutoencoder(channels=(4, 8), grid=(2, 3), code_weight=0.5),
    VariationalAutoencoder(hidden=(9,), code=3),
    GaussianNoise(mean=0.25),
    UniformNoise(low=-1),
    ColumnSwap(high=0.5),
    VaeAnomalies(schedule=Schedule(steps=3, decay=True)),
    DenseAlarm(hidden=(8, 4), dropout=0.2),
    ConvAlarm(channels=(8, 4), dropout=0.2),
    Schedule(epochs=3, patience=2),
    AlarmSpec(name="own", reads="inputs", shape=DenseAlarm(hidden=()), schedule=Schedule(steps=3)),
    ScheduleChanges((("steps", 3), ("patience", None))),
]


@pytest.mark.parametrize("value", [*VALUES, None, True, 3, 0.5, "text", (1, 2)], ids=repr)
def test_values_come_back_equal_through_json(value: Any) -> None:
    assert from_json(json.loads(json.dumps(to_json(value)))) == value


def test_every_recipe_is_tried_above() -> None:
    assert {type(value).__name__ for value in VALUES} == set(RECIPES)


def test_what_has_no_recipe_is_named_by_its_type_and_comes_back_as_none() -> None:
    stored = to_json(np.random.default_rng(0))
    assert stored == {"given": "Generator"}
    assert from_json(stored) is None


def test_numpy_sizes_are_numbers() -> None:
    recipe = DenseAlarm(hidden=(np.int64(8), np.int64(4)))  # type: ignore[arg-type]
    assert from_json(json.loads(json.dumps(to_json(recipe)))) == DenseAlarm(hidden=(8, 4))


def test_only_recipes_are_made() -> None:
    with pytest.raises(KeyError, match="system"):
        from_json({"recipe": "system", "command": "true"})
    with pytest.raises(TypeError, match="unexpected keyword argument 'command'"):
        from_json({"recipe": "Schedule", "steps": 1, "command": "true"})


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: DenseAlarm(hidden=None), "hidden"),  # type: ignore[arg-type]
        (lambda: DenseAlarm(hidden=(8, 0)), "hidden"),
        (lambda: DenseAlarm(dropout=1.0), "dropout"),
        (lambda: DenseAutoencoder(hidden=()), "hidden"),
        (lambda: DenseAutoencoder(hidden=(8, -2)), "hidden"),
        (lambda: DenseAutoencoder(hidden=(8, 2.5)), "hidden"),  # type: ignore[arg-type]
        (lambda: DenseAutoencoder(dropout=-0.1), "dropout"),
        (lambda: DenseAutoencoder(loss="crossentropy"), "loss"),  # type: ignore[arg-type]
        (lambda: ConvAutoencoder(dropout=2), "dropout"),
        (lambda: VariationalAutoencoder(hidden=()), "hidden"),
        (lambda: VariationalAutoencoder(code=0), "code"),
        (lambda: GaussianNoise(deviation=-1), "deviation"),
        (lambda: UniformNoise(low=1, high=0), "low"),
        (lambda: ColumnSwap(low=0.9, high=0.1), "low"),
        (lambda: VaeAnomalies(spread=-1), "spread"),
        (lambda: VaeAnomalies(code=0), "code"),
    ],
)
def test_values_out_of_range_are_refused(make: Callable[[], object], name: str) -> None:
    with pytest.raises(InputError, match=name) as caught:
        make()
    assert caught.value.code == "invalid_parameter"
