"""A plain digit classifier, the target of the A3 paper's third experiment."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from alarmnet import ExternalTarget

EPOCHS, BATCH_ROWS, LEARNING_RATE = 30, 256, 1e-3
RELUS = ["1", "3", "8"]


def _network(n_classes: int) -> nn.Sequential:
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout(0.25),
        nn.Flatten(),
        nn.Linear(64 * 12 * 12, 128),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(128, n_classes),
    )
    for name, weight in network.named_parameters():  # as in Keras
        nn.init.zeros_(weight) if name.endswith("bias") else nn.init.xavier_uniform_(weight)
    return network


def digit_classifier(
    images: NDArray[np.uint8], classes: NDArray[np.str_], *, seed: int, device: str, epochs: int | None = None
) -> ExternalTarget:
    """Train a classifier of images (N, 28, 28) and give it as a target whose hidden ReLUs are read."""
    names, labels = np.unique(classes, return_inverse=True)
    X = torch.from_numpy(images).unsqueeze(1).to(device)
    y = torch.from_numpy(labels).to(device)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _network(len(names)).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE)
        for _ in range(epochs or EPOCHS):
            for rows in torch.split(torch.randperm(len(X)).to(device), BATCH_ROWS):
                optimiser.zero_grad()
                loss = functional.cross_entropy(network(X[rows].float() / 255), y[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return ExternalTarget(network.eval().cpu(), layers=RELUS)
