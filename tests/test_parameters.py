"""scikit-learn sets, clones and searches over the settings of parameters' values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from torch import nn

from alarmnet import (
    A3Detector,
    ConvA3Detector,
    ConvAlarm,
    DenseAlarm,
    DenseAutoencoder,
    ExternalTarget,
    InputError,
    OutlierDetector,
    Schedule,
    TableEncoder,
    VaeAnomalies,
    load,
)
from alarmnet.baselines import BASELINES, DeepSVDD
from alarmnet.networks.training import ScheduleChanges, chosen_schedule

Make = Callable[..., Any]
Floats = NDArray[np.float64]
SHORT = Schedule(steps=6, batch_size=32)


@pytest.mark.parametrize("given", [SHORT, None], ids=["a schedule", "None"])
@pytest.mark.filterwarnings("ignore::alarmnet.AlarmnetWarning")
def test_a_grid_search_over_steps(small: Make, rows: Floats, labels: Floats, given: Schedule | None) -> None:
    search = GridSearchCV(
        small(target_schedule=SHORT, alarm_schedule=given),
        {"alarm_schedule__steps": [3, 9], "target_schedule__learning_rate": [1e-3, 1e-2]},
        cv=StratifiedKFold(2),
        error_score="raise",
    )
    search.fit(rows, np.nan_to_num(labels))
    assert len(search.cv_results_["params"]) == 4
    best = search.best_estimator_
    for name, value in search.best_params_.items():
        assert best.get_params()[name] == value
    steps = search.best_params_["alarm_schedule__steps"]
    for alarm in ("alarm", "second alarm", "third alarm"):
        assert best.history_[alarm][-1]["step"] == steps
    assert best.history_["target"][-1]["step"] == 6


def test_what_is_set_equals_what_is_given_whole(small: Make, rows: Floats, labels: Floats) -> None:
    whole = small(alarm_schedule=Schedule(epochs=3, batch_size=16), alarm=DenseAlarm(hidden=(5,)))
    parts = small(alarm_schedule=Schedule(steps=7), alarm=DenseAlarm(hidden=(4, 3)))
    parts.set_params(alarm_schedule__epochs=3, alarm_schedule__batch_size=16, alarm__hidden=(5,))
    assert repr(parts) == repr(whole)
    np.testing.assert_array_equal(*(model.fit(rows, labels).logits(rows) for model in (whole, parts)))


def test_a_value_that_others_share_is_not_changed() -> None:
    shared = Schedule(steps=7)
    one, other = A3Detector(alarm_schedule=shared), A3Detector(alarm_schedule=shared)
    one.set_params(alarm_schedule__steps=8)
    assert (one.alarm_schedule, other.alarm_schedule, shared) == (
        Schedule(steps=8),
        shared,
        Schedule(steps=7),
    )


def test_where_a_schedule_is_none_the_rest_stays_as_fit_chooses_it() -> None:
    detector = ConvA3Detector().set_params(schedule__steps=3).set_params(schedule__patience=None)
    for rows in (50, 100_000):
        default = ConvA3Detector()._schedule(rows, (4,))
        assert detector._schedule(rows, (4,)) == default.changed(steps=3, patience=None)
    detector.set_params(schedule__epochs=2)
    assert detector.get_params()["schedule__epochs"] == 2
    assert "schedule__steps" not in detector.get_params()
    assert detector._schedule(50, (4,)).epochs == 2
    assert detector.set_params(schedule=None).schedule is None


def test_a_schedule_is_given_whole_and_changed_at_once() -> None:
    detector = A3Detector().set_params(alarm_schedule__steps=9, alarm_schedule=Schedule(epochs=1, decay=True))
    assert detector.alarm_schedule == Schedule(steps=9, decay=True)


def test_settings_are_read_and_set_as_deep_as_they_go() -> None:
    detector = A3Detector(
        target=DenseAutoencoder(hidden=(6, 3)),
        generator=VaeAnomalies(schedule=Schedule(steps=4)),
        encoder=TableEncoder(),
        alarm_schedule=SHORT,
    ).set_params(
        target__dropout=0.3,
        generator__schedule__steps=5,
        generator__spread=2.0,
        encoder__max_categories=7,
        alarm_schedule__decay=True,
    )
    found = detector.get_params()
    assert found["target"] == DenseAutoencoder(hidden=(6, 3), dropout=0.3)
    assert found["generator__schedule__steps"] == 5
    assert (found["generator__spread"], found["encoder__max_categories"]) == (2.0, 7)
    assert found["alarm_schedule__decay"] is True
    assert not any("__" in name for name in detector.get_params(deep=False))
    again = clone(detector)
    assert again.get_params().keys() == found.keys()
    assert again.alarm_schedule == detector.alarm_schedule
    assert clone(again.set_params(target_schedule__steps=3)).target_schedule == again.target_schedule
    assert "steps" in again._repr_html_()


def test_the_default_encoder_is_changed_where_there_is_none() -> None:
    for kind, scaling in ((A3Detector, "minmax"), (ConvA3Detector, "quantile-normal")):
        detector: Any = kind().set_params(encoder__max_categories=3)
        assert (detector.encoder.max_categories, detector.encoder.scaling) == (3, scaling)
    assert ConvA3Detector(alarm=ConvAlarm()).set_params(alarm__dropout=0.1).alarm == ConvAlarm(dropout=0.1)


def test_faces_pass_settings_on() -> None:
    face: Any = OutlierDetector().set_params(detector__alarm_schedule__steps=3, detector__alarm_rate=0.2)
    assert chosen_schedule(face.detector.alarm_schedule, SHORT) == SHORT.changed(steps=3)
    assert clone(face).get_params()["detector__alarm_schedule__steps"] == 3


@pytest.mark.parametrize(
    "kind", [kind for kind in BASELINES.values() if "schedule" in kind().get_params() and kind.reads_tables]
)
def test_rivals_train_as_long_as_is_set(kind: type[Any], rows: Floats, labels: Floats) -> None:
    model = kind(random_state=0).set_params(schedule__steps=3, encoder__scaling="standard")
    if kind is DeepSVDD:
        model.set_params(pretraining_schedule__steps=3)
    assert {history[-1]["step"] for history in model.fit(rows, labels).history_.values()} == {3}
    assert clone(model).schedule == model.schedule


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"alarm_schedule__step": 3},
            "set_params knows no setting 'step' of 'alarm_schedule': its settings are epochs, steps, batch_size, "
            "learning_rate, decay, weight_decay, sparsity, patience.",
        ),
        (
            {"generator__schedule__step": 3},
            "no setting 'step' of 'generator__schedule': its settings are epochs",
        ),
        (
            {"generator__mean": 0.1},
            "no setting 'mean' of 'generator': its settings are hidden, code, spread",
        ),
        (
            {"target_schedule__step": 3},
            "no setting 'step' of 'target_schedule': its settings are epochs, steps",
        ),
        ({"alarm__hidden": (3,)}, "no setting 'hidden' of 'alarm': it is None, which has none"),
        ({"target__layers": ["1"]}, r"no setting 'layers' of 'target': it is ExternalTarget\(ReLU, layers="),
        ({"alarm_rate__low": 1}, r"no setting 'low' of 'alarm_rate': it is 0\.01, which has none"),
        ({"alarm_schedule__steps": 0}, "'steps' parameter of Schedule must be a whole number of at least 1"),
        ({"target_schedule__steps": None}, "takes epochs or steps, one of them"),
        (
            {"target_schedule__learning_rate": "high"},
            "'learning_rate' parameter of Schedule must be a number",
        ),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(parameters: dict[str, Any], sentence: str) -> None:
    detector = A3Detector(
        alarm_schedule=SHORT, generator=VaeAnomalies(), target=ExternalTarget(nn.ReLU(), layers=["1"])
    )
    with pytest.raises(InputError, match=sentence):
        detector.set_params(**parameters)
    assert detector.alarm_schedule == SHORT


@pytest.mark.parametrize("name", ["colour", "colour__depth"])
def test_an_unknown_parameter_is_refused_as_scikit_learn_does(name: str) -> None:
    with pytest.raises(ValueError, match="Invalid parameter 'colour' for estimator"):
        A3Detector().set_params(**{name: 1})


@pytest.mark.parametrize("wrong", ["colour", "alarm_schedule__step", "encoder__colour"])
def test_what_is_refused_changes_nothing(wrong: str) -> None:
    detector = A3Detector(encoder=TableEncoder())
    before = detector.get_params()
    with pytest.raises(ValueError, match=r"colour|'step'"):
        detector.set_params(alarm_rate=0.5, target_schedule__steps=7, encoder__max_categories=3, **{wrong: 1})
    assert detector.get_params() == before


def test_changes_of_a_schedule_are_in_the_file(
    small: Make, rows: Floats, labels: Floats, tmp_path: Path
) -> None:
    detector = small(alarm_schedule=None).set_params(alarm_schedule__steps=np.int64(3))
    detector.fit(rows, labels).save(tmp_path / "some.model")
    again = load(tmp_path / "some.model")
    assert again.get_params()["alarm_schedule__steps"] == 3
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))


@pytest.mark.parametrize(
    "changes", [(("colour", 1),), (("steps", 0),), (("steps", 1), ("epochs", 1)), ((1, 2, 3),), 3]
)
def test_changes_that_no_schedule_can_have_are_refused(changes: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        ScheduleChanges(changes)
