"""`alarmnet demo`: all steps on data that comes with scikit-learn."""

import shlex
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.datasets import load_digits
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from alarmnet._shared.random_streams import numpy_generator
from alarmnet.cli.terminal import a_file
from alarmnet.data_files import TableFiles, write_table
from alarmnet.errors import InputError

ANOMALY = 8
MARKED = 10
TRAINING_SHARE = 0.6
LOOKS = 20
ALARM_RATE = 0.05
FILES = (
    *("train.csv", "test.csv", "digits.model", "looks.csv", "scores.csv", "report.html"),
    *("without-labels.model", "scores-without-labels.csv"),
)

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]


def _digits() -> pa.Table:
    """Handwritten digits: 64 pixels and what the digit is."""
    bunch = load_digits()
    return pa.table({**dict(zip(bunch.feature_names, bunch.data.T, strict=True)), "digit": bunch.target})


def _split(digits: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Row numbers to train on, and the unseen others."""
    order = numpy_generator(0, "demo split").permutation(len(digits))
    cut = round(TRAINING_SHARE * len(digits))
    return order[:cut], order[cut:]


def _partly_labelled(train: pa.Table) -> pa.Table:
    """Training rows with some labelled anomalies; all other rows are unlabelled."""
    anomalous = train["digit"].to_numpy() == ANOMALY
    known = anomalous & (np.cumsum(anomalous) <= MARKED)
    labels = pa.array(np.where(known, str(ANOMALY), ""))
    return train.set_column(train.column_names.index("digit"), "digit", labels)


def _features(table: pa.Table) -> Floats:
    return np.column_stack([column.to_numpy() for column in table.drop_columns("digit").columns]).astype(
        float
    )


def _baselines(train: pa.Table, test: pa.Table) -> dict[str, Floats]:
    """Scores of the test rows by well-known methods; high is anomalous."""
    rows, unseen = _features(train), _features(test)
    known = np.array(train["digit"].to_pylist()) == str(ANOMALY)
    forest = IsolationForest(random_state=0).fit(rows)
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(rows, known)
    return {
        "logistic regression": regression.decision_function(unseen),
        "isolation forest, without labels": -forest.score_samples(unseen),
    }


def _look(looks: Path, digits: NDArray[np.int64]) -> None:
    """Answer the model's questions as a reviewer of the digits would."""
    asked = TableFiles(looks, kinds={"anomaly": "text"}).read()
    anomalous = digits[asked["row"].to_numpy().astype(int)] == ANOMALY
    place = asked.column_names.index("anomaly")
    write_table(looks, [asked.set_column(place, "anomaly", pa.array(anomalous.astype(int)))])
    click.echo(
        f"\nA reviewer looks at these {len(asked)} digits and fills in the table: {anomalous.sum()} are {ANOMALY}s."
    )


def _run(context: click.Context, *arguments: str | Path) -> None:
    """Run a command as a user would, and show it."""
    words = [str(argument) for argument in arguments]
    click.echo(f"\n$ {shlex.join(['alarmnet', *words])}")
    root = context.find_root().command
    if code := root.main(words, prog_name="alarmnet", standalone_mode=False):
        context.exit(code)


def _compare(scores: dict[str, Floats], anomalous: NDArray[np.bool_]) -> None:
    table = Table("method", "average precision", "ROC AUC")
    for name, values in scores.items():
        precision, area = average_precision_score(anomalous, values), roc_auc_score(anomalous, values)
        table.add_row(name, f"{precision:.3f}", f"{area:.3f}")
    Console().print(table)


@click.command()
@click.option(
    "--out",
    "folder",
    type=a_file,
    default="alarmnet-demo",
    show_default=True,
    metavar="FOLDER",
    help="Where to write the tables, the model, the scores and the report.",
)
@click.pass_context
def demo(context: click.Context, folder: Path) -> None:
    """See all steps on example data, within a minute.

    demo writes handwritten digits as tables, without a download. 10 eights are known anomalies; other eights are
    hidden among the unlabelled digits. demo then runs fit, recalibrate, score, evaluate and report on these tables,
    repeats fit and score without labels, and compares with an isolation forest and a logistic regression.

    \b
    Example:
      alarmnet demo --out demo
    """  # noqa: D301 - click reads \b
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {folder} cannot be created: {error.strerror}", code="unwritable"
        ) from error
    train_file, test_file, model, looks, scores_file, page, blind, blind_file = (
        folder / name for name in FILES
    )
    digits = _digits()
    train, test = (digits.take(rows) for rows in _split(digits["digit"].to_numpy()))
    labelled = _partly_labelled(train)
    write_table(train_file, [labelled])
    write_table(test_file, [test])
    hidden = int((train["digit"].to_numpy() == ANOMALY).sum()) - MARKED
    click.echo(
        f"{train_file}: {len(train):,} handwritten digits. {MARKED} are labelled {ANOMALY}: these are known "
        f"anomalies. The others are unlabelled; {hidden} more {ANOMALY}s are hidden among them.\n"
        f"{test_file}: {len(test):,} digits that training never sees."
    )
    labels = ("--label", "digit", "--anomaly", str(ANOMALY))
    _run(context, "fit", train_file, *labels, "--alarm-rate", str(ALARM_RATE), "--out", model)
    looks.unlink(missing_ok=True)
    _run(context, "recalibrate", model, "--ask", looks, "--count", str(LOOKS))
    _look(looks, train["digit"].to_numpy())
    _run(context, "recalibrate", model, "--answers", looks)
    _run(context, "score", model, test_file, "--out", scores_file)
    _run(context, "evaluate", model, test_file)
    _run(context, "report", model, test_file, "--out", page)
    click.echo("\nThe same rows without any label:")
    _run(context, "fit", train_file, "--ignore", "digit", "--alarm-rate", str(ALARM_RATE), "--out", blind)
    _run(context, "score", blind, test_file, "--ignore", "digit", "--out", blind_file)
    anomalous = test["digit"].to_numpy() == ANOMALY
    ours, blind_scores = (
        TableFiles(file, kinds={"alarm": "text", "status": "text"}).read()
        for file in (scores_file, blind_file)
    )
    click.echo(
        f"\nOn the {len(test):,} digits that training never saw, of which {anomalous.sum()} are {ANOMALY}s:"
    )
    _compare(
        {
            f"alarmnet, {MARKED} labels": ours["score"].to_numpy(),
            "alarmnet, without labels": blind_scores["score"].to_numpy(),
            **_baselines(labelled, test),
        },
        anomalous,
    )
    alarms = ours["alarm"].to_numpy() == "true"
    click.echo(
        f"With {MARKED} labels and {LOOKS} reviewed rows: {ALARM_RATE:.0%} of normal rows may raise an alarm, "
        f"{alarms[~anomalous].mean():.1%} do; {alarms[anomalous].mean():.0%} of the {ANOMALY}s are found.\n"
        f"Without labels, alarmnet cannot know that {ANOMALY}s are the anomalies: it finds unusual digits.\n"
        f"The report: {page.resolve()}"
    )
