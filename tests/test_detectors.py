"""What every detector promises: who serves what, scores, thresholds, labels, refitting, and what is refused."""

import copy
import pickle
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import StratifiedKFold, cross_val_score

from alarmnet import (
    A3Detector,
    AlarmnetWarning,
    DenseAutoencoder,
    GaussianNoise,
    InputError,
    Schedule,
    StridedAutoencoder,
    TableEncoder,
    TrainingDivergedError,
)
from alarmnet._shared.blocks import BLOCK, SMALL
from alarmnet.detectors import DETECTORS, BaseDetector
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.scorer import Scorer, by_block
from alarmnet.networks.training import Progress
from alarmnet.preprocessing.row_store import TensorRows
from alarmnet.preprocessing.rows import row_keys

Make = Any  # conftest's Maker
Floats = NDArray[np.float64]


def recording(kind: type[BaseDetector]) -> type[BaseDetector]:
    """A detector that remembers the rows that training was given, by what they served for."""

    def remember(self: Any, *arguments: Any) -> TrainingData:
        data = kind._training_data(self, *arguments)
        self.seen = [*getattr(self, "seen", []), data]
        return data

    return type(kind.__name__, (kind,), {"_training_data": remember})


def rows_seen(detector: Any, run: int) -> NDArray[np.intp]:
    data = detector.seen[run]
    found: NDArray[np.intp] = torch.cat(
        [data.normal, data.known, data.validation_normal, data.validation_known]
    ).numpy()
    return found


def calibration_rows(detector: BaseDetector, X: Floats) -> NDArray[np.intp]:
    """Row numbers of the table that calibrate; the tables of these tests hold no row twice."""
    keys = row_keys(detector.encoder_.transform(X))
    return np.flatnonzero(np.isin(keys, row_keys(detector._calibration_matrix)))


# Scores


def test_known_anomalies_and_others_like_them_raise_alarms(trained: BaseDetector, rows: Floats) -> None:
    fresh = np.random.default_rng(1).normal(size=(500, 5))
    assert trained.predict(rows[-10:]).all()
    assert trained.predict(fresh[:100] + 4).mean() > 0.9
    assert trained.predict(fresh).mean() < 0.3


def test_scores_agree_with_each_other(trained: BaseDetector, rows: Floats) -> None:
    decisions = trained.decision_function(rows)
    probabilities = trained.predict_proba(rows)
    alarms = decisions > 0
    assert 0 < alarms.sum() < len(rows)
    assert decisions.dtype == np.float64
    np.testing.assert_array_equal(trained.predict(rows) == trained.classes_[1], alarms)
    np.testing.assert_array_equal(probabilities[:, 1] > 0.5, alarms)
    np.testing.assert_allclose(probabilities.sum(1), 1)
    np.testing.assert_array_equal(trained.p_value(rows) <= trained.alarm_rate_held_, alarms)
    logits = trained.logits(rows)
    np.testing.assert_array_equal(decisions, logits - trained.threshold_)
    np.testing.assert_allclose(trained.anomaly_score(rows), 1 / (1 + np.exp(-logits)))


def test_training_scores_and_labels(make: Make, trained: BaseDetector, rows: Floats) -> None:
    np.testing.assert_array_equal(trained.labels_, trained.decision_scores_ > trained.threshold_)
    np.testing.assert_array_equal(
        trained.decision_scores_ - trained.threshold_, trained.decision_function(rows)
    )
    assert (np.diff(trained.calibration_scores_) >= 0).all()
    scores = trained.decision_scores_[calibration_rows(trained, rows)]
    np.testing.assert_array_equal(np.sort(scores), trained.calibration_scores_)
    assert trained.label_counts_ == {"normal": 150, "anomaly": 10, "unlabelled": 40, "contradictory": 0}
    assert {name: list(history[-1]) for name, history in trained.history_.items()} == {
        network: ["step", "loss"] for network in make.networks
    }


def test_a_changed_alarm_rate_changes_the_threshold_alone(trained: BaseDetector, rows: Floats) -> None:
    detector = copy.deepcopy(trained)
    assert detector.set_alarm_rate(0.5) is detector
    assert detector.alarm_rate == detector.alarm_rate_ == 0.5
    assert detector.threshold_ < trained.threshold_
    np.testing.assert_array_equal(detector.anomaly_score(rows), trained.anomaly_score(rows))
    np.testing.assert_array_equal(detector.p_value(rows), trained.p_value(rows))
    np.testing.assert_array_equal(detector.labels_, detector.decision_scores_ > detector.threshold_)
    assert detector.labels_.sum() > trained.labels_.sum()
    assert detector.set_alarm_rate(0.1).threshold_ == trained.threshold_


def test_a_refused_alarm_rate_leaves_the_detector_as_it_was(trained: BaseDetector) -> None:
    detector = copy.deepcopy(trained)
    with pytest.raises(InputError, match=r"The 'alarm_rate' parameter of \w+ must be a number in \(0, 1\)"):
        detector.set_alarm_rate(1.5)
    assert detector.alarm_rate == detector.alarm_rate_ == 0.1


# A score depends on the row alone


@pytest.mark.parametrize("size", [1, 7, 256])
def test_scores_are_bit_equal_over_batch_sizes(trained: BaseDetector, size: int) -> None:
    table = np.random.default_rng(2).normal(size=(300, 5))
    together = trained.decision_function(table)
    starts = range(0, 40 if size == 1 else 300, size)
    parts = [trained.decision_function(table[start : start + size]) for start in starts]
    np.testing.assert_array_equal(np.concatenate(parts), together[: sum(map(len, parts))])


def test_scores_are_bit_equal_among_other_neighbours_and_places(trained: BaseDetector) -> None:
    generator = np.random.default_rng(3)
    table = generator.normal(size=(2 * BLOCK + 100, 5))
    scores = trained.decision_function(table)
    order = generator.permutation(len(table))
    np.testing.assert_array_equal(trained.decision_function(table[order]), scores[order])
    table[1::2] *= 1e3
    np.testing.assert_array_equal(trained.decision_function(table)[::2], scores[::2])


@pytest.mark.parametrize("alike", [True, False])
def test_few_rows_are_computed_in_small_blocks_where_these_give_the_same_bits(
    trained: BaseDetector, rows: Floats, monkeypatch: pytest.MonkeyPatch, alike: bool
) -> None:
    detector = copy.deepcopy(trained)
    detector._scorer.small.clear()
    expected, forward, sizes = trained.logits(rows[:200])[:1], type(detector._scorer).forward, []

    def noted(scorer: Scorer, batch: torch.Tensor) -> torch.Tensor:
        sizes.append(len(batch))
        found: torch.Tensor = forward(scorer, batch)
        return found + (0.0 if alike or len(batch) == BLOCK else 1.0)

    monkeypatch.setattr(type(detector._scorer), "forward", noted)
    detector.logits(rows[:1])  # tries
    sizes.clear()
    assert detector.logits(rows[:1]) == expected
    (small,) = detector._scorer.small.values()
    assert small in ((*SMALL, 0) if alike else (0,))  # 0 where this processor's kernels differ
    assert sizes == [small or BLOCK]
    none = TensorRows(torch.from_numpy(detector.encoder_.transform(rows[:1]))[:0])
    assert not len(by_block(detector._scorer, detector._scorer, none))


def test_what_was_tried_on_this_processor_stays_here(trained: BaseDetector, rows: Floats) -> None:
    trained.logits(rows[:1])
    assert trained._scorer.small
    assert not pickle.loads(pickle.dumps(trained))._scorer.small


def test_tables_encoded_in_parts_score_alike(
    trained: BaseDetector, rows: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = trained.decision_function(rows)
    monkeypatch.setattr("alarmnet.detectors.scoring.ENCODED_AT_ONCE", 64)
    np.testing.assert_array_equal(trained.decision_function(rows), scores)


@pytest.mark.parametrize("kind", DETECTORS.values(), ids=DETECTORS)
def test_the_defaults_score_a_row_alike_in_any_company(kind: type[BaseDetector]) -> None:
    X = np.random.default_rng(0).normal(size=(300, 10))
    detector = kind(alarm_rate=0.05, random_state=0).fit(X)
    expected = detector.logits(X)
    for size in (7, 256):
        parts = [detector.logits(X[start : start + size]) for start in range(0, len(X), size)]
        assert (np.concatenate(parts) == expected).all()
    shuffled = np.random.default_rng(1).permutation(len(X))
    assert (detector.logits(X[shuffled]) == expected[shuffled]).all()
    assert [detector.logits(X[[row]])[0] for row in range(50)] == expected[:50].tolist()


def test_scores_agree_over_thread_counts(make: Make, rows: Floats) -> None:
    before, scores = torch.get_num_threads(), {}
    target = {
        "a3": DenseAutoencoder(hidden=(1500, 1000)),
        "conv-a3": StridedAutoencoder(grid=(64, 64), channels=(128,)),
    }
    wide = make(target=target[make.kind.method], schedule=Schedule(steps=1)).fit(rows)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            scores[threads] = wide.anomaly_score(rows)
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(scores[2], scores[1], atol=1e-6, rtol=0)


# Who serves what


@pytest.mark.parametrize("patience", [None, 5])
def test_calibration_rows_serve_nothing_else(
    make: Make, rows: Floats, labels: Floats, patience: int | None
) -> None:
    schedule = Schedule(steps=20, patience=patience)
    detector = make(kind=recording(make.kind), schedule=schedule, encoder=TableEncoder(scaling="minmax"))
    detector.fit(rows, labels)
    calibrating = calibration_rows(detector, rows)
    assert len(calibrating) == 30
    assert (labels[calibrating] == 0).all()
    assert not set(calibrating) & set(rows_seen(detector, 0))
    assert len(rows_seen(detector, 0)) == len(set(rows_seen(detector, 0))) == 170
    assert bool(len(detector.seen[0].validation_normal)) == (patience is not None)


def test_calibration_rows_do_not_change_the_model(make: Make, rows: Floats, labels: Floats) -> None:
    """Whatever they hold: encoder, target and alarm come out the same."""
    one = make().fit(rows, labels)
    changed = rows.copy()
    changed[calibration_rows(one, rows)] += np.random.default_rng(5).normal(size=(30, 5)) * 100
    other = make().fit(changed, labels)
    np.testing.assert_array_equal(other.anomaly_score(rows), one.anomaly_score(rows))
    assert other.threshold_ != one.threshold_


def test_unlabelled_rows_calibrate_only_where_none_is_labelled_normal(
    make: Make, rows: Floats, labels: Floats, trained: BaseDetector
) -> None:
    assert trained.calibration_is_labelled_
    few = np.where(labels == 0, np.nan, labels)
    detector = make().fit(rows, few)
    assert not detector.calibration_is_labelled_
    assert len(detector.calibration_scores_) == round(0.2 * 190)
    assert not set(calibration_rows(detector, rows)) & set(range(190, 200))


def test_unlabelled_rows_can_be_ignored(make: Make, rows: Floats, labels: Floats) -> None:
    detector = make(kind=recording(make.kind), unlabelled="ignore").fit(rows, labels)
    assert not np.isnan(labels[rows_seen(detector, 0)]).any()
    changed = rows.copy()
    changed[np.isnan(labels)] *= 100
    again = make(unlabelled="ignore").fit(changed, labels)
    np.testing.assert_array_equal(again.anomaly_score(rows), detector.anomaly_score(rows))


def test_a_schedule_with_patience_is_watched(make: Make, rows: Floats, labels: Floats) -> None:
    schedule = Schedule(steps=40, patience=3)
    detector = make(schedule=schedule).fit(rows, labels)
    for network in make.networks:
        assert "validation_loss" in detector.history_[network][0], network


# Refitting the alarm


def refitted(detector: BaseDetector, X: Any, y: Any) -> BaseDetector:
    return copy.deepcopy(detector).refit_alarm(X, y)


def test_refitting_keeps_the_target_and_the_encoder(
    trained: BaseDetector, rows: Floats, labels: Floats
) -> None:
    more = labels.copy()
    more[calibration_rows(trained, rows)[:3]] = 1
    again = refitted(trained, rows, more)
    for name, weight in trained._scorer.target.state_dict().items():
        assert torch.equal(again._scorer.target.state_dict()[name], weight)
    assert again.encoder_.to_dict() == trained.encoder_.to_dict()
    assert again.label_counts_["anomaly"] == 13
    assert len(again.labels_) == len(rows)


def test_refitting_leaves_the_calibration_rows_out(make: Make, rows: Floats, labels: Floats) -> None:
    detector = make(kind=recording(make.kind)).fit(rows, labels)
    before = calibration_rows(detector, rows)
    more = labels.copy()
    more[before[:4]] = 1
    detector.refit_alarm(rows, more)
    np.testing.assert_array_equal(calibration_rows(detector, rows), before[4:])
    assert len(detector.calibration_scores_) == 26
    assert not set(before[4:]) & set(rows_seen(detector, 1))
    assert set(before[:4]) <= set(detector.seen[1].known.tolist())
    assert len(rows_seen(detector, 1)) == 174


def test_a_calibration_row_stays_while_an_equal_row_is_not_anomalous(
    make: Make, rows: Floats, labels: Floats
) -> None:
    detector = make().fit(rows, labels)
    one, both, *others = calibration_rows(detector, rows)
    alike, y = np.repeat(rows, 2, axis=0), np.repeat(labels, 2)  # each row has an equal one in the next line
    y[[2 * one, 2 * both, 2 * both + 1]] = 1
    with pytest.warns(AlarmnetWarning, match="1 row equals a known anomaly"):
        detector.refit_alarm(alike, y)
    np.testing.assert_array_equal(calibration_rows(detector, rows), [one, *others])


def test_refitting_learns_new_anomalies(trained: BaseDetector, rows: Floats, labels: Floats) -> None:
    odd = np.random.default_rng(7).normal(size=(40, 5)) * 0.1 + [0, -2, 0, 2, 0]
    X, y = np.concatenate([rows, odd[:20]]), np.concatenate([labels, np.ones(20)])
    before, after = trained.p_value(odd[20:]).mean(), refitted(trained, X, y).p_value(odd[20:]).mean()
    assert after < before
    assert refitted(trained, X, y).predict(odd[20:]).mean() > 0.9


def test_refitting_twice_is_refitting_once(trained: BaseDetector, rows: Floats, labels: Floats) -> None:
    once = refitted(trained, rows, labels)
    np.testing.assert_array_equal(refitted(once, rows, labels).decision_scores_, once.decision_scores_)


def test_refitting_needs_normal_rows(trained: BaseDetector, rows: Floats, labels: Floats) -> None:
    with pytest.raises(InputError, match="refit_alarm needs normal rows as well as anomalies"):
        refitted(trained, np.concatenate([rows[calibration_rows(trained, rows)], rows[-1:]]), [0] * 30 + [1])
    with pytest.raises(InputError, match="every calibration row is labelled anomalous now"):
        refitted(trained, rows, np.r_[np.ones(150), labels[150:]])


def test_a_refit_that_fails_leaves_the_detector_as_it_was(
    trained: BaseDetector, rows: Floats, labels: Floats
) -> None:
    detector = copy.deepcopy(trained)
    detector.set_params(generator=lambda batch: batch * torch.inf, generated_weight=1.0)
    more = labels.copy()
    more[calibration_rows(trained, rows)[:3]] = 1
    with pytest.raises(TrainingDivergedError, match="the loss of the alarm network is no longer finite"):
        detector.refit_alarm(rows, more)
    np.testing.assert_array_equal(detector.decision_function(rows), trained.decision_function(rows))
    np.testing.assert_array_equal(detector._calibration_matrix, trained._calibration_matrix)


def test_a_fit_that_fails_or_is_interrupted_leaves_the_detector_as_it_was(
    make: Make, trained: BaseDetector, rows: Floats, labels: Floats, monkeypatch: pytest.MonkeyPatch
) -> None:
    detector = copy.deepcopy(trained)
    with pytest.raises(InputError, match="y has 3 labels"):
        detector.fit(100 * rows + 7, [0, 0, 1])
    monkeypatch.setattr(type(detector), "_fit_scorer", stopped)
    new = make()
    for stops in (detector, new):
        with pytest.raises(KeyboardInterrupt):
            stops.fit(100 * rows + 7, labels)
    np.testing.assert_array_equal(detector.decision_function(rows), trained.decision_function(rows))
    with pytest.raises(NotFittedError):
        new.predict(rows)


def stopped(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_warning_names_the_callers_line(make: Make, rows: Floats, labels: Floats) -> None:
    alike, y = np.concatenate([rows, rows[-1:]]), np.append(labels, 0)
    detector = make()
    for learn in (detector.fit, detector.refit_alarm):
        with pytest.warns(AlarmnetWarning, match="equals? a known anomaly") as caught:
            learn(alike, y)
        assert {str(warning.filename) for warning in caught} == {__file__}


def test_without_counterexamples_and_known_anomalies_nothing_can_be_learned(make: Make, rows: Floats) -> None:
    with pytest.raises(InputError, match="generated_weight"):
        make(generated_weight=0).fit(rows)


# Kinds of data, labels and parameters


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(40, 8, 8), (40, 1, 8, 8), (40, 3, 9, 8)])
def test_images(make: Make, dtype: Any, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 100, size=shape).astype(dtype)
    images[-4:] += 150
    before = images.copy()
    target = {"target": None} if make.kind is A3Detector else {}
    detector = make(**target, schedule=Schedule(steps=5), alarm_rate=0.2)
    detector.fit(images, np.repeat([0, 1], [36, 4]))
    assert detector.n_features_in_ == np.prod(shape[1:])
    scores = detector.decision_function(images)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(detector.decision_function(images[:1]), scores[:1])
    np.testing.assert_array_equal(images, before)
    with pytest.raises(InputError, match="images have no columns to compare"):
        detector.column_deviations(images)


def test_predictions_are_the_callers_labels(make: Make, rows: Floats, labels: Floats) -> None:
    names = np.where(labels == 1, "fraud", "fine")
    detector = make(anomaly_label="fraud").fit(rows, names)
    assert detector.classes_.tolist() == ["fine", "fraud"]
    assert set(detector.predict(rows[-10:])) == {"fraud"}


def test_scikit_learn_is_told_that_classes_are_not_in_its_order(
    make: Make, rows: Floats, labels: Floats
) -> None:
    """Its scorers take the last label in sorted order for the anomaly."""
    names, folds = np.where(labels == 1, "attack", "normal"), StratifiedKFold(2)
    words = make(anomaly_label="attack")
    for scoring in ("roc_auc", "neg_log_loss"):
        with pytest.warns(AlarmnetWarning, match=r"takes the last one .*y == 'attack'"):
            cross_val_score(words, rows, names, cv=folds, scoring=scoring)
    with pytest.warns(AlarmnetWarning, match="CalibratedClassifierCV fails"), suppress(IndexError):
        CalibratedClassifierCV(words, cv=folds).fit(rows, names)
    assert cross_val_score(words, rows, names, cv=folds, scoring="accuracy").min() > 0.5
    words.fit(rows, names).predict_proba(rows)  # without a warning
    for y in (names == "attack", np.where(labels == 1, "odd", "fine")):
        sorted_ones = make(anomaly_label=y[-1])
        assert cross_val_score(sorted_ones, rows, y, cv=folds, scoring="roc_auc").min() > 0.5


def test_a_mixed_frame(make: Make, rows: Floats, labels: Floats) -> None:
    frame = pd.DataFrame(rows, columns=list("abcde")).assign(
        service=np.where(rows[:, 0] > 0, "http", "dns"), half=pd.Series(rows[:, 1]).where(rows[:, 1] > 0)
    )
    before = frame.copy(deep=True)
    detector = make().fit(frame, pd.Series(labels))
    pd.testing.assert_frame_equal(frame, before)
    assert detector.feature_names_in_.tolist() == detector.input_names_ == list(frame.columns)
    turned = frame[frame.columns[::-1]]
    np.testing.assert_array_equal(detector.decision_function(turned), detector.decision_function(frame))
    deviations = detector.column_deviations(frame)
    assert deviations.shape == frame.shape
    assert deviations[-10:, :5].mean() > deviations[:150, :5].mean() + 0.5


def test_parameters_and_the_callers_encoder_stay_as_given(make: Make, rows: Floats) -> None:
    encoder, generator = TableEncoder(scaling="minmax"), GaussianNoise()
    detector = make(encoder=encoder, generator=generator)
    before = detector.get_params()
    detector.fit(rows)
    assert detector.get_params() == before
    assert not hasattr(encoder, "n_features_in_")


def test_progress_is_told_of_every_network(make: Make, rows: Floats, labels: Floats) -> None:
    told: list[Progress] = []
    make(verbose=told.append).fit(rows, labels)
    assert tuple(dict.fromkeys(state.network for state in told)) == make.networks
    assert told[-1].step == told[-1].steps == 60


def test_verbose_shows_bars_on_standard_error(
    make: Make, rows: Floats, labels: Floats, capsys: pytest.CaptureFixture[str]
) -> None:
    make(verbose=True).fit(rows, labels)
    shown = capsys.readouterr()
    assert make.networks[-1] in shown.err
    assert not shown.out


def test_fitting_again_forgets_the_first_data(
    make: Make, rows: Floats, labels: Floats, trained: BaseDetector
) -> None:
    detector = make().fit(pd.DataFrame(rows[:, :3], columns=list("abc")))
    detector.fit(rows, labels)
    assert not hasattr(detector, "feature_names_in_")
    np.testing.assert_array_equal(detector.decision_scores_, trained.decision_scores_)


def test_no_warning_where_nothing_is_odd(make: Make, rows: Floats, labels: Floats) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().fit(rows, labels).predict(rows)


def test_a_deep_copy_is_a_detector_of_its_own(trained: BaseDetector, rows: Floats, labels: Floats) -> None:
    twin = copy.deepcopy(trained)
    before = trained.decision_function(rows)
    twin.refit_alarm(rows[:190], None)
    np.testing.assert_array_equal(trained.decision_function(rows), before)


@pytest.mark.parametrize("verbose", [2, "yes", None])
def test_progress_is_shown_or_told_to_a_function(small: Any, rows: Any, verbose: Any) -> None:
    with pytest.raises(
        InputError, match="'verbose' parameter of A3Detector must be True, False or a function"
    ):
        small(verbose=verbose).fit(rows)


def test_unlabelled_rows_that_are_left_out_are_counted(small: Any, rows: Any, labels: Any) -> None:
    with pytest.raises(
        InputError, match="got 0, beside 190 unlabelled rows that unlabelled='ignore' leaves out"
    ):
        small(unlabelled="ignore").fit(rows, np.where(labels == 1, 1, np.nan))
