"""Images in .npy and .npz files; pickled objects are never read."""

import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from alarmnet._shared.atomic import open_regular
from alarmnet.data_files.picture import Shape, misfit
from alarmnet.errors import InputError, InputTypeError

ENDINGS = (".npy", ".npz")
IMAGES = "images"
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except InputError:
        raise
    except Exception as error:  # NumPy and zipfile raise whatever a damaged file leads them to
        raise InputError(
            f"{path} is damaged, or holds pickled objects, which are never read ({error}); write it again with "
            "numpy.save or numpy.savez",
            code="damaged_array",
        ) from error


@dataclass(frozen=True)
class _Header:
    """What an array says of itself, before its values are read."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]

    @classmethod
    def read(cls, stream: IO[bytes]) -> "_Header":
        return cls(*_HEADERS[npy.read_magic(stream)](stream))


class _Array:
    """The images of one .npy file, memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        open_regular(path).close()
        with _reading(path):
            self._values: NDArray[Any] = npy.open_memmap(path, mode="r")
        self.shape, self.dtype = self._values.shape, self._values.dtype

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        for start in range(0, len(self._values), rows):
            yield self._values[start : start + rows]


LARGEST_LABEL = 4096
"""Bytes of one value: a small archive must not fill the memory with labels."""


class _Archive:
    """The images of one .npz file, unpacked block by block, so that a small file cannot fill the memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            self.headers: dict[str, _Header] = {}
            for name in names:
                with archive.open(f"{name}.npy") as stream:
                    self.headers[name] = _Header.read(stream)
        self._name = self._images_name()
        header = self.headers.pop(self._name)
        if header.fortran:
            raise InputError(
                f"{path}: the images are stored in Fortran order; save numpy.ascontiguousarray(images)",
                code="fortran_order",
            )
        self.shape, self.dtype = header.shape, header.dtype

    @contextmanager
    def _open(self) -> Iterator[zipfile.ZipFile]:
        with open_regular(self.path) as stream, _reading(self.path), zipfile.ZipFile(stream) as archive:
            yield archive

    def _images_name(self) -> str:
        likely = [name for name, header in self.headers.items() if len(header.shape) in (3, 4)]
        if IMAGES in self.headers or len(likely) != 1:
            likely = [IMAGES]
        if likely[0] not in self.headers:
            raise InputError(
                f"{self.path} holds the arrays {', '.join(self.headers) or '(none)'}: name the one with the images "
                f"{IMAGES!r}",
                code="missing_array",
            )
        return likely[0]

    def blocks(self, rows: int) -> Iterator[NDArray[Any]]:
        with self._open() as archive, archive.open(f"{self._name}.npy") as stream:
            _Header.read(stream)
            for start in range(0, self.shape[0], rows):
                shape = (min(rows, self.shape[0] - start), *self.shape[1:])
                content = stream.read(math.prod(shape) * self.dtype.itemsize)
                yield np.frombuffer(content, self.dtype).reshape(shape)

    def beside(self, name: str) -> NDArray[Any]:
        """Read another array, which must have one value an image."""
        header = self.headers[name]
        if header.shape != self.shape[:1]:
            raise InputError(
                f"{self.path}: the array {name!r} has the shape {header.shape}; one value for each of the "
                f"{self.shape[0]:,} images is expected",
                code="length_mismatch",
            )
        if header.dtype.itemsize > LARGEST_LABEL:
            raise InputError(
                f"{self.path}: the array {name!r} holds {header.dtype} values; labels of at most {LARGEST_LABEL} "
                "bytes are expected",
                code="label",
            )
        with self._open() as archive, archive.open(f"{name}.npy") as stream:
            values: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
            return values


def is_channels_last(shape: tuple[int, ...]) -> bool:
    """Whether images have their 1 or 3 channels last, and nothing that could be channels in second place.

    >>> is_channels_last((9, 28, 28, 3)), is_channels_last((9, 3, 28, 3))
    (True, False)
    """
    return len(shape) == 4 and shape[1] not in (1, 3) and shape[3] in (1, 3)


def channels_first(images: NDArray[Any]) -> NDArray[Any]:
    """Give images (N, H, W) or with their channels last as (N, C, H, W), a view; others as they are."""
    if images.ndim == 3:
        return images[:, np.newaxis]
    return images.transpose(0, 3, 1, 2) if is_channels_last(images.shape) else images


def _image_shape(array: _Array | _Archive) -> Shape:
    shape = array.shape
    if array.dtype.kind not in "buif":
        raise InputTypeError(
            f"{array.path}: images are numbers (uint8 or float), but the array holds {array.dtype}",
            code="wrong_type",
        )
    if is_channels_last(shape):
        shape = (shape[0], shape[3], *shape[1:3])
    elif len(shape) == 3:
        shape = (shape[0], 1, *shape[1:])
    if len(shape) != 4 or shape[1] not in (1, 3) or shape[0] < 0 or min(shape[1:]) < 1:
        raise InputError(
            f"{array.path} has the shape {array.shape}; images have (N, H, W), (N, C, H, W) or (N, H, W, C), with "
            "1 or 3 channels C",
            code="image_shape",
        )
    return shape[1], shape[2], shape[3]


class ImageArrays:
    """Images of .npy and .npz files of one shape and type; they have numbers for names."""

    ids = None

    def __init__(self, paths: Sequence[Path], *, shape: Shape | None) -> None:
        self._arrays = [_Archive(path) if path.suffix.lower() == ".npz" else _Array(path) for path in paths]
        first = self._arrays[0]
        self.dtype = first.dtype
        self.shape = shape or _image_shape(first)
        reference = "the training images have" if shape else f"{first.path} has"
        for array in self._arrays:
            found = _image_shape(array)
            if found != self.shape:
                raise misfit(array.path, found, expected=self.shape, reference=reference)
            if array.dtype != self.dtype:
                raise InputTypeError(
                    f"{array.path} holds {array.dtype} and {first.path} {self.dtype}: give both one type and scale",
                    code="wrong_type",
                )
        self.n_rows = sum(array.shape[0] for array in self._arrays)

    def blocks(self, *, rows: int, refuse: bool) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
        """Give images (B, C, H, W), and, unless they are to be refused later, which hold unusable numbers (B,)."""
        for array in self._arrays:
            for block in array.blocks(rows):
                images, bad = channels_first(block), np.zeros(len(block), dtype=bool)
                if not refuse and self.dtype.kind == "f":
                    bad = ~(np.abs(images) <= np.finfo(np.float32).max).all(axis=(1, 2, 3))
                yield images, bad

    def columns(self) -> tuple[str, ...]:
        """Name the arrays that every file has in addition to the images; .npy files have none."""
        first, *others = [array.headers if isinstance(array, _Archive) else {} for array in self._arrays]
        return tuple(name for name in first if all(name in headers for headers in others))

    def column(self, name: str) -> NDArray[Any]:
        """Give one of `columns` for all images (N,)."""
        return np.concatenate([array.beside(name) for array in self._arrays if isinstance(array, _Archive)])
