"""Image files (PNG, JPEG, BMP, TIFF, WebP), decoded one at a time."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.atomic import open_regular
from alarmnet.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from PIL.Image import Image

Shape = tuple[int, ...]
"""Channels, height, width."""

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_BITS_PER_SAMPLE = 258
"""The tag of a TIFF file that says how many bits each channel has."""

_GREY = ("1", "L", "LA")
_ORIENTATION = 0x0112
"""The EXIF tag."""
_TURNS = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
"""What brings a picture of each EXIF orientation upright."""
_LYING = (5, 6, 7, 8)
"""Orientations that swap height and width."""
_WARNINGS = threading.Lock()
"""All threads share the filters of warnings: two threads that changed these at once would leave them changed."""


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
        f"{path} has {shown_shape(shape)}, but {reference} {shown_shape(expected)}: convert those that differ, "
        "since all images must have one shape (for folders, `alarmnet fit --resize WIDTHxHEIGHT` makes it one)",
        code="image_shape",
    )


def _pillow() -> Any:
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingExtraError(
            "reading image files needs Pillow, which is not installed; pip install 'alarmnet[images]'"
        ) from error
    return PIL


@contextmanager
def _opened(path: Path) -> Iterator["Image"]:
    """Open a picture; a picture that cannot be opened, or decoded in the block, is refused by name."""
    pillow = _pillow()
    with open_regular(path) as stream, _WARNINGS, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pillow.Image.DecompressionBombWarning)
        try:
            with pillow.Image.open(stream, formats=_FORMATS) as picture:
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
                f"{path} is not a PNG, JPEG, BMP, TIFF or WebP image; convert or remove it",
                code="not_an_image",
            ) from error
        except Exception as error:  # decoders raise any kind of error on a damaged file
            raise InputError(
                f"{path} is a damaged or truncated image ({error}); copy it again or remove it",
                code="damaged_image",
            ) from error


def _shape(picture: "Image", path: Path) -> Shape:
    if picture.format in ("TIFF", "WEBP", "PNG") and (pages := getattr(picture, "n_frames", 1)) > 1:
        raise InputError(
            f"{path} holds {pages} pages or frames, and one image a file is read; save each as a file",
            code="several_images",
        )
    if picture.mode not in (*_GREY, "P", "RGB", "RGBA", "CMYK") or _is_deep(picture):
        raise InputError(
            f"{path} has more than 8 bits a channel, or is not a grey or colour image (Pillow's mode "
            f"{picture.mode}); convert it to 8 bits, or give the images as an .npy array, which keeps all bits",
            code="deep_image",
        )
    height, width = picture.height, picture.width
    sides = (width, height) if _orientation(picture) in _LYING else (height, width)
    return (1 if picture.mode in _GREY else 3, *sides)


def _is_deep(picture: "Image") -> bool:
    """Whether the file has more than 8 bits a channel; Pillow cuts colours to 8."""
    if picture.format == "TIFF":
        return bool(max(picture.tag_v2.get(_BITS_PER_SAMPLE, (8,))) > 8)  # type: ignore[attr-defined]
    return picture.format == "PNG" and any(
        ";16" in str(tile[3])
        for tile in picture.tile  # type: ignore[attr-defined]
    )


def _orientation(picture: "Image") -> int:
    """The EXIF number of the picture's orientation: 1 if it is upright, or if no orientation can be read."""
    if picture.format == "TIFF" or (picture.format == "PNG" and "exif" not in picture.info):
        return 1  # Pillow turns a TIFF itself, and asking a PNG would decode it
    with suppress(Exception):  # viewers show a picture with damaged EXIF as it is stored
        told = picture.getexif().get(_ORIENTATION)
        return told if told in _TURNS else 1
    return 1


def _check_fit(picture: "Image", path: Path, shape: Shape, reference: str, *, resize: bool) -> None:
    found = _shape(picture, path)
    if (found[1:] != shape[1:] and not resize) or found[0] > shape[0]:
        raise misfit(path, found, expected=shape, reference=reference)


def shape_of(path: Path) -> Shape:
    """Give the upright shape that a file's header tells: 1 channel where it is grey, else 3."""
    with _opened(path) as picture:
        return _shape(picture, path)


def decoded(path: Path, shape: Shape, *, reference: str, resize: bool = False) -> NDArray[np.uint8]:
    """Decode a file to (C, H, W), upright as viewers show it, which must be `shape` unless it may be resized.

    Grey becomes three equal channels where the shape has three. Resizing stretches and averages pixels.

    Raises
    ------
    InputError
        Naming the file, for what is no picture, is damaged, too large, deeper than 8 bits or of another shape.
    """
    with _opened(path) as picture:
        _check_fit(picture, path, shape, reference, resize=resize)
        upright = picture.convert("L" if shape[0] == 1 else "RGB")
        # Decoding finds EXIF data that lies behind the pixels of a PNG.
        _check_fit(picture, path, shape, reference, resize=resize)
        if turn := _TURNS.get(_orientation(picture)):
            upright = upright.transpose(_pillow().Image.Transpose[turn])
        if upright.size != (shape[2], shape[1]):
            upright = upright.resize((shape[2], shape[1]), _pillow().Image.Resampling.BILINEAR)
        pixels = np.array(upright)
    return pixels[np.newaxis] if shape[0] == 1 else pixels.transpose(2, 0, 1)
