"""PNG and JPEG files, decoded one at a time."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._atomic import open_regular
from alarmnet.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, ...]
"""Channels, height, width."""

ENDINGS = (".png", ".jpg", ".jpeg")
_GREY = ("1", "L", "LA")
_ORIENTATION = 0x0112
_TURNS: dict[Any, Any] = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
"""EXIF's orientations, but for 1, which is upright, as `PIL.Image.Transpose`."""
_ON_THEIR_SIDE = (2, 4, 5, 6)


def shown_shape(shape: Shape) -> str:
    """Write a shape for people.

    >>> shown_shape((3, 20, 30))
    '30 x 20 pixels (width x height) in colour'
    """
    channels, height, width = shape
    return f"{width} x {height} pixels (width x height) in {'grey' if channels == 1 else 'colour'}"


def misfit(path: Path, shape: Shape, *, expected: Shape, reference: str) -> InputError:
    """Say that a file has not the shape of others; `reference` names them, with a verb."""
    return InputError(
        f"{path} has {shown_shape(shape)}, but {reference} {shown_shape(expected)}: resize or convert those that "
        "differ, since all images must have one shape",
        code="image_shape",
    )


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingExtraError(
            "reading PNG and JPEG files needs Pillow, which is not installed; pip install 'alarmnet[images]'"
        ) from error
    return PIL


@contextmanager
def _opened(path: Path) -> Iterator["Image"]:
    """Open a picture; what cannot be opened or decoded in the block is refused by name."""
    pillow = _pillow()
    with open_regular(path) as stream, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pillow.Image.DecompressionBombWarning)
        try:
            with pillow.Image.open(stream, formats=("PNG", "JPEG")) as picture:
                yield picture
        except InputError:
            raise
        except (pillow.Image.DecompressionBombError, pillow.Image.DecompressionBombWarning) as error:
            raise InputError(
                f"{path} declares more than {pillow.Image.MAX_IMAGE_PIXELS:,} pixels, which may be an attack on "
                "memory; resize or remove it",
                code="image_bomb",
            ) from error
        except pillow.UnidentifiedImageError as error:
            raise InputError(
                f"{path} is neither a PNG nor a JPEG image; convert or remove it", code="not_an_image"
            ) from error
        except Exception as error:  # decoders raise whatever a damaged file leads them to
            raise InputError(
                f"{path} is a damaged or truncated image ({error}); copy it again or remove it",
                code="damaged_image",
            ) from error


def _turn(picture: "Image") -> Any:
    """Tell how Pillow has to turn or mirror a picture for what its camera says is up; None: not at all.

    EXIF that is damaged says nothing, as in viewers.
    """
    if picture.format == "PNG":
        picture.load()  # its EXIF may come after the pixels
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION))
    except Exception:  # whatever a damaged one leads Pillow to
        return None


def _shape(picture: "Image", path: Path) -> Shape:
    if picture.mode not in (*_GREY, "P", "RGB", "RGBA", "CMYK"):
        raise InputError(
            f"{path} has more than 8 bits a channel (Pillow's mode {picture.mode}); convert it to 8 bits, or give "
            "the images as an .npy array, which keeps all bits",
            code="deep_image",
        )
    height, width = picture.height, picture.width
    if height != width and _turn(picture) in _ON_THEIR_SIDE:
        height, width = width, height
    return 1 if picture.mode in _GREY else 3, height, width


def shape_of(path: Path) -> Shape:
    """Give the shape that a file's header tells, upright: 1 channel where it is grey, else 3."""
    with _opened(path) as picture:
        return _shape(picture, path)


def decoded(path: Path, shape: Shape, *, reference: str) -> NDArray[np.uint8]:
    """Decode a file, upright, to (C, H, W), which must be `shape`; grey becomes colour where that has 3 channels.

    Raises
    ------
    InputError
        Naming the file, for what is no picture, is damaged, too large, deeper than 8 bits or of another shape.
    """
    with _opened(path) as picture:
        found = _shape(picture, path)
        if found[1:] != shape[1:] or found[0] > shape[0]:
            raise misfit(path, found, expected=shape, reference=reference)
        turn = _turn(picture)
        converted = picture.convert("L" if shape[0] == 1 else "RGB")
        pixels = np.array(converted if turn is None else converted.transpose(turn))
    return pixels[np.newaxis] if shape[0] == 1 else pixels.transpose(2, 0, 1)
