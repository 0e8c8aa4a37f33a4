"""Public image sets. To add one, add a file next to this one and a line to `IMAGES`."""

from alarmnet.datasets.images.cifar10 import CIFAR10
from alarmnet.datasets.images.digits_and_letters import DIGITS_AND_LETTERS
from alarmnet.datasets.images.emnist_letters import EMNIST_LETTERS
from alarmnet.datasets.images.fashion_mnist import FASHION_MNIST
from alarmnet.datasets.images.mnist import MNIST

IMAGES = (MNIST, FASHION_MNIST, EMNIST_LETTERS, DIGITS_AND_LETTERS, CIFAR10)
