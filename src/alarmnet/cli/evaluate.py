"""`alarmnet evaluate` and `alarmnet report`: a model compared with labels."""

from dataclasses import asdict
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from alarmnet import metrics
from alarmnet._shared.phrases import counted
from alarmnet.cli.table_data import reads_data
from alarmnet.cli.terminal import (
    a_file,
    check_output,
    device_option,
    id_option,
    ignore_option,
    json_option,
    label_options,
    model_argument,
    output_options,
    row_progress,
    show_facts,
)
from alarmnet.data_files import Reading
from alarmnet.detectors import BaseDetector
from alarmnet.detectors.recognition import SeenRows
from alarmnet.report import check_ending, make_report
from alarmnet.report.words import said_of_calibration
from alarmnet.sources.bad_rows import OTHERS, way_out
from alarmnet.sources.labels import Labelling, needed
from alarmnet.sources.model_facts import calibration_facts
from alarmnet.sources.opened import load_model, open_to_run
from alarmnet.sources.scoring import Tally, score_batches
from alarmnet.thresholds import drift_note


def _print(found: metrics.Evaluation, detector: BaseDetector, *, normal_named: bool) -> None:
    table = Table("measure", "value", f"{found.confidence:.0%} interval")
    measures = {
        "average precision": found.average_precision,
        "ROC AUC": found.roc_auc,
        f"recall, top {found.budget:,} rows": found.recall_at_budget,
        f"precision, top {found.budget:,} rows": found.precision_at_budget,
        f"alarm rate on normal rows (requested: {detector.alarm_rate_:g})": found.alarm_rate,
        "recall at the alarm threshold": found.recall,
    }
    for name, estimate in measures.items():
        if estimate is not None:
            table.add_row(name, f"{estimate.value:.3f}", f"{estimate.low:.3f} to {estimate.high:.3f}")
    click.echo(
        f"{counted(found.normal, 'normal row')}, {counted(found.anomalies, 'anomaly', 'anomalies')}, "
        f"{counted(found.unlabelled, 'unlabelled row')} left out"
    )
    Console().print(table)
    if note := metrics.reversed_note(found.normal, found.anomalies, found.roc_auc, found.recall):
        click.echo(note)
    click.echo(f"Alarm threshold: {said_of_calibration(calibration_facts(detector))}")
    if found.alarm_rate is not None and (
        note := drift_note(
            round(found.alarm_rate.value * found.normal),
            found.normal,
            calibration_rows=len(detector.calibration_scores_),
            held=detector.alarm_rate_held_,
        )
    ):
        click.echo(note if normal_named else f"{note} Use --normal to name the values that are normal.")


@click.command()
@model_argument
@reads_data
@label_options(remembered=True)
@ignore_option
@click.option(
    "--budget",
    type=click.IntRange(min=1),
    metavar="N",
    help="The number of highest-scored rows to measure recall and precision on; by default the number of "
    "anomalies.",
)
@device_option
@output_options
def evaluate(
    model: Path,
    data: tuple[Path, ...],
    reading: Reading,
    labels_file: Path | None,
    label: str | None,
    anomaly: tuple[str, ...],
    normal: tuple[str, ...],
    ignored: tuple[str, ...],
    budget: int | None,
    device: str,
    as_json: bool,
    quiet: bool,
) -> None:
    """Measure how well a model finds anomalies.

    Give labelled tables or images that training has not seen. evaluate prints average precision and ROC AUC,
    recall and precision among the highest-scored rows, and the false-alarm rate compared with the requested rate,
    each with an interval.

    \b
    Example:
      alarmnet evaluate fraud.model test.csv --label class --anomaly fraud
    """  # noqa: D301 - click reads \b
    detector = load_model(model, device=device)
    labelling = needed(
        Labelling.chosen(
            label, anomaly, normal, remembered=detector.notes_, data=data, labels_file=labels_file
        )
    )
    rows = open_to_run(
        detector, data, label=labelling.label, labels_file=labels_file, ignored=ignored, reading=reading
    )
    labelled = rows.labels(labelling, given=(*anomaly, *normal))
    labelled.check_classes(str(labels_file or f"{data[0]}, column {labelling.label!r},"))
    with row_progress(rows.n_rows, quiet=quiet) as progress, way_out(OTHERS):
        seen = SeenRows(detector.fitted_state())
        batches = score_batches(detector, rows, flag=False, tally=Tally(), progress=progress, seen=seen)
        logits = np.concatenate([scored.logits for scored in batches])
    found = metrics.evaluate(labelled.values, logits, budget=budget, threshold=detector.threshold_)
    if as_json:
        values = {"label_values": labelled.facts()}
        asked = {"alarm_rate_asked": detector.alarm_rate_, "calibration": calibration_facts(detector)}
        training = {"training_rows": asdict(seen.recognised)}
        show_facts({"model": str(model), **asked, **asdict(found), **values, **training})
    else:
        click.echo(labelled.described())
        _print(found, detector, normal_named=bool(labelling.normal))
        if note := seen.recognised.note():
            click.echo(note)


@click.command()
@model_argument
@reads_data
@label_options(remembered=True)
@id_option("that names the rows")
@ignore_option
@device_option
@click.option("--out", type=a_file, required=True, metavar="FILE", help="Ends in .html (a page) or .json.")
@json_option
def report(
    model: Path,
    data: tuple[Path, ...],
    reading: Reading,
    labels_file: Path | None,
    label: str | None,
    anomaly: tuple[str, ...],
    normal: tuple[str, ...],
    identifier: str | None,
    ignored: tuple[str, ...],
    device: str,
    out: Path,
    as_json: bool,
) -> None:
    """Write a report on tables or images and their alarms.

    The report shows the alarm rate and the highest-scored rows with the reasons for their scores, or images with
    their reconstructions. With labels it also shows how many anomalies are found. The data must fit in memory.

    \b
    Example:
      alarmnet report fraud.model new.csv --out report.html --id payment
    """  # noqa: D301 - click reads \b
    check_output(out, inputs=[model, *data, *([labels_file] if labels_file else [])])
    check_ending(out)
    detector = load_model(model, device=device)
    labelling = Labelling.chosen(
        label, anomaly, normal, remembered=detector.notes_, data=data, labels_file=labels_file
    )
    rows = open_to_run(
        detector,
        data,
        label=labelling.label if labelling else None,
        labels_file=labels_file,
        identifier=identifier,
        ignored=ignored,
        reading=reading,
    )
    if labelling and not label and not rows.has_labels(labelling):
        labelling = None
    labelled = rows.labels(labelling, given=(*anomaly, *normal)) if labelling else None
    labels = labelled.labels if labelled else None
    data_name = ", ".join(path.name for path in data)
    with row_progress(None, quiet=False) as progress, way_out(OTHERS):
        progress(len(X := rows.read()))  # before the work, whose length is not known
        made = make_report(detector, X, labels, ids=rows.ids(), data_name=data_name)
    made.save(out)
    if as_json:
        show_facts(made.facts)
    else:
        if labelled:
            click.echo(labelled.described())
        click.echo(
            f"Wrote {out}: {counted(len(made.scores), 'row')}, {counted(made.facts['alarms']['alarms'], 'alarm')}."
        )
