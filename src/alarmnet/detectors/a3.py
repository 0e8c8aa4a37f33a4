"""A3: an alarm network reads the hidden activations of a frozen target (A3, section 3)."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal, Self, Unpack, cast

import torch
from numpy.typing import NDArray
from torch import Tensor

from alarmnet._shared.random_streams import torch_generator
from alarmnet._shared.validation import check_choice, check_real, check_type
from alarmnet.detectors.a3_scorer import A3Scorer, read_parts
from alarmnet.detectors.alarm_training import AlarmTraining, Read
from alarmnet.detectors.base import BaseDetector
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.formats import stored_alarms
from alarmnet.detectors.image_normality import ImageNormalityScorer, image_normality
from alarmnet.detectors.likeness_scorer import LikenessScorer
from alarmnet.detectors.normality import NormalityTraining
from alarmnet.detectors.normality_mixtures import NormalityMixtures
from alarmnet.detectors.normality_scorer import NormalityScorer
from alarmnet.detectors.scorer import Scorer
from alarmnet.detectors.shared import SharedParameters
from alarmnet.detectors.table_scorer import TableScorer
from alarmnet.errors import InputError
from alarmnet.explain.mixtures import Mix
from alarmnet.networks.alarm_specs import (
    DEFAULT_ALARMS,
    PARTS_READ,
    PATIENCE,
    AlarmSpec,
    Reads,
    check_alarms,
    parts_of,
)
from alarmnet.networks.alarms import DenseAlarm
from alarmnet.networks.category_order import CategoryOrder
from alarmnet.networks.generators import GaussianNoise, Generator
from alarmnet.networks.layers import materialise
from alarmnet.networks.piecewise import PiecewiseLinearEncoding
from alarmnet.networks.targets import ConvAutoencoder, DenseAutoencoder, Target, TargetNetwork
from alarmnet.networks.targets.dense import suggested_hidden
from alarmnet.networks.targets.masked import MaskedNetwork
from alarmnet.networks.targets.piecewise import PiecewiseTarget
from alarmnet.networks.training import Schedule, TrainingContext, check_schedule, chosen_schedule, train
from alarmnet.preprocessing import TableEncoder
from alarmnet.preprocessing.column_groups import ColumnGroups

PIECES = "target.pieces."
WIDEST = 200
"""Inputs that the default target is sized by, at most."""

MASKED_HIDDEN, MASKED_RATE = 128, 3e-3
"""The size of both hidden layers, and the learning rate, of the default target without known anomalies."""


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
    network learns the normal rows; a generator makes synthetic anomalies; an alarm network reads the target's
    hidden activations and learns to tell normal rows (0) from known and synthetic anomalies (1). Source: Sperl,
    Schulze, Boettinger, "Activation Anomaly Analysis" (2020), section 3. The defaults are chosen by validation
    (docs/research/defaults.md); `as_published` has the paper's settings.

    Parameters
    ----------
    target
        What learns the normal rows: `DenseAutoencoder`, `ConvAutoencoder`, `VariationalAutoencoder`, or
        `ExternalTarget` around a trained network of your own. None: a convolutional autoencoder for images, and
        for tables a network that reads the inputs and their piecewise linear encoding. It is a dense autoencoder
        or, for `reads="normality"` without known anomalies, predicts some columns from the others.
    generator
        What makes synthetic anomalies: `GaussianNoise`, `UniformNoise`, `ColumnSwap`, `VaeAnomalies`, or a
        function from a batch of encoded rows to as many synthetic anomalies. None: `GaussianNoise()`.
    alarm
        The alarm networks' shape. None: two hidden layers for the alarm on activations; of the two alarms on
        inputs, one is linear and one has a hidden layer (`reads="normality"` trains the linear one only); the
        alarm on peaks is linear.
    reads
        What alarms read.

        - `"normality"`, for tables: how far a row is from normal, and the inputs. With known anomalies, a linear
          alarm, a kernel alarm and three forests read the inputs. A quadratic alarm and a fourth forest also read
          distances to the nearest normal rows and (from ten on) to the nearest known anomalies, and how rare values
          are among normal rows. The fourth forest also reads the target's reconstruction error and the principal
          directions of the normal rows. How far the target's narrowest activations are from those of normal rows
          counts for rows unlike all known anomalies. Without known anomalies: how well the target predicts the
          columns from each other, the distances to normal rows, the rarity of values, the spread of the normal
          rows, and a forest that separates them from random points. For images without known anomalies: how far
          the edges of an image are from those of normal images. For images with known anomalies: as `"both"` and
          `"peaks"` together.
        - `"activations"`: the target's hidden activations, as in the paper.
        - `"everything"`: the activations, the target's inputs, and what the target could not reconstruct.
        - `"inputs"`: the target's inputs, by two alarms.
        - `"both"`: the activations by one alarm, and the inputs by two. The score sums the odds of all three; the
          odds of the first alarm are bounded. Without known anomalies, only the first alarm is trained.
        - `"peaks"`, for images: the largest activation of each channel, wherever in the image it is, by one linear
          alarm. It finds a mark of known anomalies in places where no known anomaly has it.

        None: `"normality"`, or `"both"` if you give `target`, `alarm`, `alarms`, `generator`, `generated_weight` or
        `shift_weight`, which `"normality"` does not use. On images with known anomalies, one more alarm then reads
        the peaks, unless you give `alarms`.
    alarms
        The alarms to train, `AlarmSpec`s; None: those that `reads` names.
    generated_weight
        The paper's lambda: the weight of the synthetic anomalies' loss relative to the normal rows' loss. Alarms
        on inputs see no synthetic anomalies.
    known_weight
        The weight of the known anomalies' mean loss relative to the normal rows' mean loss, however few anomalies
        are known. None: each row counts the same, as in the paper.
    blend
        The largest share of a normal row that is blended into a known anomaly in training. Each share is drawn
        between 0 and this number. 0 shows known anomalies unchanged, as the paper does. Blending keeps the alarm
        from learning a handful of anomalies by heart. It needs a number as `known_weight`. The alarm on inputs
        with a hidden layer gets no blended anomalies, since it looks for combinations of conditions.
    shift_weight
        The weight of the mean of 1 - score over the rows, which favours alarms (section 6); 0 in the paper's runs.
    target_schedule, alarm_schedule
        How long and how fast the networks train. None: the number of rows decides for the target. An alarm on
        activations trains for 600 steps, an alarm on inputs for 800 steps, with a penalty that drives weights to
        zero. With more than 25 known anomalies, the alarm on inputs with a hidden layer trains up to four times as
        long, with a smaller penalty.

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

    def __init__(
        self,
        *,
        target: Target | None = None,
        generator: Generator | Callable[[Tensor], Tensor] | None = None,
        alarm: DenseAlarm | None = None,
        reads: Reads | Literal["normality"] | None = None,
        alarms: Sequence[AlarmSpec] | None = None,
        generated_weight: float = 1.0,
        known_weight: float | None = 1.0,
        blend: float = 1.0,
        shift_weight: float = 0.0,
        target_schedule: Schedule | None = None,
        alarm_schedule: Schedule | None = None,
        **shared: Unpack[SharedParameters],
    ) -> None:
        super().__init__(**shared)
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
        if self.reads is not None:
            check_choice(self, "reads", self.reads, ("normality", *DEFAULT_ALARMS))
        if self.reads == "normality" and not self._unchanged():
            raise InputError(
                f"The 'reads' parameter of {type(self).__name__} is 'normality', which takes no 'target', 'alarm', "
                "'alarms' or 'generator' and no other 'generated_weight' or 'shift_weight': leave these, or "
                "'reads', as they are by default.",
                code="invalid_parameter",
            )
        if self.alarms is not None:
            check_alarms(self, "alarms", self.alarms, reads=("activations", "inputs", "everything", "peaks"))
        check_real(self, "generated_weight", self.generated_weight, 0, open_ends=False)
        check_real(self, "shift_weight", self.shift_weight, 0, open_ends=False)
        check_real(self, "blend", self.blend, 0, 1, open_ends=False)
        if self.known_weight is not None:
            check_real(self, "known_weight", self.known_weight, 0)

    def _watches(self) -> bool:
        target = chosen_schedule(self.target_schedule, target_schedule(1))
        alarms = [chosen_schedule(self.alarm_schedule, spec.schedule) for spec in self._specs()]
        return any(schedule.patience for schedule in (target, *alarms))

    def _specs(self, *, known: bool = True, images: bool = False) -> list[AlarmSpec]:
        """The alarm networks to train, where anomalies are known or not."""
        alarms = list(self.alarms or DEFAULT_ALARMS[self._read_by_networks()])
        if images and self.alarms is None and self.reads in (None, "normality"):
            alarms += DEFAULT_ALARMS["peaks"]
        return [spec for spec in alarms if spec.uses_synthetic or known]

    def _read_by_networks(self) -> Reads:
        """What alarms read where they do not read normality."""
        return "both" if self.reads is None or self.reads == "normality" else self.reads

    def _alarm_names(self) -> list[str]:
        if isinstance(self._scorer, TableScorer):
            return self._scorer.names
        if isinstance(self._scorer, ImageNormalityScorer):
            return ["distance of edges"]
        peaks = isinstance(self._scorer, A3Scorer) and "peaks" in self._scorer.parts
        specs = self._specs(known=bool(self.label_counts_["anomaly"]), images=peaks)
        return [spec.name for spec in specs]

    def _mix(self) -> Mix | None:
        if isinstance(self._scorer, TableScorer) and self._device().type == "cpu":
            return partial(NormalityMixtures, self._scorer)
        return None

    def _unchanged(self) -> bool:
        """Whether nothing is asked for that only alarms on activations heed."""
        parts = (self.target, self.alarm, self.alarms, self.generator)
        return all(part is None for part in parts) and (self.generated_weight, self.shift_weight) == (1, 0)

    def _reads_normality(self) -> bool:
        return self.reads in (None, "normality") and self._unchanged()

    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> Scorer:
        cut = f"{PIECES}columns" in weights
        pieces = PiecewiseLinearEncoding.stored(weights, PIECES, shape[0]) if cut else None
        trusted = 1.0 if "target.network.masked.weight" in weights else None
        target = self._target_for(shape, pieces, trusted=trusted)
        if isinstance(target, PiecewiseTarget) and "nearness.stored" in weights:
            kind = LikenessScorer if "on_columns.0.roots" in weights else NormalityScorer
            return kind.stored(target, shape[0], weights)
        if "edges.stored" in weights:
            return ImageNormalityScorer.stored(target, shape, weights)
        alarm = stored_alarms(weights, "alarm.", self.alarm)
        specs = self._specs(known=bool(self.label_counts_["anomaly"]), images=len(shape) > 1)
        parts = parts_of(specs[: len(alarm.alarms)])  # before format 6 none read peaks
        if self.alarms is None and self._read_by_networks() == "both" and not alarm.starts.any():
            parts = PARTS_READ["activations" if len(alarm.alarms) == 1 else "everything"]
        return A3Scorer(target, alarm, parts)

    def _build_target(self, data: TrainingData) -> TargetNetwork:
        cut = self.target is None and len(data.rows.shape) == 1
        masked = self._reads_normality() and not len(data.known)
        return self._target_for(
            data.rows.shape, data.pieces() if cut else None, trusted=data.trusted if masked else None
        )

    def _target_for(
        self, shape: tuple[int, ...], pieces: PiecewiseLinearEncoding | None, *, trusted: float | None
    ) -> TargetNetwork:
        """The target for rows of this shape; for tables, one that predicts masked columns if a share is trusted."""
        if pieces is None:
            recipe = self.target or (DenseAutoencoder() if len(shape) == 1 else ConvAutoencoder())
            return recipe.build(shape)
        if trusted:
            columns = ColumnGroups.of(cast(TableEncoder, self.encoder_).source_columns_).places
            read = columns[pieces.read_from(shape[0]).numpy()]
            return PiecewiseTarget(pieces, MaskedNetwork(read, MASKED_HIDDEN, trusted))
        width = shape[0] + len(pieces)
        hidden = suggested_hidden(min(width, WIDEST))
        return PiecewiseTarget(pieces, DenseAutoencoder(hidden=hidden).build((width,)))

    def _fit_scorer(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> Scorer:
        self._check_anomalies(data)
        if target.trainable:
            self._train_target(target, data, context)
        target.to(data.rows.device).requires_grad_(False).eval()
        return self._with_alarms(target, data, context)

    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> Scorer:
        self._check_anomalies(data)
        return self._with_alarms(self._scorer.target, data, context)

    def _train_target(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> None:
        materialise(getattr(target, "network", target), torch_generator(self.seed_, "target weights"))
        target.to(data.rows.device)
        masked = isinstance(target, PiecewiseTarget) and isinstance(target.network, MaskedNetwork)
        default = target_schedule(len(data.normal)).changed(
            **{"learning_rate": MASKED_RATE} if masked else {}
        )
        self.history_["target"] = train(
            target,
            lambda index: target.mean_loss(data.rows.take(data.normal[index])),
            name="target",
            rows=len(data.normal),
            schedule=chosen_schedule(self.target_schedule, default),
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

    def _with_alarms(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> Scorer:
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
        known = bool(len(data.known))
        if self._reads_normality() and isinstance(target, PiecewiseTarget):
            encoder = cast(TableEncoder, self.encoder_)
            normality = NormalityTraining(target, training, CategoryOrder.of(encoder.category_places()))
            return normality.with_known(self.history_) if known else normality.without_known()
        if self._reads_normality() and not known:
            return image_normality(target, data)
        specs = self._specs(known=known, images=len(data.rows.shape) > 1)

        def read(spec: AlarmSpec) -> Read:
            return torch.no_grad()(partial(read_parts, target, parts=PARTS_READ[spec.reads]))

        return A3Scorer(target, training.mixture(specs, read, self.history_), parts_of(specs))
