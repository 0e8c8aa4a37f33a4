"""MNIST with EMNIST's letters, as in the A3 paper's third experiment."""

import numpy as np

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.images.emnist_letters import EMNIST_LETTERS, load_emnist_letters
from alarmnet.datasets.images.mnist import MNIST, load_mnist


def load_digits_and_letters() -> Images:
    """MNIST's digits, then EMNIST's letters in a split of our own: classes "0" to "9" and "A" to "Z".

    Each part holds both: 129,243 + 68,405 images of 28 x 28 grey pixels, white on black.

    Raises
    ------
    InputError
        A file is missing or is another one.

    Examples
    --------
    >>> images = load_digits_and_letters()  # doctest: +SKIP
    >>> images.train_images.shape, images.class_names[10]  # doctest: +SKIP
    ((129243, 28, 28), 'A')
    """
    digits, letters = load_mnist(), load_emnist_letters()
    first_letter = np.uint8(len(digits.class_names))
    return Images(
        DIGITS_AND_LETTERS,
        train_images=np.concatenate([digits.train_images, letters.train_images]),
        train_labels=np.concatenate([digits.train_labels, letters.train_labels + first_letter]),
        test_images=np.concatenate([digits.test_images, letters.test_images]),
        test_labels=np.concatenate([digits.test_labels, letters.test_labels + first_letter]),
        class_names=digits.class_names + letters.class_names,
    )


DIGITS_AND_LETTERS = DatasetInfo(
    "mnist-and-emnist-letters",
    title="MNIST and EMNIST letters, own split",
    rows=MNIST.rows + EMNIST_LETTERS.rows,
    classes=MNIST.classes + EMNIST_LETTERS.classes,
    licence=f"{MNIST.licence}; {EMNIST_LETTERS.licence}",
    source=f"{MNIST.source} and {EMNIST_LETTERS.source}",
    caveat=EMNIST_LETTERS.caveat,
    files=MNIST.files + EMNIST_LETTERS.files,
    loader=load_digits_and_letters,
)
