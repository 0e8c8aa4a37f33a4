"""Standard output and standard error when nobody reads them, or when they cannot be written; warnings as lines."""

import errno
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO, cast

import click

from alarmnet.errors import AlarmnetWarning

STANDARD = "-"
"""Standard input or output, given instead of a path."""
READER_GONE = 141
"""The exit code that a shell reports for a program that the broken-pipe signal (13) ended."""
UNWRITABLE = 2


class _Stream:
    """A stream that reports its first failure and discards all later output."""

    def __init__(self, stream: TextIO, on_failure: Callable[[OSError], None]) -> None:
        self._stream = stream
        self._on_failure = on_failure

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def buffer(self) -> "_Stream":
        """The stream of bytes below a stream of text."""
        return _Stream(cast(TextIO, self._stream.buffer), self._on_failure)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())  # and discards what is still in the buffer
            os.close(nowhere)
            self._on_failure(error)

    def write(self, text: Any) -> int:
        """Write text, or bytes."""
        with self._watched():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, as a text stream does."""
        with self._watched():
            self._stream.flush()


def _end(error: OSError) -> None:
    if isinstance(error, BrokenPipeError) or (
        os.name == "nt" and error.errno == errno.EINVAL
    ):  # what Windows raises for a broken pipe
        sys.exit(READER_GONE)
    click.echo(f"Error: standard output cannot be written: {error.strerror}", err=True)
    sys.exit(UNWRITABLE)


def _open_closed() -> None:
    """Open closed streams, so that no file gets the number of a stream and receives its output."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - until the process ends


@contextmanager
def standard_streams() -> Iterator[None]:
    """End the block where standard output fails: with 141 if its reader is gone, else with a sentence and 2.

    Where standard error fails the block goes on, since its exit code says enough.
    """
    _open_closed()
    output = cast(TextIO, _Stream(sys.stdout, _end))
    errors = cast(TextIO, _Stream(sys.stderr, lambda _: None))
    with redirect_stderr(errors), redirect_stdout(output):
        yield


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Print each of our warnings once, as a sentence on standard error."""
    shown: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        if str(message) not in shown:
            shown.add(str(message))
            click.echo(f"Warning: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", AlarmnetWarning)
        warnings.showwarning = show
        yield
