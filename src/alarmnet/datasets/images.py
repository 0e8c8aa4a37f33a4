"""Public image sets: MNIST and Fashion-MNIST.

A new one is its files, a loader and a `DatasetInfo` in `IMAGES`.
"""

import gzip
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.fetch import DataFile, find
from alarmnet.errors import InputError


def _read_idx(path: Path, *, dimensions: int) -> NDArray[np.uint8]:
    """Array of a gzipped idx file: 0, 0, 8 (uint8), dimensions, the big-endian lengths, the values."""
    content = gzip.decompress(path.read_bytes())
    start = 4 + 4 * dimensions
    shape = tuple(int(length) for length in np.frombuffer(content[4:start], dtype=">u4"))
    if content[:4] != bytes([0, 0, 8, dimensions]) or len(content) != start + math.prod(shape):
        raise InputError(
            f"{path} is no idx file of {dimensions} dimensions of uint8: it starts with {content[:4]!r} and "
            f"has {len(content):,} bytes for shape {shape}. Replace it with the published file.",
            code="data_file_format",
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape).copy()


def _load_idx(info: DatasetInfo, files: tuple[DataFile, ...], class_names: tuple[str, ...]) -> Images:
    train_images, train_labels, test_images, test_labels = (find(file) for file in files)
    return Images(
        info,
        train_images=_read_idx(train_images, dimensions=3),
        train_labels=_read_idx(train_labels, dimensions=1),
        test_images=_read_idx(test_images, dimensions=3),
        test_labels=_read_idx(test_labels, dimensions=1),
        class_names=class_names,
    )


# MNIST

_MNIST_URL = "https://ossci-datasets.s3.amazonaws.com/mnist"
_MNIST_SOURCE = "http://yann.lecun.com/exdb/mnist/"


def _mnist_file(name: str, sha256: str, size: int) -> DataFile:
    return DataFile(f"mnist/{name}", sha256, size, source=_MNIST_SOURCE, url=f"{_MNIST_URL}/{name}")


_MNIST_FILES = (
    _mnist_file(
        "train-images-idx3-ubyte.gz",
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        9_912_422,
    ),
    _mnist_file(
        "train-labels-idx1-ubyte.gz",
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        28_881,
    ),
    _mnist_file(
        "t10k-images-idx3-ubyte.gz",
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        1_648_877,
    ),
    _mnist_file(
        "t10k-labels-idx1-ubyte.gz",
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        4_542,
    ),
)


def load_mnist() -> Images:
    """MNIST: 60,000 + 10,000 handwritten digits of 28 x 28 grey pixels, white on black.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> images = load_mnist()  # doctest: +SKIP
    >>> images.train_images.shape, images.class_names[3]  # doctest: +SKIP
    ((60000, 28, 28), '3')
    """
    return _load_idx(MNIST, _MNIST_FILES, tuple("0123456789"))


MNIST = DatasetInfo(
    "mnist",
    title="MNIST",
    rows=70_000,
    classes=10,
    licence="none stated; Y. LeCun, C. Cortes and C. J. C. Burges, from NIST Special Databases 1 and 3",
    source=_MNIST_SOURCE,
    caveat="none",
    loader=load_mnist,
)

# Fashion-MNIST

_FASHION_URL = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"
_FASHION_SOURCE = "https://github.com/zalandoresearch/fashion-mnist"


def _fashion_file(name: str, sha256: str, size: int) -> DataFile:
    return DataFile(
        f"fashion-mnist/{name}", sha256, size, source=_FASHION_SOURCE, url=f"{_FASHION_URL}/{name}"
    )


_FASHION_FILES = (
    _fashion_file(
        "train-images-idx3-ubyte.gz",
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        26_421_880,
    ),
    _fashion_file(
        "train-labels-idx1-ubyte.gz",
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        29_515,
    ),
    _fashion_file(
        "t10k-images-idx3-ubyte.gz",
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        4_422_102,
    ),
    _fashion_file(
        "t10k-labels-idx1-ubyte.gz",
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        5_148,
    ),
)
_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_fashion_mnist() -> Images:
    """Fashion-MNIST: 60,000 + 10,000 pictures of clothes, 28 x 28 grey pixels, ten classes of equal size.

    Raises
    ------
    InputError
        A file is missing or is not the published one.

    Examples
    --------
    >>> images = load_fashion_mnist()  # doctest: +SKIP
    >>> images.test_images.shape, images.class_names[9]  # doctest: +SKIP
    ((10000, 28, 28), 'Ankle boot')
    """
    return _load_idx(FASHION_MNIST, _FASHION_FILES, _FASHION_CLASSES)


FASHION_MNIST = DatasetInfo(
    "fashion-mnist",
    title="Fashion-MNIST",
    rows=70_000,
    classes=10,
    licence="MIT; H. Xiao, K. Rasul and R. Vollgraf, Zalando SE, 2017",
    source=_FASHION_SOURCE,
    caveat="none",
    loader=load_fashion_mnist,
)

IMAGES = (MNIST, FASHION_MNIST)
