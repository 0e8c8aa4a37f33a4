"""The base of every baseline: it encodes rows of any kind, reads labels and checks that scores are numbers."""

import copy
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self, TypedDict

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.labels import Labels, read_labels
from alarmnet._shared.random_streams import resolve_seed
from alarmnet._shared.validation import check_random_state, check_type
from alarmnet.detectors.shared import signature_of
from alarmnet.errors import InputError, TrainingDivergedError
from alarmnet.networks.nested_parameters import Parameters
from alarmnet.preprocessing import ImageScaler, TableEncoder

Matrix = NDArray[np.float32]
Scores = NDArray[np.float64]
RandomState = int | np.random.RandomState | np.random.Generator | None


class BaselineParameters(TypedDict, total=False):
    """What `Baseline` takes: a baseline passes it on, `super().__init__(**shared)`."""

    encoder: TableEncoder | None
    anomaly_label: object
    random_state: RandomState


class Baseline(Parameters, ABC):
    """A rival: `fit(X, y=None)` and `decision_function(X)`, where higher is more anomalous.

    Rows and labels are those of alarmnet's detectors. Unlabelled rows count as normal. To add a baseline: its own
    keyword parameters, `**shared` for those below, the names and methods below, and its place in
    `baselines/__init__.py`.
    """

    def __init__(
        self,
        *,
        encoder: TableEncoder | None = None,
        anomaly_label: object = None,
        random_state: RandomState = None,
    ) -> None:
        self.encoder = encoder
        self.anomaly_label = anomaly_label
        self.random_state = random_state

    def __init_subclass__(cls, **options: Any) -> None:
        """Show shared parameters in the signature."""
        super().__init_subclass__(**options)
        if own := cls.__dict__.get("__init__"):
            own.__signature__ = signature_of(own, super(cls, cls).__init__)

    name: ClassVar[str]
    """What tables and the command line call it."""

    learns_from_labels: ClassVar[bool]
    """Whether it needs known anomalies; else it learns from the normal rows alone."""

    reads_tables: ClassVar[bool] = True
    """Whether it takes rows of a table; else it takes images alone."""

    @abstractmethod
    def _learn(self, rows: Matrix, labels: Labels) -> None:
        """Learn from encoded rows (N, ...) and their labels."""

    @abstractmethod
    def _scores(self, rows: Matrix) -> Scores:
        """Encoded rows (B, ...) to one number a row (B,): higher is more anomalous."""

    def _default_of(self, name: str) -> Any:
        return TableEncoder(scaling="minmax") if name == "encoder" else super()._default_of(name)

    def _check_parameters(self) -> None:
        """Refuse parameters that cannot be used."""
        check_type(self, "encoder", self.encoder, TableEncoder)
        check_random_state(self, self.random_state)

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows (N, F) of a frame or array, or images, with labels as in `A3Detector.fit`.

        A fit that fails or is interrupted leaves the detector as it was.

        Raises
        ------
        InputError
            Data, labels or parameters that cannot be used, with what came and what to do.
        TrainingDivergedError
            A loss stopped being finite.
        """
        self._check_parameters()
        new = copy.copy(self)
        new._fit(X, y)
        self.__dict__ = new.__dict__
        return self

    def _fit(self, X: Any, y: Any) -> None:
        self.seed_ = resolve_seed(self.random_state)
        images = getattr(X, "ndim", 2) in (3, 4)
        if not (images or self.reads_tables):
            raise InputError(
                f"{type(self).__name__} reads images alone, of shape (N, H, W), (N, C, H, W) or (N, H, W, C), and "
                "rows of a table came: take another method, such as AutoencoderBaseline",
                code="image_shape",
            )
        encoder = ImageScaler() if images else copy.deepcopy(self.encoder or self._default_of("encoder"))
        rows = encoder.fit_transform(X)
        labels = read_labels(y, rows=len(rows), X=X, anomaly_label=self.anomaly_label)
        if self.learns_from_labels and not labels.anomalous.any():
            raise InputError(
                f"{type(self).__name__} learns from known anomalies, and no row is labelled anomalous: label some "
                "with 1, or take a method that needs none, such as IsolationForestBaseline",
                code="no_anomalies",
            )
        if (normal := int((~labels.anomalous).sum())) < 2:
            raise InputError(
                f"{type(self).__name__} needs two normal or unlabelled rows to learn from; got {normal}",
                code="rows",
            )
        self.encoder_ = encoder
        self._learn(rows, labels)

    def decision_function(self, X: Any) -> Scores:
        """How anomalous each row is (N,): higher is more anomalous, on a scale of the method's own."""
        check_is_fitted(self)
        scores = np.asarray(self._scores(self.encoder_.transform(X)), dtype=np.float64)
        if not np.isfinite(scores).all():
            raise TrainingDivergedError(
                f"{type(self).__name__} learned weights that give no finite score; lower the learning rate"
            )
        return scores


def flat(rows: Matrix) -> Matrix:
    """Rows (N, F) as they are, images (N, C, H, W) as rows of pixels."""
    return rows.reshape(len(rows), -1)
