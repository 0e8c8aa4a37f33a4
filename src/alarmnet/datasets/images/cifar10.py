"""CIFAR-10."""

import hashlib
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.fetch import DataFile, data_folders
from alarmnet.errors import InputError

_Arrays: TypeAlias = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]

_CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_NPZ = "cifar10/cifar10.npz"
_NPZ_SHA256 = "8b498b590fb068e9bba100bf76d66281b4873decd42f6e434612511c84623606"
_NPZ_BYTES = 200_000_000  # its arrays take 184,800,000
_NPZ_WANTED = (
    "It must hold x_train (uint8; 50000, 32, 32, 3), y_train (int64; 50000), x_test and y_test, in the order of "
    "the original batches. Replace it, or remove it to have the published cifar-10-binary.tar.gz read instead."
)
_TRAIN_BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
_RECORD_BYTES = 1 + 3 * 32 * 32


def _read_batch(archive: tarfile.TarFile, name: str) -> NDArray[np.uint8]:
    file = cast(IO[bytes], archive.extractfile(f"cifar-10-batches-bin/{name}.bin"))
    return np.frombuffer(file.read(), dtype=np.uint8).reshape(-1, _RECORD_BYTES)


def _images_and_labels(records: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A record is a label, then 32 x 32 bytes of red, of green and of blue."""
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), records[:, 0].copy()


def _read_binary(path: Path) -> _Arrays:
    with tarfile.open(path) as archive:
        train = np.concatenate([_read_batch(archive, name) for name in _TRAIN_BATCHES])
        test = _read_batch(archive, "test_batch")
    return *_images_and_labels(train), *_images_and_labels(test)


def _arrays_sha256(arrays: Iterable[NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _npz_arrays(path: Path) -> list[NDArray[Any]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
        if (size := sum(member.file_size for member in content.zip.infolist())) > _NPZ_BYTES:
            raise ValueError(f"it unpacks to {size:,} bytes")
        return [content[name] for name in ("x_train", "y_train", "x_test", "y_test")]


def _read_npz(path: Path, *, sha256: str = _NPZ_SHA256) -> _Arrays:
    """Arrays of a file whose bytes depend on the program that packed it."""
    try:
        arrays = _npz_arrays(path)
    except Exception as error:  # NumPy and zipfile raise many kinds on a damaged file
        raise InputError(
            f"{path} cannot be read ({error}). {_NPZ_WANTED}", code="data_file_format"
        ) from error
    if (found := _arrays_sha256(arrays)) != sha256:
        raise InputError(
            f"{path} is not CIFAR-10: the sha256 of its arrays is {found}, expected {sha256}. {_NPZ_WANTED}",
            code="data_file_checksum",
        )
    x_train, y_train, x_test, y_test = arrays
    return x_train, y_train.astype(np.uint8), x_test, y_test.astype(np.uint8)


def load_cifar10() -> Images:
    """CIFAR-10: 50,000 + 10,000 colour photographs of 32 x 32 pixels, ten classes of equal size.

    Read from ``cifar10/cifar10.npz`` where a data folder has that, else from the published binary version.

    Raises
    ------
    InputError
        The file is missing or does not hold the published data.

    Examples
    --------
    >>> images = load_cifar10()  # doctest: +SKIP
    >>> images.train_images.shape, images.class_names[images.train_labels[0]]  # doctest: +SKIP
    ((50000, 32, 32, 3), 'frog')
    """
    packed = next((path for folder in data_folders() if (path := folder / _NPZ).is_file()), None)
    arrays = _read_binary(*CIFAR10.paths()) if packed is None else _read_npz(packed)
    train_images, train_labels, test_images, test_labels = arrays
    return Images(
        CIFAR10,
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        class_names=_CLASS_NAMES,
    )


CIFAR10 = DatasetInfo(
    "cifar10",
    title="CIFAR-10",
    rows=60_000,
    classes=10,
    licence="none stated; cite Krizhevsky, 2009",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    caveat="none",
    files=(
        (
            DataFile(
                "cifar10/cifar-10-binary.tar.gz",
                sha256="c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
                size=170_052_171,
                url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            ),
        ),
    ),
    loader=load_cifar10,
)
