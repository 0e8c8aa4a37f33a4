"""A3: its loss, its recipes, and the paper's settings."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from alarmnet import (
    A3Detector,
    ColumnSwap,
    DenseAlarm,
    DenseAutoencoder,
    ExternalTarget,
    GaussianNoise,
    InputError,
    Schedule,
    TableEncoder,
    UniformNoise,
    VaeAnomalies,
    VariationalAutoencoder,
)
from alarmnet.detectors.a3_scorer import A3Scorer, read_parts
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.known import KnownAnomalies
from alarmnet.networks.alarms import DenseAlarmNetwork
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.training import train

Make = Any  # conftest's Maker
Floats = NDArray[np.float64]


class Recording(A3Detector):
    """Remembers the rows that training was given, by what they served for."""

    seen: TrainingData

    def _training_data(self, *arguments: Any) -> TrainingData:
        self.seen = super()._training_data(*arguments)
        return self.seen


# The alarm's loss: with one step of no length, the history holds the loss of the weights that score


def one_step(
    small: Make, X: Floats, y: Any, **parameters: Any
) -> tuple[float, dict[str, NDArray[np.float64]]]:
    """The loss of one step over all rows, and the logits by what the rows served for."""
    still = Schedule(steps=1, batch_size=1000, learning_rate=1e-30)
    recipe = DenseAlarm(hidden=(8,), dropout=0)
    detector = small(
        kind=Recording,
        alarm=recipe,
        alarm_schedule=still,
        generator=lambda batch: torch.full_like(batch, 2),
        reads="activations",
        blend=0.0,
        **parameters,
    ).fit(X, y)
    data = detector.seen
    generated = torch.full((1, X.shape[1]), 2.0)
    logits = {
        "normal": detector.decision_scores_[data.normal],
        "known": detector.decision_scores_[data.known],
        "generated": detector._scorer(generated).detach().numpy().astype(np.float64),
    }
    return detector.history_["alarm"][0]["loss"], logits


def surprise(logits: Floats, label: int) -> Floats:
    """Binary cross-entropy."""
    return np.asarray(np.logaddexp(0, -logits if label else logits))


def test_the_papers_loss(small: Make, rows: Floats, labels: Floats) -> None:
    loss, logits = one_step(small, rows, labels, known_weight=None, generated_weight=0.7)
    assert len(logits["known"]) == 10
    real = np.concatenate([surprise(logits["normal"], 0), surprise(logits["known"], 1)])
    assert loss == pytest.approx(real.mean() + 0.7 * surprise(logits["generated"], 1).mean(), rel=1e-5)


def test_the_balanced_loss(small: Make, rows: Floats, labels: Floats) -> None:
    one = labels.copy()
    one[191:] = np.nan
    loss, logits = one_step(small, rows, one, known_weight=3.0, generated_weight=0.5)
    means = {kind: surprise(values, int(kind != "normal")).mean() for kind, values in logits.items()}
    assert loss == pytest.approx(means["normal"] + 3 * means["known"] + 0.5 * means["generated"], rel=1e-5)


def test_alarms_on_inputs_doubt_rows_that_nobody_labelled(small: Make, rows: Floats, labels: Floats) -> None:
    one = labels.copy()
    one[191:] = np.nan
    still = Schedule(steps=1, batch_size=1000, learning_rate=1e-30)
    detector = small(
        kind=Recording, alarm=DenseAlarm(hidden=(8,), dropout=0), alarm_schedule=still, blend=0.0
    )
    detector.fit(rows, one)
    data = detector.seen
    for number, name in enumerate(("second alarm", "third alarm"), start=1):
        alarm = detector._scorer.alarm.alarms[number]
        logits = alarm(data.rows.all()).numpy(force=True).astype(np.float64)
        losses, doubted = surprise(logits[data.normal], 0), data.unlabelled[data.normal].numpy()
        assert 0 < doubted.mean() < 1
        losses[doubted] = 2 * (1 - np.exp(-losses[doubted] / 2))
        expected = losses.mean() + surprise(logits[data.known], 1).mean()
        assert detector.history_[name][0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_shift_term(small: Make, rows: Floats) -> None:
    loss, logits = one_step(small, rows, None, shift_weight=2.0, generated_weight=1.0)
    shift = 2 * (1 - 1 / (1 + np.exp(-logits["normal"]))).mean()
    rest = surprise(logits["normal"], 0).mean() + surprise(logits["generated"], 1).mean()
    assert loss == pytest.approx(rest + shift, rel=1e-5)


def test_shift_weight_raises_scores(small: Make, rows: Floats, labels: Floats, fitted: A3Detector) -> None:
    shifted = small(shift_weight=5.0).fit(rows, labels)
    assert shifted.anomaly_score(rows[:150]).mean() > fitted.anomaly_score(rows[:150]).mean() + 0.1


def test_without_counterexamples_the_known_anomalies_teach(small: Make, rows: Floats, labels: Floats) -> None:
    never = VaeAnomalies(schedule=Schedule(steps=10**9))
    detector = small(generated_weight=0, generator=never).fit(rows, labels)
    assert detector.predict(rows[-10:]).all()
    detector = small(generated_weight=0, generator=lambda batch: 1 / 0).fit(rows, labels)
    assert detector.predict(rows[-10:]).all()


@pytest.mark.parametrize("parameters", [{}, {"known_weight": None}, {"reads": "activations"}])
def test_the_memory_budget_changes_no_score(
    small: Make, rows: Floats, labels: Floats, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any]
) -> None:
    kept = small(**parameters).fit(rows, labels)
    monkeypatch.setattr("alarmnet.detectors.alarm_training.KEPT_ACTIVATIONS", 0)
    computed = small(**parameters).fit(rows, labels)
    np.testing.assert_allclose(computed.anomaly_score(rows), kept.anomaly_score(rows), atol=1e-4)


@pytest.mark.parametrize(
    "parameters",
    [
        {"generator": UniformNoise()},
        {"generator": ColumnSwap()},
        {"generator": VaeAnomalies(hidden=(8,), code=2, schedule=Schedule(steps=5))},
        {"target": VariationalAutoencoder(hidden=(8, 4), code=2)},
        {
            "target": DenseAutoencoder(hidden=(8,), loss="squared"),
            "encoder": TableEncoder(scaling="standard"),
        },
        {"target": None, "alarm": None},
        {"reads": "activations", "known_weight": None},
        {"reads": "everything"},
        {"reads": "inputs"},
    ],
)
def test_recipes_train_and_score(
    small: Make, rows: Floats, labels: Floats, parameters: dict[str, Any]
) -> None:
    detector = small(**parameters).fit(rows, labels)
    assert np.isfinite(detector.decision_function(rows)).all()


def test_a_users_module_is_read_and_not_changed(small: Make, rows: Floats, labels: Floats) -> None:
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    module.train()
    before = copy.deepcopy(module.state_dict())
    detector = small(target=ExternalTarget(module, layers=["1"])).fit(rows, labels)
    assert all(torch.equal(before[name], weight) for name, weight in module.state_dict().items())
    assert all(weight.requires_grad for weight in module.parameters())
    assert all(part.training for part in module.modules())
    assert list(detector.history_) == ["alarm", "second alarm", "third alarm"]


def test_the_published_settings() -> None:
    detector = A3Detector.as_published(hidden=(150, 80, 40, 20), random_state=1)
    assert detector.target == DenseAutoencoder(hidden=(150, 80, 40, 20))
    assert detector.alarm == DenseAlarm(hidden=(1000, 500, 200, 75), dropout=0.1)
    assert detector.generator == GaussianNoise(mean=0.5, deviation=1)
    assert (detector.reads, detector.known_weight, detector.generated_weight) == ("activations", None, 1.0)
    assert detector.alarm_schedule == Schedule(epochs=60, batch_size=256, learning_rate=1e-5)
    assert detector.random_state == 1


def test_the_default_target_reads_pieces_and_two_alarms_read_its_inputs_sparsely(
    rows: Floats, labels: Floats
) -> None:
    detector = A3Detector(reads="both", alarm_rate=0.1, random_state=0).fit(rows, labels)
    assert isinstance(detector._scorer, A3Scorer)
    assert isinstance(detector._scorer.target, PiecewiseTarget)
    inputs = rows.shape[1] + len(detector._scorer.target.pieces)
    assert inputs > rows.shape[1]
    on_activations, linear, hidden = detector._scorer.alarm.alarms
    assert isinstance(on_activations, DenseAlarmNetwork)
    assert isinstance(linear, DenseAlarmNetwork)
    assert isinstance(hidden, DenseAlarmNetwork)
    read = on_activations.width
    assert detector._scorer.alarm.spans == [(0, read), (read, read + inputs), (read, read + inputs)]
    assert not linear.hidden
    weights = dict(hidden.named_parameters())
    for weight in (linear.output.weight, weights["hidden.linear1.weight"]):
        zero = weight.numpy(force=True) == 0
        assert 0 < zero.mean() < 1
    assert detector.reconstructions(rows).shape == rows.shape


def test_without_known_anomalies_one_alarm_is_trained(small: Make, rows: Floats) -> None:
    detector = small().fit(rows)
    assert list(detector.history_) == ["target", "alarm"]
    assert len(detector._scorer.alarm.alarms) == 1


def test_alarms_on_inputs_alone_want_known_anomalies(small: Make, rows: Floats) -> None:
    with pytest.raises(InputError, match="learn from known anomalies alone"):
        small(reads="inputs").fit(rows)


def test_hardly_a_normal_row_has_even_odds_of_the_first_alarm(
    small: Make, rows: Floats, labels: Floats
) -> None:
    detector = small(kind=Recording).fit(rows, labels)
    normal = read_parts(
        detector._scorer.target, detector.seen.rows.take(detector.seen.normal), ("activations",)
    )
    first = detector._scorer.alarm.alarms[0]
    logits = first(normal).numpy(force=True)
    assert np.quantile(logits, 0.999) == pytest.approx(0, abs=1e-5)


def test_alarms_that_watch_nothing_learn_from_the_rows_that_others_hold_out(
    small: Make, rows: Floats, labels: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = {}

    def count(*arguments: Any, name: str, rows: int, **options: Any) -> Any:
        shown[name] = rows
        return train(*arguments, name=name, rows=rows, **options)

    for module in ("a3", "alarm_training"):
        monkeypatch.setattr(f"alarmnet.detectors.{module}.train", count)
    watching = Schedule(steps=30, batch_size=32, learning_rate=1e-2, patience=5)
    data = small(kind=Recording, target_schedule=watching).fit(rows, labels).seen
    held = len(data.validation_normal)
    assert held
    assert shown["target"] == len(data.normal)
    assert shown["alarm"] == shown["second alarm"] == shown["third alarm"] == len(data.normal) + held


def test_only_the_third_alarm_learns_more_from_many_known_anomalies(
    rows: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = []

    class Counted(KnownAnomalies):
        def __call__(self, rows: Tensor) -> Tensor:
            shown.append(len(together := super().__call__(rows)) - len(rows))
            return together

    monkeypatch.setattr("alarmnet.detectors.lesson.KnownAnomalies", Counted)
    two = Schedule(steps=2, batch_size=32)
    trained = {}
    for known in (25, 100):
        detector = A3Detector(reads="inputs", target_schedule=two, alarm_rate=0.1, random_state=0)
        detector.fit(rows, np.arange(len(rows)) < known)
        assert isinstance(detector._scorer, A3Scorer)
        hidden = detector._scorer.alarm.state_dict()["alarms.1.hidden.linear1.weight"].numpy(force=True)
        steps = [detector.history_[f"{name} alarm"][-1]["step"] for name in ("second", "third")]
        trained[known] = (*steps, (hidden == 0).mean())
    assert trained[25][:2] == (800, 800)
    assert trained[100][:2] == (800, 1600)
    assert trained[100][2] < trained[25][2] / 2
    assert set(shown[: 2 * 800]) == {25}
    assert set(shown[2 * 800 : 3 * 800]) == {32}
    assert set(shown[3 * 800 :]) == {100}


def test_refitting_with_the_same_labels_changes_nothing(
    fitted: A3Detector, rows: Floats, labels: Floats
) -> None:
    again = copy.deepcopy(fitted).refit_alarm(rows, labels)
    np.testing.assert_array_equal(again.decision_scores_, fitted.decision_scores_)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"shift_weight": -0.5}, "'shift_weight' parameter of A3Detector must be a number in [0, inf"),
        ({"alarm_schedule": 30}, "'alarm_schedule' parameter of A3Detector"),
    ],
)
def test_its_own_parameters_are_checked(
    small: Make, rows: Floats, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        small(**parameters).fit(rows)
    assert sentence in str(caught.value)
