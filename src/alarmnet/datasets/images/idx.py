"""The idx format of MNIST, which other sets use too, with the same file names."""

import gzip
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.fetch import DataFile
from alarmnet.errors import InputError

_NAMES = (
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
)


def idx_files(folder: str, url: str, *fixed: tuple[str, int]) -> tuple[tuple[DataFile], ...]:
    """The four files of a set from the sha256 and size of each: training images and labels, then test."""
    return tuple(
        (DataFile(f"{folder}/{name}", sha256, size, url=f"{url}/{name}"),)
        for name, (sha256, size) in zip(_NAMES, fixed, strict=True)
    )


def read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Array of a gzipped idx file: 0, 0, 8 (uint8), dimensions, the big-endian lengths, the values."""
    content = gzip.decompress(path.read_bytes())
    start = 4 + 4 * dimensions
    shape = tuple(int(length) for length in np.frombuffer(content[4:start], dtype=">u4"))
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) != start + math.prod(shape):
        raise InputError(
            f"{path} is not an idx file of {dimensions} dimensions of uint8: it starts with {content[:4]!r} and "
            f"has {len(content):,} bytes for shape {shape}. Replace it with the published file.",
            code="data_file_format",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def load_idx(info: DatasetInfo, class_names: tuple[str, ...]) -> Images:
    """The images of the four files of `idx_files`."""
    train_images, train_labels, test_images, test_labels = info.paths()
    return Images(
        info,
        train_images=read_idx(train_images, dimensions=3),
        train_labels=read_idx(train_labels, dimensions=1),
        test_images=read_idx(test_images, dimensions=3),
        test_labels=read_idx(test_labels, dimensions=1),
        class_names=class_names,
    )
