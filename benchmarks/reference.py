"""Reference tables in the docs that are made from the package itself.

`python -m benchmarks.docs` puts them into their pages.
"""

from collections.abc import Iterable, Iterator

import click

from alarmnet.cli import main
from alarmnet.errors import CODES

WIDTH = 100


def helps(command: click.Command, name: str, parent: click.Context | None = None) -> Iterator[str]:
    """Headings and help texts of a command and of those below it."""
    context = click.Context(
        command, parent=parent, info_name=name, terminal_width=WIDTH, **command.context_settings
    )
    yield from ("", f"## {context.command_path}", "", "```text", command.get_help(context), "```")
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from helps(found, below, context)


def error_codes() -> Iterator[str]:
    """Every error code as a row."""
    yield from ("| code | what was refused |", "|---|---|")
    yield from (f"| `{code}` | {what} |" for code, what in CODES.items())


def tables() -> dict[str, tuple[str, Iterable[str]]]:
    """Every such table: the page that it is on, and its lines."""
    return {
        "commands": ("reference/commands.md", helps(main, "alarmnet")),
        "error codes": ("reference/error-codes.md", error_codes()),
    }
