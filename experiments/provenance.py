"""Where and with what a result was made."""

import datetime
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def _commit() -> str:
    """The commit of the code, with a mark if the code was changed since; nothing outside a checkout."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip()


def provenance() -> dict[str, Any]:
    """Threads, commit, versions, machine and date, as in every result."""
    return {
        "threads": torch.get_num_threads(),
        "commit": _commit(),
        "versions": {package: version(package) for package in ("alarmnet", "torch", "numpy", "scikit-learn")},
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }
