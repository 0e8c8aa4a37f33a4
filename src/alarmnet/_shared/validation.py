"""Checks of parameters that all estimators share, with the same wording everywhere."""

import math

import numpy as np

from alarmnet._shared.warn import warn
from alarmnet.errors import InputError

MOST_LAYERS = 64
EXACT_INTEGER_LIMIT = 2**53
"""Above this limit float64 cannot tell consecutive integers apart."""


def _called(owner: object) -> str:
    """The name of a function or class, or of what an object is."""
    return str(getattr(owner, "__name__", type(owner).__name__))


def check_real(
    owner: object, name: str, value: object, low: float, high: float = math.inf, *, open_ends: bool = True
) -> float:
    """Refuse a parameter that is no real number between `low` and `high`.

    >>> check_real(object(), "alarm_rate", 2, 0, 1)
    Traceback (most recent call last):
    alarmnet.errors.InputError: The 'alarm_rate' parameter of object must be a number in (0, 1). Got 2 instead.
    """
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if number and (low < value < high or (not open_ends and value in (low, high))):  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    ends = "()" if open_ends else "[]"
    raise InputError(
        f"The {name!r} parameter of {_called(owner)} must be a number in "
        f"{ends[0]}{low:g}, {high:g}{ends[1]}. Got {value!r} instead.",
        code="invalid_parameter",
    )


def check_choice(owner: object, name: str, value: object, choices: tuple[object, ...]) -> None:
    """Refuse a parameter that is none of `choices`."""
    if not any(value is choice or value == choice for choice in choices):
        raise InputError(
            f"The {name!r} parameter of {_called(owner)} must be one of "
            f"{', '.join(map(repr, choices))}. Got {value!r} instead.",
            code="invalid_parameter",
        )


def check_whole(owner: object, name: str, value: object, low: int = 1) -> None:
    """Refuse a parameter that is no whole number of at least `low`."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < low:
        raise InputError(
            f"The {name!r} parameter of {_called(owner)} must be a whole number of at least {low}. "
            f"Got {value!r} instead.",
            code="invalid_parameter",
        )


def check_sizes(owner: object, name: str, sizes: object, *, least: int = 1) -> None:
    """Refuse a parameter that is not `least` or more layer sizes."""
    if not isinstance(sizes, tuple | list) or not least <= len(sizes) <= MOST_LAYERS:
        raise InputError(
            f"The {name!r} parameter of {_called(owner)} must be a tuple of {least} to {MOST_LAYERS} sizes. "
            f"Got {sizes!r} instead.",
            code="invalid_parameter",
        )
    for size in sizes:
        check_whole(owner, name, size)


def check_type(owner: object, name: str, value: object, *kinds: type) -> None:
    """Refuse a parameter that is neither None nor of one of `kinds`."""
    if value is not None and not isinstance(value, kinds):
        wanted = " or ".join(kind.__name__ for kind in kinds)
        raise InputError(
            f"The {name!r} parameter of {_called(owner)} must be a {wanted}, or None. Got {value!r} instead.",
            code="invalid_parameter",
        )


def check_verbose(owner: object, verbose: object) -> None:
    """Refuse a parameter that neither shows bars, nor does not, nor is the caller's own function."""
    if not (callable(verbose) or (isinstance(verbose, int) and verbose in (0, 1))):
        raise InputError(
            f"The 'verbose' parameter of {_called(owner)} must be True, False or a function. "
            f"Got {verbose!r} instead.",
            code="invalid_parameter",
        )


def check_random_state(owner: object, value: object) -> None:
    """Refuse a `random_state` that is no seed, no generator and not None."""
    check_type(owner, "random_state", value, int, np.integer, np.random.RandomState, np.random.Generator)
    if isinstance(value, int | np.integer):
        check_whole(owner, "random_state", value, 0)


def warn_of_inexact_integers(columns: str) -> None:
    """Say that columns, quoted as they stand in a sentence, hold integers that float64 cannot."""
    warn(
        f"Integers beyond 2**53 lose their last digits: {columns}. If they are identifiers, leave the columns out.",
    )
