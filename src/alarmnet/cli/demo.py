"""`alarmnet demo`: the whole way on data that comes with scikit-learn."""

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
ALARM_RATE = 0.02

Rows = NDArray[np.intp]
Floats = NDArray[np.float64]


def _digits() -> pa.Table:
    """Handwritten digits: 64 pixels and what the digit is."""
    bunch = load_digits()
    return pa.table({**dict(zip(bunch.feature_names, bunch.data.T, strict=True)), "digit": bunch.target})


def _split(digits: NDArray[np.int64]) -> tuple[Rows, Rows]:
    """Row numbers to train on, with few anomalies among them, and the unseen others."""
    order = numpy_generator(0, "demo split").permutation(len(digits))
    cut = round(TRAINING_SHARE * len(digits))
    train, test = order[:cut], order[cut:]
    marked = train[digits[train] == ANOMALY][:MARKED]
    return np.concatenate([train[digits[train] != ANOMALY], marked]), test


def _features_and_anomalies(table: pa.Table) -> tuple[Floats, NDArray[np.bool_]]:
    features = np.column_stack([column.to_numpy() for column in table.drop_columns("digit").columns])
    return features.astype(np.float64), table["digit"].to_numpy() == ANOMALY


def _baselines(train: pa.Table, test: pa.Table) -> dict[str, Floats]:
    """Scores of the test rows by methods that everybody knows; high is anomalous."""
    (known, anomalous), (unseen, _) = _features_and_anomalies(train), _features_and_anomalies(test)
    forest = IsolationForest(random_state=0).fit(known)
    regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(known, anomalous)
    return {
        "isolation forest (reads no labels)": -forest.score_samples(unseen),
        "logistic regression": regression.decision_function(unseen),
    }


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
    """See it at work within a minute.

    Without a download, it writes handwritten digits as tables, in which 10 eights are the known anomalies
    among other digits, then runs fit, score, evaluate and report on them as you would, and compares with an
    isolation forest and a logistic regression on the same rows.

    \b
    Example:
      alarmnet demo --out demo
    """  # noqa: D301 - click reads \b
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made a folder: {error.strerror}", code="unwritable") from error
    train_file, test_file, model, scores_file, page = (
        folder / name for name in ("train.csv", "test.csv", "digits.model", "scores.csv", "report.html")
    )
    digits = _digits()
    train, test = (digits.take(rows) for rows in _split(digits["digit"].to_numpy()))
    write_table(train_file, [train])
    write_table(test_file, [test])
    click.echo(
        f"{train_file}: {len(train):,} handwritten digits, {MARKED} of them {ANOMALY}s: the anomalies to "
        "learn.\n"
        f"{test_file}: {len(test):,} digits that training never sees."
    )
    labels = ("--label", "digit", "--anomaly", str(ANOMALY))
    _run(context, "fit", train_file, *labels, "--alarm-rate", str(ALARM_RATE), "--out", model)
    _run(context, "score", model, test_file, "--out", scores_file)
    _run(context, "evaluate", model, test_file)
    _run(context, "report", model, test_file, "--out", page)
    scored = TableFiles(scores_file, kinds={"alarm": "text", "status": "text"}).read()
    anomalous = test["digit"].to_numpy() == ANOMALY
    click.echo("\nOn the same rows:")
    _compare({"alarmnet": scored["score"].to_numpy(), **_baselines(train, test)}, anomalous)
    alarms = scored["alarm"].to_numpy()[~anomalous] == "true"
    click.echo(
        f"Alarms on normal rows: {ALARM_RATE:.1%} asked for, {alarms.mean():.1%} observed.\n"
        f"The report: {page.resolve()}"
    )
