"""MNIST."""

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.images.idx import idx_files, load_idx


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
    return load_idx(MNIST, tuple("0123456789"))


MNIST = DatasetInfo(
    "mnist",
    title="MNIST",
    rows=70_000,
    classes=10,
    licence="none stated; Y. LeCun, C. Cortes and C. J. C. Burges, from NIST Special Databases 1 and 3",
    source="http://yann.lecun.com/exdb/mnist/",
    caveat="none",
    files=idx_files(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        ("440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609", 9_912_422),
        ("3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c", 28_881),
        ("8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6", 1_648_877),
        ("f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6", 4_542),
    ),
    loader=load_mnist,
)
