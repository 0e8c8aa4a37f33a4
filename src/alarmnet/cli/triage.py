"""`alarmnet triage`: a page on which people review rows, and the ranking learns from their answers."""

import getpass
import glob
from functools import partial
from pathlib import Path

import click

from alarmnet._shared.standard_streams import STANDARD
from alarmnet.cli.table_data import category_option, reads_data
from alarmnet.cli.terminal import a_file, device_option, id_option, ignore_option, keep_option
from alarmnet.data_files import Reading, database_at
from alarmnet.errors import InputError, MissingExtraError


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return "reviewer"


def _no_label(_context: click.Context, _option: click.Parameter, column: str | None) -> None:
    """Refuse --label, which every other command has."""
    if column is not None:
        raise click.UsageError(
            f"triage reads no labels: it stores answers where --labels says. Take the column {column!r} out of the "
            "data, as the page may show ignored columns; alarmnet fit learns its labels."
        )


def _store_beside(place: str | Path) -> str:
    """Where answers are kept by default: next to the data."""
    named = str(place)
    nowhere = named == STANDARD or "://" in named or (glob.has_magic(named) and not Path(named).exists())
    if nowhere:
        database = database_at(place)
        shown = database.shown if database else repr(named)
        raise InputError(
            f"no store of answers can be put next to {shown}; name one with --labels STORE",
            code="options",
        )
    return f"{named}.answers.sqlite"


@click.command()
@reads_data
@click.option(
    "--model", type=a_file, metavar="MODEL", help="A model; by default one is fitted without labels."
)
@click.option("--label", hidden=True, expose_value=False, callback=_no_label, help="Refused.")
@click.option(
    "--labels",
    metavar="STORE",
    help="The store of the answers: an SQLite file, or postgresql://… for a team; by default DATA.answers.sqlite, "
    "next to the data. Required for standard input, file patterns and database addresses.",
)
@id_option(
    "that names the rows, so that answers find them again",
    default="rows are shown by their number, and found again by a digest of their cells",
)
@ignore_option
@keep_option
@category_option
@click.option(
    "--reviewer",
    metavar="NAME",
    help="Your name as reviewer; by default your user name. The page can change it.",
)
@click.option(
    "--reason", "reasons", metavar="CODE", multiple=True, help="A reason to choose from; may be repeated."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="The seed of all random choices."
)
@device_option
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="The address to listen at. With any other address than the default, other machines can reach the page, "
    "over a connection that is not encrypted.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="The port; 0 takes a free one.",
)
def triage(
    data: tuple[Path, ...],
    reading: Reading,
    model: Path | None,
    labels: str | None,
    identifier: str | None,
    ignored: tuple[str, ...],
    kept: tuple[str, ...],
    categories: tuple[str, ...],
    reviewer: str | None,
    reasons: tuple[str, ...],
    seed: int,
    device: str,
    host: str,
    port: int,
) -> None:
    """Review rows or images in a browser, and teach the ranking.

    triage prints an address to open in a browser. The page shows one row at a time, with the reasons for its score.
    Answer with a key: a for anomaly, n for normal, u for unsure. The ranking learns after every ten answers. No
    labels are needed to start. Each answer is stored at once; the same command later continues from there.

    \b
    Examples:
      alarmnet triage new.csv
      alarmnet triage new.csv --model fraud.model --id payment --reason chargeback --reason mule
      alarmnet triage photos/ --labels postgresql://triage@db/photos --reviewer Ann
      zcat flows.csv.gz | alarmnet triage - --labels flows.sqlite --missing -999 --category port
    """  # noqa: D301 - click reads \b
    try:
        from alarmnet.loop.page.server import listen, serve
        from alarmnet.loop.page.starting import LOCAL, Wanted, guarded, made_ready
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"triage needs {error.name}, which is not installed; pip install 'alarmnet[serve]'"
        ) from error
    for option, named in (("--category", categories), ("--keep", kept)):
        if model and named:
            raise InputError(
                f"{option} is for fitting a model, and --model names one that is already fitted; leave one of them "
                "out",
                code="options",
            )
    store = labels or _store_beside(click.get_current_context().params["data"][0])
    wanted = Wanted(
        data=data,
        reading=reading,
        categories=categories,
        model=model,
        labels=store,
        identifier=identifier,
        ignored=ignored,
        kept=kept,
        reviewer=reviewer or _user(),
        reasons=reasons,
        seed=seed,
        device=device,
    )
    say = partial(click.echo, err=True)
    with listen(host, port) as taken, made_ready(wanted, say) as app:
        guard, address = guarded(app, host, taken)
        if host not in LOCAL:
            click.echo("Other machines can reach this page, and the connection is not encrypted.", err=True)
        click.echo(f"Open this address, and end with Ctrl-C:\n  {address}")
        serve(guard, taken)
