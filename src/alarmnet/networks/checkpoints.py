"""Keeps a running training in a folder, so that an interrupted fit continues where it stopped."""

import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alarmnet._shared.persistence import read_file, write_file
from alarmnet.errors import InputError, ModelFileError

KIND = "alarmnet checkpoint"
SHARE = 0.05
"""The share of a training run's time that writing may add."""
MOST_SECONDS = 60.0
"""The most seconds of work that are lost, even if writing then takes more than its share."""

Facts = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Identity:
    """What a training depends on: `settings` that a sentence can show, and `digests` of what is too large for one.

    Examples
    --------
    >>> Identity({"seed": 1}, {"data": "6d3b"}).changes_since(Identity({"seed": 0}, {"data": "f00d"}))
    'seed 0, now 1'
    >>> Identity({"seed": 0}, {"data": "6d3b"}).changes_since(Identity({"seed": 0}, {"data": "f00d"}))
    'other data'
    """

    settings: Mapping[str, Any]
    digests: Mapping[str, str]

    def changes_since(self, before: "Identity") -> str:
        """What is not as before, in words; of digests the first, since others follow from it."""
        settings = (
            f"{name} {before.settings.get(name)!r}, now {value!r}"
            for name, value in self.settings.items()
            if before.settings.get(name) != value
        )
        digests = (
            f"other {name}" for name, value in self.digests.items() if before.digests.get(name) != value
        )
        return "; ".join(settings) or next(digests, "")


class Stage:
    """One training run's file in a checkpoint's folder."""

    def __init__(self, path: Path, head: Facts) -> None:
        self.path, self.head = path, head
        self.written, self.seconds = -math.inf, 0.0

    def read(self) -> tuple[Facts, Arrays] | None:
        """What was written last; None where nothing was."""
        return _read(self.path) if self.path.exists() else None

    def due(self) -> bool:
        """Whether it is time to write again."""
        return time.monotonic() - self.written > min(self.seconds / SHARE, MOST_SECONDS)

    def write(self, facts: Facts, arrays: Arrays) -> None:
        """Replace what was written last, unless there are numbers in it that are not finite."""
        began = time.monotonic()
        if all(np.isfinite(array).all() for array in arrays.values()):
            write_file(self.path, self.head | facts, arrays)
        self.written = time.monotonic()
        self.seconds = self.written - began


def stage_name(name: str) -> str:
    """What a run is called in the name of its file, where upper and lower case may be the same."""
    return name.replace(" ", "-").lower()


class Checkpoint:
    """The training runs of one fit in a folder, a file each."""

    def __init__(self, folder: Path, identity: Identity) -> None:
        self.folder, self.identity = folder, identity
        self._paths: set[Path] = set()

    def stage(self, name: str, steps: int) -> Stage:
        """The file of the run of that name, which takes so many steps."""
        path = self.folder / f"alarmnet-{stage_name(name)}.checkpoint"
        self._paths.add(path)
        return Stage(path, {"kind": KIND, "identity": asdict(self.identity), "name": name, "steps": steps})

    def remove(self) -> None:
        """Remove the files of this fit, and the folder once it is empty."""
        for path in self._paths:
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()


def _read(path: Path) -> tuple[Facts, Arrays]:
    try:
        facts, arrays = read_file(path)
    except ModelFileError as error:
        raise ModelFileError(f"{error}; remove it to do without it") from error
    if facts.get("kind") != KIND:
        raise ModelFileError(
            f"{path} is not a checkpoint: it holds {facts.get('kind')!r}; use another folder"
        )
    return facts, arrays


def _stages(folder: Path) -> Iterator[Facts]:
    """The facts in the files of a folder, in the order in which the files were begun."""
    paths = sorted(folder.glob("alarmnet-*.checkpoint"), key=lambda path: path.stat().st_mtime_ns)
    return (_read(path)[0] for path in paths)


def refuse_file(folder: Path) -> None:
    """Refuse a file where a folder for checkpoints is needed."""
    if folder.is_file():
        raise InputError(f"{folder} is a file; give a folder for the checkpoint", code="unwritable")


def open_checkpoint(folder: str | os.PathLike[str], identity: Identity) -> Checkpoint:
    """Make a folder ready for the training that is `identity`, or to go on with it.

    Raises
    ------
    InputError
        The folder holds the checkpoint of another training, or cannot be made.
    ModelFileError
        A file in it is damaged.
    """
    path = Path(folder)
    refuse_file(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path} cannot be created: {error.strerror}", code="unwritable") from error
    for facts in _stages(path):
        if changes := identity.changes_since(Identity(**facts["identity"])):
            raise InputError(
                f"{path} holds the checkpoint of another training: {changes}; fit as it was begun, or use "
                "another folder, or remove this one",
                code="other_training",
            )
    return Checkpoint(path, identity)


def kept_seed(folder: str | os.PathLike[str]) -> int | None:
    """The seed of the training in a folder; None where there is none."""
    seeds: Iterator[int] = (facts["identity"]["settings"]["seed"] for facts in _stages(Path(folder)))
    return next(seeds, None)


def kept_steps(folder: str | os.PathLike[str]) -> str:
    """What a folder keeps, in words: nothing, or `"target finished, alarm at step 300 of 600"`."""
    return ", ".join(
        f"{facts['name']} "
        + ("finished" if facts["finished"] else f"at step {facts['step']} of {facts['steps']}")
        for facts in _stages(Path(folder))
    )
