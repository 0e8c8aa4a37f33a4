"""What an explanation needs of a fitted detector, as plain values and functions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from alarmnet.explain.mixtures import Floats, Index, Matrix, Mix


@dataclass(frozen=True, kw_only=True)
class Scored:
    """A fitted detector as a function of encoded rows.

    Parameters
    ----------
    score
        Encoded rows (N, ...) to logits (N,): high is anomalous.
    odds
        Encoded rows (N, ...) to what each alarm adds to the odds, as a logarithm (N, alarms).
    alarm_names
        What each alarm is called.
    threshold
        The logit above which a row raises an alarm.
    encoder
        A `TableEncoder` or `ImageScaler`.
    normal
        Encoded held-out normal rows (M, ...).
    known, known_numbers
        Some known anomalies, encoded (K, ...), and their row numbers in the training table (K,), -1 for an
        earlier table; None where the model's file is of an older version, which kept none.
    mix
        Scores mixtures of two rows of a table as `score` does, but faster; None: nothing does.
    """

    score: Callable[[Matrix], Floats]
    odds: Callable[[Matrix], Floats]
    alarm_names: Sequence[str]
    threshold: float
    encoder: Any
    normal: Matrix
    known: Matrix | None
    known_numbers: Index | None
    mix: Mix | None = None


def references(scored: Scored, normal: Matrix, *, share: float = 1.0) -> tuple[Matrix, Floats]:
    """The share of normal rows that scores lowest, and their logits.

    Rows that raise an alarm are left out, but for the lowest where all do.
    """
    logits = scored.score(normal)
    quiet = logits <= min(scored.threshold, float(np.quantile(logits, share)))
    chosen = quiet if quiet.any() else logits == logits.min()
    return normal[chosen], logits[chosen]


def loudest(scored: Scored, encoded: Matrix) -> list[str]:
    """The name of the alarm that adds most to each row's odds."""
    odds = scored.odds(encoded)
    names = scored.alarm_names
    if len(names) != odds.shape[1]:
        names = [f"alarm {number + 1}" for number in range(odds.shape[1])]
    return [names[place] for place in odds.argmax(axis=1)]
