"""The detector: who serves what, scores, thresholds, labels, refitting, and what is refused."""

import copy
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from torch import nn

from alarmnet import (
    A3Detector,
    AlarmnetWarning,
    ColumnSwap,
    DenseAlarm,
    DenseAutoencoder,
    ExternalTarget,
    GaussianNoise,
    InputError,
    Schedule,
    TableEncoder,
    TrainingDivergedError,
    UniformNoise,
    VaeAnomalies,
    VariationalAutoencoder,
)
from alarmnet._rows import row_keys
from alarmnet.detectors.base import BLOCK, TrainingData
from alarmnet.training import Progress

Make = Callable[..., A3Detector]
Floats = NDArray[np.float64]


class Recording(A3Detector):
    """Remembers the rows that training was given, by what they served for."""

    seen: list[TrainingData]

    def _fit_alarm(self, data: TrainingData, progress: Any) -> None:
        self.seen = [*getattr(self, "seen", []), data]
        super()._fit_alarm(data, progress)

    def rows_seen(self, run: int) -> NDArray[np.intp]:
        data = self.seen[run]
        return torch.cat([data.normal, data.known, data.validation_normal, data.validation_known]).numpy()


def calibration_rows(detector: A3Detector, X: Floats) -> NDArray[np.intp]:
    """Row numbers of the table that calibrate; the tables of these tests hold no row twice."""
    keys = row_keys(detector.encoder_.transform(X))
    return np.flatnonzero(np.isin(keys, row_keys(detector._calibration_matrix)))


# Scores


def test_known_anomalies_and_others_like_them_raise_alarms(fitted: A3Detector, rows: Floats) -> None:
    fresh = np.random.default_rng(1).normal(size=(500, 5))
    assert fitted.predict(rows[-10:]).all()
    assert fitted.predict(fresh[:100] + 4).mean() > 0.9
    assert fitted.predict(fresh).mean() < 0.3


def test_scores_agree_with_each_other(fitted: A3Detector, rows: Floats) -> None:
    decisions = fitted.decision_function(rows)
    probabilities = fitted.predict_proba(rows)
    alarms = decisions > 0
    assert 0 < alarms.sum() < len(rows)
    assert decisions.dtype == np.float64
    np.testing.assert_array_equal(fitted.predict(rows) == fitted.classes_[1], alarms)
    np.testing.assert_array_equal(probabilities[:, 1] > 0.5, alarms)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(fitted.p_value(rows) <= fitted.alarm_rate_held_, alarms)
    logits = fitted.logits(rows)
    np.testing.assert_array_equal(decisions, logits - fitted.threshold_)
    np.testing.assert_allclose(fitted.anomaly_score(rows), 1 / (1 + np.exp(-logits)))


def test_training_scores_and_labels(fitted: A3Detector, rows: Floats) -> None:
    np.testing.assert_array_equal(fitted.labels_, fitted.decision_scores_ > fitted.threshold_)
    np.testing.assert_array_equal(fitted.decision_scores_ - fitted.threshold_, fitted.decision_function(rows))
    assert (np.diff(fitted.calibration_scores_) >= 0).all()
    scores = fitted.decision_scores_[calibration_rows(fitted, rows)]
    np.testing.assert_array_equal(np.sort(scores), fitted.calibration_scores_)
    assert fitted.label_counts_ == {"normal": 150, "anomaly": 10, "unlabelled": 40, "contradictory": 0}
    assert {name: list(history[-1]) for name, history in fitted.history_.items()} == {
        "target": ["step", "loss"],
        "alarm": ["step", "loss"],
    }


def test_a_changed_alarm_rate_changes_the_threshold_alone(fitted: A3Detector, rows: Floats) -> None:
    detector = copy.deepcopy(fitted)
    assert detector.set_alarm_rate(0.5) is detector
    assert detector.alarm_rate == detector.alarm_rate_ == 0.5
    assert detector.threshold_ < fitted.threshold_
    np.testing.assert_array_equal(detector.anomaly_score(rows), fitted.anomaly_score(rows))
    np.testing.assert_array_equal(detector.p_value(rows), fitted.p_value(rows))
    np.testing.assert_array_equal(detector.labels_, detector.decision_scores_ > detector.threshold_)
    assert detector.labels_.sum() > fitted.labels_.sum()
    assert detector.set_alarm_rate(0.1).threshold_ == fitted.threshold_


def test_a_refused_alarm_rate_leaves_the_detector_as_it_was(fitted: A3Detector) -> None:
    detector = copy.deepcopy(fitted)
    with pytest.raises(
        InputError, match=r"The 'alarm_rate' parameter of A3Detector must be a number in \(0, 1\)"
    ):
        detector.set_alarm_rate(1.5)
    assert detector.alarm_rate == detector.alarm_rate_ == 0.1


def test_too_few_calibration_rows_warn(small: Make, rows: Floats, labels: Floats) -> None:
    with pytest.warns(AlarmnetWarning, match=r"30 calibration rows cannot hold an alarm rate of 0\.01"):
        detector = small(alarm_rate=0.01).fit(rows, labels)
    assert detector.alarm_rate_held_ == 1 / 31
    assert detector.threshold_ == detector.calibration_scores_.max()


# A score depends on the row alone


@pytest.mark.parametrize("size", [1, 7, 256])
def test_scores_are_bit_equal_over_batch_sizes(fitted: A3Detector, size: int) -> None:
    table = np.random.default_rng(2).normal(size=(300, 5))
    together = fitted.decision_function(table)
    starts = range(0, 40 if size == 1 else 300, size)
    parts = [fitted.decision_function(table[start : start + size]) for start in starts]
    np.testing.assert_array_equal(np.concatenate(parts), together[: sum(map(len, parts))])


def test_scores_are_bit_equal_among_other_neighbours_and_places(fitted: A3Detector) -> None:
    generator = np.random.default_rng(3)
    table = generator.normal(size=(2 * BLOCK + 100, 5))
    scores = fitted.decision_function(table)
    order = generator.permutation(len(table))
    np.testing.assert_array_equal(fitted.decision_function(table[order]), scores[order])
    table[1::2] *= 1e3
    np.testing.assert_array_equal(fitted.decision_function(table)[::2], scores[::2])


def test_tables_encoded_in_parts_score_alike(
    fitted: A3Detector, rows: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = fitted.decision_function(rows)
    monkeypatch.setattr("alarmnet.detectors.base.ENCODED_AT_ONCE", 64)
    np.testing.assert_array_equal(fitted.decision_function(rows), scores)


def test_the_defaults_score_a_row_alike_in_any_company() -> None:
    X = np.random.default_rng(0).normal(size=(1500, 30))
    detector = A3Detector(alarm_rate=0.05, random_state=0).fit(X)
    expected = detector.logits(X)
    for size in (7, 256):
        parts = [detector.logits(X[start : start + size]) for start in range(0, len(X), size)]
        assert (np.concatenate(parts) == expected).all()
    shuffled = np.random.default_rng(1).permutation(len(X))
    assert (detector.logits(X[shuffled]) == expected[shuffled]).all()
    assert [detector.logits(X[[row]])[0] for row in range(50)] == expected[:50].tolist()


def test_scores_agree_over_thread_counts(small: Make, rows: Floats) -> None:
    before, scores = torch.get_num_threads(), {}
    wide = small(target=DenseAutoencoder(hidden=(1500, 1000)), target_schedule=Schedule(steps=1)).fit(rows)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            scores[threads] = wide.anomaly_score(rows)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(scores[2], scores[1], atol=1e-6, rtol=0)


def test_one_row_can_be_scored(fitted: A3Detector, rows: Floats) -> None:
    assert fitted.predict_proba(rows[:1]).shape == (1, 2)
    assert fitted.p_value(rows[:1].tolist()).shape == (1,)


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: X[::-1].copy()[::-1],
        lambda X: X.astype(">f8"),
        pd.DataFrame,
        np.ndarray.tolist,
    ],
)
def test_scores_do_not_depend_on_the_container(fitted: A3Detector, rows: Floats, change: Any) -> None:
    np.testing.assert_array_equal(fitted.decision_function(change(rows)), fitted.decision_function(rows))


# Who serves what


@pytest.mark.parametrize("patience", [None, 5])
def test_calibration_rows_serve_nothing_else(
    small: Make, rows: Floats, labels: Floats, patience: int | None
) -> None:
    schedule = Schedule(steps=20, patience=patience)
    detector = small(kind=Recording, target_schedule=schedule, encoder=TableEncoder(scaling="minmax"))
    detector.fit(rows, labels)
    calibrating = calibration_rows(detector, rows)
    assert isinstance(detector, Recording)
    assert len(calibrating) == 30
    assert (labels[calibrating] == 0).all()
    assert not set(calibrating) & set(detector.rows_seen(0))
    assert len(detector.rows_seen(0)) == len(set(detector.rows_seen(0))) == 170
    assert bool(len(detector.seen[0].validation_normal)) == (patience is not None)


def test_calibration_rows_do_not_change_the_model(small: Make, rows: Floats, labels: Floats) -> None:
    """Whatever they hold: encoder, target and alarm come out the same."""
    one = small().fit(rows, labels)
    changed = rows.copy()
    changed[calibration_rows(one, rows)] += np.random.default_rng(5).normal(size=(30, 5)) * 100
    other = small().fit(changed, labels)
    np.testing.assert_array_equal(other.anomaly_score(rows), one.anomaly_score(rows))
    assert other.threshold_ != one.threshold_


def test_unlabelled_rows_calibrate_only_where_none_is_labelled_normal(
    small: Make, rows: Floats, labels: Floats, fitted: A3Detector
) -> None:
    assert fitted.calibration_is_labelled_
    few = np.where(labels == 0, np.nan, labels)
    detector = small().fit(rows, few)
    assert not detector.calibration_is_labelled_
    assert len(detector.calibration_scores_) == round(0.2 * 190)
    assert not set(calibration_rows(detector, rows)) & set(range(190, 200))


def test_unlabelled_rows_can_be_ignored(small: Make, rows: Floats, labels: Floats) -> None:
    detector = small(kind=Recording, unlabelled="ignore").fit(rows, labels)
    assert isinstance(detector, Recording)
    assert not np.isnan(labels[detector.rows_seen(0)]).any()
    changed = rows.copy()
    changed[np.isnan(labels)] *= 100
    again = small(unlabelled="ignore").fit(changed, labels)
    np.testing.assert_array_equal(again.anomaly_score(rows), detector.anomaly_score(rows))


def test_a_schedule_with_patience_is_watched(small: Make, rows: Floats, labels: Floats) -> None:
    schedule = Schedule(steps=40, patience=3)
    detector = small(target_schedule=schedule, alarm_schedule=schedule).fit(rows, labels)
    for network in ("target", "alarm"):
        assert "validation_loss" in detector.history_[network][0], network


# Refitting the alarm


def refitted(detector: A3Detector, X: Any, y: Any) -> A3Detector:
    return copy.deepcopy(detector).refit_alarm(X, y)


def test_refitting_keeps_the_target_and_the_encoder(fitted: A3Detector, rows: Floats, labels: Floats) -> None:
    more = labels.copy()
    more[calibration_rows(fitted, rows)[:3]] = 1
    again = refitted(fitted, rows, more)
    for name, weight in fitted._target.state_dict().items():
        assert torch.equal(again._target.state_dict()[name], weight)
    assert again.encoder_.to_dict() == fitted.encoder_.to_dict()
    assert again.label_counts_["anomaly"] == 13
    assert len(again.labels_) == len(rows)


def test_refitting_leaves_the_calibration_rows_out(small: Make, rows: Floats, labels: Floats) -> None:
    detector = small(kind=Recording).fit(rows, labels)
    assert isinstance(detector, Recording)
    before = calibration_rows(detector, rows)
    more = labels.copy()
    more[before[:4]] = 1
    detector.refit_alarm(rows, more)
    np.testing.assert_array_equal(calibration_rows(detector, rows), before[4:])
    assert len(detector.calibration_scores_) == 26
    assert not set(before[4:]) & set(detector.rows_seen(1))
    assert set(before[:4]) <= set(detector.seen[1].known.tolist())
    assert len(detector.rows_seen(1)) == 174


def test_refitting_learns_new_anomalies(fitted: A3Detector, rows: Floats, labels: Floats) -> None:
    odd = np.random.default_rng(7).normal(size=(40, 5)) * 0.1 + [0, -2, 0, 2, 0]
    X, y = np.concatenate([rows, odd[:20]]), np.concatenate([labels, np.ones(20)])
    before, after = fitted.p_value(odd[20:]).mean(), refitted(fitted, X, y).p_value(odd[20:]).mean()
    assert after < before
    assert refitted(fitted, X, y).predict(odd[20:]).mean() > 0.9


def test_refitting_twice_is_refitting_once(fitted: A3Detector, rows: Floats, labels: Floats) -> None:
    once = refitted(fitted, rows, labels)
    np.testing.assert_array_equal(once.decision_scores_, fitted.decision_scores_)
    np.testing.assert_array_equal(refitted(once, rows, labels).decision_scores_, once.decision_scores_)


def test_refitting_needs_normal_rows(fitted: A3Detector, rows: Floats, labels: Floats) -> None:
    with pytest.raises(InputError, match="refit_alarm needs normal rows beside the anomalies"):
        refitted(fitted, np.concatenate([rows[calibration_rows(fitted, rows)], rows[-1:]]), [0] * 30 + [1])
    with pytest.raises(InputError, match="every calibration row is labelled anomalous now"):
        refitted(fitted, rows, np.r_[np.ones(150), labels[150:]])


def test_a_refit_that_fails_leaves_the_detector_as_it_was(
    fitted: A3Detector, rows: Floats, labels: Floats
) -> None:
    detector = copy.deepcopy(fitted)
    detector.set_params(generator=lambda batch: batch * torch.inf)
    more = labels.copy()
    more[calibration_rows(fitted, rows)[:3]] = 1
    with pytest.raises(TrainingDivergedError, match="the loss of the alarm network is no longer finite"):
        detector.refit_alarm(rows, more)
    np.testing.assert_array_equal(detector.decision_function(rows), fitted.decision_function(rows))
    np.testing.assert_array_equal(detector._calibration_matrix, fitted._calibration_matrix)


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
        reads="everything",
        blend=0.0,
        **parameters,
    ).fit(X, y)
    assert isinstance(detector, Recording)
    data = detector.seen[0]
    generated = torch.full((1, X.shape[1]), 2.0)
    logits = {
        "normal": detector.decision_scores_[data.normal],
        "known": detector.decision_scores_[data.known],
        "generated": detector._block_logits(generated).detach().numpy().astype(np.float64),
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


def test_the_shift_term(small: Make, rows: Floats) -> None:
    loss, logits = one_step(small, rows, None, shift_weight=2.0, generated_weight=1.0)
    shift = 2 * (1 - 1 / (1 + np.exp(-logits["normal"]))).mean()
    rest = surprise(logits["normal"], 0).mean() + surprise(logits["generated"], 1).mean()
    assert loss == pytest.approx(rest + shift, rel=1e-5)


def test_shift_weight_raises_scores(small: Make, rows: Floats, labels: Floats, fitted: A3Detector) -> None:
    shifted = small(shift_weight=5.0).fit(rows, labels)
    assert shifted.anomaly_score(rows[:150]).mean() > fitted.anomaly_score(rows[:150]).mean() + 0.1


def test_without_counterexamples_the_known_anomalies_teach(small: Make, rows: Floats, labels: Floats) -> None:
    detector = small(generated_weight=0, generator=lambda batch: 1 / 0).fit(rows, labels)
    assert detector.predict(rows[-10:]).all()


def test_without_counterexamples_and_known_anomalies_nothing_can_be_learned(
    small: Make, rows: Floats
) -> None:
    with pytest.raises(InputError, match="generated_weight"):
        small(generated_weight=0).fit(rows)


@pytest.mark.parametrize("parameters", [{}, {"known_weight": None}, {"reads": "activations"}])
def test_the_memory_budget_changes_no_score(
    small: Make, rows: Floats, labels: Floats, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any]
) -> None:
    kept = small(**parameters).fit(rows, labels)
    monkeypatch.setattr("alarmnet.detectors.a3.KEPT_ACTIVATIONS", 0)
    computed = small(**parameters).fit(rows, labels)
    np.testing.assert_allclose(computed.anomaly_score(rows), kept.anomaly_score(rows), atol=1e-4)


# Kinds of data, labels and parameters


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
    ],
)
def test_recipes_train_and_score(
    small: Make, rows: Floats, labels: Floats, parameters: dict[str, Any]
) -> None:
    detector = small(**parameters).fit(rows, labels)
    assert np.isfinite(detector.decision_function(rows)).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(40, 8, 8), (40, 1, 8, 8), (40, 3, 9, 8)])
def test_images(small: Make, dtype: Any, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 100, size=shape).astype(dtype)
    images[-4:] += 150
    before = images.copy()
    brief = Schedule(steps=5)
    detector = small(target=None, generator=None, target_schedule=brief, alarm_schedule=brief, alarm_rate=0.2)
    detector.fit(images, np.repeat([0, 1], [36, 4]))
    assert detector.n_features_in_ == np.prod(shape[1:])
    scores = detector.decision_function(images)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(detector.decision_function(images[:1]), scores[:1])
    np.testing.assert_array_equal(images, before)
    with pytest.raises(InputError, match="images have no columns to compare"):
        detector.column_deviations(images)


def test_without_any_label(small: Make, rows: Floats) -> None:
    detector = small().fit(rows)
    assert detector.label_counts_ == {"normal": 0, "anomaly": 0, "unlabelled": 200, "contradictory": 0}
    assert detector.classes_.tolist() == [0, 1]
    assert set(detector.predict(rows)) == {0, 1}


def test_one_known_anomaly(small: Make, rows: Floats, labels: Floats) -> None:
    one = np.where(labels == 1, np.nan, labels)
    one[-1] = 1
    for parameters in ({}, {"known_weight": None}, {"target_schedule": Schedule(steps=5, patience=2)}):
        detector = small(**parameters).fit(rows, one)
        assert detector.label_counts_["anomaly"] == 1


def test_predictions_are_the_callers_labels(small: Make, rows: Floats, labels: Floats) -> None:
    names = np.where(labels == 1, "fraud", "fine")
    detector = small(anomaly_label="fraud").fit(rows, names)
    assert detector.classes_.tolist() == ["fine", "fraud"]
    assert set(detector.predict(rows[-10:])) == {"fraud"}


def test_a_mixed_frame(small: Make, rows: Floats, labels: Floats) -> None:
    frame = pd.DataFrame(rows, columns=list("abcde")).assign(
        service=np.where(rows[:, 0] > 0, "http", "dns"), half=pd.Series(rows[:, 1]).where(rows[:, 1] > 0)
    )
    before = frame.copy(deep=True)
    detector = small().fit(frame, pd.Series(labels))
    pd.testing.assert_frame_equal(frame, before)
    assert detector.feature_names_in_.tolist() == detector.input_names_ == list(frame.columns)
    turned = frame[frame.columns[::-1]]
    np.testing.assert_array_equal(detector.decision_function(turned), detector.decision_function(frame))
    deviations = detector.column_deviations(frame)
    assert deviations.shape == frame.shape
    assert deviations[-10:, :5].mean() > deviations[:150, :5].mean() + 0.5


def test_equal_rows_give_equal_finite_scores(small: Make) -> None:
    with pytest.warns(AlarmnetWarning, match="all rows are equal: every score will be the same"):
        detector = small().fit(np.ones((60, 3)))
    assert np.isfinite(detector.decision_scores_).all()
    assert len(set(detector.decision_scores_)) == 1
    assert not detector.labels_.any()


def test_equal_rows_with_opposite_labels_are_counted(small: Make, rows: Floats, labels: Floats) -> None:
    X = rows.copy()
    X[3] = X[160] = X[-1]
    with pytest.warns(AlarmnetWarning, match="2 rows equal a known anomaly in every column"):
        detector = small().fit(X, labels)
    assert detector.label_counts_["contradictory"] == 2


def test_the_callers_data_is_neither_changed_nor_kept(small: Make, rows: Floats, labels: Floats) -> None:
    X, y = rows.astype(np.float32), labels.copy()
    detector = small().fit(X, y)
    scores, deviations = detector.decision_function(X), detector.column_deviations(X)
    np.testing.assert_array_equal(X, rows.astype(np.float32))
    np.testing.assert_array_equal(y, labels)
    kept, X[:] = X.copy(), 1e6
    np.testing.assert_array_equal(detector.decision_function(kept), scores)
    np.testing.assert_array_equal(detector.column_deviations(kept), deviations)


def test_parameters_and_the_callers_encoder_stay_as_given(small: Make, rows: Floats) -> None:
    encoder, generator = TableEncoder(scaling="minmax"), GaussianNoise()
    detector = small(encoder=encoder, generator=generator)
    before = detector.get_params()
    detector.fit(rows)
    assert detector.get_params() == before
    assert not hasattr(encoder, "n_features_in_")


def test_a_users_module_is_read_and_not_changed(small: Make, rows: Floats, labels: Floats) -> None:
    module = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    module.train()
    before = copy.deepcopy(module.state_dict())
    detector = small(target=ExternalTarget(module, layers=["1"])).fit(rows, labels)
    assert all(torch.equal(before[name], weight) for name, weight in module.state_dict().items())
    assert all(weight.requires_grad for weight in module.parameters())
    assert all(part.training for part in module.modules())
    assert list(detector.history_) == ["alarm"]


def test_scoring_before_fitting(small: Make, rows: Floats) -> None:
    detector = small()
    for call in (
        detector.logits,
        detector.decision_function,
        detector.predict,
        detector.predict_proba,
        detector.anomaly_score,
        detector.p_value,
        detector.column_deviations,
        lambda X: detector.refit_alarm(X, None),
        lambda X: detector.set_alarm_rate(0.1),
        lambda X: detector.save("never.model"),
    ):
        with pytest.raises(NotFittedError, match="This A3Detector instance is not fitted yet"):
            call(rows)


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"alarm_rate": 0},
            r"The 'alarm_rate' parameter of A3Detector must be a number in (0, 1). Got 0 instead.",
        ),
        ({"alarm_rate": 1.0}, "The 'alarm_rate' parameter of A3Detector must be a number in (0, 1). Got 1.0"),
        ({"alarm_rate": "low"}, "'alarm_rate' parameter of A3Detector must be a number in (0, 1). Got 'low'"),
        (
            {"calibration_share": 1},
            "'calibration_share' parameter of A3Detector must be a number in (0, 1). Got 1",
        ),
        (
            {"unlabelled": "drop"},
            "'unlabelled' parameter of A3Detector must be one of 'normal', 'ignore'. Got 'drop'",
        ),
        ({"generated_weight": -1}, "'generated_weight' parameter of A3Detector must be a number in [0, inf"),
        ({"shift_weight": -0.5}, "'shift_weight' parameter of A3Detector must be a number in [0, inf"),
        ({"known_weight": 0}, "'known_weight' parameter of A3Detector must be a number in (0, inf). Got 0"),
        ({"target": "dense"}, "'target' parameter of A3Detector"),
        ({"generator": "noise"}, "'generator' parameter of A3Detector"),
        ({"alarm": (8, 4)}, "'alarm' parameter of A3Detector"),
        ({"alarm_schedule": 30}, "'alarm_schedule' parameter of A3Detector"),
        ({"device": "nowhere"}, "'device' parameter of A3Detector"),
    ],
)
def test_parameters_out_of_range_are_refused_at_fit(
    small: Make, rows: Floats, parameters: dict[str, Any], sentence: str
) -> None:
    detector = small(**parameters)
    with pytest.raises(InputError) as caught:
        detector.fit(rows)
    assert sentence in str(caught.value)
    assert caught.value.code == "invalid_parameter"


def test_few_rows(small: Make, rows: Floats) -> None:
    with pytest.raises(InputError, match=r"minimum of 2 is required|1 sample"):
        small().fit(rows[:1])
    with pytest.raises(InputError, match=r"needs two normal or unlabelled rows.* got 1"):
        small().fit(rows[:3], [1, 1, np.nan])
    with pytest.warns(AlarmnetWarning, match="1 calibration rows cannot hold"):
        detector = small().fit(rows[:3])
    assert np.isfinite(detector.decision_function(rows)).all()


def test_two_rows_are_refused_with_their_number(small: Make, rows: Floats) -> None:
    """One would calibrate, and the encoder learns from two."""
    with pytest.raises(InputError, match=r"three rows.*got 2"):
        small().fit(rows[:2])


@pytest.mark.parametrize("network", ["target", "alarm"])
def test_training_that_diverges_is_an_error(small: Make, rows: Floats, labels: Floats, network: str) -> None:
    wild = Schedule(steps=30, learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match=f"the loss of the {network} network is no longer finite"):
        small(**{f"{network}_schedule": wild}).fit(rows, labels)


def test_weights_that_diverge_in_the_last_step_are_an_error(
    small: Make, rows: Floats, labels: Floats
) -> None:
    """A score is never NaN or infinite."""
    with pytest.raises(TrainingDivergedError):
        small(alarm_schedule=Schedule(steps=1, learning_rate=1e30)).fit(rows, labels)


def test_progress_is_told_of_both_networks(small: Make, rows: Floats) -> None:
    told: list[Progress] = []
    small(verbose=told.append).fit(rows)
    assert list(dict.fromkeys(state.network for state in told)) == ["target", "alarm"]
    assert told[-1].step == told[-1].steps == 60


def test_verbose_shows_bars_on_standard_error(
    small: Make, rows: Floats, capsys: pytest.CaptureFixture[str]
) -> None:
    small(verbose=True).fit(rows)
    shown = capsys.readouterr()
    assert "alarm" in shown.err
    assert not shown.out


def test_the_published_settings() -> None:
    detector = A3Detector.as_published(hidden=(150, 80, 40, 20), random_state=1)
    assert detector.target == DenseAutoencoder(hidden=(150, 80, 40, 20))
    assert detector.alarm == DenseAlarm(hidden=(1000, 500, 200, 75), dropout=0.1)
    assert detector.generator == GaussianNoise(mean=0.5, deviation=1)
    assert (detector.reads, detector.known_weight, detector.generated_weight) == ("activations", None, 1.0)
    assert detector.alarm_schedule == Schedule(epochs=60, batch_size=256, learning_rate=1e-5)
    assert detector.random_state == 1


def test_fitting_again_forgets_the_first_data(
    small: Make, rows: Floats, labels: Floats, fitted: A3Detector
) -> None:
    detector = small().fit(pd.DataFrame(rows[:, :3], columns=list("abc")))
    detector.fit(rows, labels)
    assert not hasattr(detector, "feature_names_in_")
    np.testing.assert_array_equal(detector.decision_scores_, fitted.decision_scores_)


def test_no_warning_where_nothing_is_odd(small: Make, rows: Floats, labels: Floats) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small().fit(rows, labels).predict(rows)


def test_a_deep_copy_is_a_detector_of_its_own(fitted: A3Detector, rows: Floats, labels: Floats) -> None:
    twin = copy.deepcopy(fitted)
    before = fitted.decision_function(rows)
    twin.refit_alarm(rows[:190], None)
    np.testing.assert_array_equal(fitted.decision_function(rows), before)
