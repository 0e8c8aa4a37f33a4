"""Tables made of images, to choose settings on: their anomalies are in small regions of their own.

A row is an image's 49 means of 4 x 4 pixels. One class is the anomaly. The rows are training images of MNIST,
Fashion-MNIST and the letters of EMNIST.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa

from alarmnet.datasets import load_emnist_letters, load_fashion_mnist, load_mnist
from alarmnet.datasets.base import Images
from benchmarks.few_label_tables import Halves

ROWS, SIDE = 12_000, 4
SOURCES = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist, "emnist letters": load_emnist_letters}
CLASSES = (0, 3, 5, 8)


def halves(load: Callable[[], Images], anomalous: int) -> Halves:
    """Half of the images to learn from, half to judge by."""
    data = load()
    pixels = data.train_images[:ROWS].astype(np.float32)
    count, height, width = pixels.shape
    blocks = pixels.reshape(count, height // SIDE, SIDE, width // SIDE, SIDE)
    means = blocks.mean(axis=(2, 4)).reshape(count, -1)
    frame = pa.table({f"mean {place}": values for place, values in enumerate(means.T, start=1)})
    order = np.random.default_rng(0).permutation(count)
    return Halves(frame, data.train_labels[:ROWS] == anomalous, *np.array_split(order, 2))


IMAGE_TABLES: dict[str, Callable[[], Halves]] = {
    f"{source} {anomalous}": partial(halves, load, anomalous)
    for source, load in SOURCES.items()
    for anomalous in CLASSES
}
