"""`alarmnet fit` and `alarmnet refit`."""

import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import click
import numpy as np

from alarmnet._shared.devices import chosen_device
from alarmnet._shared.labels import Labels
from alarmnet._shared.phrases import counted
from alarmnet._shared.warn import warn
from alarmnet.cli.table_data import category_option, reads_data
from alarmnet.cli.terminal import (
    Command,
    Rate,
    a_file,
    check_output,
    device_option,
    ignore_option,
    keep_option,
    label_options,
    model_argument,
    output_options,
    show_facts,
    shows_progress,
)
from alarmnet.data_files import Reading
from alarmnet.detectors import DETECTORS, BaseDetector
from alarmnet.errors import InputError
from alarmnet.networks.checkpoints import kept_steps, refuse_file
from alarmnet.preprocessing import ImageScaler, TableEncoder
from alarmnet.preprocessing.images import SMALLEST_IMAGE
from alarmnet.preprocessing.rows import take
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.bad_rows import FIT, REFIT, way_out
from alarmnet.sources.comparison import keep_columns
from alarmnet.sources.labels import (
    FoundLabels,
    Labelling,
    check_anomalies_left,
    check_refit_labels,
    label_counts,
    needed,
)
from alarmnet.sources.memory import available_bytes, check_memory, shown_bytes
from alarmnet.sources.model_facts import calibration_facts
from alarmnet.sources.opened import Rows, load_model, open_to_run, open_to_train

VERDICTS = ["anomaly", "normal"]
"""The values of the column of answers that triage exports."""


def say_labels(found: FoundLabels | None, counts: dict[str, int], *, aside: bool) -> None:
    """Print the number of rows with each label; on standard error if standard output is for programs."""
    label = found.labelling.label if found else None
    if found is None or not counts["anomaly"] + counts["normal"]:
        reason = f"column {label!r} labels no row" if found else "no --label was given"
        click.echo(
            f"Labels: none ({reason}). Training treats all {counts['unlabelled']:,} rows as normal, and contrasts "
            "them with synthetic anomalies.",
            err=aside,
        )
        return
    click.echo(
        f"Labels in {label!r}: {counted(counts['anomaly'], 'anomaly', 'anomalies')}, {counts['normal']:,} normal, "
        f"{counts['unlabelled']:,} unlabelled. {found.described()}",
        err=aside,
    )


def warn_of_triage(labelling: Labelling | None, counts: dict[str, int]) -> None:
    """Warn that answers of triage do not calibrate a model."""
    if labelling is None or not (counts["normal"] and counts["unlabelled"]):
        return
    if labelling.label.rstrip("_") == "verdict" and [*labelling.anomaly, *labelling.normal] == VERDICTS:
        warn(
            f"column {labelling.label!r} looks like answers of alarmnet triage. The rows that it "
            "calls normal were chosen for review, so a threshold calibrated on them misses anomalies: use "
            "alarmnet refit with the model that triage exports",
        )


def check_size(rows: Rows, *, aside: bool) -> None:
    """Print the size of the data and the memory that training takes; refuse data that does not fit."""
    said, needed = rows.size()
    available = available_bytes()
    there = f"{shown_bytes(available)} are available"
    click.echo(f"{said} Training takes about {shown_bytes(needed)} of memory, {there}.", err=aside)
    check_memory(needed, available, remedy=rows.fewer)


def _input_facts(encoder: TableEncoder | ImageScaler) -> dict[str, Any]:
    if isinstance(encoder, ImageScaler):
        return {"image_shape": [*encoder.shape_], "columns": {}, "left_out": {}, "constant": []}
    return {
        "image_shape": None,
        "columns": dict(encoder.kinds_),
        "left_out": dict(encoder.left_out_),
        "constant": [*encoder.constant_columns_],
    }


def _model_facts(detector: BaseDetector, model: Path, *, seconds: float) -> dict[str, Any]:
    return {
        "model": str(model),
        "labels": {name: detector.label_counts_[name] for name in ("anomaly", "normal", "unlabelled")},
        **_input_facts(detector.encoder_),
        **calibration_facts(detector),
        "seconds": round(seconds, 3),
    }


def _say_model(facts: dict[str, Any]) -> None:
    click.echo(f"Alarm threshold: {said_of_calibration(facts)}")
    if facts["calibration_is_labelled"] and facts["labels"]["unlabelled"]:
        click.echo("The rate holds if the rows labelled normal are a random sample of normal rows.")
    if not facts["calibration_is_reviewed"]:
        click.echo(
            f"To make the rate more reliable, review some rows: alarmnet recalibrate {facts['model']} --ask "
            "looks.csv (for tables, --data TABLE adds their cells)"
        )
    click.echo(f"Wrote {facts['model']} in {facts['seconds']:.1f} s.")


def _write(detector: BaseDetector, out: Path, *, began: float, as_json: bool, **facts: Any) -> None:
    """Save a model, ready to run on any machine, and print what it is."""
    detector.verbose, detector.device = False, "auto"
    detector.save(out)
    model = _model_facts(detector, out, seconds=time.perf_counter() - began)
    if as_json:
        show_facts({**facts, **model})
    else:
        _say_model(model)


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Width and height, as "64x48"."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,5})[xX]([0-9]{1,5})", text.strip())
    if not found or min(size := (int(found[1]), int(found[2]))) < SMALLEST_IMAGE:
        raise click.BadParameter(
            f"{text!r} is not a size: give width and height in pixels, at least {SMALLEST_IMAGE}, such as 64x48."
        )
    return size


def _bad_row_option(rows: str) -> Callable[[Command], Command]:
    choice = click.Choice(["reject", "drop"])
    said = f"What to do with {rows}."
    return click.option("--on-bad-row", type=choice, default="reject", show_default=True, help=said)


@contextmanager
def _saying_what_is_kept(checkpoint: Path | None) -> Iterator[None]:
    """Say after an interruption how much of the training is kept, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        if checkpoint is None:
            raise KeyboardInterrupt("The training is lost; --checkpoint FOLDER would keep it.") from None
        raise KeyboardInterrupt(
            f"{checkpoint} keeps the training: {kept_steps(checkpoint) or 'nothing yet'}. The same command "
            f"continues from there: {shlex.join(['alarmnet', *sys.argv[1:]])}"
        ) from None


@click.command()
@reads_data
@label_options()
@ignore_option
@keep_option
@category_option
@click.option(
    "--alarm-rate",
    type=Rate(),
    default=0.01,
    show_default=True,
    help="The share of normal rows that may raise an alarm; `score` can change it later.",
)
@_bad_row_option("rows that have infinity or numbers beyond float32, and images that cannot be decoded")
@click.option(
    "--method", default="a3", show_default=True, help=f"The kind of detector: {' or '.join(DETECTORS)}."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of all random choices."
)
@click.option(
    "--resize",
    callback=_size,
    metavar="WIDTHxHEIGHT",
    help="For folders of images: stretch all images to this size, now and whenever the model is used.",
)
@click.option(
    "--no-classes",
    is_flag=True,
    help="For folders of images: do not read sub-folders as classes; all images are unlabelled.",
)
@device_option
@click.option(
    "--checkpoint",
    type=a_file,
    metavar="FOLDER",
    help="Save the progress of the training in this folder. After an interruption, the same command continues from "
    "there. The folder is emptied once the model is written.",
)
@click.option("--out", type=a_file, required=True, metavar="MODEL", help="The model file to write.")
@output_options
def fit(
    data: tuple[Path, ...],
    reading: Reading,
    labels_file: Path | None,
    label: str | None,
    anomaly: tuple[str, ...],
    normal: tuple[str, ...],
    ignored: tuple[str, ...],
    kept: tuple[str, ...],
    categories: tuple[str, ...],
    alarm_rate: float,
    on_bad_row: Literal["reject", "drop"],
    method: str,
    seed: int,
    resize: tuple[int, int] | None,
    no_classes: bool,
    device: str,
    checkpoint: Path | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Learn what is normal in tables or images, and write a model.

    A handful of labelled anomalies is enough. Without --label, fit learns from unlabelled rows alone. Before it
    begins, it prints the number of rows with each label and the memory that training takes. Instead of tables, it
    reads images of one size: folders of PNG, JPEG, BMP, TIFF and WebP files, or .npy and .npz arrays. If each class
    of images has a folder, name the folders of normal images with --normal, or those of anomalies with --anomaly.

    If some rows are labelled normal, they set the alarm threshold. They must then be a random sample of normal
    rows. To learn the answers of triage, whose rows were chosen, use refit.

    \b
    Examples:
      alarmnet fit train.csv --label class --anomaly fraud --out fraud.model
      alarmnet fit jan.parquet feb.parquet --label checked --anomaly 1 --normal 0 --ignore id --out m.model
      alarmnet fit photos/ --labels seen.csv --label state --anomaly scratch --out photos.model
      alarmnet fit photos/ --normal good --resize 64x64 --out photos.model
    """  # noqa: D301 - click reads \b
    if method not in DETECTORS:
        raise click.BadParameter(f"{method!r} is not one of {', '.join(DETECTORS)}.", param_hint="--method")
    check_output(out, inputs=[*data, *([labels_file] if labels_file else [])])
    if checkpoint:
        refuse_file(checkpoint)
    chosen_device(device, parameter="--device")
    began = time.perf_counter()
    labelling = Labelling.chosen(label, anomaly, normal, data=data, labels_file=labels_file)
    rows = open_to_train(
        data,
        labelling,
        labels_file=labels_file,
        ignored=ignored,
        kept=kept,
        resize=resize,
        classes=not no_classes,
        categories=categories,
        reading=reading,
    )
    found = rows.labels(labelling, given=[*anomaly, *normal]) if labelling else None
    labels = found.values if found else None
    check_size(rows, aside=as_json)
    with way_out(FIT):
        X, usable = rows.to_learn(flag=on_bad_row == "drop")
    dropped = int((~usable).sum())
    if dropped:
        check_anomalies_left(found, usable, why=rows.unusable, then="Fit would learn from no anomaly")
        X = take(X, np.flatnonzero(usable))
        labels = None if labels is None else labels[usable]
        click.echo(f"Dropped {counted(dropped, 'row')}: {rows.unusable}.", err=as_json)
    counts = label_counts(labels, rows=len(X))
    if len(X) < 2:
        raise InputError(
            f"{data[0]} has {counted(len(X), 'row')} that can be used; fit needs at least 2, and far more to "
            "be of use",
            code="too_few_rows",
        )
    say_labels(found, counts, aside=as_json)
    warn_of_triage(labelling, counts)
    if checkpoint and (earlier := kept_steps(checkpoint)):
        click.echo(f"{checkpoint} keeps earlier training: {earlier}.", err=as_json)
    detector = DETECTORS[method](
        alarm_rate=alarm_rate,
        random_state=seed,
        device=device,
        verbose=shows_progress(quiet=quiet),
        checkpoint=checkpoint,
    )
    keep_columns(detector, kept)
    with _saying_what_is_kept(checkpoint), way_out(FIT):
        detector.fit(X, labels if counts["unlabelled"] < len(X) else None)
        detector.rename_rows(np.flatnonzero(usable))
        detector.notes_ = {
            "ignored": [*ignored],
            **({"missing": [*reading.missing]} if reading.missing else {}),
            **({"resize": [*resize]} if resize else {}),
            **(labelling.to_dict() if labelling else {}),
        }
        values = found.facts() if found else []
        _write(detector, out, began=began, as_json=as_json, rows=len(X), dropped=dropped, label_values=values)


@click.command()
@model_argument
@reads_data
@label_options(remembered=True)
@ignore_option
@device_option
@_bad_row_option("rows that `alarmnet score --on-bad-row flag` would mark as invalid")
@click.option("--out", type=a_file, metavar="MODEL", help="The model file to write; by default MODEL itself.")
@output_options
def refit(
    model: Path,
    data: tuple[Path, ...],
    reading: Reading,
    labels_file: Path | None,
    label: str | None,
    anomaly: tuple[str, ...],
    normal: tuple[str, ...],
    ignored: tuple[str, ...],
    device: str,
    on_bad_row: Literal["reject", "drop"],
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a model's alarm again with new labels, in seconds.

    What the model learned about normal rows does not change. Give the training data again, with all labels that
    you have now, and add new data if there is any.

    \b
    Example:
      alarmnet refit fraud.model train.csv
    """  # noqa: D301 - click reads \b
    out = out or model
    check_output(out, inputs=[*data, *([labels_file] if labels_file else [])])
    began = time.perf_counter()
    detector = load_model(model, device=device)
    labelling = needed(
        Labelling.chosen(
            label, anomaly, normal, remembered=detector.notes_, data=data, labels_file=labels_file
        )
    )
    rows = open_to_run(
        detector, data, label=labelling.label, labels_file=labels_file, ignored=ignored, reading=reading
    )
    found = rows.labels(labelling, given=[*anomaly, *normal])
    check_refit_labels(found)
    detector.verbose = shows_progress(quiet=quiet)
    with way_out(REFIT):
        check_size(rows, aside=as_json)
        X, usable = rows.to_learn(flag=on_bad_row == "drop")
        labels, kept = found.values[usable], np.flatnonzero(usable)
        if dropped := len(usable) - len(kept):
            X = take(X, kept)
            click.echo(f"Dropped {counted(dropped, 'row')} that the model cannot score.", err=as_json)
            why, then = "the model cannot score them", "Refit would forget the anomalies that it knows"
            check_anomalies_left(found, usable, why=why, then=then)
        say_labels(found, label_counts(labels, rows=len(labels)), aside=as_json)
        detector.refit_alarm(X, Labels(labels, detector.classes_))
        detector.rename_known(kept)
    detector.notes_ = {**detector.notes_, **labelling.to_dict()}
    counts = {"rows": len(labels), "dropped": dropped, "label_values": found.facts()}
    _write(detector, out, began=began, as_json=as_json, **counts)
