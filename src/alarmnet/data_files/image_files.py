"""Image files, opened and read in batches."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from alarmnet.data_files import image_arrays, picture
from alarmnet.data_files.image_arrays import ImageArrays
from alarmnet.data_files.image_folders import ImageFolders
from alarmnet.data_files.picture import Shape
from alarmnet.errors import InputError

IMAGES_AT_ONCE, PIXELS_AT_ONCE = 1024, 2**24


@dataclass(frozen=True)
class ImageBatch:
    """Some images.

    Attributes
    ----------
    images
        Shape (B, C, H, W), to be read only.
    first_row
        The number of the first of them, counted from 0 over all files.
    bad_rows
        Shape (B,), bool: True where there is no usable image.
    """

    images: NDArray[Any]
    first_row: int
    bad_rows: NDArray[np.bool_]


def holds_images(path: Path) -> bool:
    """Whether a path is read as images rather than as a table: a folder, or a file by its ending.

    >>> holds_images(Path("digits.NPY")), holds_images(Path("flows.csv"))
    (True, False)
    """
    return path.is_dir() or path.suffix.lower() in (*image_arrays.ENDINGS, *picture.ENDINGS)


def _opened(
    paths: Sequence[Path], shape: Shape | None, resize: tuple[int, int] | None
) -> ImageFolders | ImageArrays:
    if not paths:
        raise InputError("no files were given; name at least one", code="no_files")
    folders = [path.is_dir() for path in paths]
    if all(folders):
        return ImageFolders(paths, shape=shape, resize=resize)
    if any(folders):
        folder, file = (paths[folders.index(is_folder)] for is_folder in (True, False))
        raise InputError(
            f"{folder} is a folder and {file} is not; give folders alone, or arrays alone",
            code="mixed_files",
        )
    for path in paths:
        if path.suffix.lower() in picture.ENDINGS:
            raise InputError(f"{path} is a single image; give the folder that holds it", code="single_image")
        if not holds_images(path):
            raise InputError(
                f"{path} has a format that is not read as images; folders of image files, .npy and .npz are",
                code="unknown_format",
            )
    if resize:
        raise InputError(
            f"{paths[0]} is an array, and only image files of folders are resized; resize the array before you "
            "save it",
            code="options",
        )
    return ImageArrays(paths, shape=shape)


class ImageFiles:
    """Folders of image files, or .npy and .npz arrays, as images (N, C, H, W) in batches of bounded size.

    Use it wherever images may be larger than memory: pictures are decoded, and arrays mapped or unpacked, batch
    by batch.

    - **Folders**: every PNG, JPEG, BMP, TIFF and WebP file by its ending, in sub-folders too, in the order of the
      paths relative to the folder, which are the `ids`. Hidden files are skipped. Grey pictures have 1 channel,
      colour ones 3 (transparency is dropped); where both occur, all get 3. All must have one size, unless they are
      resized, and at most 8 bits a channel.
    - **Arrays**: (N, H, W), (N, C, H, W), or (N, H, W, C), which is transposed; C is 1 or 3. The images of an
      .npz archive are its array ``images``, or its only one of three or four dimensions. Pickled objects are
      never read.

    Parameters
    ----------
    paths
        One or several, all folders or all arrays.
    shape
        The shape (C, H, W) that every image must have, such as from training; grey pictures are made coloured
        for it. Without it the first image's, for which folders are passed over once.
    resize
        Width and height that pictures of other sizes are stretched to; for folders only. With `shape`, its sizes.

    Attributes
    ----------
    ids : tuple of str or None
        Names of a folder's images; None for arrays.
    classes : tuple of str or None
        The sub-folder that holds each image, or its folder where several are given: None for an image without
        one. None for arrays.
    shape : tuple of int
        Channels, height, width.
    dtype : numpy.dtype
        uint8 for folders.
    columns : tuple of str
        Further arrays that every .npz archive has, such as labels.
    n_rows : int

    Raises
    ------
    InputError
        Naming the file at fault and what to do; for pictures that cannot be decoded only while reading.
    MissingExtraError
        For a folder, where Pillow is not installed.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "digits.npy"
    >>> np.save(path, np.zeros((5, 28, 28), dtype=np.uint8))
    >>> files = ImageFiles(path)
    >>> files.n_rows, files.shape, files.read().images.shape
    (5, (1, 28, 28), (5, 1, 28, 28))
    """

    def __init__(
        self,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        shape: Shape | None = None,
        resize: tuple[int, int] | None = None,
    ) -> None:
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        self._files = _opened([Path(path) for path in several], shape, resize)
        self.classes = self._files.classes if isinstance(self._files, ImageFolders) else None
        self.ids = self._files.ids
        self.shape = self._files.shape
        self.dtype = self._files.dtype
        self.n_rows = self._files.n_rows
        self.columns = self._files.columns() if isinstance(self._files, ImageArrays) else ()

    def batches(
        self, *, rows: int = IMAGES_AT_ONCE, on_bad_image: Literal["refuse", "mark"] = "refuse"
    ) -> Iterator[ImageBatch]:
        """Give the images in order; there is always at least one batch, which is empty where the files are.

        Parameters
        ----------
        rows
            Images in a batch, at most: fewer where they are so large that they would have more than 2**24 pixels.
        on_bad_image
            What a picture does that cannot be decoded or has another shape: ``"refuse"`` raises, ``"mark"``
            marks it in `ImageBatch.bad_rows`, and so too images of arrays with numbers that are infinite, NaN
            or beyond float32.

        Raises
        ------
        InputError
            See the class.
        """
        if rows < 1:
            raise InputError(f"rows is {rows}; it must be at least 1", code="invalid_parameter")
        first_row, fitting = 0, max(1, PIXELS_AT_ONCE // math.prod(self.shape))
        for images, bad in self._files.blocks(rows=min(rows, fitting), refuse=on_bad_image == "refuse"):
            yield ImageBatch(images, first_row, bad)
            first_row += len(images)
        if not first_row:
            yield ImageBatch(np.empty((0, *self.shape), self.dtype), 0, np.zeros(0, dtype=bool))

    def read(self, *, on_bad_image: Literal["refuse", "mark"] = "refuse") -> ImageBatch:
        """Give all images as one batch, for files that fit in memory; see `batches`."""
        images, bad = np.empty((self.n_rows, *self.shape), self.dtype), np.zeros(self.n_rows, dtype=bool)
        for batch in self.batches(on_bad_image=on_bad_image):
            rows = slice(batch.first_row, batch.first_row + len(batch.images))
            images[rows], bad[rows] = batch.images, batch.bad_rows
        return ImageBatch(images, 0, bad)

    def column(self, name: str) -> NDArray[Any]:
        """Give one of `columns`, a value an image (N,)."""
        if not isinstance(self._files, ImageArrays) or name not in self.columns:
            raise InputError(
                f"there is no array {name!r} next to the images; there are {', '.join(self.columns) or 'none'}",
                code="missing_column",
                column=name,
            )
        return self._files.column(name)
