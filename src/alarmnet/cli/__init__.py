"""The command line: each command parses, calls the library, prints.

Exit codes: 0 done; 1 unexpected; 2 input or usage refused; 3 done, but rows were flagged invalid;
130 interrupted.
"""

import click

from alarmnet.cli.datasets import datasets
from alarmnet.cli.demo import demo
from alarmnet.cli.evaluate import evaluate, report
from alarmnet.cli.fit import fit, refit
from alarmnet.cli.score import score
from alarmnet.cli.terminal import Commands

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="alarmnet")
def main() -> None:
    """Find anomalies in tables, from a handful of labels or none.

    \b
    In short:
      alarmnet demo                                              see it at work, within a minute
      alarmnet fit train.csv --label class --anomaly fraud --out fraud.model
      alarmnet score fraud.model new.csv --out scores.csv        high scores are anomalous
      alarmnet report fraud.model new.csv --out report.html

    Tables are CSV, gzipped CSV or Parquet files with a header; several files of the same columns are read as
    one table, one after the other. Try "alarmnet COMMAND --help".

    \b
    Exit codes: 0 done; 1 unexpected; 2 input or usage refused;
    3 done, but rows were flagged invalid; 130 interrupted.
    """  # noqa: D301 - click reads \b


for command in (fit, refit, score, evaluate, report, datasets, demo):
    main.add_command(command)
