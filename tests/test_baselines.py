"""Each baseline against something known about it, and what all of them promise."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, IsolationForest, RandomForestClassifier
from sklearn.mixture import GaussianMixture

from alarmnet import DenseAutoencoder, InputError, Schedule, TableEncoder, TrainingDivergedError
from alarmnet._shared.random_streams import torch_generator
from alarmnet.baselines import (
    BASELINES,
    DAGMM,
    DASVDD,
    MIX,
    MKDAD,
    AutoencoderBaseline,
    Baseline,
    DeepSVDD,
    DevNet,
    GradientBoosting,
    IsolationForestBaseline,
    NeuralClassifier,
    RandomForest,
)
from alarmnet.baselines.dagmm import energies, fitted_mixture
from alarmnet.baselines.deep_svdd import centre_of
from alarmnet.baselines.devnet import deviation_loss

Rows = NDArray[np.float64]
SHORT = Schedule(steps=60, batch_size=64, learning_rate=1e-2)
NEEDING_LABELS = [kind for kind in BASELINES.values() if kind.learns_from_labels]
OF_TABLES = [kind for kind in BASELINES.values() if kind.reads_tables]
NEEDING_NONE = [kind for kind in OF_TABLES if not kind.learns_from_labels]


def brief(kind: type[Baseline], **parameters: Any) -> Any:
    """A baseline that learns in a moment."""
    defaults: dict[str, Any] = {
        "random_state": 0,
        "schedule": SHORT,
        "pretraining_schedule": SHORT,
    }
    taken = kind().get_params()
    return kind(**({name: value for name, value in defaults.items() if name in taken} | parameters))


def mixed(rows: Rows) -> pd.DataFrame:
    """The same rows as a table with text and missing cells."""
    frame = pd.DataFrame(rows.copy(), columns=list("abcde"))
    frame["service"] = np.where(rows[:, 0] > 0, "web", "shop")
    frame.loc[::7, "b"] = np.nan
    return frame


# What all promise


@pytest.mark.parametrize("kind", OF_TABLES)
def test_anomalies_score_higher_in_tables_with_text_and_few_labels(
    kind: type[Baseline], rows: Rows, labels: Rows
) -> None:
    table = mixed(rows)
    few = np.where(np.arange(len(rows)) >= 197, labels, np.where(labels == 1, np.nan, labels))  # three known
    before = table.copy()
    scores = brief(kind).fit(table, few).decision_function(table)
    assert scores.shape == (200,)
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert np.median(scores[-10:]) > np.quantile(scores[:-10], 0.75)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("kind", OF_TABLES)
def test_one_seed_gives_the_same_scores_and_touches_no_global_state(
    kind: type[Baseline], rows: Rows, labels: Rows
) -> None:
    states = np.random.get_state(legacy=False)["state"]["key"].copy(), torch.get_rng_state()  # noqa: NPY002
    first, again, other = (brief(kind, random_state=seed).fit(rows, labels) for seed in (1, 1, 2))
    scores = first.decision_function(rows)
    np.testing.assert_array_equal(scores, again.decision_function(rows))
    if kind is not GradientBoosting:  # which draws only where there are many rows
        assert (scores != other.decision_function(rows)).any()
    assert (np.random.get_state(legacy=False)["state"]["key"] == states[0]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), states[1])


@pytest.mark.parametrize("kind", BASELINES.values())
def test_images(kind: type[Baseline], labels: Rows) -> None:
    images = np.random.default_rng(0).integers(0, 60, size=(200, 9, 11), dtype=np.uint8)
    images[-10:, 2:7] += 180
    scores = brief(kind).fit(images, labels).decision_function(images)
    assert np.isfinite(scores).all()
    assert np.median(scores[-10:]) > np.median(scores[:-10])


@pytest.mark.parametrize("kind", OF_TABLES)
def test_rows_far_out_get_finite_scores(kind: type[Baseline], rows: Rows, labels: Rows) -> None:
    model = brief(kind).fit(rows, labels)
    assert np.isfinite(model.decision_function([[1e30] * 5, [-1e30] * 5, [np.nan] * 5])).all()


@pytest.mark.parametrize("kind", NEEDING_NONE)
def test_no_labels_where_none_are_needed(kind: type[Baseline], rows: Rows) -> None:
    scores = brief(kind).fit(rows[:190]).decision_function(rows)
    assert np.median(scores[-10:]) > np.median(scores[:-10])


@pytest.mark.parametrize("kind", NEEDING_NONE)
def test_known_anomalies_are_not_learned_where_labels_are_not(kind: type[Baseline], rows: Rows) -> None:
    """The encoder aside, which is learned beforehand here."""
    encoder = TableEncoder(scaling="minmax", categories={"x0": ["low", "high"]})
    normal = np.where(rows[:190] > 0, "high", "low")[:, :1].astype(object)
    odd = normal[[0]]
    table = np.concatenate([normal, odd])
    with_anomaly = brief(kind, encoder=encoder).fit(table, np.repeat([0, 1], [190, 1]))
    without = brief(kind, encoder=encoder).fit(normal)
    np.testing.assert_array_equal(with_anomaly.decision_function(table), without.decision_function(table))


@pytest.mark.parametrize("kind", NEEDING_LABELS)
def test_no_known_anomaly_is_refused_where_one_is_needed(kind: type[Baseline], rows: Rows) -> None:
    sentence = (
        f"{kind.__name__} learns from known anomalies, and no row is labelled anomalous: label some with 1"
    )
    for y in (None, np.zeros(200)):
        with pytest.raises(InputError, match=sentence):
            brief(kind).fit(rows, y)


@pytest.mark.parametrize("kind", OF_TABLES)
def test_bad_input_is_refused(kind: type[Baseline], rows: Rows, labels: Rows) -> None:
    with pytest.raises(InputError, match="needs two normal or unlabelled rows to learn from; got 1"):
        brief(kind).fit(rows[-3:], [0, 1, 1])
    with pytest.raises(
        InputError, match=r"'random_state' parameter of .* whole number of at least 0. Got -1"
    ):
        brief(kind, random_state=-1).fit(rows, labels)
    with pytest.raises(InputError, match=r"'encoder' parameter of .* must be a TableEncoder"):
        brief(kind, encoder="minmax").fit(rows, labels)
    model = brief(kind).fit(rows, labels)
    with pytest.raises(InputError, match="6 features, but TableEncoder is expecting 5"):
        model.decision_function(np.zeros((2, 6)))
    assert clone(model).get_params() == model.get_params()


def test_every_parameter_is_checked(rows: Rows, labels: Rows) -> None:
    wrong: list[tuple[type[Baseline], dict[str, Any]]] = [
        (AutoencoderBaseline, {"target": "dense"}),
        (AutoencoderBaseline, {"schedule": 30}),
        (AutoencoderBaseline, {"device": "abacus"}),
        (DAGMM, {"hidden": ()}),
        (DAGMM, {"estimation": 0}),
        (DAGMM, {"mixtures": 0}),
        (DAGMM, {"energy_weight": -1}),
        (DAGMM, {"variance_weight": -1}),
        (DASVDD, {"hidden": (0,)}),
        (DASVDD, {"distance_weight": -1}),
        (MIX, {"left_out": 2}),
        (MIX, {"tolerance": -1}),
        (MIX, {"turns": 0}),
        (MIX, {"hidden": ()}),
        (DeepSVDD, {"hidden": (0,)}),
        (DeepSVDD, {"weight_penalty": -1}),
        (DeepSVDD, {"pretraining_schedule": 30}),
        (DevNet, {"hidden": 20}),
        (DevNet, {"margin": 0}),
        (DevNet, {"weight_penalty": -1}),
        (NeuralClassifier, {"hidden": ()}),
        (NeuralClassifier, {"dropout": 1}),
    ]
    for kind, parameters in wrong:
        (name,) = parameters
        with pytest.raises(InputError, match=f"'{name}' parameter of {kind.__name__} must be"):
            kind(**parameters).fit(rows, labels)
    of_images: dict[str, Any] = {"teacher": 1, "direction_weight": -1, "pretraining_schedule": 30}
    for name, value in of_images.items():
        with pytest.raises(InputError, match=f"'{name}' parameter of MKDAD must be"):
            MKDAD(**{name: value}).fit(np.zeros((4, 8, 8)))
    convolutional: list[type[Any]] = [DeepSVDD, DASVDD]
    for kind in convolutional:
        sentence = rf"{kind.__name__} must name channels and a code for images\. Got \(32,\) instead"
        with pytest.raises(InputError, match=sentence):
            kind(hidden=(32,)).fit(np.zeros((4, 8, 8)))


@pytest.mark.parametrize(
    "kind", [AutoencoderBaseline, NeuralClassifier, DevNet, DAGMM, DeepSVDD, DASVDD, MIX]
)
def test_progress_is_told_and_divergence_is_an_error(kind: type[Baseline], rows: Rows, labels: Rows) -> None:
    told: list[Any] = []
    model = brief(kind, verbose=told.append).fit(rows, labels)
    assert {state.network for state in told} == set(model.history_)
    wild = Schedule(steps=60, learning_rate=1e30)
    with pytest.raises(TrainingDivergedError, match="learning rate"):
        brief(kind, schedule=wild).fit(rows, labels).decision_function(rows)


# What is known of each


def test_autoencoder_scores_are_mean_squared_errors(rows: Rows) -> None:
    model = brief(AutoencoderBaseline, target=DenseAutoencoder(hidden=(8, 2))).fit(rows)
    encoded = torch.from_numpy(model.encoder_.transform(rows))
    weights = {name: value.detach() for name, value in model._network.named_parameters()}
    found = encoded
    for number in (1, 2, 3):
        layer = f"hidden.linear{number}"
        found = torch.relu(found @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"])
    found = torch.sigmoid(found @ weights["output.weight"].T + weights["output.bias"])
    errors = ((found - encoded) ** 2).mean(1).numpy()
    np.testing.assert_allclose(model.decision_function(rows), errors, rtol=1e-4)


def test_forests_and_boosting_equal_scikit_learns(rows: Rows, labels: Rows) -> None:
    encoded = TableEncoder(scaling="minmax").fit_transform(rows)
    known = labels == 1
    forest = IsolationForest(random_state=3).fit(encoded[~known])
    theirs = {
        IsolationForestBaseline: -forest.score_samples(encoded),
        **{
            ours: sklearns(random_state=3).fit(encoded, known).predict_proba(encoded)[:, 1]
            for ours, sklearns in (
                (GradientBoosting, HistGradientBoostingClassifier),
                (RandomForest, RandomForestClassifier),
            )
        },
    }
    for kind, scores in theirs.items():
        np.testing.assert_array_equal(kind(random_state=3).fit(rows, labels).decision_function(rows), scores)


def test_gradient_boosting_learns_from_one_anomaly_among_many_rows() -> None:
    """scikit-learn's own early stopping fails then."""
    rows = np.random.default_rng(0).normal(size=(10_002, 1))
    scores = GradientBoosting().fit(rows, np.arange(10_002) == 5).decision_function(rows)
    assert np.isfinite(scores).all()


def test_dagmm_energy_is_the_likelihood_of_scikit_learns_mixture() -> None:
    codes = np.random.default_rng(0).normal(size=(300, 3))
    codes[:100] += 3
    theirs = GaussianMixture(2, random_state=0, reg_covar=1e-6).fit(codes)
    memberships = theirs.predict_proba(codes)
    theirs._m_step(codes, np.log(memberships))
    ours = fitted_mixture(torch.from_numpy(codes), torch.from_numpy(memberships))
    np.testing.assert_allclose(
        energies(ours, torch.from_numpy(codes)), -theirs.score_samples(codes), rtol=1e-5
    )


def test_dagmm_energy_of_one_known_gaussian() -> None:
    codes = torch.tensor([[-1.0], [1.0]], dtype=torch.float64)  # mean 0, variance 1
    mixture = fitted_mixture(codes, torch.ones((2, 1), dtype=torch.float64))
    assert float(energies(mixture, torch.tensor([[2.0]]))[0]) == pytest.approx(
        0.5 * math.log(2 * math.pi) + 2, abs=1e-4
    )


def test_dagmm_codes_hold_what_reconstruction_lost(rows: Rows) -> None:
    model = brief(DAGMM, hidden=(6, 2)).fit(rows)
    batch = torch.from_numpy(model._scaler.transform(model.encoder_.transform(rows)))
    network = model._network
    assert batch.mean(0).abs().max() < 1e-5
    with torch.no_grad():
        codes, memberships, errors = network(batch)
        code = network.encoder[2](torch.tanh(network.encoder[0](batch)))
        apart = batch - network.decoder(code)
    np.testing.assert_allclose(codes[:, :2], code, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(codes[:, 2], apart.norm(dim=1) / batch.norm(dim=1), rtol=1e-2)
    cosines = ((batch - apart) * batch).sum(1) / (batch - apart).norm(dim=1) / batch.norm(dim=1)
    np.testing.assert_allclose(codes[:, 3], cosines, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(errors, apart.square().sum(1), rtol=1e-4)
    np.testing.assert_allclose(memberships.sum(1), 1, rtol=1e-5)


def test_dagmm_loss_by_hand(rows: Rows) -> None:
    model = brief(DAGMM).fit(rows)
    codes = torch.from_numpy(rows[:, :2].copy())
    everyone = torch.ones((200, 1), dtype=torch.float64)
    errors = torch.full((200,), 3.0)
    centred = rows[:, :2] - rows[:, :2].mean(0)
    covariance = centred.T @ centred / 200
    distances = np.einsum("ni,ij,nj->n", centred, np.linalg.inv(covariance), centred)
    energy = 0.5 * (distances.mean() + np.linalg.slogdet(2 * np.pi * covariance)[1])
    expected = 3 + 0.1 * energy + 0.005 * (1 / np.diag(covariance)).sum()
    assert float(model._loss(codes, everyone, errors)) == pytest.approx(expected, rel=1e-4)


def test_deviation_loss_by_hand() -> None:
    references = torch.tensor([1.0, 3.0])  # mean 2, standard deviation 1
    scores = torch.tensor([2.5, 0.0, 3.0, 9.0])
    anomalous = torch.tensor([False, False, True, True])
    #  |0.5|, |-2|, 5 - 1, 0 since 7 is beyond the margin
    assert float(deviation_loss(scores, anomalous, references, margin=5.0)) == pytest.approx(6.5 / 4)


def test_devnet_is_the_authors_network_and_learns_the_deviation(rows: Rows, labels: Rows) -> None:
    model = DevNet(random_state=0).fit(rows, labels)
    shapes = [tuple(weight.shape) for weight in model._network.parameters()]
    assert shapes == [(20, 5), (20,), (1, 20), (1,)]
    assert model.history_["deviation"][-1]["step"] == 1000
    scores = model.decision_function(rows)
    assert abs(np.median(scores[:150])) < 1
    assert scores[-10:].mean() > 4


def test_devnet_keeps_its_weights_small(rows: Rows, labels: Rows) -> None:
    def squares(penalty: float) -> float:
        model = brief(DevNet, weight_penalty=penalty).fit(rows, labels)
        return float(model._network.hidden.linear1.weight.detach().square().sum())

    assert squares(0.1) < 0.8 * squares(0.0)


@pytest.mark.parametrize("shape", [(5,), (9, 11), (3, 9, 11)])
def test_deep_svdd_has_no_bias_and_measures_from_the_initial_codes(shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).random((120, *shape))
    model = brief(DeepSVDD, schedule=Schedule(steps=5), pretraining_schedule=Schedule(steps=1)).fit(inputs)
    assert not [name for name, _ in model._network.named_parameters() if "bias" in name]
    encoded = torch.from_numpy(model.encoder_.transform(inputs))
    with torch.no_grad():
        codes = model._network(encoded)
    distances = ((codes - model.centre_) ** 2).sum(1)
    np.testing.assert_allclose(model.decision_function(inputs), distances, rtol=1e-3)
    assert distances.std() > 0
    assert (model.centre_.abs() >= 0.1 - 1e-6).all()


def test_deep_svdd_centre_is_that_of_pretraining_and_distances_shrink(rows: Rows) -> None:
    one_step = Schedule(steps=1, learning_rate=1e-12)
    initial = brief(DeepSVDD, schedule=one_step).fit(rows)
    trained = brief(DeepSVDD).fit(rows)
    encoded = torch.from_numpy(initial.encoder_.transform(rows))
    with torch.no_grad():
        centre = centre_of(initial._network(encoded))
    torch.testing.assert_close(trained.centre_, centre)
    assert trained.decision_function(rows).mean() < 0.7 * initial.decision_function(rows).mean()


def test_deep_svdd_image_networks_are_the_papers() -> None:
    for channels, convolutions, code in ((1, [(8, 1, 5, 5), (4, 8, 5, 5)], 32), (3, [(32, 3, 5, 5)], 128)):
        images = np.random.default_rng(0).random((20, channels, 28, 28))
        model = brief(DeepSVDD, schedule=Schedule(steps=1), pretraining_schedule=Schedule(steps=1)).fit(
            images
        )
        shapes = [tuple(weight.shape) for weight in model._network.parameters()]
        assert shapes[: len(convolutions)] == convolutions
        assert shapes[-1][0] == code


def test_neural_classifier_gives_logits_of_known_anomalies(rows: Rows, labels: Rows) -> None:
    model = NeuralClassifier(random_state=0).fit(rows, labels)
    scores = model.decision_function(rows)
    known = labels == 1
    assert next(tuple(weight.shape) for weight in model._network.parameters()) == (400, 5)
    assert scores[known].min() > scores[~known].max()
    assert (scores[~known] < 0).all()  # logits: below 0 is "normal"


def test_neural_classifier_stops_when_held_out_rows_say_so(rows: Rows) -> None:
    by_chance = np.random.default_rng(0).random(200) < 0.5
    model = NeuralClassifier(random_state=0, schedule=Schedule(steps=2000, learning_rate=1e-2, patience=2))
    checks = model.fit(rows, by_chance).history_["classifier"]
    assert len(checks) < 20
    assert "validation_loss" in checks[0]


def test_weights_come_from_the_seed_alone(rows: Rows) -> None:
    drawn = torch_generator(5, "weights")
    still = Schedule(steps=1, learning_rate=1e-12)
    model = brief(AutoencoderBaseline, schedule=still, random_state=5).fit(rows)
    first = model._network.hidden.linear1.weight
    expected = torch.nn.init.xavier_uniform_(torch.empty(first.shape), generator=drawn)
    torch.testing.assert_close(first.detach(), expected)


def test_labels_of_any_name_are_read(rows: Rows, labels: Rows) -> None:
    named = np.where(labels == 1, "bad", np.where(np.arange(len(labels)) % 2, "fine", "ok"))
    found = GradientBoosting(anomaly_label="bad", random_state=0).fit(rows, named).decision_function(rows)
    expected = GradientBoosting(random_state=0).fit(rows, labels == 1).decision_function(rows)
    np.testing.assert_array_equal(found, expected)
