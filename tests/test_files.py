"""Saved detectors: they score as before, and a hostile file is refused with its name and the reason."""

import ast
import copy
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import alarmnet
from alarmnet import (
    A3Detector,
    ConvA3Detector,
    DenseAutoencoder,
    ExternalTarget,
    InputError,
    ModelFileError,
    Schedule,
    StridedAutoencoder,
    TableEncoder,
    VaeAnomalies,
    load,
)
from alarmnet._shared.persistence import read_file, write_file
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.state import COUNTED
from alarmnet.preprocessing import ImageScaler

Make = Any  # conftest's Maker
Floats = NDArray[np.float64]
Contents = tuple[dict[str, Any], dict[str, NDArray[Any]]]


@pytest.fixture(scope="module")
def saved(fitted: A3Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "fitted.model"
    fitted.save(path)
    return path


@pytest.fixture(scope="module")
def kept(trained: BaseDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "trained.model"
    trained.save(path)
    return path


def through_file(detector: BaseDetector, folder: Path, **options: Any) -> Any:
    detector.save(folder / "some.model")
    return load(folder / "some.model", **options)


def module() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))


# Back as it was


def test_scores_are_bit_equal(kept: Path, trained: BaseDetector, rows: Floats) -> None:
    again = load(kept)
    assert type(again) is type(trained)
    for method in (
        "decision_function",
        "predict",
        "predict_proba",
        "anomaly_score",
        "p_value",
        "column_deviations",
    ):
        np.testing.assert_array_equal(getattr(again, method)(rows), getattr(trained, method)(rows))


def test_scores_are_bit_equal_in_another_process(kept: Path, trained: BaseDetector, rows: Floats) -> None:
    np.save(kept.with_suffix(".npy"), rows)
    script = (
        "import sys, numpy, alarmnet; X = numpy.load(sys.argv[2]);"
        "sys.stdout.write(alarmnet.load(sys.argv[1]).decision_function(X).tobytes().hex())"
    )
    command = [sys.executable, "-c", script, str(kept), str(kept.with_suffix(".npy"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed == trained.decision_function(rows).tobytes().hex()


def test_what_was_learned_comes_back(kept: Path, trained: BaseDetector) -> None:
    again: Any = load(kept)
    assert again.get_params() == trained.get_params()
    for name in (
        "n_features_in_",
        "threshold_",
        "alarm_rate_",
        "alarm_rate_held_",
        "calibration_is_labelled_",
        "label_counts_",
        "history_",
        "seed_",
    ):
        assert getattr(again, name) == getattr(trained, name), name
    np.testing.assert_array_equal(again.calibration_scores_, trained.calibration_scores_)
    assert again.classes_.tolist() == trained.classes_.tolist()
    assert not hasattr(again, "decision_scores_")


def test_every_kind_of_parameter_comes_back(small: Make, rows: Floats, tmp_path: Path) -> None:
    generator = VaeAnomalies(hidden=(8,), code=2, schedule=Schedule(steps=3))
    detector = small(
        generator=generator, known_weight=None, reads="activations", unlabelled="normal", anomaly_label=3
    )
    again = through_file(detector.fit(rows), tmp_path)
    assert again.get_params() == detector.get_params()


@pytest.mark.parametrize("names", [["fine", "fraud"], [False, True], [3, 7]])
def test_feature_names_and_classes_come_back(
    make: Make, rows: Floats, labels: Floats, tmp_path: Path, names: list[Any]
) -> None:
    frame = pd.DataFrame(rows, columns=list("abcde"))
    detector = make(anomaly_label=names[1]).fit(frame, np.where(labels == 1, names[1], names[0]))
    again = through_file(detector, tmp_path)
    assert again.feature_names_in_.tolist() == list("abcde")
    assert again.classes_.tolist() == names
    np.testing.assert_array_equal(again.predict(frame), detector.predict(frame))


def test_quantiles_of_a_wide_table_come_back(small: Make, tmp_path: Path) -> None:
    wide = np.random.default_rng(0).normal(size=(300, 900))
    detector = small(encoder=TableEncoder(scaling="quantile"), schedule=Schedule(steps=2)).fit(wide)
    again = through_file(detector, tmp_path)
    np.testing.assert_array_equal(
        again.decision_function(wide[:9] * 2), detector.decision_function(wide[:9] * 2)
    )


def test_images_come_back(make: Make, tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 255, size=(40, 8, 8)).astype(np.uint8)
    target = {"target": None} if make.kind is A3Detector else {}
    detector = make(**target, schedule=Schedule(steps=2), alarm_rate=0.2).fit(images)
    again = through_file(detector, tmp_path)
    np.testing.assert_array_equal(again.decision_function(images), detector.decision_function(images))


def test_a_seed_drawn_from_a_generator_is_kept(make: Make, rows: Floats, tmp_path: Path) -> None:
    detector = make(random_state=np.random.default_rng(0)).fit(rows)
    assert through_file(detector, tmp_path).seed_ == detector.seed_


def test_numpy_sizes_are_kept(small: Make, rows: Floats, tmp_path: Path) -> None:
    recipe = alarmnet.DenseAlarm(hidden=(np.int64(8), np.int64(4)))  # type: ignore[arg-type]
    detector = small(alarm=recipe).fit(rows)
    np.testing.assert_array_equal(
        through_file(detector, tmp_path).decision_function(rows), detector.decision_function(rows)
    )


def test_the_alarm_can_be_refitted_after_loading(
    kept: Path, trained: BaseDetector, rows: Floats, labels: Floats
) -> None:
    more = labels.copy()
    more[150:155] = 1
    again = load(kept).refit_alarm(rows, more)
    expected = copy.deepcopy(trained).refit_alarm(rows, more)
    np.testing.assert_array_equal(again.decision_function(rows), expected.decision_function(rows))
    np.testing.assert_array_equal(again.labels_, expected.labels_)


def test_the_alarm_rate_can_be_changed_after_loading(kept: Path, trained: BaseDetector) -> None:
    again, twin = load(kept).set_alarm_rate(0.4), copy.deepcopy(trained).set_alarm_rate(0.4)
    assert again.threshold_ == twin.threshold_


def test_a_file_has_the_parameters_of_the_fit(trained: BaseDetector, rows: Floats, tmp_path: Path) -> None:
    detector = copy.deepcopy(trained)
    expected = detector.decision_function(rows)
    others = {"reads": "activations"} if isinstance(detector, A3Detector) else {"scored_by": "alarm"}
    detector.set_params(alarm_rate=0.4, calibration_share=7, **others)
    again = through_file(detector, tmp_path)
    np.testing.assert_array_equal(again.decision_function(rows), expected)
    assert again.alarm_rate == trained.alarm_rate == again.alarm_rate_
    for name in ("calibration_share", *others):
        assert getattr(again, name) == getattr(trained, name)
    detector.set_alarm_rate(0.4)
    assert through_file(detector, tmp_path).alarm_rate == 0.4


def test_a_target_that_is_set_after_the_fit_does_not_spoil_the_file(
    small: Make, rows: Floats, labels: Floats, tmp_path: Path
) -> None:
    detector = small(target=DenseAutoencoder(hidden=(4, 3))).fit(rows, labels)
    detector.set_params(target__hidden=(2,))
    np.testing.assert_array_equal(through_file(detector, tmp_path).logits(rows), detector.logits(rows))
    detector.refit_alarm(rows, labels)
    np.testing.assert_array_equal(through_file(detector, tmp_path).logits(rows), detector.logits(rows))


# A target of the user's own


def test_a_users_module_is_given_again(small: Make, rows: Floats, labels: Floats, tmp_path: Path) -> None:
    detector = small(target=ExternalTarget(module(), layers=["1"])).fit(rows, labels)
    untrained = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    before = copy.deepcopy(untrained.state_dict())
    again = through_file(detector, tmp_path, target=ExternalTarget(untrained, layers=["1"]))
    np.testing.assert_array_equal(again.decision_function(rows), detector.decision_function(rows))
    assert all(torch.equal(before[name], weight) for name, weight in untrained.state_dict().items())


def test_a_users_module_that_is_not_given_is_asked_for(small: Make, rows: Floats, tmp_path: Path) -> None:
    detector = small(target=ExternalTarget(module(), layers=["1"])).fit(rows)
    with pytest.raises(InputError, match=r"load\(path, target=ExternalTarget\(module, layers=\['1'\]\)\)"):
        through_file(detector, tmp_path)


def test_a_bare_module_is_no_damage_of_the_file(small: Make, rows: Floats, tmp_path: Path) -> None:
    detector = small(target=ExternalTarget(module(), layers=["1"])).fit(rows)
    with pytest.raises(InputError, match="The 'target' parameter of load must be a Target") as caught:
        through_file(detector, tmp_path, target=module())
    assert caught.value.code == "invalid_parameter"


def test_other_layers_than_in_training_are_refused(small: Make, rows: Floats, tmp_path: Path) -> None:
    detector = small(target=ExternalTarget(module(), layers=["1"])).fit(rows)
    with pytest.raises(InputError, match=r"layers=\['1'\]; got layers=\['0'\]") as caught:
        through_file(detector, tmp_path, target=ExternalTarget(module(), layers=["0"]))
    assert caught.value.code == "missing_target"


def test_another_module_than_in_training_is_refused(small: Make, rows: Floats, tmp_path: Path) -> None:
    detector = small(target=ExternalTarget(module(), layers=["1"])).fit(rows)
    other = nn.Sequential(nn.Linear(5, 9), nn.ReLU())
    with pytest.raises(ModelFileError, match=r"some\.model"):
        through_file(detector, tmp_path, target=ExternalTarget(other, layers=["1"]))


# Hostile files: their digest is right, since anyone can compute it


def parameter(name: str, value: Any) -> Callable[[Contents], None]:
    return lambda contents: contents[0]["parameters"].update({name: value})


def field(parameter_name: str, name: str, value: Any) -> Callable[[Contents], None]:
    return lambda contents: contents[0]["parameters"][parameter_name].update({name: value})


def manifest(name: str, value: Any) -> Callable[[Contents], None]:
    return lambda contents: contents[0].update({name: value})


def learned(name: str, value: Any) -> Callable[[Contents], None]:
    return lambda contents: contents[0]["learned"].update({name: value})


def array(name: str, change: Callable[[NDArray[Any]], Any]) -> Callable[[Contents], None]:
    return lambda contents: contents[1].update({name: np.asarray(change(contents[1][name]))})


def category(*, kept: list[str], rare: list[str] | None = None) -> Callable[[Contents], None]:
    state = {"kind": "category", "missing": False, "kept": kept, "rare": rare or []}
    return lambda contents: contents[0]["encoder"]["columns"].__setitem__(0, state)


KNOWN = "calibration.known_rows"
SCORES, ROWS, WEIGHT = "calibration.scores", "calibration.rows", "alarm.alarms.0.output.weight"
KNOTS = "encoder.knots"

HOSTILE: dict[str, tuple[Callable[[Contents], Any], str]] = {
    "another kind": (manifest("kind", "checkpoint"), "holds 'checkpoint': no detector"),
    "no kind": (lambda contents: contents[0].pop("kind"), "holds None: no detector"),
    "unknown method": (manifest("method", "os"), "KeyError: 'os'"),
    "unknown recipe": (field("alarm", "recipe", "system"), "KeyError: 'system'"),
    "unknown field": (field("alarm", "command", "true"), "unexpected keyword argument 'command'"),
    "unknown parameter": (parameter("command", "true"), "unexpected keyword argument 'command'"),
    "parameters of another type": (manifest("parameters", [1]), "AttributeError"),
    "no encoder": (lambda contents: contents[0].pop("encoder"), "KeyError: 'encoder'"),
    "damaged encoder": (manifest("encoder", {"kind": "table"}), "KeyError"),
    "three classes": (manifest("classes", [0, 1, 2]), "classes are not two"),
    "equal classes": (manifest("classes", [1, 1]), "classes are not two"),
    "classes of lists": (manifest("classes", [[], []]), "classes are not two"),
    "a class of a long text": (manifest("classes", ["a", "b" * 5000]), "labels of the classes are too long"),
    "a long error": (manifest("method", "x" * 10**6), "KeyError: 'xxx"),
    "huge hidden sizes": (field("alarm", "hidden", [10**9, 10**9]), "RuntimeError"),
    "sizes beyond 64 bits": (field("target", "hidden", [10**30]), "Error"),
    "no hidden sizes": (field("alarm", "hidden", []), "RuntimeError"),
    "negative sizes": (field("target", "hidden", [-4]), "Error"),
    "sizes of text": (field("target", "hidden", "abc"), "Error"),
    "weights of another shape": (array(WEIGHT, lambda weight: weight[:, :-1]), "RuntimeError"),
    "weights that are not finite": (
        array(WEIGHT, lambda weight: weight * np.nan),
        f"not finite, in '{WEIGHT}'",
    ),
    "weights of another type": (array(WEIGHT, lambda weight: weight.astype(np.float64)), WEIGHT),
    "whole numbers for weights": (array(WEIGHT, lambda weight: weight.astype(np.int64)), "Error"),
    "a weight missing": (lambda contents: contents[1].pop(WEIGHT), f"KeyError: '{WEIGHT}'"),
    "a weight too many": (lambda contents: contents[1].update({"alarm.more": np.ones(2)}), "RuntimeError"),
    "no hidden layer": (
        lambda contents: contents[1].pop("alarm.alarms.0.hidden.linear1.weight"),
        "RuntimeError",
    ),
    "scores out of order": (
        array(SCORES, lambda scores: scores[::-1]),
        "calibration scores are not in order",
    ),
    "no scores": (array(SCORES, lambda scores: scores[:0]), "calibration scores are not in order"),
    "scores that are not finite": (
        array(SCORES, lambda scores: scores + np.inf),
        f"not finite, in '{SCORES}'",
    ),
    "scores in two columns": (
        array(SCORES, lambda scores: scores[:, None]),
        "calibration scores are not in order",
    ),
    "rows of another width": (
        array(ROWS, lambda rows: rows[:, 1:]),
        "calibration rows do not fit the encoder",
    ),
    "fewer rows than scores": (array(ROWS, lambda rows: rows[1:]), "calibration"),
    "noise of text": (parameter("generator", {"recipe": "GaussianNoise", "mean": "x"}), "'mean' parameter"),
    "a schedule of text": (
        parameter("generator", {"recipe": "VaeAnomalies", "schedule": "x"}),
        "'schedule' parameter",
    ),
    "an alarm rate of text": (parameter("alarm_rate", "low"), "alarm_rate"),
    "an alarm rate out of range": (parameter("alarm_rate", 100), "alarm_rate"),
    "scores of another type": (array(SCORES, lambda scores: scores.astype(np.float16)), "calibration scores"),
    "known anomalies of another width": (
        array(KNOWN, lambda rows: rows[:, 1:]),
        "known anomalies do not fit the encoder",
    ),
    "known anomalies of another type": (
        array(KNOWN, lambda rows: rows.astype(np.float64)),
        "known anomalies do not fit",
    ),
    "known anomalies without numbers": (
        lambda contents: contents[1].pop("calibration.known_numbers"),
        "not both there",
    ),
    "known anomalies of negative numbers": (
        array("calibration.known_numbers", lambda numbers: -1 - numbers),
        "numbers of known anomalies",
    ),
    "weights beyond 1": (array("calibration.weights", lambda weights: weights + 1), "weights are damaged"),
    "a weight too few": (array("calibration.weights", lambda weights: weights[1:]), "weights are damaged"),
    "calibration rows numbered twice": (
        array("calibration.numbers", lambda numbers: numbers * 0),
        "calibration rows' numbers are damaged",
    ),
    "calibration rows of fewer numbers": (
        array("calibration.numbers", lambda numbers: numbers[1:]),
        "calibration rows' answers are damaged",
    ),
    "answers of another kind": (array("calibration.answers", lambda answers: answers + 5), "of another kind"),
    "an order that is none": (
        array("calibration.order", lambda order: order * 0),
        "order of the calibration",
    ),
    "rows of another type": (
        array(ROWS, lambda rows: rows.astype(np.float64)),
        "calibration rows do not fit",
    ),
    "label counts of text": (
        learned("label_counts_", dict.fromkeys(COUNTED, "many")),
        "label counts are not whole numbers",
    ),
    "history without steps": (learned("history_", {"target": [{}]}), "history is damaged"),
    "label counts without a kind": (
        learned("label_counts_", {"anomaly": 1}),
        "label counts are not all there",
    ),
    "notes of another type": (learned("notes_", []), "notes are of another type"),
    "ignored columns of another type": (
        learned("notes_", {"ignored": 5}),
        "'ignored' is not a list of texts",
    ),
    "words for gaps of another type": (
        learned("notes_", {"missing": [7]}),
        "'missing' is not a list of texts",
    ),
    "labels of another type": (
        learned("notes_", {"anomaly": 3}),
        "'anomaly' is not a list of texts",
    ),
    "a label column of another type": (learned("notes_", {"label": ["a"]}), "the note 'label' is not text"),
    "a size of another type": (learned("notes_", {"resize": [32, "32"]}), "the note 'resize' is not a size"),
    "numbers beyond float32": (
        lambda contents: contents[0]["encoder"]["columns"][0].update(high=1e300),
        "a stored column is damaged: numbers",
    ),
    "a column without categories": (category(kept=[]), "number of categories"),
    "a column of too many categories": (category(kept=["x"] * 70_000), "number of categories"),
    "a category twice": (category(kept=["a", "a"]), "categories that occur twice"),
    "a category kept and rare": (category(kept=["a"], rare=["a"]), "categories that occur twice"),
    "rare categories twice": (category(kept=["a"], rare=["b", "b"]), "order of categories"),
    "too many columns": (
        lambda contents: contents[0]["encoder"].update(columns=[None] * 60_000),
        "too many columns are stored",
    ),
    "names that multiply": (
        lambda contents: (
            contents[0]["encoder"].update(names=["x" * 1000, *"bcde"]),
            category(kept=[str(number) for number in range(20_000)])(contents),
        ),
        "column names are too long",
    ),
    "a missing seed": (lambda contents: contents[0]["learned"].pop("seed_"), "KeyError: 'seed_'"),
    "a seed of text": (learned("seed_", "x"), "seed is 'x'"),
}


def alarms_on_images(contents: Contents) -> None:
    """A model of images with arrays of alarms on a table's columns."""
    manifest, arrays = contents
    manifest.update(encoder=ImageScaler().fit(np.zeros((2, 8, 8))).to_dict())
    for name in (KNOTS, "encoder.positions"):
        arrays.pop(name)
    images = np.zeros((9, 1, 8, 8), dtype=np.float32)
    arrays.pop("calibration.known_rows")
    arrays.pop("calibration.known_numbers")
    for name in ("calibration.numbers", "calibration.answers", "calibration.order"):
        arrays.pop(name)
    arrays["calibration.weights"] = np.ones(9)
    arrays.update({ROWS: images, SCORES: np.zeros(9), "inputs.pieces.columns": np.zeros(1)})


CONVOLUTIONAL: dict[str, tuple[Callable[[Contents], Any], str]] = {
    "huge channels": (field("target", "channels", [10**12, 10**12]), "Error"),
    "a huge grid": (field("target", "grid", [10**6, 10**6]), "RuntimeError"),
    "a grid of one": (field("target", "grid", [4]), "grid"),
    "another score": (parameter("scored_by", "sum"), "scored_by"),
    "negative variance": (
        array("target.encoder.norm1.running_var", lambda variance: -variance),
        "target.encoder.norm1.running_var holds numbers that are not positive",
    ),
    "no deviation": (array("errors.deviation", lambda deviation: deviation * 0), "errors.deviation holds"),
    "alarms on inputs of images": (alarms_on_images, "alarms on inputs, and the rows are images"),
    "a quantile missing": (array(KNOTS, lambda knots: knots[:-1]), "the encoder's knots are"),
    "a quantile too many": (array(KNOTS, lambda knots: np.append(knots, 9.0)), "the encoder's knots are"),
    "no quantiles": (lambda contents: contents[1].pop(KNOTS), "ValueError"),
    "quantiles out of order": (array(KNOTS, lambda knots: knots[::-1]), "quantile order"),
    "quantiles of text": (
        lambda contents: contents[0]["encoder"]["columns"][0]["scale"].update(knots="many"),
        "TypeError",
    ),
}


@pytest.fixture(scope="module")
def convolutional(rows: Floats, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "convolutional.model"
    brief = Schedule(steps=2)
    ConvA3Detector(target=StridedAutoencoder(), schedule=brief, alarm_rate=0.1).fit(rows).save(path)
    return path


@pytest.mark.parametrize("name", [*HOSTILE, *CONVOLUTIONAL])
def test_hostile_files_are_refused_with_name_and_reason(
    saved: Path, convolutional: Path, tmp_path: Path, name: str
) -> None:
    change, reason = (HOSTILE | CONVOLUTIONAL)[name]
    contents = read_file(saved if name in HOSTILE else convolutional)
    change(contents)
    path = tmp_path / "hostile.model"
    write_file(path, *contents)
    begun = time.process_time()
    with pytest.raises(ModelFileError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 1000
    assert time.process_time() - begun < 2


def test_the_machine_and_not_the_file_says_where_to_compute(saved: Path, tmp_path: Path) -> None:
    manifest, arrays = read_file(saved)
    manifest["parameters"].update(device="meta", verbose="loud")
    write_file(tmp_path / "some.model", manifest, arrays)
    again: Any = load(tmp_path / "some.model")
    assert (again.device, again.verbose) == ("auto", False)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda weight: np.full_like(weight, 3e38), "gives no finite score"),
        (lambda weight: np.repeat(weight, 2, axis=1), "but its target gives"),
        (lambda weight: weight[:, :-1], "but its target gives"),
    ],
)
def test_weights_that_cannot_score_are_refused_when_scoring(
    saved: Path, rows: Floats, tmp_path: Path, change: Callable[[Any], Any], reason: str
) -> None:
    manifest, arrays = read_file(saved)
    for name in [name for name in arrays if name.endswith("hidden.linear1.weight")]:
        arrays[name] = np.ascontiguousarray(change(arrays[name]))
    target = [name for name in arrays if name.startswith("target") and name.endswith("linear1.weight")]
    arrays |= {name: read_file(saved)[1][name] for name in target}
    write_file(tmp_path / "some.model", manifest, arrays)
    with pytest.raises(ModelFileError, match=reason):
        load(tmp_path / "some.model").decision_function(rows)


def test_a_path_with_a_zero_byte_is_refused() -> None:
    fault = r"(?:\w+: )?embedded null (?:byte|character)"  # as Python says it, before 3.13 and since
    with pytest.raises(ModelFileError, match=rf"'some\\x00model' cannot be read: {fault}"):
        load("some\0model")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"gone\.model"):
        load(tmp_path / "gone.model")


def test_saving_to_a_place_that_cannot_be_written_is_refused(fitted: A3Detector, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        fitted.save(tmp_path / "nowhere" / "some.model")
    assert not list(tmp_path.iterdir())


def test_nothing_in_the_package_unpickles() -> None:
    sources = list(Path(alarmnet.__file__).parent.rglob("*.py"))
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not {"pickle", "marshal", "shelve", "dill", "joblib"} & {
                n.partition(".")[0] for n in names
            }
            assert ast.unparse(node) != "torch.load", source
