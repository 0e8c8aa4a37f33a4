"""The command line: each command parses, calls the library, prints.

Exit codes: 0 done; 1 unexpected; 2 input or usage refused; 3 done, but rows were flagged invalid;
130 interrupted; 141 nobody reads the output any more.
"""

import os
import sys

import click

from alarmnet.cli.terminal import Commands, LazyCommand

__all__ = ["main"]

if "torch" not in sys.modules:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # a busy neighbour then costs little; read on import

COMMANDS = {
    "fit": LazyCommand("alarmnet.cli.fit", "Learn what is normal in tables or images, and write a model."),
    "refit": LazyCommand("alarmnet.cli.fit", "Train a model's alarm again with new labels, in seconds."),
    "recalibrate": LazyCommand(
        "alarmnet.cli.recalibrate", "Review a few calibration rows, and set the threshold again."
    ),
    "score": LazyCommand("alarmnet.cli.score", "Score tables or images of any size, row by row."),
    "explain": LazyCommand("alarmnet.cli.explain", "Explain the scores of single rows or images."),
    "info": LazyCommand(
        "alarmnet.cli.info", "Show what a model file contains: columns, labels, rate, versions."
    ),
    "evaluate": LazyCommand("alarmnet.cli.evaluate", "Measure how well a model finds anomalies."),
    "compare": LazyCommand("alarmnet.cli.compare", "Compare all methods on your own rows, cross-validated."),
    "triage": LazyCommand(
        "alarmnet.cli.triage", "Review rows or images in a browser, and teach the ranking."
    ),
    "report": LazyCommand("alarmnet.cli.evaluate", "Write a report on tables or images and their alarms."),
    "datasets": LazyCommand("alarmnet.cli.datasets", "List public data sets, or get one as a file."),
    "demo": LazyCommand("alarmnet.cli.demo", "See all steps on example data, within a minute."),
}
"""Each command's file, imported when it is called, and the first line of its help."""


@click.group(
    cls=Commands,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="alarmnet")
def main() -> None:
    """Find anomalies in tables or images, from a handful of labels or none.

    \b
    In short:
      alarmnet demo                                              all steps on example data, within a minute
      alarmnet fit train.csv --label class --anomaly fraud --out fraud.model
      alarmnet score fraud.model new.csv --out scores.csv        high scores are anomalous
      alarmnet report fraud.model new.csv --out report.html

    Tables are CSV files with a header, JSON lines, Zeek logs or Parquet files, or a query of a database. CSV,
    JSON lines and logs may be gzipped or zipped. Several files with the same columns are read as one table.
    Images of one size are folders of PNG, JPEG, BMP, TIFF and WebP files, or .npy and .npz arrays.
    See "alarmnet COMMAND --help".

    \b
    Exit codes: 0 done; 1 unexpected error; 2 input or usage refused;
    3 done, but some rows are invalid; 130 interrupted; 141 the reader of the output has gone.
    """  # noqa: D301 - click reads \b
