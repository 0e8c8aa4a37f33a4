"""The methods that are compared, by the names that the command line and the results use."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alarmnet import (
    A3Detector,
    ConvA3Detector,
    ConvAutoencoder,
    DenseAutoencoder,
    InputError,
    Schedule,
    TableEncoder,
    VaeAnomalies,
)
from alarmnet.baselines import BASELINES
from alarmnet.datasets import ScenarioPart, make_scenario
from experiments.classifier import digit_classifier
from experiments.other_rows import VaeOfOtherRows

TARGET_EPOCHS = 30


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a method may know: the rows and their encoding, the row's settings, seed, device and checkpoint."""

    rows: ScenarioPart
    encoder: TableEncoder
    settings: dict[str, Any]
    seed: int
    device: str
    checkpoint: Path

    @property
    def common(self) -> dict[str, Any]:
        """Parameters of every detector."""
        return {"random_state": self.seed, "device": self.device, "checkpoint": self.checkpoint}


Method = Callable[[Training], Any]
"""Makes an estimator with `fit(X, y)` and `decision_function(X)`, where higher is more anomalous."""


def _target(training: Training) -> Any:
    """The paper's target network for the row."""
    kind = training.settings.get("target")
    if kind == "convolutional":
        return ConvAutoencoder()
    if kind == "classifier":
        rows, normal = training.rows, training.rows.y == 0
        images, classes = rows.X[normal], rows.classes[normal]
        return digit_classifier(images, classes, seed=training.seed, device=training.device)
    return DenseAutoencoder(hidden=tuple(training.settings["hidden"]))


def published(training: Training, **parameters: Any) -> A3Detector:
    """A3 with the paper's settings."""
    return A3Detector.as_published(
        target=_target(training),
        batch_size=training.settings.get("batch_size", 256),
        encoder=training.encoder,
        **training.common,
        **parameters,
    )


def vae(training: Training) -> A3Detector:
    """A3 with the paper's settings and a VAE that makes the anomalies: experiment 4, without labels."""
    return published(training, generator=VaeAnomalies())


def vae_of_last_row(training: Training) -> A3Detector:
    """As `vae`, but with the VAE that was trained last, as in the authors' code: it learned 4a's test anomalies.

    Raises
    ------
    InputError
        The row is of another experiment.
    """
    last = training.settings.get("last_row")
    if last is None:
        raise InputError("vae_of_last_row is for experiment 4: choose rows of a3-table-4", code="other_row")
    others = make_scenario(last, known=0, seed=training.seed).train
    return published(training, generator=VaeOfOtherRows(row=last, images=others.X))


def a3(training: Training) -> A3Detector:
    """A3 with its defaults."""
    return A3Detector(**training.common)


def reads_both(training: Training) -> A3Detector:
    """A3 with the defaults before it read normality, which are still those for images."""
    return A3Detector(reads="both", **training.common)


def gamma_1(training: Training) -> ConvA3Detector:
    """E2E-ConvA3 with the paper's settings, gamma 1."""
    return ConvA3Detector.as_published(alarm_weight=1.0, **training.common)


def gamma_10(training: Training) -> ConvA3Detector:
    """E2E-ConvA3 with the paper's settings, gamma 10."""
    return ConvA3Detector.as_published(alarm_weight=10.0, **training.common)


def conv_a3(training: Training) -> ConvA3Detector:
    """E2E-ConvA3 with its defaults."""
    return ConvA3Detector(**training.common)


def alarm_score(training: Training) -> ConvA3Detector:
    """E2E-ConvA3 with its defaults, scored by the alarm alone."""
    return ConvA3Detector(scored_by="alarm", **training.common)


def _baseline(kind: type[Any]) -> Method:
    def make(training: Training) -> Any:
        known = kind().get_params()
        common = {name: value for name, value in training.common.items() if name in known}
        return kind(encoder=training.encoder, **common)

    return make


def autoencoder(training: Training) -> Any:
    """A3's target alone, trained as in the paper, scored by its reconstruction error."""
    estimator = _baseline(BASELINES["autoencoder"])(training)
    if not training.settings or training.settings.get("target") == "classifier":
        return estimator
    schedule = Schedule(epochs=TARGET_EPOCHS, batch_size=training.settings.get("batch_size", 256))
    return estimator.set_params(target=_target(training), schedule=schedule)


def _briefly(kind: type[Any], **schedules: Schedule) -> Method:
    """A baseline with short schedules if it learns images, since two processor cores must be enough."""

    def make(training: Training) -> Any:
        images = getattr(training.rows.X, "ndim", 2) > 2
        return _baseline(kind)(training).set_params(**(schedules if images else {}))

    return make


IMAGE_STEPS = Schedule(steps=200, batch_size=128)
"""The schedule of DASVDD and of MKD-AD's teacher on images; the cloner takes 100 more steps."""

RIVALS: dict[str, Method] = {name.replace("-", "_"): _baseline(kind) for name, kind in BASELINES.items()} | {
    "autoencoder": autoencoder,
    "dasvdd": _briefly(BASELINES["dasvdd"], schedule=IMAGE_STEPS),
    "mkd_ad": _briefly(
        BASELINES["mkd-ad"], pretraining_schedule=IMAGE_STEPS, schedule=IMAGE_STEPS.changed(steps=300)
    ),
}

METHODS: dict[str, dict[str, Method]] = {
    "A3": {
        "published": published,
        "vae": vae,
        "vae_of_last_row": vae_of_last_row,
        "defaults": a3,
        "reads_both": reads_both,
        **RIVALS,
    },
    "E2E-ConvA3": {
        "gamma_1": gamma_1,
        "gamma_10": gamma_10,
        "defaults": conv_a3,
        "alarm_score": alarm_score,
        "a3": a3,
        "a3_reads_both": reads_both,
        **RIVALS,
    },
}
"""Methods by the detector whose paper the table is from."""

NOT_SETTINGS = {"random_state", "device", "verbose", "checkpoint", "encoder"}


def settings_of(estimator: Any) -> dict[str, str]:
    """An estimator's parameters as text, if they are set, and the scaling of its encoder."""
    parameters = estimator.get_params(deep=False)
    texts = {
        name: repr(value)
        for name, value in parameters.items()
        if value is not None and name not in NOT_SETTINGS
    }
    encoder = parameters.get("encoder")
    return texts | ({"scaling": encoder.scaling} if encoder else {})
