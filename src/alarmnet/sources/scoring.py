"""Files scored part by part, from Python, a command, a service or an engine."""

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from alarmnet._shared.containers import decoded
from alarmnet._shared.validation import check_choice, check_type, check_whole
from alarmnet.data_files import Reading, local_files, place_of, refuse_input, write_table
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.recognition import SeenRows
from alarmnet.errors import InputError, InputTypeError, rows_counted_from
from alarmnet.explain import Explainer, RowExplanation, reason_text
from alarmnet.preprocessing import EncodingSummary, ImageScaler, TableEncoder
from alarmnet.preprocessing.rows import take
from alarmnet.sources import Rows, load_model, open_to_run
from alarmnet.thresholds import Bools, Scores, drift_note, highest

Progress = Callable[[int], object]
"""Called with the number of rows that were done since."""


@dataclass(frozen=True)
class Scored:
    """What became of a batch: logits (B,), NaN where the row is invalid; ids (B,) or row numbers.

    `explained` has the explanations of alarms by their place in the batch; None where none were asked for.
    """

    ids: pa.ChunkedArray
    logits: Scores
    explained: Mapping[int, RowExplanation] | None = None


@dataclass
class Tally:
    """What was counted while scoring; `missing`, `unseen`, `outside` and `midnights` count cells by column.

    `newly_missing` names the columns that training had without gaps; `near_matches` has, by column, up to five new
    categories and what training called them, but for case, spaces or Unicode form.
    """

    rows: int = 0
    alarms: int = 0
    invalid: int = 0
    missing: Counter[str] = field(default_factory=Counter)
    unseen: Counter[str] = field(default_factory=Counter)
    outside: Counter[str] = field(default_factory=Counter)
    midnights: Counter[str] = field(default_factory=Counter)
    newly_missing: dict[str, None] = field(default_factory=dict)
    near_matches: dict[str, dict[str, str]] = field(default_factory=dict)

    def add(self, summary: EncodingSummary) -> None:
        """Count what stands out in a batch."""
        self.missing.update(summary.missing)
        self.unseen.update({name: found.count for name, found in summary.unseen.items()})
        self.outside.update(summary.outside)
        self.midnights.update(summary.midnights)
        self.newly_missing |= dict.fromkeys(summary.newly_missing)
        for name, found in summary.unseen.items():
            if found.near_matches and name not in self.near_matches:
                self.near_matches[name] = dict(islice(found.near_matches.items(), 5))

    def drift_note(self, detector: BaseDetector) -> str | None:
        """A warning if more rows raise an alarm than chance explains for normal rows."""
        note = drift_note(
            self.alarms,
            self.rows - self.invalid,
            calibration_rows=len(detector.calibration_scores_),
            held=detector.alarm_rate_held_,
            normal=False,
        )
        return note or None

    def dates_only(self, detector: BaseDetector) -> list[str]:
        """Columns of times that are all at midnight, where the rows that calibrate say that this is no chance."""
        scored = self.rows - self.invalid
        return [
            name
            for name, count in self.midnights.items()
            if count == scored - self.missing[name] and _share_at_midnight(detector, name) ** count < 0.001
        ]


def _share_at_midnight(detector: BaseDetector, name: str) -> float:
    """The share of the times in a column that are at midnight, by the rows that calibrate and one more."""
    places = np.flatnonzero(np.array(cast(TableEncoder, detector.encoder_).source_columns_) == name)[:2]
    # sine and cosine of the time of day, both 0.5 if it is missing
    waves = detector.scored_encoded().normal[:, places]
    midnights = np.count_nonzero((waves == (0.5, 1.0)).all(axis=1))
    return (midnights + 1) / (np.count_nonzero((waves != 0.5).any(axis=1)) + 1)


def _summary(encoder: TableEncoder | ImageScaler, X: Any) -> EncodingSummary:
    """Count what stands out in some rows, compared with training rows; of images, pixels beyond the range."""
    if isinstance(encoder, TableEncoder):
        return encoder.summarize(X)
    beyond = int(((encoder.low_ > X) | (encoder.high_ < X)).sum())
    outside = {"pixels": beyond} if beyond else {}
    return EncodingSummary(rows=len(X), missing={}, unseen={}, outside=outside, newly_missing=())


def score_batches(
    detector: BaseDetector,
    rows: Rows,
    *,
    flag: bool,
    tally: Tally,
    progress: Progress = lambda rows: None,
    reasons: int = 0,
    seen: SeenRows | None = None,
) -> Iterator[Scored]:
    """Score files, holding one part at a time; `flag` keeps invalid rows, which are else refused.

    With `reasons`, alarms are explained, each by so many columns at most. `seen` looks for training rows.
    """
    explainer = Explainer(detector.scored_encoded()) if reasons else None
    for part in rows.parts(flag=flag):
        usable = part.usable
        logits = np.full(len(usable), np.nan)
        if usable.any():
            good = part.X if usable.all() else take(part.X, np.flatnonzero(usable))
            with rows_counted_from(part.first_row):
                logits[usable] = detector.logits(good)
            tally.add(_summary(detector.encoder_, good))
            if seen:
                seen.add(good)
        tally.rows += len(usable)
        tally.invalid += int((~usable).sum())
        progress(len(usable))
        alarms = np.flatnonzero(logits > detector.threshold_)
        found = explainer(part.X, alarms, reasons).rows if explainer and len(alarms) else ()
        explained = {int(place): row for place, row in zip(alarms, found, strict=bool(found))}
        yield Scored(part.ids, logits, explained if explainer else None)


def _over_threshold(batches: Iterable[Scored], threshold: float) -> Iterator[tuple[Scored, Bools]]:
    return ((scored, scored.logits > threshold) for scored in batches)


def _highest(batches: Iterable[Scored], budget: int) -> Iterator[tuple[Scored, Bools]]:
    """Alarms for the `budget` highest rows of all batches, the earlier one of nearly equal scores first."""
    kept = list(batches)
    alarms = highest(np.concatenate([scored.logits for scored in kept]), budget)
    start = 0
    for scored in kept:
        stop = start + len(scored.logits)
        yield scored, alarms[start:stop]
        start = stop


def _reasons(scored: Scored, count: int) -> dict[str, pa.Array]:
    """Columns for the reasons of alarms, the strongest first, and one with all of an explanation as JSON."""
    explained = scored.explained or {}
    rows = [explained.get(place) for place in range(len(scored.logits))]
    texts = [
        [reason_text(reason) for reason in row.reasons if reason.contribution > 0] if row else []
        for row in rows
    ]
    columns = {
        f"reason_{number + 1}": pa.array([next(iter(text[number:]), None) for text in texts], pa.string())
        for number in range(count)
    }
    told = [json.dumps(row.to_dict(), ensure_ascii=False, allow_nan=False) if row else None for row in rows]
    return {**columns, "explanation": pa.array(told, pa.string())}


def _result(
    scored: Scored, alarms: Bools, *, p_values: Scores, name: str, tally: Tally, reasons: int
) -> pa.Table:
    invalid = np.isnan(scored.logits)
    tally.alarms += int(alarms.sum())
    return pa.table(
        {
            name: decoded(scored.ids),
            "score": pa.array(expit(scored.logits), mask=invalid),
            "p_value": pa.array(p_values, mask=invalid),
            "alarm": pa.array(alarms, mask=invalid),
            "status": pa.array(np.where(invalid, "invalid", "ok")),
            **(_reasons(scored, reasons) if reasons else {}),
        }
    )


def set_threshold(detector: BaseDetector, alarm_rate: float | None, *, budget: int | None) -> None:
    """Set an alarm rate (None: the model's own), and warn if the calibration rows are too few for it.

    With a budget there is no rate.
    """
    if budget is None:
        detector.set_alarm_rate(detector.alarm_rate_ if alarm_rate is None else alarm_rate)


def scored_tables(
    detector: BaseDetector,
    rows: Rows,
    *,
    budget: int | None = None,
    flag: bool = False,
    tally: Tally,
    progress: Progress = lambda rows: None,
    reasons: int = 0,
) -> Iterator[pa.Table]:
    """Score opened files: tables of id or row, score, p_value, alarm and status, one a part; `reasons` adds these.

    Memory holds one part at a time; with a `budget` the scores and ids of all. What is counted is put into `tally`.
    """
    batches = score_batches(detector, rows, flag=flag, tally=tally, progress=progress, reasons=reasons)
    marked = (
        _highest(batches, budget) if budget is not None else _over_threshold(batches, detector.threshold_)
    )
    name = "id" if rows.has_ids else "row"
    return (
        _result(
            scored,
            alarms,
            p_values=detector.p_values_of(scored.logits),
            name=name,
            tally=tally,
            reasons=reasons,
        )
        for scored, alarms in marked
    )


def score_files(
    model: BaseDetector | str | PathLike[str],
    data: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    out: str | PathLike[str],
    identifier: str | None = None,
    ignored: Sequence[str] = (),
    alarm_rate: float | None = None,
    budget: int | None = None,
    on_bad_row: Literal["reject", "flag"] = "reject",
    reasons: int = 0,
    device: str = "auto",
    reading: Reading | None = None,
    progress: Progress = lambda rows: None,
) -> Tally:
    """Score files of tables or images of any size into one file, as `alarmnet score` does.

    Use it for rows in files that may not fit in memory; `A3Detector.anomaly_score` is for rows in memory.

    Parameters
    ----------
    model
        A fitted detector, or a model file. A detector is not changed.
    data
        Files of tables (CSV, JSON lines, Zeek logs, gzipped or zipped, Parquet), folders of these, patterns such as
        ``"flows/*.parquet"``, ``"-"`` for standard input, databases (with a query in
        `reading`), or folders and arrays of images; scored as one after the other.
    out
        Ends in .csv, .csv.gz or .parquet; "-" is standard output, as CSV. It has a row for each row: its id or
        number, score in [0, 1] (high is anomalous), p_value (low is anomalous), alarm, and status ("ok" or
        "invalid").
    identifier
        The column to copy into the result as `id`.
    ignored
        Columns to leave out that the model does not know.
    alarm_rate
        The share of normal rows that may raise an alarm; None: the model's.
    budget
        Instead of a rate: the number of highest-scored rows that raise an alarm.
    on_bad_row
        "reject" refuses rows that cannot be scored, "flag" keeps them with the status "invalid".
    reasons
        Explain each alarm by at most this number of columns: the result gets `reason_1` and so on as text, and
        `explanation` as JSON. It cannot be combined with a budget.
    device
        Where to compute, for a model file.
    reading
        How to read tables, for settings that cannot be detected from their contents.
    progress
        Called with the number of rows done since the last call.

    Raises
    ------
    InputError
        The files do not fit the model, or cannot be read or written.
    ModelFileError
        The model file cannot be read.

    Examples
    --------
    >>> import tempfile
    >>> import alarmnet
    >>> folder = Path(tempfile.mkdtemp())
    >>> table = pa.table({"bytes": np.random.default_rng(0).normal(size=200)})
    >>> detector = alarmnet.A3Detector(alarm_rate=0.1, random_state=0).fit(table)
    >>> write_table(folder / "new.csv", [table])
    >>> alarmnet.score_files(detector, folder / "new.csv", out=folder / "scores.csv").rows
    200
    """
    _check_options(score_files, data, budget=budget, on_bad_row=on_bad_row, reasons=reasons, reading=reading)
    if budget is not None and alarm_rate is not None:
        raise InputError("budget and alarm_rate exclude each other: give one of them", code="options")
    if budget is not None and reasons:
        raise InputError(
            "budget and reasons exclude each other: with a budget, alarms are known after the last row is read",
            code="options",
        )
    detector = copy.copy(model) if isinstance(model, BaseDetector) else load_model(Path(model), device=device)
    check_is_fitted(detector)
    set_threshold(detector, alarm_rate, budget=budget)
    paths = [data] if isinstance(data, str | PathLike) else [*data]
    tally, flag = Tally(), on_bad_row == "flag"
    with local_files([place_of(path) for path in paths], reading.query if reading else None) as files:
        refuse_input(Path(out), [*files, *([] if isinstance(model, BaseDetector) else [Path(model)])])
        rows = open_to_run(detector, files, identifier=identifier, ignored=ignored, reading=reading)
        tables = scored_tables(
            detector, rows, budget=budget, flag=flag, tally=tally, progress=progress, reasons=reasons
        )
        write_table(out, tables)
    return tally


def _check_options(
    owner: object, data: object, *, budget: object, on_bad_row: object, reasons: object, reading: object
) -> None:
    """Refuse what cannot be used, before any work."""
    if hasattr(data, "shape") or not isinstance(data, str | PathLike | Iterable):
        raise InputTypeError(
            f"The 'data' parameter of score_files must be a path or a list of paths. Got {type(data).__name__} "
            "instead. Score rows in memory by the detector's anomaly_score.",
            code="invalid_parameter",
        )
    if budget is not None:
        check_whole(owner, "budget", budget)
    check_choice(owner, "on_bad_row", on_bad_row, ("reject", "flag"))
    check_whole(owner, "reasons", reasons, 0)
    check_type(owner, "reading", reading, Reading)
