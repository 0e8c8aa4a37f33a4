"""What a detector's training depends on, so that no training continues from the checkpoint of another."""

import functools
import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from alarmnet.detectors.data import TrainingData
from alarmnet.networks.checkpoints import Identity
from alarmnet.networks.recipes import to_json

APART = ("checkpoint", "device", "random_state", "verbose")
"""Parameters that do not change the model, or whose effect is already among the settings."""


def _digest_of(tensors: Iterable[Tensor]) -> str:
    digest = hashlib.sha256()
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(np.ascontiguousarray(tensor.numpy(force=True)).data)
    return digest.hexdigest()


@functools.cache
def _code_digest() -> str:
    """The digest of the package's source: changed source trains another model, whatever the version number."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def training_identity(
    method: str, parameters: Mapping[str, Any], seed: int, data: TrainingData, *, given: Iterable[Tensor]
) -> Identity:
    """Versions, seed, parameters; digests of code, rows, what each serves for, and a target's `given` weights."""
    settings = {
        **{package: version(package) for package in ("alarmnet", "torch")},
        "method": method,
        "device": data.rows.device.type,
        "number of threads": torch.get_num_threads(),
        "seed": seed,
        **{name: to_json(value) for name, value in parameters.items() if name not in APART},
    }
    roles = (data.normal, data.known, data.validation_normal, data.validation_known, data.unlabelled)
    digests = {
        "code of alarmnet": _code_digest(),
        "data": _digest_of(data.rows.blocks()),
        "labels": _digest_of(roles),
        "target network": _digest_of(given),
    }
    return Identity(settings, digests)
