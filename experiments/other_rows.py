"""A generator of synthetic anomalies whose VAE learns other rows than the detector."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from alarmnet import VaeAnomalies
from alarmnet.networks.generators import Generator, Sampler
from alarmnet.networks.training import ALONE, TrainingContext
from alarmnet.preprocessing.row_store import RowStore, TensorRows


@dataclass(frozen=True, kw_only=True)
class VaeOfOtherRows(Generator):
    """As `VaeAnomalies` with its defaults, but the VAE learns the images given here.

    Attributes
    ----------
    row
        The row of A3's tables that the images are of.
    images
        Images as bytes; shape (N, H, W).
    """

    row: str
    images: NDArray[np.uint8] = field(repr=False, compare=False)

    def sampler(self, rows: RowStore, *, seed: int, context: TrainingContext = ALONE) -> Sampler:
        """Train the VAE on the other images; it does not see the detector's `rows`."""
        others = torch.from_numpy(self.images).unsqueeze(1).to(rows.device) / 255
        return VaeAnomalies().sampler(TensorRows(others), seed=seed, context=context)
