"""E2E-ConvA3: a convolutional target and its alarm learn together (E2E-ConvA3, section 3)."""

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self, Unpack, cast

import torch
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from alarmnet._shared.random_streams import torch_generator
from alarmnet._shared.validation import check_choice, check_real, check_type
from alarmnet.detectors.alarm_training import AlarmTraining
from alarmnet.detectors.base import BaseDetector
from alarmnet.detectors.conv_a3_scorer import (
    ALARMED,
    SCORES,
    ConvA3Scorer,
    ErrorScale,
    InputAlarms,
    ReadHalf,
    ScoreKind,
    read_maps,
)
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.formats import stored_alarms
from alarmnet.detectors.joint_loss import JointLoss
from alarmnet.detectors.lesson import AnomalyWeights, Lesson
from alarmnet.detectors.shared import SharedParameters
from alarmnet.networks.activations import peaks
from alarmnet.networks.alarm_specs import DEFAULT_ALARMS, AlarmSpec, Reads, check_alarms
from alarmnet.networks.alarms import ConvAlarm
from alarmnet.networks.generators import GaussianNoise, Generator, as_generator
from alarmnet.networks.layers import materialise
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets import StridedAutoencoder, TargetNetwork
from alarmnet.networks.targets.e2e import StridedAutoencoderNetwork
from alarmnet.networks.training import Schedule, TrainingContext, check_schedule, chosen_schedule, train
from alarmnet.preprocessing import TableEncoder
from alarmnet.preprocessing.row_store import RowStore

SCALED_BY = 5_000
"""Normal training rows whose errors say what a usual error is."""

INPUTS = "inputs."


def joint_schedule(rows: int, shape: tuple[int, ...]) -> Schedule:
    """Steps by the square root of the number of rows, and much weight decay, without which tables are overfitted.

    Batches of large images are smaller.

    >>> [joint_schedule(rows, (8,)).steps for rows in (20, 200, 10_000, 1_000_000)]
    [150, 300, 750, 2000]
    >>> [joint_schedule(200, shape).batch_size for shape in [(8,), (3, 64, 64), (3, 224, 224), (3, 2000, 2000)]]
    [256, 256, 27, 16]
    """
    steps = round(min(max(150, min(300, 600 * rows / 256), 7.5 * math.sqrt(rows)), 2000))
    return Schedule(
        steps=steps,
        batch_size=min(max(16, 2**22 // math.prod(shape)), 256),
        learning_rate=1e-3,
        decay=True,
        weight_decay=1.0,
        patience=5,
    )


class ConvA3Detector(BaseDetector):
    """Anomalies by the activations of a convolutional autoencoder that learns together with its alarm.

    Use it on images, and on tables (docs/research/results.md compares it with A3). One training lowers the
    reconstruction error of normal rows and the alarm's classification error at once, so that the encoder serves
    both. Source: Kozlowski et al., "End-to-end Convolutional Activation Anomaly Analysis" (2024), section 3. The
    defaults are chosen by validation (docs/research/defaults.md); `as_published` has the paper's settings.

    Parameters
    ----------
    target
        The convolutional autoencoder, plain or variational.
    alarm
        The alarm network's shape.
    reads
        Whose activations the alarm reads: the `"encoder"`'s, as the paper's runs did, or those of `"both"`
        encoder and decoder.
    scored_by
        What a row's logit is. `"alarm"`: the logit of the alarm. `"reconstruction"`: the logarithm of the
        reconstruction error, in standard deviations above normal rows. `"combined"`: the sum of both. `set_score`
        changes it later.
    alarm_weight
        The paper's gamma: the weight of the alarm's loss relative to the reconstruction loss.
    generator
        What makes synthetic anomalies: `GaussianNoise`, `UniformNoise`, `ColumnSwap`, `VaeAnomalies`, or a
        function from a batch of encoded rows to as many synthetic anomalies. None: `GaussianNoise()` for images,
        and for tables, whose numbers are scaled to standard deviations, `GaussianNoise(mean=0, deviation=2)`.
    generated_weight
        The weight of the synthetic anomalies' loss relative to the normal rows' loss. It is 0 in the paper, which
        has labels for all rows. None: 1 if no anomaly is known, else 0.
    known_weight
        The weight of the known anomalies' mean loss relative to the normal rows' mean loss, however few anomalies
        are known. None: each row counts the same, as in the paper. A number also bounds the loss of unlabelled
        rows.
    input_alarms
        Whether further alarms of `A3Detector` learn too if anomalies are known. On tables these are the alarms on
        inputs: they read the encoded columns and their piecewise linear encoding. On images it is the alarm on
        peaks: it reads the largest value of each channel of the maps that the detector's own alarm reads. The
        training is the same as there. The odds of all alarms are added. On tables those of the own alarm are
        bounded; on images its logit counts in standard deviations above normal images. The paper has no such
        alarms. `AlarmSpec`s of your own replace them: those that read `"inputs"` are for tables, those that read
        `"peaks"` for images.
    blend
        The largest share of a normal row that is blended into a known anomaly in training. Each share is drawn
        between 0 and this number. 0 shows known anomalies unchanged. It needs a number as `known_weight`. Only the
        alarm on activations gets blended anomalies.
    schedule
        How long and how fast target and alarm train. None: by the number of rows.

    Examples
    --------
    >>> import numpy as np
    >>> generator = np.random.default_rng(0)
    >>> rows = generator.normal(size=(500, 4))
    >>> rows[:50] += 4
    >>> known = np.repeat([1.0, 0.0], [50, 450])
    >>> detector = ConvA3Detector(alarm_rate=0.05, random_state=0).fit(rows, known)
    >>> detector.predict(rows[:5] + 0.1)
    array([1, 1, 1, 1, 1])
    """

    method: ClassVar[str] = "conv-a3"
    _scorer: ConvA3Scorer

    def __init__(
        self,
        *,
        target: StridedAutoencoder | None = None,
        alarm: ConvAlarm | None = None,
        reads: ReadHalf = "encoder",
        scored_by: ScoreKind = "combined",
        alarm_weight: float = 1.0,
        generator: Generator | Callable[[Tensor], Tensor] | None = None,
        generated_weight: float | None = None,
        known_weight: float | None = 1.0,
        input_alarms: bool | Sequence[AlarmSpec] = True,
        blend: float = 0.0,
        schedule: Schedule | None = None,
        **shared: Unpack[SharedParameters],
    ) -> None:
        super().__init__(**shared)
        self.target = target
        self.alarm = alarm
        self.reads = reads
        self.scored_by = scored_by
        self.alarm_weight = alarm_weight
        self.generator = generator
        self.generated_weight = generated_weight
        self.known_weight = known_weight
        self.input_alarms = input_alarms
        self.blend = blend
        self.schedule = schedule

    @classmethod
    def as_published(cls, *, alarm_weight: float = 1.0, **parameters: Any) -> Self:
        """A detector with the E2E-ConvA3 paper's settings, for tables and images with many labels.

        The paper leaves open how long and with which regularisation to train: there it does as the defaults do.

        Parameters
        ----------
        alarm_weight
            The paper's gamma, 1 or 10.
        **parameters
            Any parameter of `ConvA3Detector`, which then takes precedence.

        Examples
        --------
        >>> ConvA3Detector.as_published(alarm_weight=10).known_weight is None
        True
        """
        published: dict[str, Any] = {
            "reads": "encoder",
            "scored_by": "alarm",
            "generated_weight": 0.0,
            "known_weight": None,
            "input_alarms": False,
            "blend": 0.0,
            "encoder": TableEncoder(scaling="quantile-normal"),
            "calibration_share": 0.05,
        }
        return cls(alarm_weight=alarm_weight, **(published | parameters))

    def set_score(self, scored_by: ScoreKind) -> Self:
        """Change what a row's logit is, and calibrate anew, without training.

        `decision_scores_` and `labels_` of the training rows go, since these are not kept.
        """
        check_is_fitted(self)
        check_choice(self, "scored_by", scored_by, SCORES)
        new = copy.copy(self)
        new._scorer = copy.copy(self._scorer)
        new._scorer.scored_by, new._scorer.small = scored_by, {}
        scores = new._finite_logits(self._calibration_rows())
        self.scored_by, self._scorer = scored_by, new._scorer
        self._parameters = {**self._parameters, "scored_by": scored_by}
        for name in ("decision_scores_", "labels_"):
            self.__dict__.pop(name, None)
        self._calibrate(scores, self._known_scores())
        return self

    def _check_parameters(self) -> None:
        check_type(self, "target", self.target, StridedAutoencoder)
        check_type(self, "alarm", self.alarm, ConvAlarm)
        check_type(self, "generator", self.generator, Generator, Callable)  # type: ignore[arg-type]
        check_schedule(self, "schedule", self.schedule)
        if not isinstance(self.input_alarms, bool):
            check_alarms(self, "input_alarms", self.input_alarms, reads=("inputs", "peaks"))
        check_choice(self, "reads", self.reads, ("encoder", "both"))
        check_choice(self, "scored_by", self.scored_by, SCORES)
        check_real(self, "alarm_weight", self.alarm_weight, 0)
        check_real(self, "blend", self.blend, 0, 1, open_ends=False)
        if self.generated_weight is not None:
            check_real(self, "generated_weight", self.generated_weight, 0, open_ends=False)
        if self.known_weight is not None:
            check_real(self, "known_weight", self.known_weight, 0)

    def _watches(self) -> bool:
        return bool(self._schedule(1, (1,)).patience)

    def _default_encoder(self) -> TableEncoder:
        return TableEncoder(scaling="quantile-normal")

    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> ConvA3Scorer:
        scorer = self._scorer_of(self._target_for(shape), shape)
        if any(name.startswith(INPUTS) for name in weights):
            scorer.inputs = self._stored_inputs(shape, weights)
        return scorer

    def _stored_inputs(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> InputAlarms:
        """The alarms in addition to the detector's own that a model file holds."""
        images, cut = len(shape) > 1, f"{INPUTS}pieces.columns" in weights
        if images == cut:
            raise ValueError(
                f"there are alarms on inputs, and the rows are {'images' if images else 'a table'}"
            )
        pieces = PiecewiseLinearEncoding.stored(weights, f"{INPUTS}pieces.", shape[0]) if cut else None
        width = (
            self._maps_shape(self._target_for(shape), shape)[0] if pieces is None else shape[0] + len(pieces)
        )
        alarms = stored_alarms(weights, f"{INPUTS}alarms.", shape=None)
        if any(end - start != width for start, end in alarms.spans):
            raise ValueError("the alarms on inputs read other inputs")
        return InputAlarms(pieces, alarms)

    def _build_target(self, data: TrainingData) -> StridedAutoencoderNetwork:
        return self._target_for(data.rows.shape)

    def _target_for(self, shape: tuple[int, ...]) -> StridedAutoencoderNetwork:
        return (self.target or StridedAutoencoder()).build(shape)

    def _scorer_of(
        self,
        target: StridedAutoencoderNetwork,
        shape: tuple[int, ...],
        errors: ErrorScale | None = None,
    ) -> ConvA3Scorer:
        """A target with a new alarm, which has no memory for weights yet."""
        alarm = (self.alarm or ConvAlarm()).build(self._maps_shape(target, shape))
        return ConvA3Scorer(
            target, alarm, errors or ErrorScale(), None, reads=self.reads, scored_by=self.scored_by
        )

    def _maps_shape(self, target: StridedAutoencoderNetwork, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of the maps (C, H, W) that the alarm reads of a row of this shape."""
        some = torch.zeros((1, *shape), device=next(target.parameters()).device)
        return tuple(read_maps(target, some, self.reads, reconstructed=0)[0].shape[1:])

    def _schedule(self, rows: int, shape: tuple[int, ...]) -> Schedule:
        return chosen_schedule(self.schedule, joint_schedule(rows, shape))

    def _fit_scorer(
        self, target: TargetNetwork, data: TrainingData, context: TrainingContext
    ) -> ConvA3Scorer:
        target = cast(StridedAutoencoderNetwork, target)
        scorer = self._scorer_of(target, data.rows.shape)
        materialise(target, torch_generator(self.seed_, "target weights"))
        networks = nn.ModuleDict({"target": target, "alarm": scorer.alarm})
        self._train(scorer, networks, data, context, name="joint", alarm_weight=self.alarm_weight)
        target.requires_grad_(False)
        errors = data.errors_of(target, data.usual(SCALED_BY))
        scorer.errors.to(data.rows.device).learn(errors)
        return self._with_input_alarms(scorer, data, context)

    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> ConvA3Scorer:
        before = self._scorer
        scorer = self._scorer_of(before.target, data.rows.shape, errors=before.errors)
        self._train(scorer, scorer.alarm, data, context, name="alarm", alarm_weight=None)
        return self._with_input_alarms(scorer, data, context)

    def _with_input_alarms(
        self, scorer: ConvA3Scorer, data: TrainingData, context: TrainingContext
    ) -> ConvA3Scorer:
        images = len(data.rows.shape) > 1
        specs = self._input_specs(images=images)
        if not (specs and len(data.known)):
            return scorer
        training = AlarmTraining(data=data, seed=self.seed_, context=context, known_weight=self.known_weight)
        pieces = None if images else data.pieces().to(data.rows.device)

        @torch.no_grad()
        def read(batch: Tensor) -> Tensor:
            if pieces is not None:
                return pieces(batch)  # type: ignore[no-any-return]
            return peaks(read_maps(scorer.target, batch, scorer.reads, reconstructed=0)[0])

        mixture = training.mixture(specs, lambda _: read, self.history_)
        scorer.inputs = InputAlarms(pieces, mixture).eval()
        for place, scored_by in enumerate(ALARMED):
            own = partial(scorer.own_logits, scored_by=scored_by)
            if scorer.inputs.deviation is None:
                scorer.inputs.above[place] = training.speaks_above(own)
            else:
                usual = training.usual_logits(own, SCALED_BY)
                scorer.inputs.above[place] = usual.mean()
                scorer.inputs.deviation[place] = usual.std(correction=0).clamp(min=1e-3)
        return scorer

    def _train(
        self,
        scorer: ConvA3Scorer,
        network: nn.Module,
        data: TrainingData,
        context: TrainingContext,
        *,
        name: str,
        alarm_weight: float | None,
    ) -> None:
        device, seed = data.rows.device, self.seed_
        generated_weight = self._generated_weight(data)
        materialise(scorer.alarm, torch_generator(seed, "alarm weights"))
        network.to(device)
        shown = len(data.normal) + (len(data.known) if self.known_weight is None else 0)
        schedule = self._schedule(shown, data.rows.shape)
        generator = as_generator(self.generator or self._default_generator(data.rows))
        lesson = Lesson(
            data,
            data.normal,
            data.known,
            read=data.rows.take,
            known_at_once=schedule.batch_size,
            blend=self.blend,
            weights=AnomalyWeights(self.known_weight, generated_weight),
            generator=generator if generated_weight else None,
            seed=seed,
            context=context,
        )
        read = partial(read_maps, scorer.target, reads=scorer.reads)
        loss = JointLoss(read, scorer.alarm, data, lesson, alarm_weight=alarm_weight)
        self.history_[name] = train(
            network,
            loss,
            name=name,
            rows=len(lesson),
            schedule=schedule,
            generator=torch_generator(seed, f"{name} batches"),
            noise=torch_generator(seed, f"{name} noise", device),
            draws=lesson.draws,
            validation_loss=loss.held_out if len(loss.watched) else None,
            context=context,
        )

    def _alarm_names(self) -> list[str]:
        inputs = self._scorer.inputs
        if inputs is None or self._scorer.scored_by not in ALARMED:
            return ["alarm"]
        return ["alarm", *(spec.name for spec in self._input_specs(images=inputs.pieces is None))]

    def _input_specs(self, *, images: bool) -> list[AlarmSpec]:
        """The alarms that join the detector's own: on images those on peaks, on tables those on inputs."""
        kind: Reads = "peaks" if images else "inputs"
        given = self.input_alarms
        specs = DEFAULT_ALARMS[kind] if given is True else given or ()
        return [spec for spec in specs if spec.reads == kind]

    @staticmethod
    def _default_generator(rows: RowStore) -> Generator:
        return GaussianNoise(mean=0.0, deviation=2.0) if len(rows.shape) == 1 else GaussianNoise()

    def _generated_weight(self, data: TrainingData) -> float:
        if self.generated_weight is None:
            return 0.0 if len(data.known) else 1.0
        data.check_anomalies(self.generated_weight)
        return self.generated_weight
