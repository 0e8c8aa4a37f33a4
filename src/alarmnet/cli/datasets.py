"""`alarmnet datasets`: the public data sets that the library knows."""

from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args

import click
from rich.console import Console
from rich.table import Column, Table

from alarmnet.cli.terminal import a_file, check_output, json_option, show_facts
from alarmnet.data_files import write_table
from alarmnet.datasets import DATASETS, DatasetInfo, to_table

Part = Literal["all", "train", "test"]


def _facts(info: DatasetInfo) -> dict[str, Any]:
    names = [field.name for field in fields(info) if field.name not in ("files", "loader")]
    return {name: getattr(info, name) for name in names}


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def datasets(context: click.Context, as_json: bool) -> None:
    """List public data sets, or get one as a file.

    \b
    Examples:
      alarmnet datasets
      alarmnet datasets get thyroid --out thyroid.csv
    """  # noqa: D301 - click reads \b
    if context.invoked_subcommand:
        return
    if as_json:
        show_facts({"datasets": [_facts(info) for info in DATASETS.values()]})
        return
    table = Table(Column("name", no_wrap=True), "rows", "classes", "what it is")
    for info in DATASETS.values():
        table.add_row(info.name, f"{info.rows:,}", str(info.classes), info.title)
    Console().print(table)
    click.echo("alarmnet datasets get NAME also prints the licence and caveats; --json lists them for all.")


@datasets.command()
@click.argument("name")
@click.option(
    "--part",
    type=click.Choice(get_args(Part)),
    default="all",
    show_default=True,
    help="All rows, or the official training or test part.",
)
@click.option("--out", type=a_file, required=True, help="Ends in .csv, .csv.gz or .parquet.")
@json_option
def get(name: str, part: Part, out: Path, as_json: bool) -> None:
    """Write a data set as a table, with its classes in the column `class`.

    If the data set has groups of classes, they are in the column `group`: use one of the two columns as labels, and
    ignore the other.

    get looks for the data set in the folder that ALARMNET_DATA names, then in the cache, and then downloads it.

    \b
    Example:
      alarmnet datasets get nsl-kdd --part train --out train.csv
    """  # noqa: D301 - click reads \b
    check_output(out)
    table = to_table(name, part=part)
    write_table(out, [table])
    if as_json:
        show_facts({"file": str(out), "rows": table.num_rows, "columns": table.column_names})
    else:
        click.echo(f"Wrote {out}: {table.num_rows:,} rows, {table.num_columns} columns.")
        click.echo(f"Licence: {DATASETS[name].licence}")
        if DATASETS[name].caveat:
            click.echo(f"Caveat: {DATASETS[name].caveat}")
        if "group" in table.column_names:
            click.echo(
                "The columns class and group are both labels: with --label class, leave out the other with "
                "--ignore group."
            )
