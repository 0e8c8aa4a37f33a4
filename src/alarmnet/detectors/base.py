"""What every detector shares: scikit-learn's contract, the roles of rows, the threshold and scoring."""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.labels import Labels, learned_labels, read_labels
from alarmnet._shared.random_streams import resolve_seed
from alarmnet._shared.threads import threads_for
from alarmnet._shared.warn import warn
from alarmnet.detectors.calibration_rows import CalibrationRows
from alarmnet.detectors.data import TrainingData
from alarmnet.detectors.files import write_state
from alarmnet.detectors.identity import training_identity
from alarmnet.detectors.kept_known import kept_of, reconciled, renamed, with_earlier
from alarmnet.detectors.recognition import keys_of, keys_with
from alarmnet.detectors.roles import Roles, calibration_rows, held_out, refit_rows, taken_as_normal
from alarmnet.detectors.scorer import Scorer, placed
from alarmnet.detectors.scoring import Scoring
from alarmnet.detectors.shared import check_shared, described, signature_of
from alarmnet.detectors.state import Encoder, FittedState
from alarmnet.errors import InputError, TrainingDivergedError
from alarmnet.networks.checkpoints import Checkpoint, Identity, kept_seed, open_checkpoint
from alarmnet.networks.layers import load_weights
from alarmnet.networks.nested_parameters import Parameters
from alarmnet.networks.progress import progress_for
from alarmnet.networks.targets import TargetNetwork
from alarmnet.networks.training import VALIDATION_SHARE, ProgressFunction, TrainingContext
from alarmnet.preprocessing import ImageScaler, TableEncoder
from alarmnet.preprocessing.frames import read_frame, row_count
from alarmnet.preprocessing.row_store import RowStore, TensorRows
from alarmnet.preprocessing.rows import Index, indexable, row_keys, take
from alarmnet.thresholds import Scores


def _fitted(encoder: Encoder, X: Any, training: Index) -> Encoder:
    """Learn from the training rows; an error names rows and the shape of the whole table."""
    try:
        return encoder.fit(take(X, training))
    except InputError as error:
        fault = error
    encoder.fit(X)
    raise fault


class BaseDetector(Scoring, ClassifierMixin, Parameters, ABC):  # type: ignore[misc]
    """A detector as scikit-learn's classifier of two classes, 0 normal and 1 anomaly.

    To add one: its own parameters, described in its docstring, `**shared` for those below, and the methods under
    "What a detector adds"; then list it in `detectors/__init__.py`.
    """

    _checkpoint: Checkpoint | None = None
    _parameters: Mapping[str, Any]
    """Those of the fit: parameters that are set later count from the next fit on."""

    def __init__(
        self,
        *,
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
        self.encoder = encoder
        self.alarm_rate = alarm_rate
        self.calibration_share = calibration_share
        self.unlabelled = unlabelled
        self.anomaly_label = anomaly_label
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.checkpoint = checkpoint

    def __init_subclass__(cls, **options: Any) -> None:
        """Show shared parameters in the signature and in the docstring."""
        super().__init_subclass__(**options)
        if own := cls.__dict__.get("__init__"):
            own.__signature__ = signature_of(own, BaseDetector.__init__)
        if cls.__dict__.get("__doc__"):
            cls.__doc__ = described(str(cls.__doc__))

    # What a detector adds

    method: ClassVar[str]

    def _check_parameters(self) -> None:
        """Refuse the detector's own parameters if they cannot be used."""

    def _watches(self) -> bool:
        """Whether a training run looks at held-out rows to know when to stop."""
        return False

    def _default_encoder(self) -> TableEncoder:
        """The encoder for tables where the user gives none."""
        return TableEncoder(scaling="minmax")

    @abstractmethod
    def _build_scorer(self, shape: tuple[int, ...], weights: Mapping[str, NDArray[Any]]) -> Scorer:
        """Make the scorer for rows of `shape` and for a model file's weights, without memory for the weights."""

    @abstractmethod
    def _build_target(self, data: TrainingData) -> TargetNetwork:
        """Make the target for the training rows, without memory for its weights."""

    @abstractmethod
    def _fit_scorer(self, target: TargetNetwork, data: TrainingData, context: TrainingContext) -> Scorer:
        """Train everything."""

    @abstractmethod
    def _refit_scorer(self, data: TrainingData, context: TrainingContext) -> Scorer:
        """Train a new alarm for the existing target, and leave the existing scorer unchanged."""

    # Learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is normal, then what is not.

        A fit that fails or is interrupted leaves the detector as it was.

        Parameters
        ----------
        X
            A frame or 2-D array of rows, or images (N, H, W), (N, C, H, W) or (N, H, W, C), with 1 or 3 channels C.
        y
            1 / True for known anomalies, 0 / False for normal rows, NaN / None / pd.NA for rows nobody has
            looked at; None where nothing is labelled.

        Raises
        ------
        InputError
            Data, labels or parameters that cannot be used, with what came and what to do.
        TrainingDivergedError
            A loss stopped being finite.
        """
        self._check_shared_parameters()
        self._check_parameters()
        new = copy.copy(self)
        new._fit(X, y)
        self.__dict__ = new.__dict__
        return self

    def _fit(self, X: Any, y: Any) -> None:
        self.seed_ = resolve_seed(self._kept_seed() if self.random_state is None else self.random_state)
        images, given = getattr(X, "ndim", 2) in (3, 4), X
        encoder = ImageScaler() if images else copy.deepcopy(self.encoder or self._default_encoder())
        n_rows = row_count(X)
        if n_rows < 2:
            encoder.fit(X)  # refuses the rows, and says why
        X = indexable(X) if images else read_frame(X)
        labels = read_labels(y, rows=n_rows, X=given, anomaly_label=self.anomaly_label)
        normal, known = taken_as_normal(labels, self.unlabelled), np.flatnonzero(labels.anomalous)
        calibration = calibration_rows(
            labels, normal, self.calibration_share, self.alarm_rate, seed=self.seed_, owner=self
        )
        free = np.setdiff1d(normal, calibration, assume_unique=True)
        roles = held_out(free, known, self._held_share(), seed=self.seed_, purpose="fit")
        self.encoder_: Encoder = _fitted(encoder, X, roles.training)
        rows = self.encoder_.store(X, self._device())
        self._set_input_names()
        self.classes_ = labels.classes
        self.notes_: dict[str, Any] = {}
        self._parameters, self.alarm_rate_ = self.get_params(deep=False), float(self.alarm_rate)
        self.calibration_is_labelled_ = bool(labels.normal.any())
        self._calibration_matrix = rows.take(torch.from_numpy(calibration)).numpy(force=True)
        self._calibrating = CalibrationRows.of(calibration)
        self.history_: dict[str, list[dict[str, float]]] = {}
        self._known_matrix, self._known_numbers = kept_of(rows, known, given=len(rows))
        self._count(rows, labels)
        data = self._training_data(rows, labels, roles)
        target = self._build_target(data)
        self._checkpoint = None
        with progress_for(self.verbose) as progress, threads_for(math.inf):
            if self.checkpoint is not None:
                self._checkpoint = open_checkpoint(self.checkpoint, self._identity(data, target))
            self._scorer = self._fit_scorer(target, data, TrainingContext(progress, self._checkpoint))
        self._finish(rows, calibration)

    def refit_alarm(self, X: Any, y: Any, *, keep_known: bool = False) -> Self:
        """Train the alarm anew for new labels, in seconds: the target and the encoder stay as they are.

        Rows that calibrated the detector are left out of training (each as often as it did) and calibrate it
        again, except those that are labelled anomalous now. Of equal rows, as many go on calibrating as the table
        has without that label. A refit that fails or is interrupted leaves the detector as it was.

        Parameters
        ----------
        X
            Rows of the same columns: usually the training table again, and what came in since. Rows that calibrated
            are recognised by their values, up to rounding. `explain` then numbers known anomalies by the rows of
            this table. `calibration_queries` and `calibration_rows_` still number rows of the table given to `fit`.
        y
            As in `fit`.
        keep_known
            Whether to learn from the known anomalies in the model too: up to 2,000 of the default score for tables
            if it has learned ten or more, otherwise up to 64.
        """
        check_is_fitted(self)
        new = copy.copy(self)
        new.history_ = dict(self.history_)
        new._refit_alarm(X, y, keep_known=keep_known)
        self.__dict__ = new.__dict__
        return self

    def _refit_alarm(self, X: Any, y: Any, *, keep_known: bool) -> None:
        kept = {name: value for name, value in self._parameters.items() if name == "target"}
        self._parameters = {**self.get_params(deep=False), **kept}
        self.alarm_rate_ = float(self.alarm_rate)
        rows = self.encoder_.store(X, self._device())
        labels = read_labels(
            y, rows=len(rows), X=X, anomaly_label=self.anomaly_label, learned=learned_labels(self)
        )
        if keep_known:
            labels, earlier = reconciled(rows, labels, self._earlier())
        normal = taken_as_normal(labels, self.unlabelled)
        calibration_keys = row_keys(self._calibration_matrix)
        keys = keys_with(rows, self._calibration_matrix, calibration_keys)
        still_normal, free = refit_rows(labels, normal, keys, calibration_keys)
        self._calibration_matrix = self._calibration_matrix[still_normal]
        if self._calibrating is not None:
            looked = np.isin(calibration_keys[still_normal], keys[labels.normal])
            self._calibrating = self._calibrating.taken(still_normal, normal=looked)
        learned, taught = with_earlier(rows, labels, earlier) if keep_known else (rows, labels)
        known = np.flatnonzero(taught.anomalous)
        self._known_matrix, self._known_numbers = kept_of(learned, known, given=len(rows))
        roles = held_out(free, known, self._held_share(), seed=self.seed_, purpose="refit")
        self._count(learned, taught)
        placed(self._scorer, self._device())
        data = self._training_data(learned, taught, roles)
        with progress_for(self.verbose) as progress, threads_for(math.inf):
            self._scorer = self._refit_scorer(data, TrainingContext(progress))
        self._finish(rows)

    def rename_rows(self, names: NDArray[np.intp]) -> None:
        """Call row i of the table given to `fit` by the number names[i]: that of a table with more rows."""
        calibrating = self._known_calibration_rows()
        self.rename_known(names)
        self._calibrating = replace(calibrating, numbers=names[calibrating.numbers])

    def rename_known(self, names: NDArray[np.intp]) -> None:
        """Do so for known anomalies alone: after a refit, whose table does not calibrate."""
        if self._known_numbers is not None:
            self._known_numbers = renamed(self._known_numbers, names)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the detector to one file; `alarmnet.load` reads it back.

        The file is written whole or not at all. It holds the weights, the encoder, the threshold and the encoded
        calibration rows, but neither `decision_scores_` nor `labels_` of the training rows. A checkpoint of the
        training is removed then.
        """
        check_is_fitted(self)
        write_state(path, self.fitted_state())
        if self._checkpoint is not None:
            self._checkpoint.remove()
            self._checkpoint = None

    def fitted_state(self) -> FittedState:
        """Everything learned as plain values; `from_state` makes the detector again."""
        check_is_fitted(self)
        return FittedState(
            method=self.method,
            parameters={**self._parameters, "alarm_rate": self.alarm_rate_},
            encoder=self.encoder_,
            weights={name: tensor.numpy(force=True) for name, tensor in self._scorer.state_dict().items()},
            classes=self.classes_,
            calibration_rows=self._calibration_matrix,
            calibration_scores=self.calibration_scores_,
            calibration_is_labelled=self.calibration_is_labelled_,
            calibration_weights=self.calibration_weights_,
            calibrating=self._calibrating,
            known_rows=self._known_matrix,
            known_numbers=self._known_numbers,
            seed=self.seed_,
            label_counts=self.label_counts_,
            history=self.history_,
            notes=self.notes_,
        )

    @classmethod
    def from_state(cls, state: FittedState) -> Self:
        """Make a fitted detector; raises ValueError, LookupError or RuntimeError where the state does not fit."""
        detector = cls(**state.parameters)
        detector._check_shared_parameters()
        detector._check_parameters()
        detector._parameters, detector.alarm_rate_ = state.parameters, float(detector.alarm_rate)
        detector.encoder_ = state.encoder
        detector._set_input_names()
        detector.classes_, detector.seed_ = state.classes, state.seed
        detector.label_counts_, detector.history_ = state.label_counts, state.history
        detector.notes_ = state.notes
        detector.calibration_is_labelled_ = state.calibration_is_labelled
        detector._calibration_matrix = state.calibration_rows
        detector._known_matrix, detector._known_numbers = state.known_rows, state.known_numbers
        detector.calibration_scores_, detector._calibrating = state.calibration_scores, state.calibrating
        detector.calibration_weights_ = state.calibration_weights
        detector._set_threshold(quiet=True)
        detector._scorer = detector._build_scorer(state.shape, state.weights)
        load_weights(detector._scorer, state.weights)
        return detector

    # Implementation

    def _default_of(self, name: str) -> Any:
        return self._default_encoder() if name == "encoder" else super()._default_of(name)

    def _check_shared_parameters(self) -> None:
        check_shared(self)
        self._device()

    def _held_share(self) -> float:
        return VALIDATION_SHARE if self._watches() else 0.0

    def _set_input_names(self) -> None:
        """Set the attributes that scikit-learn reads of a fitted estimator's input."""
        encoder = self.encoder_
        self.__dict__.pop("feature_names_in_", None)
        if isinstance(encoder, ImageScaler):
            self.n_features_in_ = math.prod(encoder.shape_)
        else:
            self.n_features_in_ = encoder.n_features_in_
            if hasattr(encoder, "feature_names_in_"):
                self.feature_names_in_ = encoder.feature_names_in_

    def _identity(self, data: TrainingData, target: TargetNetwork) -> Identity:
        """What this training depends on."""
        given = () if target.trainable else target.state_dict().values()
        parameters = self.get_params(deep=False)
        return training_identity(self.method, parameters, self.seed_, data, given=given)

    def _kept_seed(self) -> int | None:
        return None if self.checkpoint is None else kept_seed(self.checkpoint)

    def _training_data(self, rows: RowStore, labels: Labels, roles: Roles) -> TrainingData:
        anomalous = labels.anomalous
        numbers = [part[kind[part]] for part in roles for kind in (~anomalous, anomalous)]
        return TrainingData(rows, *map(torch.from_numpy, (*numbers, labels.unlabelled)))

    def _count(self, rows: RowStore, labels: Labels) -> None:
        """Count the labels, and warn of rows that teach nothing or contradict each other."""
        keys = keys_of(rows)
        contradictory = int(np.isin(keys[~labels.anomalous], keys[labels.anomalous]).sum())
        self.label_counts_ = {**labels.counts(), "contradictory": contradictory}
        if contradictory:
            rows_equal, are = ("row equals", "is") if contradictory == 1 else ("rows equal", "are")
            warn(
                f"{contradictory:,} {rows_equal} a known anomaly in every column and {are} not labelled anomalous"
            )
        if (keys == keys[0]).all():
            warn("all rows are equal: every score will be the same")

    def _finish(self, rows: RowStore, calibration: Index | None = None) -> None:
        """Calibrate on the rows set aside, and score the training rows.

        `calibration` are the numbers in `rows` of those set aside, if these and all known anomalies are there.
        """
        self.decision_scores_ = self._stored_logits(rows)
        if calibration is None:
            scores, known = self._stored_logits(self._calibration_rows()), self._known_scores()
        else:
            scores, known = (self.decision_scores_[of] for of in (calibration, self._known_numbers))
        if not all(np.isfinite(found).all() for found in (scores, known, self.decision_scores_)):
            raise TrainingDivergedError(
                "the last training step left weights that give no finite score; lower the learning rate"
            )
        self._calibrate(scores, known)

    def _known_scores(self) -> Scores:
        if self._known_matrix is None:
            return np.empty(0)
        return self._stored_logits(TensorRows(torch.from_numpy(self._known_matrix).to(self._device())))

    def _calibration_rows(self) -> RowStore:
        return TensorRows(torch.from_numpy(self._calibration_matrix).to(self._device()))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.target_tags.required = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        return tags
