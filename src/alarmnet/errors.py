"""Everything alarmnet raises on purpose.

::

    AlarmnetError
    |-- InputError (ValueError)          the data or a parameter cannot be used as it is
    |   `-- InputTypeError (TypeError)   ... because of its type
    |-- ModelFileError                   a model file is damaged, hostile, foreign or too new
    |-- MissingExtraError (ImportError)  an optional dependency is not installed
    `-- TrainingDivergedError            the training loss stopped being a number

    AlarmnetWarning (UserWarning)        the call went on, and the user should know something
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class AlarmnetError(Exception):
    """Base of every error alarmnet raises on purpose; catch it to catch them all."""


class InputError(AlarmnetError, ValueError):
    """Input that is refused, with what came, where, what was expected and what to do.

    Parameters
    ----------
    message
        The sentence for people.
    code
        A word for programs, such as ``"infinite_value"``; it stays the same between releases.
    column
        The column at fault, where one is.
    rows
        The first row numbers at fault, counted from 0; at most five are kept.

    Examples
    --------
    >>> error = InputError("column 'bytes' holds infinity", code="infinite_value", column="bytes", rows=[3])
    >>> error.code, error.column, error.rows
    ('infinite_value', 'bytes', (3,))
    """

    def __init__(
        self, message: str, *, code: str = "invalid", column: str | None = None, rows: Sequence[int] = ()
    ) -> None:
        super().__init__(message)
        self.code = code
        self.column = column
        self.rows = tuple(int(row) for row in rows[:5])


class InputTypeError(InputError, TypeError):
    """Input refused for its type, such as a column that mixes numbers and text."""


@contextmanager
def rows_counted_from(first_row: int, *, of: str) -> Iterator[None]:
    """Errors in the block name rows of a part; say at which row of all it begins."""
    try:
        yield
    except InputError as error:
        if not error.rows:
            raise
        raise type(error)(
            f"{error} (rows counted from row {first_row:,} of {of})",
            code=error.code,
            column=error.column,
            rows=[first_row + row for row in error.rows],
        ) from error


class ModelFileError(AlarmnetError):
    """A model file that cannot be trusted or read; names the file and the reason."""


class MissingExtraError(AlarmnetError, ImportError):
    """A feature whose optional dependency is missing; says which extra installs it."""


class TrainingDivergedError(AlarmnetError):
    """The loss became infinite or NaN while training."""


class AlarmnetWarning(UserWarning):
    """The one category of alarmnet's warnings."""
