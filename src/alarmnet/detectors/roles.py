"""The roles of rows: calibration, training, validation."""

from typing import Literal, NamedTuple

import numpy as np

from alarmnet._shared.labels import Labels
from alarmnet._shared.random_streams import numpy_generator
from alarmnet._shared.warn import by_caller, warn
from alarmnet.errors import InputError
from alarmnet.preprocessing.rows import Index, Keys, draw, matched_once

CALIBRATION_ROWS = 10_000
VALIDATION_ROWS = 5_000
"""More held-out rows than this cost time and model size and change little."""
REVERSED_RATIO = 5
"""Labels look reversed if there are more anomalies than so many times the rows labelled normal.

Not fewer, since whole data sets of attacks have four times as many attacks as normal rows (KDD Cup 99).
"""


class Roles(NamedTuple):
    """Row numbers in ascending order, no row in two parts: to learn from, and to watch while learning."""

    training: Index
    validation: Index


def taken_as_normal(labels: Labels, unlabelled: Literal["normal", "ignore"]) -> Index:
    """Numbers of the rows that training takes as normal."""
    return np.flatnonzero(~labels.anomalous if unlabelled == "normal" else labels.normal)


def _warn_of_reversed(labels: Labels) -> None:
    """Warn where labels look reversed: most of all rows are anomalies, although some are labelled normal."""
    anomalies, normal = int(labels.anomalous.sum()), int(labels.normal.sum())
    if normal and anomalies > REVERSED_RATIO * normal and anomalies > len(labels.values) / 2:
        named = by_caller(command="--anomaly", python="anomaly_label")
        warn(
            f"most rows are labelled anomalous: {anomalies:,}, and {normal:,} are labelled normal. If the labels "
            f"are reversed, name the value of anomalies with {named}"
        )


def calibration_rows(
    labels: Labels, normal: Index, share: float, rate: float, *, seed: int, owner: object
) -> Index:
    """Draw the rows that calibrate: labelled normal where any is, else unlabelled ones.

    Warnings say where labels look reversed, and where labelled rows are too few for the alarm `rate`, and
    unlabelled ones would be enough.

    Raises
    ------
    InputError
        There are too few rows to learn from and to calibrate on.
    """
    pool = np.flatnonzero(labels.normal if labels.normal.any() else labels.unlabelled)
    name = type(owner).__name__
    if len(normal) == 2 and not labels.anomalous.any():
        raise InputError(
            f"{name} needs three rows or more, two to learn from and one to calibrate on; got 2",
            code="rows",
        )
    if len(normal) < 2:
        ignored = int((~labels.anomalous).sum()) - len(normal)
        said = f", beside {ignored:,} unlabelled rows that unlabelled='ignore' leaves out" if ignored else ""
        raise InputError(
            f"{name} needs two normal or unlabelled rows, one to learn from and one to calibrate on; got "
            f"{len(normal)}{said}",
            code="rows",
        )
    count, without_labels = (
        min(max(1, round(share * rows)), CALIBRATION_ROWS, len(normal) - 1)
        for rows in (len(pool), len(normal))
    )
    if (left := len(normal) - count + int(labels.anomalous.sum())) < 2:
        raise InputError(
            f"calibration_share={share:g} takes {count:,} of {len(normal):,} rows to calibrate {name} on and "
            f"leaves {left} to learn from, where two are needed; lower calibration_share, or give more rows",
            code="rows",
        )
    _warn_of_reversed(labels)
    if rate * (count + 1) < 1 <= rate * (without_labels + 1):
        warn(
            f"{count:,} of the {len(pool):,} rows labelled normal {'calibrates' if count == 1 else 'calibrate'}, "
            f"and none of the {len(normal) - len(pool):,} unlabelled rows. For an alarm rate of {rate:g}, label "
            "more rows normal, or none: then unlabelled rows calibrate"
        )
    chosen, _ = draw(pool, count, numpy_generator(seed, "calibration rows"))
    return chosen


def held_out(normal: Index, known: Index, share: float, *, seed: int, purpose: str) -> Roles:
    """Draw the rows that say when to stop, and leave the others to learn from."""
    generator = numpy_generator(seed, f"{purpose} validation rows")
    held_normal, normal = draw(normal, min(int(share * len(normal)), VALIDATION_ROWS), generator)
    held_known, known = draw(known, int(share * len(known)), generator)
    return Roles(np.concatenate([normal, known]), np.concatenate([held_normal, held_known]))


def refit_rows(labels: Labels, normal: Index, keys: Keys, calibration: Keys) -> tuple[Index, Index]:
    """Which calibration rows go on calibrating under new labels, and which normal rows are free to learn from.

    `keys` are those of the new table's rows, `calibration` those of the rows that calibrate. Of equal calibration
    rows, some of which are labelled anomalous now, as many stay as the table has without that label.

    Raises
    ------
    InputError
        No calibration row, or no other normal row, is left.
    """
    accused = np.isin(calibration, keys[labels.anomalous])
    still_normal = np.flatnonzero(~accused | matched_once(calibration, keys[~labels.anomalous]))
    if not len(still_normal):
        raise InputError(
            "every calibration row is labelled anomalous now: fit the detector again", code="rows"
        )
    free = normal[~matched_once(keys[normal], calibration[still_normal])]
    if not len(free):
        raise InputError(
            "refit_alarm needs normal rows as well as anomalies, other than the calibration rows: pass the "
            "training table with the new labels",
            code="rows",
        )
    return still_normal, free
