"""The argument DATA of commands, and the options that say how tables are read."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any

import click

from alarmnet.cli.terminal import Command, check_output, data_argument, decorated
from alarmnet.data_files import Reading, local_files

_reading_options = decorated(
    click.option(
        "--delimiter",
        metavar="MARK",
        help="The character between the cells of CSV files, or `tab`; detected by default.",
    ),
    click.option(
        "--decimal",
        type=click.Choice([".", ","]),
        help="The decimal sign of CSV files; detected by default. With a point, commas separate thousands in "
        "numbers without a unit.",
    ),
    click.option(
        "--missing",
        metavar="VALUE",
        multiple=True,
        help="Another word or number that means missing, such as -999; may be repeated. The model remembers it.",
    ),
    click.option(
        "--query",
        metavar="SQL",
        help="The query to read if DATA is a database: a postgresql:// address, or an SQLite or DuckDB file.",
    ),
)


def reads_data(command: Command) -> Command:
    """Give a command the argument DATA, the options that say how tables are read, and files to read.

    The command gets `data`, files on this machine, and `reading`.
    """
    return reads(data_argument)(command)


def reads(argument: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Do what `reads_data` does with another argument or option that is called `data`."""
    return lambda command: argument(_reading_options(_with_files(command)))


def _with_files(command: Command) -> Command:
    @wraps(command)
    def with_files(
        *arguments: Any,
        data: tuple[str | Path, ...],
        delimiter: str | None,
        decimal: str | None,
        missing: tuple[str, ...],
        query: str | None,
        **options: Any,
    ) -> Any:
        reading = Reading(delimiter=delimiter, decimal=decimal, missing=missing, query=query)
        if isinstance(out := options.get("out"), Path) and not options.get("table"):
            check_output(out, standard=True)  # before standard input is read
        with ExitStack() as opened:
            files = opened.enter_context(local_files(data, query)) if data else ()
            return command(*arguments, data=tuple(files), reading=reading, **options)

    return with_files


category_option = click.option(
    "--category",
    "categories",
    metavar="COLUMN",
    multiple=True,
    help="A column whose numbers are names, such as ports or codes; may be repeated.",
)
