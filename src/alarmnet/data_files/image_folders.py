"""Folders of image files as images of one shape."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alarmnet.data_files.picture import ENDINGS, Shape, decoded, misfit, shape_of
from alarmnet.errors import InputError


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename} cannot be read: {error.strerror}", code="unreadable") from error


def _pictures(folder: Path) -> list[str]:
    """The paths of a folder's pictures, relative to it and in order; hidden files and folders are skipped."""
    found = []
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            (Path(place) / name).relative_to(folder).as_posix()
            for name in names
            if name.lower().endswith(ENDINGS) and not name.startswith(".")
        ]
    if not found:
        raise InputError(
            f"the folder {folder} holds no image and no table: no file in it ends in {', '.join(ENDINGS)}, or as "
            "tables do",
            code="no_images",
        )
    for path in found:
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{folder}: the file name {path!r} is not UTF-8; rename the file", code="bad_encoding"
            ) from error
    return sorted(found)


def _class_of(name: str, folder: Path, *, alone: bool) -> str | None:
    """The sub-folder that holds a picture; without a sub-folder, the folder's name if there are several folders."""
    within, *rest = name.split("/")
    if rest:
        return within
    return None if alone else folder.resolve().name


class ImageFolders:
    """Pictures of folders, decoded when they are read.

    `ids` are their paths relative to their folder, and `classes` the names of the folders that may be classes.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, folders: Sequence[Path], *, shape: Shape | None, resize: tuple[int, int] | None
    ) -> None:
        listed = [(name, folder) for folder in folders for name in _pictures(folder)]
        self.ids = tuple(name for name, _ in listed)
        self._paths = tuple(folder / name for name, folder in listed)
        self.classes = tuple(_class_of(name, folder, alone=len(folders) == 1) for name, folder in listed)
        self._check_different()
        self._resize = resize
        self._reference = "the training images have"
        self.shape = shape or self._shared_shape()
        self.n_rows = len(self.ids)

    def blocks(self, *, rows: int, refuse: bool) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
        """Give images (B, C, H, W), and which of them (B,) could not be had and are black."""
        for start in range(0, self.n_rows, rows):
            paths = self._paths[start : start + rows]
            images = np.zeros((len(paths), *self.shape), dtype=np.uint8)
            bad = np.zeros(len(paths), dtype=bool)
            for place, path in enumerate(paths):
                try:
                    images[place] = decoded(
                        path, self.shape, reference=self._reference, resize=self._resize is not None
                    )
                except InputError:
                    if refuse:
                        raise
                    bad[place] = True
            yield images, bad

    def _shared_shape(self) -> Shape:
        """Find the size of the first picture, which all must have unless they are resized, and the most channels.

        Pictures that cannot be opened are reported when they are read.
        """
        shapes: dict[Path, Shape] = {}
        fault: InputError | None = None
        for path in self._paths:
            try:
                shapes[path] = shape_of(path)
            except InputError as error:
                fault = fault or error
        if fault and not shapes:
            raise fault
        first = next(iter(shapes))
        channels = max(shape[0] for shape in shapes.values())
        if self._resize:
            return (channels, *reversed(self._resize))
        expected = (channels, *shapes[first][1:])
        self._reference = f"{first}, the first, has"
        for path, shape in shapes.items():
            if shape[1:] != expected[1:]:
                raise misfit(path, (channels, *shape[1:]), expected=expected, reference=self._reference)
        return expected

    def _check_different(self) -> None:
        seen: dict[str, Path] = {}
        for name, path in zip(self.ids, self._paths, strict=True):
            if name in seen:
                raise InputError(
                    f"{seen[name]} and {path} would both be called {name!r}: rename one, or give the folder that "
                    "holds both folders",
                    code="duplicate_files",
                )
            seen[name] = path
