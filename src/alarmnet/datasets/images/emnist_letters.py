"""EMNIST letters, in a split of our own."""

import string

import numpy as np

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.fetch import DataFile


def load_emnist_letters() -> Images:
    """EMNIST letters, own split: 69,243 + 58,405 handwritten letters of 28 x 28 grey pixels, white on black.

    Not the official 124,800 + 20,800. The test part holds the letters of EMNIST's ByClass test in their order; the
    training part holds the other distinct images that could be had, grouped by origin: shuffle them. Upper and
    lower case are one class, and the classes differ in size.

    Raises
    ------
    InputError
        The file is missing or is another one.

    Examples
    --------
    >>> images = load_emnist_letters()  # doctest: +SKIP
    >>> images.train_images.shape, images.class_names[25]  # doctest: +SKIP
    ((69243, 28, 28), 'Z')
    """
    (path,) = EMNIST_LETTERS.paths()
    with np.load(path, allow_pickle=False) as arrays:
        return Images(
            EMNIST_LETTERS,
            train_images=arrays["x_train"],
            train_labels=(arrays["y_train"] - 1).astype(np.uint8),
            test_images=arrays["x_test"],
            test_labels=(arrays["y_test"] - 1).astype(np.uint8),
            class_names=tuple(string.ascii_uppercase),
        )


EMNIST_LETTERS = DatasetInfo(
    "emnist-letters",
    title="EMNIST letters, own split",
    rows=127_648,
    classes=26,
    licence="none stated; cite Cohen, Afshar, Tapson and van Schaik, 2017; from NIST Special Database 19",
    source="https://github.com/0r4nd/emnist-packed (its letter images, packed into one file by the authors)",
    caveat="EMNIST letters, own split: not the official 124,800 + 20,800",
    files=(
        (
            DataFile(
                "emnist/emnist-letters.npz",
                sha256="5b70ed7a77afc15b452004a7addac8e2595d898732025fb25f3dcdc5a12aedd1",
                size=25_160_125,
            ),
        ),
    ),
    loader=load_emnist_letters,
)
