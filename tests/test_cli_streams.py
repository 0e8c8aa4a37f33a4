"""Standard output that nobody reads any more, that is full or closed; standard error likewise."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
import pytest

from alarmnet import A3Detector, Schedule
from alarmnet.cli import main

SHORT = Schedule(steps=3, batch_size=64, learning_rate=1e-2)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model and a table with labels."""
    folder = tmp_path_factory.mktemp("files")
    frame = pd.DataFrame({"a": np.random.default_rng(0).normal(size=60)})
    marked = frame.assign(label=["bad"] * 3 + ["fine"] * 57)
    marked.to_csv(folder / "t.csv", index=False)
    detector = A3Detector(target_schedule=SHORT, alarm_schedule=SHORT, alarm_rate=0.2, random_state=0)
    detector.fit(frame, [1] * 3 + [0] * 57)
    detector.notes_ = {"label": "label", "anomaly": ["bad"], "normal": []}
    detector.save(folder / "model")
    return folder / "model", folder / "t.csv"


def unread() -> TextIO:
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w")


@pytest.fixture
def full() -> Iterator[TextIO]:
    with Path("/dev/full").open("w") as stream:
        yield stream


def ends_with(*arguments: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    return ended.value.code


COMMANDS = (
    "--help",
    "--version",
    "fit --help",
    "datasets",
    "datasets --json",
    "evaluate",
    "evaluate --json",
    "score",
)


def words(command: str, files: tuple[Path, Path]) -> list[object]:
    model, table = files
    name, *options = command.split()
    if name == "evaluate":
        return [name, model, table, *options]
    if name == "score":
        return [name, model, table, "--out", model.parent / "scores.csv"]
    return [name, *options]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_stops_ends_a_command_quietly(
    command: str, files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert ends_with(*words(command, files)) == 141
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_under_standard_output_is_refused(
    command: str,
    files: tuple[Path, Path],
    full: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", full)
    assert ends_with(*words(command, files)) == 2
    assert capsys.readouterr().err == "Error: standard output cannot be written: No space left on device\n"


def test_what_was_written_before_stays_whole(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with unread() as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        ends_with(*words("score", files))
    assert len(pd.read_csv(files[0].parent / "scores.csv")) == 60


def test_standard_error_that_fails_changes_no_exit_code(
    full: TextIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", full)
    assert ends_with("score", "nothing", "nothing", "--out", "/nothing/at/all") == 2


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_fault(closed: str, files: tuple[Path, Path], tmp_path: Path) -> None:
    model, table = files
    program = f"{sys.executable} -c 'from alarmnet.cli import main; main()'"
    command = f"{program} score {model} {table} --out {tmp_path}/scores.csv {closed}"
    ended = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 60


def test_a_process_whose_reader_stops_says_nothing_at_its_end() -> None:
    with unread() as stream:
        program = [sys.executable, "-c", "from alarmnet.cli import main; main()", "datasets"]
        ended = subprocess.run(program, stdout=stream, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (141, "")
