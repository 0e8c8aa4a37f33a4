"""Fashion-MNIST."""

from alarmnet.datasets.base import DatasetInfo, Images
from alarmnet.datasets.images.idx import idx_files, load_idx

_CLASS_NAMES = (
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
    return load_idx(FASHION_MNIST, _CLASS_NAMES)


FASHION_MNIST = DatasetInfo(
    "fashion-mnist",
    title="Fashion-MNIST",
    rows=70_000,
    classes=10,
    licence="MIT; H. Xiao, K. Rasul and R. Vollgraf, Zalando SE, 2017",
    source="https://github.com/zalandoresearch/fashion-mnist",
    caveat="none",
    files=idx_files(
        "fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ("3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84", 26_421_880),
        ("a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845", 29_515),
        ("346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073", 4_422_102),
        ("67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5", 5_148),
    ),
    loader=load_fashion_mnist,
)
