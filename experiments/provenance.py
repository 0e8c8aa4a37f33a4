"""Where and with what a result was made."""

import datetime
import platform
from importlib.metadata import version
from typing import Any

import torch


def provenance() -> dict[str, Any]:
    """Threads, versions, machine and date, as every result has them."""
    return {
        "threads": torch.get_num_threads(),
        "versions": {package: version(package) for package in ("alarmnet", "torch", "numpy", "scikit-learn")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
