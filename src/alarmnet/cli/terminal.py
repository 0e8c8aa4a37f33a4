"""What all commands share: exit codes, options, warnings and progress, and checks of where they write."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from alarmnet._shared.atomic import remove_strays, target_of
from alarmnet._shared.standard_streams import STANDARD, standard_streams, warnings_as_lines
from alarmnet.data_files import place_of, refuse_input
from alarmnet.errors import AlarmnetError, InputError

REFUSED = 2
FLAGGED = 3
INTERRUPTED = 130

Command = Callable[..., Any]


@dataclass(frozen=True)
class LazyCommand:
    """A command in a file that is imported when it is called, since torch takes seconds."""

    module: str
    summary: str


class Commands(click.Group):
    """Commands that say what was wrong in a sentence and end with a documented exit code."""

    def __init__(self, *arguments: Any, lazy: Mapping[str, LazyCommand], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Give the names."""
        return [*self.lazy]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name."""
        if cmd_name not in self.lazy:
            return None
        found: click.Command = getattr(import_module(self.lazy[cmd_name].module), cmd_name)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self.lazy.items()])

    def main(self, *arguments: Any, **options: Any) -> Any:
        """Run as a program, or as one command of another."""
        with standard_streams():
            return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for."""
        try:
            with warnings_as_lines():
                return super().invoke(ctx)
        except AlarmnetError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(REFUSED)
        except KeyboardInterrupt as interruption:
            said = "Interrupted: the output was not written." if self._writes(ctx) else "Interrupted."
            click.echo(" ".join((said, *interruption.args)), err=True)
            ctx.exit(INTERRUPTED)

    def _writes(self, ctx: click.Context) -> bool:
        """Whether the command that was asked for writes a file."""
        command = self.get_command(ctx, ctx.invoked_subcommand or "")
        return command is not None and any(option.name == "out" for option in command.params)


def decorated(*decorators: Callable[[Command], Command]) -> Callable[[Command], Command]:
    """Make one decorator of several."""
    return lambda command: reduce(lambda made, decorate: decorate(made), reversed(decorators), command)


a_file = click.Path(path_type=Path)


class Rate(click.FloatRange):
    """A share between 0 and 1, also as a percentage: 0.01 or 1%."""

    def __init__(self) -> None:
        super().__init__(0, 1, min_open=True, max_open=True)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read the share."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            self.fail(
                f"{value!r} is not a rate: give a number between 0 and 1, such as 0.01, or 1%.", param, ctx
            )
        return float(super().convert(share, param, ctx))


class _Place(click.ParamType[Any]):
    """A path, or the address of a database."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Keep addresses as they are."""
        return place_of(value)


a_place = _Place()
model_argument = click.argument("model", type=a_file)
data_argument = click.argument("data", metavar="DATA...", nargs=-1, required=True, type=a_place)
ignore_option = click.option(
    "--ignore", "ignored", metavar="COLUMN", multiple=True, help="A column to leave out; may be repeated."
)
keep_option = click.option(
    "--keep",
    "kept",
    metavar="COLUMN",
    multiple=True,
    help="A column to keep although it looks like a clock, a counter or an identifier; may be repeated.",
)
device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to compute; auto uses a GPU if there is one.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
output_options = decorated(
    json_option, click.option("--quiet", is_flag=True, help="No progress bar on standard error.")
)


def id_option(
    use: str, *, default: str = "row numbers, counted from 0 over all files"
) -> Callable[[Command], Command]:
    """Make the option that names the column that identifies rows."""
    return click.option(
        "--id",
        "identifier",
        metavar="COLUMN",
        help=f"The column {use}; by default, {default}.",
    )


labels_option = click.option(
    "--labels",
    "labels_file",
    type=a_file,
    metavar="FILE",
    help="For images: the table with the label column and a column `file` (an image's path in its folder) or, "
    "for arrays, `row` (its number, counted from 0 over all files). Images that are not listed are unlabelled.",
)


def label_options(*, remembered: bool = False) -> Callable[[Command], Command]:
    """Make the options for the place of labels and the meaning of their values; a model may remember them."""
    default = "; by default as in training" if remembered else ""
    return decorated(
        labels_option,
        click.option(
            "--label",
            metavar="COLUMN",
            help=f"The column with the labels, or for images the array of an .npz archive{default}.",
        ),
        click.option(
            "--anomaly",
            metavar="VALUE",
            multiple=True,
            help=f"A value of the label column that marks an anomaly; may be repeated{default}.",
        ),
        click.option(
            "--normal",
            metavar="VALUE",
            multiple=True,
            help="A value that marks a normal row; may be repeated. All cells with neither value are then "
            "unlabelled. Without --normal, every other cell is normal, unless it is empty (or NaN, NA, N/A, null, "
            f"None){f'{default}, if neither --anomaly nor another --label is given' if remembered else ''}.",
        ),
    )


def show_facts(facts: Mapping[str, Any], *, aside: bool = False) -> None:
    """Print facts for programs; to standard error where standard output has other things."""
    click.echo(json.dumps(facts, indent=2, allow_nan=False), err=aside)


def shows_progress(*, quiet: bool) -> bool:
    """Whether somebody watches standard error."""
    return not quiet and sys.stderr.isatty()


@contextmanager
def row_progress(total: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Give a function to call with the number of rows that were done since."""
    if not shows_progress(quiet=quiet):
        yield lambda rows: None  # before rich 15, a bar that is not shown still ends with an empty line
        return
    columns = (BarColumn(), TextColumn("{task.completed:,} rows"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("rows", total=total)
        yield lambda rows: progress.advance(task, rows)


def check_output(path: Path, *, inputs: Sequence[Path] = (), standard: bool = False) -> None:
    """Refuse, before any work, a file that could not be written or that would replace an input.

    What a killed command left next to it is removed. Only a command that writes to `standard` output may do so.

    Raises
    ------
    InputError
        Says what stands in the way.
    """
    if str(path) == STANDARD:
        if standard:
            return
        raise InputError(
            f"{STANDARD} is standard output, and this command writes a file; give its name", code="not_a_file"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file", code="not_a_file")
    folder = target_of(path).parent
    if not os.access(folder, os.W_OK):
        raise InputError(
            f"{path}: the folder {folder} may not be written to; choose another", code="unwritable"
        )
    refuse_input(path, inputs)
    remove_strays(path)
