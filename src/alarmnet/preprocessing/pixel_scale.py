"""Which scale pixels are on: a model of bytes must not read floats between 0 and 1, nor the reverse."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alarmnet.errors import InputError

Scale = Literal["0 to 1", "-1 to 1", "0 to 255", "0 to 65,535"]

_LOOKED_AT = 256
_HIGH_BYTE = 128
_TO_ONE: dict[Scale, str] = {
    "-1 to 1": "add 1 and divide by 2",
    "0 to 255": "divide by 255",
    "0 to 65,535": "divide by 65,535",
}
_FROM_ONE: dict[Scale, str] = {
    "-1 to 1": "multiply by 2 and take off 1",
    "0 to 255": "multiply by 255",
    "0 to 65,535": "multiply by 65,535",
}


def _scale_of_range(low: float, high: float) -> Scale | None:
    """Tell the scale of training images, if only one is likely.

    Bytes need not reach 0 and 255. Whole extremes of which the larger one is 128 or more are taken for bytes; a
    smaller one may be the end of another scale, such as 0 to 16 or to 100 percent, and measurements hardly have two
    whole extremes.

    >>> [_scale_of_range(*ends) for ends in ((3.0, 250.0), (0.0, 100.0), (0.0, 200.5), (-2.0, 250.0))]
    ['0 to 255', None, None, None]
    """
    if high <= 1:
        return "0 to 1" if low >= 0 else "-1 to 1"
    if low < 0 or not (low.is_integer() and high.is_integer()) or not _HIGH_BYTE <= high <= 65_535:
        return None
    return "0 to 255" if high <= 255 else "0 to 65,535"


def _scale_of_pixels(images: NDArray[Any]) -> Scale | None:
    """Tell the scale of some images; None if several are possible, as for a black image.

    >>> [_scale_of_pixels(np.array(pixels)) for pixels in ([0.0, 0.5], [0.0, 1.0], [0, 7])]
    ['0 to 1', None, '0 to 255']
    """
    if images.dtype in (np.uint8, bool):
        return "0 to 255" if images.dtype == np.uint8 else "0 to 1"
    low, high = images.min(), images.max()
    if low >= -1 and high <= 1:
        if (images == np.round(images)).all():
            return None
        return "0 to 1" if (images < 0).mean() < 0.25 else "-1 to 1"
    lit = images[images != 0]
    if low >= 0 and high <= 255 and (lit > 2).mean() > 0.5:
        return "0 to 255"
    return "0 to 65,535" if low >= 0 and high <= 65_535 and (lit > 255).mean() > 0.5 else None


def refuse_other_scale(images: NDArray[Any], low: float, high: float) -> None:
    """Refuse images on another scale than that of the training images, which lay between `low` and `high`.

    Training images that end below 255 may be counts instead of bytes, so larger numbers may then be bright images.
    """
    expected = _scale_of_range(low, high)
    found = _scale_of_pixels(images[:: max(1, len(images) // _LOOKED_AT)])
    bright = (found, expected) == ("0 to 1", "-1 to 1") or (found == "0 to 65,535" and 1 < high < 255)
    if not found or not expected or found == expected or bright:
        return
    steps = filter(None, (_TO_ONE.get(found), _FROM_ONE.get(expected)))
    raise InputError(
        f"Images with pixels on the scale {found} came, but the training images lay between {low:g} and {high:g}, "
        f"on the scale {expected}: scale them as those were ({', then '.join(steps)}).",
        code="image_range",
    )
