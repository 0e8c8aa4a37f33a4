"""E2E-ConvA3: its loss, what the alarm reads, its three scores, and its own settings."""

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet import (
    ColumnSwap,
    ConvA3Detector,
    InputError,
    ModelFileError,
    Schedule,
    StridedAutoencoder,
    VaeAnomalies,
    load,
)
from alarmnet._shared.persistence import read_file, write_file
from alarmnet.detectors import lesson
from alarmnet.detectors.conv_a3_scorer import ErrorScale, InputAlarms
from alarmnet.detectors.data import TrainingData
from alarmnet.networks.alarms import AlarmMixture, DenseAlarm, alarm_loss
from alarmnet.networks.training import Progress, train

Floats = NDArray[np.float64]


class Recording(ConvA3Detector):
    """Remembers the rows that training was given, by what they served for."""

    seen: TrainingData

    def _training_data(self, *arguments: Any) -> TrainingData:
        self.seen = super()._training_data(*arguments)
        return self.seen


@pytest.fixture
def conv(small: Any) -> Any:
    """Makes detectors that train in a moment."""

    def make(kind: type[ConvA3Detector] = ConvA3Detector, **parameters: Any) -> ConvA3Detector:
        tiny: dict[str, Any] = {
            "target": StridedAutoencoder(channels=(8, 8), grid=(4, 8)),
            "schedule": Schedule(steps=30, batch_size=64, learning_rate=1e-2),
            "scored_by": "alarm",
            "input_alarms": False,
            "alarm_rate": 0.1,
            "random_state": 0,
        }
        return kind(**(tiny | parameters))

    return make


def surprise(logits: Floats, label: int) -> Floats:
    """Binary cross-entropy."""
    return np.asarray(np.logaddexp(0, -logits if label else logits))


@pytest.mark.parametrize("known_weight", [None, 2.0])
def test_the_joint_loss(conv: Any, rows: Floats, labels: Floats, known_weight: float | None) -> None:
    """With one step of no length, and normalisation that does not depend on the batch, it can be computed anew."""
    one = labels.copy()
    one[191:] = np.nan  # one known anomaly, so that each of those drawn is it
    still = Schedule(steps=1, batch_size=1000, learning_rate=1e-30)
    detector = conv(
        Recording,
        schedule=still,
        known_weight=known_weight,
        alarm_weight=3.0,
        generated_weight=0.5,
        generator=lambda batch: torch.full_like(batch, 2),
    )
    evaluate_only(detector)
    detector.fit(rows, one)
    data = detector.seen
    errors = detector._scorer.target.row_losses(data.rows.all()).detach().numpy().astype(np.float64)
    logits = detector.decision_scores_
    generated = detector._scorer(torch.full((1, *data.rows.shape), 2.0)).detach().numpy()
    normal, known = data.normal.numpy(), data.known.numpy()
    if known_weight is None:
        count = len(normal) + len(known)
        alarm = (surprise(logits[normal], 0).sum() + surprise(logits[known], 1).sum()) / count
        reconstruction = errors[normal].sum() / count
    else:
        losses = surprise(logits[normal], 0)
        doubted = np.isnan(one[normal])
        assert 0 < doubted.mean() < 1
        losses[doubted] = 2 * (1 - np.exp(-losses[doubted] / 2))
        alarm = losses.mean() + known_weight * surprise(logits[known], 1).mean()
        reconstruction = errors[normal].mean()
    alarm += 0.5 * surprise(generated, 1).mean()
    assert detector.history_["joint"][0]["loss"] == pytest.approx(reconstruction + 3 * alarm, rel=1e-4)


def evaluate_only(detector: ConvA3Detector) -> None:
    """Let its networks stay in evaluation mode, whatever is asked."""
    build = detector._scorer_of

    def built(*arguments: Any) -> Any:
        scorer = build(*arguments)
        for part in scorer.modules():
            setattr(part, "train", lambda mode=True, part=part: part)  # noqa: B010
        return scorer

    setattr(detector, "_scorer_of", built)  # noqa: B010


def test_anomalies_do_not_teach_the_reconstruction(conv: Any, rows: Floats, labels: Floats) -> None:
    """Where the alarm hardly counts, known anomalies change the decoder only by what normal rows teach."""
    detector = conv(alarm_weight=1e-6, schedule=Schedule(steps=300, learning_rate=1e-2)).fit(rows, labels)
    errors = np.square(detector.reconstructions(rows) - detector.encoder_.transform(rows)).mean(1)
    assert errors[-10:].mean() > 2 * errors[:150].mean()


def test_information_flows_into_the_encoder(conv: Any, rows: Floats, labels: Floats) -> None:
    one, other = (
        conv(alarm_weight=weight).fit(rows, labels)._scorer.target.encoder.conv1.weight
        for weight in (0.1, 10.0)
    )
    assert not torch.allclose(one, other, atol=1e-3)


def test_the_alarm_reads_the_encoder_or_both(conv: Any, rows: Floats) -> None:
    assert conv().fit(rows)._scorer.alarm.hidden.conv1.in_channels == 16
    assert conv(reads="both").fit(rows)._scorer.alarm.hidden.conv1.in_channels == 24


def test_three_scores(conv: Any, rows: Floats, labels: Floats) -> None:
    logits = {
        score: conv(scored_by=score).fit(rows, labels).logits(rows)
        for score in ("alarm", "reconstruction", "combined")
    }
    np.testing.assert_allclose(logits["combined"], logits["alarm"] + logits["reconstruction"], atol=1e-5)
    detector = conv(scored_by="reconstruction").fit(rows, labels)
    errors = np.square(detector.reconstructions(rows) - detector.encoder_.transform(rows)).mean(1)
    np.testing.assert_array_equal(np.argsort(logits["reconstruction"]), np.argsort(errors))
    assert abs(logits["reconstruction"][:150].mean()) < 0.5


def test_the_score_changes_without_training(conv: Any, rows: Floats, labels: Floats) -> None:
    detector, other = conv(scored_by="alarm").fit(rows, labels), conv(scored_by="combined").fit(rows, labels)
    with pytest.raises(InputError, match="'scored_by' parameter of ConvA3Detector must be one of"):
        detector.set_score("sum")
    assert detector.set_score("combined") is detector
    np.testing.assert_array_equal(detector.decision_function(rows), other.decision_function(rows))
    assert detector.threshold_ == other.threshold_
    assert not hasattr(detector, "decision_scores_")


def test_errors_are_scaled_by_those_of_normal_rows() -> None:
    scale, errors = ErrorScale(), torch.rand(1000, generator=torch.Generator().manual_seed(0))
    scale.learn(errors)
    scaled = scale(errors)
    assert scaled.mean().item() == pytest.approx(0, abs=1e-4)
    assert scaled.std(correction=0).item() == pytest.approx(1, abs=1e-4)
    assert torch.isfinite(scale(torch.zeros(2))).all()


def test_without_labels_it_learns_from_counterexamples(conv: Any, rows: Floats) -> None:
    detector = conv(generator=ColumnSwap()).fit(rows)
    assert np.isfinite(detector.decision_scores_).all()
    with pytest.raises(InputError, match="generated_weight is 0"):
        conv(generated_weight=0.0).fit(rows)


def test_without_labels_rows_far_out_on_either_side_are_anomalous() -> None:
    table = np.random.default_rng(0).normal(size=(400, 2))
    detector = ConvA3Detector(random_state=0, scored_by="alarm", alarm_rate=0.05).fit(table)
    assert (detector.p_value(np.array([[-20.0, -20.0], [20.0, 20.0], [-20.0, 20.0]])) < 0.05).all()
    assert detector.p_value(np.zeros((1, 2))) > 0.5


def test_with_labels_no_counterexample_is_made_unless_asked_for(
    conv: Any, rows: Floats, labels: Floats
) -> None:
    conv(generator=lambda batch: 1 / 0).fit(rows, labels)
    conv(generator=VaeAnomalies(schedule=Schedule(steps=10**9))).fit(rows, labels)
    with pytest.raises(ZeroDivisionError):
        conv(generator=lambda batch: 1 / 0, generated_weight=1.0).fit(rows, labels)


def test_a_variational_target_trains_and_comes_back_from_a_file(
    conv: Any, rows: Floats, labels: Floats, tmp_path: Any
) -> None:
    target = StridedAutoencoder(channels=(8,), grid=(4, 4), code_weight=1.0)
    detector = conv(target=target, scored_by="combined", reads="both").fit(rows, labels)
    detector.save(tmp_path / "some.model")
    again = load(tmp_path / "some.model")
    assert again.get_params()["target"] == target
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))


def test_no_row_has_an_infinite_score(conv: Any) -> None:
    images = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    target = StridedAutoencoder(channels=(8,), code_weight=1.0)
    detector = conv(target=target, scored_by="combined", alarm_rate=0.2).fit(
        images, np.repeat([0, 1], [36, 4])
    )
    assert np.isfinite(detector.logits(images * 1e6)).all()


def test_refitting_keeps_the_joint_history(conv: Any, rows: Floats, labels: Floats) -> None:
    detector = conv().fit(rows, labels)
    again = copy.deepcopy(detector).refit_alarm(rows, labels)
    assert list(again.history_) == ["joint", "alarm"]
    assert again.predict(rows[-10:]).all()


def test_alarms_on_inputs_add_their_odds_to_bounded_ones(conv: Any, rows: Floats, labels: Floats) -> None:
    alone = conv().fit(rows, labels)
    detector = conv(Recording, input_alarms=True).fit(rows, labels)
    assert list(detector.history_) == ["joint", "second alarm", "third alarm"]
    matrix, inputs = torch.from_numpy(detector.encoder_.transform(rows)), detector._scorer.inputs
    for score in ("alarm", "combined"):
        own = alone.set_score(score).logits(rows)
        usual = own[detector.seen.normal.numpy()]
        odds = np.logaddexp(0, own - np.quantile(usual, 0.999))
        with torch.no_grad():
            others = inputs.alarms(inputs.pieces(matrix)).double().exp().mean(0).numpy()
        expected = np.log(10 * odds / (1 + odds) + others)
        np.testing.assert_allclose(detector.set_score(score).logits(rows), expected, rtol=1e-3, atol=1e-4)
    errors = detector.set_score("reconstruction").logits(rows)
    np.testing.assert_array_equal(errors, alone.set_score("reconstruction").logits(rows))


def test_alarms_are_summed_to_the_same_bits_alone_and_among_many() -> None:
    mixture = AlarmMixture(
        [DenseAlarm(hidden=()).build(1)], torch.ones(1), torch.zeros(1, dtype=torch.int64), torch.zeros(1)
    )
    mixture.forward = lambda features: features.T  # type: ignore[method-assign]
    inputs = InputAlarms(None, mixture)
    others, own = 6 * torch.randn(2, 2048, generator=torch.Generator().manual_seed(0))
    maps = others[:, None]
    expected = inputs(maps, maps, own, "combined")
    torch.testing.assert_close(expected, torch.logaddexp(others, own))
    for size in range(1, 65):
        parts = zip(torch.split(maps, size), torch.split(own, size), strict=True)
        assert torch.equal(torch.cat([inputs(few, few, part, "combined") for few, part in parts]), expected)


def test_alarms_on_inputs_want_a_table_and_known_anomalies(conv: Any, rows: Floats, labels: Floats) -> None:
    detector = conv(input_alarms=True).fit(rows)
    assert "second alarm" not in detector.history_
    detector.refit_alarm(rows, labels)
    assert "second alarm" in detector.history_
    images = np.random.default_rng(0).random((40, 8, 8)).astype(np.float32)
    on_images = conv(input_alarms=True, alarm_rate=0.2).fit(images, np.repeat([0, 1], [36, 4]))
    assert "second alarm" not in on_images.history_


def test_a_refit_reads_the_fitted_target_whatever_the_parameter_says_since() -> None:
    rows, labels = np.random.default_rng(0).normal(size=(100, 6)), np.r_[np.ones(10), np.zeros(90)]
    detector = ConvA3Detector(
        target=StridedAutoencoder(channels=(4, 4)), schedule=Schedule(steps=5), alarm_rate=0.1, random_state=0
    ).fit(rows, labels)
    scores = copy.deepcopy(detector).refit_alarm(rows, labels).logits(rows)
    detector.set_params(target=StridedAutoencoder(channels=(4, 8))).refit_alarm(rows, labels)
    np.testing.assert_array_equal(detector.logits(rows), scores)


@pytest.mark.parametrize(("shape", "known", "watched"), [((8, 8), 20, 0), ((8, 8), 120, 12), ((5,), 20, 2)])
def test_a_handful_of_held_out_known_images_ends_no_training(
    conv: Any, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], known: int, watched: int
) -> None:
    seen = set()

    def spy(real: Tensor, labels: Tensor, known: Tensor, *rest: Tensor, **options: Any) -> Tensor:
        if not torch.is_grad_enabled():
            seen.add(len(known))
        return alarm_loss(real, labels, known, *rest, **options)

    monkeypatch.setattr(lesson, "alarm_loss", spy)
    rows = np.random.default_rng(0).random((300, *shape)).astype(np.float32)
    watching = Schedule(steps=20, batch_size=64, patience=5)
    conv(schedule=watching, alarm_rate=0.2).fit(rows, np.repeat([0, 1], [300 - known, known]))
    assert seen == {watched}


def test_alarms_on_inputs_go_on_from_a_checkpoint(
    conv: Any, rows: Floats, labels: Floats, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = conv(input_alarms=True).fit(rows, labels)
    detector = conv(input_alarms=True, checkpoint=tmp_path)

    def stop_at_the_third(*arguments: Any, name: str, **options: Any) -> Any:
        if name == "third alarm":
            raise KeyboardInterrupt
        return train(*arguments, name=name, **options)

    with monkeypatch.context() as context:
        context.setattr("alarmnet.detectors.alarm_training.train", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            detector.fit(rows, labels)
    told: list[Progress] = []
    detector.set_params(verbose=told.append).fit(rows, labels)
    assert {state.network for state in told} == {"third alarm"}
    assert detector.history_ == undisturbed.history_
    np.testing.assert_array_equal(detector.decision_scores_, undisturbed.decision_scores_)


def test_alarms_on_inputs_come_back_from_a_file(
    conv: Any, rows: Floats, labels: Floats, tmp_path: Any
) -> None:
    detector = conv(input_alarms=True, scored_by="combined").fit(rows, labels)
    detector.save(tmp_path / "some.model")
    again = load(tmp_path / "some.model")
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))
    np.testing.assert_array_equal(
        again.set_score("alarm").logits(rows), detector.set_score("alarm").logits(rows)
    )
    manifest, arrays = read_file(tmp_path / "some.model")
    for name, damaged in {
        "inputs.pieces.columns": arrays["inputs.pieces.columns"] + 99,
        "inputs.above": arrays["inputs.above"][:1],
        "inputs.alarms.alarms.1.hidden.linear1.weight": np.zeros((64, 3), np.float32),
    }.items():
        write_file(tmp_path / "damaged.model", manifest, {**arrays, name: damaged})
        with pytest.raises(ModelFileError, match=r"damaged\.model"):
            load(tmp_path / "damaged.model")


def test_the_published_settings() -> None:
    detector = ConvA3Detector.as_published(alarm_weight=10.0, random_state=1)
    assert detector.input_alarms is False
    assert (detector.alarm_weight, detector.known_weight, detector.generated_weight) == (10.0, None, 0.0)
    assert (detector.scored_by, detector.reads, detector.target, detector.blend) == (
        "alarm",
        "encoder",
        None,
        0.0,
    )
    assert detector.random_state == 1


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        (
            {"scored_by": "both"},
            "'scored_by' parameter of ConvA3Detector must be one of 'alarm', 'reconstruction'",
        ),
        ({"reads": "activations"}, "'reads' parameter of ConvA3Detector must be one of 'encoder', 'both'"),
        (
            {"alarm_weight": 0},
            "'alarm_weight' parameter of ConvA3Detector must be a number in (0, inf). Got 0",
        ),
        ({"schedule": 30}, "'schedule' parameter of ConvA3Detector"),
        (
            {"input_alarms": "yes"},
            "'input_alarms' parameter of ConvA3Detector must list one AlarmSpec or more",
        ),
        ({"blend": 2}, "'blend' parameter of ConvA3Detector must be a number in [0, 1]"),
    ],
)
def test_its_own_parameters_are_checked(
    conv: Any, rows: Floats, parameters: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        conv(**parameters).fit(rows)
    assert sentence in str(caught.value)
    assert caught.value.code == "invalid_parameter"


def test_a_file_has_the_score_that_was_set(conv: Any, rows: Floats, labels: Floats, tmp_path: Path) -> None:
    detector = conv().fit(rows, labels).set_score("reconstruction")
    detector.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.logits(rows), detector.logits(rows))
    assert again.threshold_ == detector.threshold_
    assert again.scored_by == "reconstruction"
