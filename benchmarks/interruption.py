"""Interrupts training, saving and writing in every available way, and counts the outcomes.

    python -m benchmarks.interruption --out benchmarks/results/interruption.json

Every run is a process of its own.

- Training: `alarmnet fit --checkpoint` is killed (kill -9) at a random point of training and started again, until
  it was killed 25 times with each method. Each model that results is compared with an undisturbed one, array by
  array, bit for bit.
- Saving: a process that writes a model of 32 MB over an older one is killed, until 20 kills have hit the writing,
  as the draft that they leave behind shows.
- No room: `alarmnet fit` with files limited to 1 kB, in a folder without permission to write, and on a file system
  of 64 kB if one can be mounted.
"""

import argparse
import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from experiments.provenance import provenance

from alarmnet._shared.persistence import read_file, write_file
from alarmnet.cli import main as command_line

TRAINING_KILLS, SAVING_KILLS = 50, 20
NOBODY = 65534
METHODS = ("a3", "conv-a3")

SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["alarmnet.cli.fit"])


def start(function: Callable[..., None], *arguments: object) -> Any:
    """Start a process of its own, so that a kill is a real one."""
    process = SERVER.Process(target=function, args=arguments)
    process.start()
    return process


def alarmnet(*words: object) -> None:
    """Run the command line silently."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    command_line([str(word) for word in words])


def fit_words(table: Path, model: Path, method: str) -> list[object]:
    return ["fit", table, "--label", "class", "--anomaly", "1", "--method", method, "--out", model]


def write_rows(path: Path, rows: int) -> None:
    """A table of normal rows and 30 anomalies."""
    values = np.random.default_rng(0).normal(size=(rows, 8))
    values[:30] += 3
    pd.DataFrame(values).add_prefix("x").assign(**{"class": np.arange(rows) < 30}).astype(
        {"class": int}
    ).to_csv(path, index=False)


def killed_training(
    folder: Path, table: Path, method: str, kills: int, chance: random.Random
) -> dict[str, Any]:
    """Kill fits at random points, and compare each finished model with an undisturbed one."""
    undisturbed, model, kept = folder / "undisturbed", folder / "model", folder / "kept"
    began = time.monotonic()
    process = start(alarmnet, *fit_words(table, undisturbed, method))
    process.join()
    longest = (time.monotonic() - began) / 10
    counts = {"kills": 0, "models": 0, "equal models": 0, "files left behind": 0}
    while counts["kills"] < kills or kept.exists():
        process = start(alarmnet, *fit_words(table, model, method), "--checkpoint", kept)
        seen = kept.stat().st_mtime_ns if kept.exists() else 0
        while process.is_alive() and not (kept.exists() and kept.stat().st_mtime_ns != seen):
            time.sleep(0.002)
        if counts["kills"] < kills:
            process.join(chance.uniform(0, longest))
            process.kill()
        process.join()
        if process.exitcode == 0:
            counts["models"] += 1
            counts["equal models"] += same(model, undisturbed)
            model.unlink()
            left = {path.name for path in folder.iterdir()} - {table.name, undisturbed.name}
            counts["files left behind"] += len(left)
        else:
            assert process.exitcode == -signal.SIGKILL
            counts["kills"] += 1
    return counts


def same(first: Path, second: Path) -> bool:
    """Whether two models hold the same arrays, bit for bit."""
    arrays = [read_file(path)[1] for path in (first, second)]
    return {name: array.tobytes() for name, array in arrays[0].items()} == {
        name: array.tobytes() for name, array in arrays[1].items()
    }


def write_large(path: Path) -> None:
    """Write a model file of 32 MB."""
    write_file(path, {"large": True}, {"weights": np.random.default_rng(0).normal(size=4_000_000)})


def killed_saving(folder: Path, kills: int, chance: random.Random) -> dict[str, Any]:
    """Kill processes that replace a file while they write."""
    path = folder / "large"
    write_file(path, {"old": True}, {})
    old = path.read_bytes()
    counts = {"kills": 0, "old file intact": 0, "new file whole": 0, "drafts left by the next start": 0}
    while counts["kills"] < kills:
        before = set(folder.iterdir())
        process = start(write_large, path)
        while process.is_alive() and set(folder.iterdir()) <= before:
            time.sleep(0.0005)
        process.join(chance.uniform(0, 0.2))
        process.kill()
        process.join()
        drafts = set(folder.iterdir()) - {path}
        counts["drafts left by the next start"] += len(drafts & before)
        if drafts - before:
            counts["kills"] += 1
            intact = path.read_bytes() == old
            counts["old file intact"] += intact
            counts["new file whole"] += not intact and "large" in read_file(path)[0]
        elif path.read_bytes() != old:
            write_file(path, {"old": True}, {})
    start(write_large, path).join()
    counts["drafts left by the next start"] += len(set(folder.iterdir()) - {path})
    return counts


def limited(*words: object) -> None:
    """The command line with files limited to 1 kB."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, 1_000))
    alarmnet(*words)


def unprivileged(*words: object) -> None:
    """The command line as a user who may not write everywhere."""
    if os.geteuid() == 0:
        os.setuid(NOBODY)
    alarmnet(*words)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path | None]:
    """A file system of 64 kB; None if it cannot be mounted."""
    mounted = (
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], check=False).returncode
        == 0
    )
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


def without_room(folder: Path, table: Path) -> dict[str, Any]:
    """The exit code of a fit that cannot write its model, and the files left in the output's folder."""
    places = {name: folder / name for name in ("limited", "unwritable", "disk")}
    for place in places.values():
        place.mkdir()
    places["unwritable"].chmod(0o555)
    found = {}

    def note(name: str, function: Callable[..., None], place: Path) -> None:
        process = start(function, *fit_words(table, place / "model", "a3"))
        process.join()
        found[name] = {"exit code": process.exitcode, "files": len([*place.iterdir()])}

    note("files limited to 1 kB", limited, places["limited"])
    note("folder that may not be written to", unprivileged, places["unwritable"])
    with small_disk(places["disk"]) as disk:
        if disk:
            note("file system of 64 kB", alarmnet, disk)
    return found


def summary(path: Path) -> Iterator[str]:
    """A table of the outcomes."""
    result = json.loads(path.read_text())
    yield "| what was done | what came out |"
    yield "|---|---|"
    for name in METHODS:
        counts = result["training"][name]
        yield (
            f"| {counts['kills']} kill -9 while `{name}` trained | {counts['equal models']} of {counts['models']} "
            f"models equal to the undisturbed one bit for bit; files left behind: "
            f"{counts['files left behind']} |"
        )
    counts = result["saving"]
    yield (
        f"| {counts['kills']} kill -9 while a model was written over an older one | old file intact "
        f"{counts['old file intact']}, new file whole {counts['new file whole']}; drafts left by the next start: "
        f"{counts['drafts left by the next start']} |"
    )
    for name, found in result["no room"].items():
        yield f"| output: {name} | exit code {found['exit code']}, {found['files']} files |"


def main() -> None:
    """Do it all and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=2_000)
    arguments = parser.parse_args()
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("saving", "no room", *METHODS):
            (folder / part).mkdir()
        training = {}
        for method in METHODS:
            table = folder / method / "train.csv"
            write_rows(table, arguments.rows)
            kills = TRAINING_KILLS // len(METHODS)
            training[method] = killed_training(folder / method, table, method, kills, chance)
            print(method, training[method], flush=True)
        result = {
            "training": training,
            "saving": killed_saving(folder / "saving", SAVING_KILLS, chance),
            "no room": without_room(folder / "no room", table),
            "rows": arguments.rows,
            **provenance(),
        }
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(result, indent=1) + "\n")
    print("\n".join(summary(arguments.out)))


if __name__ == "__main__":
    main()
