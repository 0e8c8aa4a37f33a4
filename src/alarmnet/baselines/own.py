"""A method of the user's own, by the name of its class, as a baseline."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Unpack

import numpy as np
from sklearn.base import OutlierMixin

from alarmnet._shared.labels import Labels
from alarmnet.baselines.base import Baseline, BaselineParameters, Matrix, Scores, flat
from alarmnet.errors import AlarmnetError, InputError


class OwnMethod(Baseline):
    """A class with `fit` and with `decision_function` or `predict_proba`, made without arguments.

    Use it to compare your own method, or one of another library, with alarmnet's methods. The class gets encoded
    rows (N, F) and labels (N,): 1 for known anomalies, 0 for all other rows. An image is a row of pixels. Higher
    scores must be more anomalous. An outlier detector of scikit-learn gets no known anomalies, and its scores are
    negated, since low scores are anomalous there.

    Parameters
    ----------
    own
        The class as ``"module:Class"``. The module may be in the current folder.
    encoder, anomaly_label, random_state
        As in `A3Detector`. The class gets the seed if it has a parameter `random_state`.

    Examples
    --------
    >>> rows = np.append(np.random.default_rng(0).normal(size=(99, 2)), [[9.0, 9.0]], axis=0)
    >>> own = OwnMethod(own="sklearn.ensemble:IsolationForest", random_state=0)
    >>> own.fit(rows).decision_function(rows).argmax()
    np.int64(99)
    """

    name: ClassVar[str] = "own"
    learns_from_labels: ClassVar[bool] = False

    def __init__(self, *, own: str = "", **shared: Unpack[BaselineParameters]) -> None:
        super().__init__(**shared)
        self.own = own

    def _learn(self, rows: Matrix, labels: Labels) -> None:
        model = imported(self.own)()
        if "random_state" in getattr(model, "get_params", dict)():
            model.set_params(random_state=self.seed_)
        self._turned = isinstance(model, OutlierMixin)
        known = labels.anomalous
        if self._turned:
            model.fit(flat(rows[~known]))
        else:
            model.fit(flat(rows), known.astype(np.int64))
        self._fitted = model

    def _scores(self, rows: Matrix) -> Scores:
        if hasattr(self._fitted, "decision_function"):
            scores = np.asarray(self._fitted.decision_function(flat(rows)), dtype=np.float64)
        else:
            scores = np.asarray(self._fitted.predict_proba(flat(rows)), dtype=np.float64)[:, 1]
        wrong_shape = scores.shape != (len(rows),)
        if wrong_shape or not np.isfinite(scores).all():
            unlike = f"scores of shape {scores.shape}" if wrong_shape else "scores that are not finite"
            raise AlarmnetError(
                f"{self.own!r} gave {unlike} for {len(rows):,} rows; it must give one number for each"
            )
        return -scores if self._turned else scores


def imported(own: str) -> Any:
    """The class that ``"module:Class"`` names.

    Raises
    ------
    InputError
        It cannot be imported, or lacks a method.
    """
    module, _, name = own.partition(":")
    expected = (
        "give module:Class, such as my_methods:Mine for the class Mine in my_methods.py of the current folder"
    )
    if not (module and name):
        raise InputError(f"{own!r} does not name a module and a class: {expected}", code="own_method")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        kind = getattr(import_module(module), name)
    except Exception as error:  # the module may raise anything
        said = f"{type(error).__name__}: {error}"
        raise InputError(f"{own!r} cannot be imported ({said}): {expected}", code="own_method") from error
    finally:
        sys.path.remove(here)
    if not hasattr(kind, "fit") or not {"decision_function", "predict_proba"} & {*dir(kind)}:
        raise InputError(
            f"{own!r} needs the methods fit(X, y) and decision_function(X), higher for anomalies, or "
            "predict_proba(X)",
            code="own_method",
        )
    return kind
