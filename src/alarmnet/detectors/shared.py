"""Parameters and attributes that every detector has: described once, and shown in each detector's help."""

import inspect
from collections.abc import Callable
from os import PathLike
from typing import Any, Literal, TypedDict

import numpy as np

from alarmnet._shared.validation import (
    check_choice,
    check_random_state,
    check_real,
    check_type,
    check_verbose,
)
from alarmnet.networks.training import ProgressFunction
from alarmnet.preprocessing import TableEncoder


class SharedParameters(TypedDict, total=False):
    """What `BaseDetector` takes: a detector passes it on, `super().__init__(**shared)`."""

    encoder: TableEncoder | None
    alarm_rate: float
    calibration_share: float
    unlabelled: Literal["normal", "ignore"]
    anomaly_label: object
    device: str
    random_state: int | np.random.RandomState | np.random.Generator | None
    verbose: bool | ProgressFunction
    checkpoint: str | PathLike[str] | None


def check_shared(detector: Any) -> None:
    """Refuse the parameters that every detector has if they cannot be used."""
    check_real(detector, "alarm_rate", detector.alarm_rate, 0, 1)
    check_real(detector, "calibration_share", detector.calibration_share, 0, 1)
    check_choice(detector, "unlabelled", detector.unlabelled, ("normal", "ignore"))
    check_type(detector, "encoder", detector.encoder, TableEncoder)
    check_type(detector, "checkpoint", detector.checkpoint, str, PathLike)
    check_random_state(detector, detector.random_state)
    check_verbose(detector, detector.verbose)


CONTRACT = """\
Scores: higher is more anomalous in `decision_function` (above 0: alarm), `predict_proba`, `anomaly_score`;
*lower* is in `p_value`.

Any number of threads may read a fitted detector at once. No other thread may use it during `fit`, `refit_alarm`
or `set_params`."""

PARAMETERS = """\
encoder
    A `TableEncoder` with settings of your own. The detector copies it, and the copy learns from training rows only.
alarm_rate
    The false-alarm rate: the share of normal rows that may raise an alarm, in (0, 1). `set_alarm_rate` changes
    it later.
calibration_share
    The share of normal rows (at most 10,000 rows) in the calibration set, which sets the threshold and serves
    no other purpose. The set is drawn from rows labelled normal, or from unlabelled rows if no row is labelled
    normal.
unlabelled
    `"normal"` treats unlabelled rows as normal in training; `"ignore"` leaves them out. Some unlabelled rows
    may be anomalies, so most alarms bound the loss of these rows: label the rows that you know to be normal.
anomaly_label
    The label of anomalies in `y`, or a list of such labels, if these are not 1 or True.
device
    `"auto"` (a GPU if there is one), or PyTorch's name for a device.
random_state
    The same seed, machine, versions and thread count give the same model, bit for bit (on the CPU). None draws
    a fresh seed, which `seed_` holds.
verbose
    True shows progress bars. A function of your own is called with each `Progress`.
checkpoint
    A folder in which `fit` keeps its training state. After an interruption, the same `fit` with the same folder
    continues from that state to the same model, bit for bit. `save` then empties the folder."""

ATTRIBUTES = """\
classes_
    Your labels for normal rows and for anomalies, in this order.
threshold_
    The logit above which a row raises an alarm.
alarm_rate_, alarm_rate_held_
    The requested false-alarm rate, and the rate that the calibration set can guarantee.
calibration_scores_
    Logits of the calibration rows, ascending.
calibration_is_labelled_
    False if the calibration set is made of unlabelled rows: the false-alarm rate is then an estimate, and
    `unclean_share` estimates how many of these rows are anomalies.
calibration_weights_
    How probably each calibration row is normal, in the order of `calibration_scores_`; 1 for rows labelled normal.
decision_scores_, labels_
    Logits of the rows given to `fit`, and 1 where they exceed the threshold. Not kept in files.
label_counts_
    Rows by label, and how many rows equal a known anomaly but are not labelled so.
history_
    The losses of each training run. A target's losses on training rows may be estimates.
encoder_, seed_, n_features_in_, feature_names_in_
    The learned encoder, the seed, and the input as scikit-learn describes it."""


def described(own: str) -> str:
    """A detector's docstring, with what every detector has behind what is its own."""
    head, _, rest = inspect.cleandoc(own).partition("\n\nParameters\n----------\n")
    parameters, examples, example = rest.partition("\n\nExamples\n--------\n")
    listed = f"{parameters}\n{PARAMETERS}".lstrip()
    return (
        f"{head}\n\n{CONTRACT}\n\nParameters\n----------\n{listed}\n\nAttributes\n----------\n{ATTRIBUTES}"
        f"{examples}{example}\n"
    )


def signature_of(own: Callable[..., Any], shared: Callable[..., Any]) -> inspect.Signature:
    """The signature of a constructor that passes `**shared` on to another, with all parameters by name.

    scikit-learn takes an estimator's parameters from there.
    """
    *first, rest = inspect.signature(own).parameters.values()
    if rest.kind is not rest.VAR_KEYWORD:
        return inspect.signature(own)
    taken = inspect.signature(shared).parameters
    others = [parameter for name, parameter in taken.items() if name not in {p.name for p in first}]
    return inspect.Signature([*first, *others], return_annotation=None)
