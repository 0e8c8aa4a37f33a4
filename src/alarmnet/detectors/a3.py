"""A3: an alarm network reads the hidden activations of a frozen target (A3, section 3)."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet._random import torch_generator
from alarmnet._validation import check_choice, check_real, check_type
from alarmnet.alarm_specs import (
    DEFAULT_ALARMS,
    PARTS_READ,
    PATIENCE,
    AlarmSpec,
    Reads,
    check_alarms,
    parts_of,
    side_by_side,
)
from alarmnet.alarms import DenseAlarm
from alarmnet.detectors.a3_scorer import A3Scorer, read_parts
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.base import BaseDetector
from alarmnet.detectors.data import MEASURED_BY, TrainingData
from alarmnet.errors import InputError
from alarmnet.formats import stored_alarms
from alarmnet.generators import GaussianNoise, Generator
from alarmnet.layers import materialise
from alarmnet.piecewise import PiecewiseLinearEncoding
from alarmnet.preprocessing import TableEncoder
from alarmnet.targets import ConvAutoencoder, DenseAutoencoder, Target, TargetNetwork
from alarmnet.targets.dense import suggested_hidden
from alarmnet.targets.piecewise import PiecewiseTarget
from alarmnet.training import (
    ProgressFunction,
    Schedule,
    TrainingContext,
    check_schedule,
    chosen_schedule,
    train,
)

VALIDATION_SHARE = 0.1
"""Share of the training rows that is held out where a schedule has patience."""

PIECES = "target.pieces."
WIDEST = 200
"""Inputs that the default target is sized by, at most."""


def target_schedule(rows: int) -> Schedule:
    """Steps by the square root of the number of rows: enough for 200 rows, affordable for a million.

    >>> [target_schedule(rows).steps for rows in (200, 10_000, 1_000_000)]
    [156, 1100, 4000]
    """
    steps = round(min(max(150, 11 * math.sqrt(rows)), 4000))
    return Schedule(steps=steps, batch_size=128, learning_rate=1e-3, decay=True, patience=PATIENCE)


class A3Detector(BaseDetector):
    """Anomalies from a handful of labels, by the activations of a network that knows what is normal.

    Use it on tables of mixed type or on images, mostly normal, with a few known anomalies or none. A target
    network learns the normal rows; a generator makes counterexamples; an alarm network reads the target's hidden
    activations and learns to tell normal rows (0) from known anomalies and counterexamples (1). Source: Sperl,
    Schulze, Boettinger, "Activation Anomaly Analysis" (2020), section 3. The defaults are chosen by validation
    (docs/defaults.md); `as_published` has the paper's settings.

    Scores: higher is more anomalous in `decision_function` (above 0: alarm), `predict_proba`, `anomaly_score`;
    *lower* is in `p_value`.

    Any number of threads may read a fitted detector at once; `fit`, `refit_alarm` and `set_params` want it alone.

    Parameters
    ----------
    target
        What learns the normal rows: `DenseAutoencoder`, `ConvAutoencoder`, `VariationalAutoencoder`, or
        `ExternalTarget` around a trained network of your own. None: for images convolutional; for tables dense,
        behind a fixed layer that cuts each number into pieces of its distribution among normal rows.
    generator
        What makes counterexamples: `GaussianNoise`, `UniformNoise`, `ColumnSwap`, `VaeAnomalies`, or a function
        from a batch of encoded rows to as many counterexamples. None: `GaussianNoise()`.
    alarm
        The alarm networks' shape. None: two hidden layers on activations; on inputs one is linear, one has a
        hidden layer.
    reads
        What alarms read: the hidden `"activations"`, as in the paper; `"everything"`, which adds what the target
        reads, and could not reconstruct; `"inputs"`, which the target reads, by two alarms; or `"both"`: one
        alarm on activations and two on inputs, whose odds are summed, the first's bounded. The first finds
        anomalies unlike the known ones, the others their like. Without known anomalies there is the first alone.
    alarms
        The alarms to train, `AlarmSpec`s; None: those that `reads` names.
    generated_weight
        The paper's lambda: the weight of the counterexamples' loss beside the normal rows'. Alarms on inputs see
        none.
    known_weight
        The weight of the known anomalies' mean loss beside the normal rows', however few they are. None: each
        row counts the same, as in the paper.
    blend
        A known anomaly is shown blended with a normal row, of which it takes a share between 0 and this, drawn
        anew each time; 0 shows it as it is, as the paper does. Blending keeps a handful of anomalies from being
        learned by heart. It works where `known_weight` is a number, and not for the alarm on inputs with a
        hidden layer, which looks for conditions that only hold together.
    shift_weight
        The weight of the mean of 1 - score over the rows, which favours alarms (section 6); 0 in the paper's runs.
    target_schedule, alarm_schedule
        How long and how fast the networks train. None: the target by the number of rows, an alarm on activations
        600 steps, those on inputs 800, with weights driven to zero; with more than 25 known anomalies the one
        with a hidden layer up to four times as long, and driven to zero less, the more there are.
    encoder
        A `TableEncoder` with settings of your own; it is copied, then learns on training rows only.
    alarm_rate
        The share of normal rows that may raise an alarm, in (0, 1). `set_alarm_rate` changes it later.
    calibration_share
        The share of normal rows (at most 10,000) that set the threshold and serve nothing else. They are drawn
        from rows labelled normal; from unlabelled rows only where no row is.
    unlabelled
        `"normal"` trains on unlabelled rows as normal ones, `"ignore"` leaves them out. Alarms on inputs bound
        their loss, since some may be anomalies; label rows normal that you know to be.
    anomaly_label
        The label of anomalies in `y`, where it is not 1 or True.
    device
        `"auto"` (a GPU where there is one), or PyTorch's name for a device.
    random_state
        Same seed, machine, versions and thread count: the same model, bit for bit (on the CPU). None draws a
        fresh seed; `seed_` has it.
    verbose
        True shows progress bars; a function is called with each `Progress`.
    checkpoint
        A folder in which `fit` keeps its training as it goes. Interrupted, the same `fit` with the same folder goes
        on from there to the same model, bit for bit; `save` then removes what is in it.

    Attributes
    ----------
    classes_
        What you call normal and anomaly, in this order.
    threshold_
        The logit above which a row raises an alarm.
    alarm_rate_, alarm_rate_held_
        The rate asked for, and the rate that the calibration rows hold.
    calibration_scores_
        Logits of the calibration rows, ascending.
    calibration_is_labelled_
        False where they had to be unlabelled rows: the rate then assumes that these are clean.
    decision_scores_, labels_
        Logits of the rows given to `fit`, and 1 where they exceed the threshold. Not kept in files.
    label_counts_
        Rows by label, and how many rows equal a known anomaly but are not labelled so.
    history_
        The losses of each network's training; on training rows, a dense or convolutional target's are estimated.
    encoder_, seed_, n_features_in_, feature_names_in_
        The learned encoder, the seed, and the input as scikit-learn describes it.

    Examples
    --------
    >>> import numpy as np
    >>> generator = np.random.default_rng(0)
    >>> rows = generator.normal(size=(500, 4))
    >>> rows[:5] += 4
    >>> known = np.repeat([1.0, 0.0], [5, 495])
    >>> detector = A3Detector(alarm_rate=0.05, random_state=0).fit(rows, known)
    >>> detector.predict(rows[:5] + 0.1)
    array([1, 1, 1, 1, 1])
    """

    method: ClassVar[str] = "a3"
    _scorer: A3Scorer

    def __init__(
        self,
        *,
        target: Target | None = None,
        generator: Generator | Callable[[Tensor], Tensor] | None = None,
        alarm: DenseAlarm | None = None,
        reads: Reads = "both",
        alarms: Sequence[AlarmSpec] | None = None,
        generated_weight: float = 1.0,
        known_weight: float | None = 1.0,
        blend: float = 1.0,
        shift_weight: float = 0.0,
        target_schedule: Schedule | None = None,
        alarm_schedule: Schedule | None = None,
        encoder: TableEncoder | None = None,
        alarm_rate: float = 0.01,
        calibration_share: float = 0.2,
        unlabelled: Literal["normal", "ignore"] = "normal",
        anomaly_label: object = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        verbose: bool | ProgressFunction = False,
        checkpoint: str | PathLike[str] | None = None,
    ) -> None:
        self.target = target
        self.generator = generator
        self.alarm = alarm
        self.reads = reads
        self.alarms = alarms
        self.generated_weight = generated_weight
        self.known_weight = known_weight
        self.blend = blend
        self.shift_weight = shift_weight
        self.target_schedule = target_schedule
        self.alarm_schedule = alarm_schedule
        self.encoder = encoder
        self.alarm_rate = alarm_rate
        self.calibration_share = calibration_share
        self.unlabelled = unlabelled
        self.anomaly_label = anomaly_label
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint

    @classmethod
    def as_published(
        cls, *, hidden: tuple[int, ...] = (200, 100, 50, 25), batch_size: int = 256, **parameters: Any
    ) -> Self:
        """A detector with the A3 paper's settings (Table 2 and section 4.5), for tables.

        Parameters
        ----------
        hidden
            The target's sizes down to the code, as in `DenseAutoencoder`; the default is NSL-KDD's.
        batch_size
            Rows a step; 256, and 2048 for the paper's IDS data.
        **parameters
            Any parameter of `A3Detector`, which then takes precedence.

        Examples
        --------
        >>> A3Detector.as_published(hidden=(50, 25, 10, 5)).alarm.hidden
        (1000, 500, 200, 75)
        """
        published: dict[str, Any] = {
            "target": DenseAutoencoder(hidden=hidden),
            "generator": GaussianNoise(),
            "alarm": DenseAlarm(),
            "reads": "activations",
            "blend": 0.0,
            "known_weight": None,
            "target_schedule": Schedule(epochs=30, batch_size=batch_size, learning_rate=1e-3),
            "alarm_schedule": Schedule(epochs=60, batch_size=batch_size, learning_rate=1e-5),
            "encoder": TableEncoder(scaling="minmax"),
            "calibration_share": 0.05,
        }
        return cls(**(published | parameters))

    def _check_parameters(self) -> None:
        check_type(self, "target", self.target, Target)
        check_type(self, "generator", self.generator, Generator, Callable)  # type: ignore[arg-type]
        check_type(self, "alarm", self.alarm, DenseAlarm)
        check_schedule(self, "target_schedule", self.target_schedule)
        check_schedule(self, "alarm_schedule", self.alarm_schedule)
        check_choice(self, "reads", self.reads, tuple(DEFAULT_ALARMS))
        if self.alarms is not None:
            check_alarms(self, "alarms", self.alarms, reads=("activations", "inputs", "everything"))
        check_real(self, "generated_weight", self.generated_weight, 0, open_ends=False)
        check_real(self, "shift_weight", self.shift_weight, 0, open_ends=False)
        check_real(self, "blend", self.blend, 0, 1, open_ends=False)
        if self.known_weight is not None:
            check_real(self, "known_weight", self.known_weight, 0)

    def _validation_share(self) -> float:
        target = chosen_schedule(self.target_schedule, target_schedule(1))
        alarms = [chosen_schedule(self.alarm_schedule, spec.schedule) for spec in self._specs()]
        watched = any(schedule.patience for schedule in (target, *alarms))
        return VALIDATION_SHARE if watched else 0.0

    def _specs(self, *, known: bool = True) -> list[AlarmSpec]:
        """The alarms to train, where anomalies are known or not."""
        alarms = self.alarms or DEFAULT_ALARMS[self.reads]
        return [spec for spec in alarms if spec.uses_synthetic or known]

    def _alarm_names(self) -> list[str]:
        return [spec.name for spec in self._specs(known=bool(self.label_counts_["anomaly"]))]

    def _default_encoder(self) -> TableEncoder:
        return TableEncoder(scaling="minmax")

    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> A3Scorer:
        cut = f"{PIECES}columns" in weights
        pieces = PiecewiseLinearEncoding.stored(weights, PIECES, shape[0]) if cut else None
        target = self._target_for(shape, pieces)
        alarm = stored_alarms(weights, "alarm.", self.alarm)
        parts = parts_of(self._specs(known=bool(self.label_counts_["anomaly"])))
        if self.alarms is None and self.reads == "both" and not alarm.starts.any():
            parts = PARTS_READ["activations" if len(alarm.alarms) == 1 else "everything"]
        return A3Scorer(target, alarm, parts)

    def _build_target(self, data: TrainingData) -> TargetNetwork:
        cut = self.target is None and len(data.rows.shape) == 1
        pieces = (
            PiecewiseLinearEncoding.learned_from(data.rows.take(data.usual(MEASURED_BY))) if cut else None
        )
        return self._target_for(data.rows.shape, pieces)

    def _target_for(self, shape: tuple[int, ...], pieces: PiecewiseLinearEncoding | None) -> TargetNetwork:
        if pieces is None:
            recipe = self.target or (DenseAutoencoder() if len(shape) == 1 else ConvAutoencoder())
            return recipe.build(shape)
        hidden = suggested_hidden(min(shape[0] + len(pieces), WIDEST))
        return PiecewiseTarget(pieces, DenseAutoencoder(hidden=hidden).build((shape[0] + len(pieces),)))

    def _fit_scorer(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> A3Scorer:
        self._check_anomalies(data)
        if target.trainable:
            self._train_target(target, data, context)
        target.to(data.rows.device).requires_grad_(False).eval()
        return self._with_alarms(target, data, context)

    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> A3Scorer:
        self._check_anomalies(data)
        return self._with_alarms(self._scorer.target, data, context)

    def _train_target(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> None:
        materialise(getattr(target, "network", target), torch_generator(self.seed_, "target weights"))
        target.to(data.rows.device)
        self.history_["target"] = train(
            target,
            lambda index: target.mean_loss(data.rows.take(data.normal[index])),
            name="target",
            rows=len(data.normal),
            schedule=chosen_schedule(self.target_schedule, target_schedule(len(data.normal))),
            generator=torch_generator(self.seed_, "target batches"),
            noise=torch_generator(self.seed_, "target noise", data.rows.device),
            validation_loss=(lambda: data.errors_of(target, data.validation_normal).mean())
            if len(data.validation_normal)
            else None,
            context=context,
        )

    def _check_anomalies(self, data: TrainingData) -> None:
        if not self._specs(known=bool(len(data.known))):
            raise InputError(
                "alarms on inputs learn from known anomalies alone, and no row is labelled anomalous: label some, "
                'or take reads="both"',
                code="no_anomalies",
            )
        data.check_anomalies(self.generated_weight)

    def _with_alarms(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> A3Scorer:
        training = AlarmTraining(
            data=data,
            seed=self.seed_,
            context=context,
            generator=self.generator,
            generated_weight=self.generated_weight,
            shift_weight=self.shift_weight,
            known_weight=self.known_weight,
            blend=self.blend,
            shape=self.alarm,
            schedule=self.alarm_schedule,
        )
        specs = self._specs(known=bool(len(data.known)))
        alarms = []
        for spec in specs:
            read = torch.no_grad()(partial(read_parts, target, parts=PARTS_READ[spec.reads]))
            alarm, self.history_[spec.name] = training.train(spec, read)
            if spec.bounded and len(specs) > 1:
                training.bound(alarm, read)
            alarms.append(alarm)
        return A3Scorer(target, side_by_side(specs, alarms), parts_of(specs))
