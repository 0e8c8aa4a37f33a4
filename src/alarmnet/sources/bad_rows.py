"""What a command can do about rows that hold what cannot be used."""

from collections.abc import Iterator
from contextlib import contextmanager

from alarmnet.errors import InputError

FIT, REFIT, SCORE = (
    "`alarmnet fit --on-bad-row drop` leaves such rows out",
    "`alarmnet refit --on-bad-row drop` leaves such rows out",
    "`alarmnet score --on-bad-row flag` scores the other rows",
)
OTHERS = "`alarmnet score --on-bad-row flag` marks such rows"

_CELLS = ("infinite_value", "beyond_float32", "bad_cell", "decimal_comma", "wrong_type", "bad_pixels")
_PICTURES = ("not_an_image", "damaged_image", "image_bomb", "deep_image", "image_shape")


@contextmanager
def way_out(said: str) -> Iterator[None]:
    """End what refuses single rows of tables or images, while they are read or used, with what can be done."""
    try:
        yield
    except InputError as error:
        if error.code not in _PICTURES and not (error.code in _CELLS and error.rows):
            raise
        stop = "" if str(error).endswith(".") else ";"
        raise type(error)(
            f"{error}{stop} {said}", code=error.code, column=error.column, rows=error.rows
        ) from error
