"""Windows and macOS, as far as they can be played: what they lack is taken away, what they refuse fails."""

import errno
import io
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from alarmnet._shared import atomic, standard_streams
from alarmnet._shared.atomic import atomic_path, open_regular, remove_strays
from alarmnet.sources import memory

WITHOUT_POSIX = """
import importlib, pkgutil, sys
import psutil, torch  # before, since on this system they need some of these
for name in ("fcntl", "resource", "grp", "pwd", "termios", "syslog"):
    sys.modules[name] = None
import alarmnet
for module in pkgutil.walk_packages(alarmnet.__path__, "alarmnet."):
    importlib.import_module(module.name)
from alarmnet._shared.atomic import atomic_path
with atomic_path(sys.argv[1]) as draft:
    draft.write_text("whole")
"""


def test_the_package_needs_no_module_that_windows_lacks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    subprocess.run([sys.executable, "-c", WITHOUT_POSIX, str(path)], check=True)
    assert path.read_text() == "whole"
    assert [*tmp_path.iterdir()] == [path]


def opened(path: Path) -> list[str]:
    """Files of a folder that this process has open."""
    links = [link.readlink() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [link.name for link in links if link.parent == path]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="asks Linux what is open")
def test_nothing_is_open_when_it_is_renamed_or_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows refuses both for open files."""
    done = []

    def watched(name: str) -> Any:
        original = getattr(Path, name)

        def call(path: Path, *arguments: Any, **options: Any) -> Any:
            if path.exists():
                assert path.name not in opened(tmp_path)
                done.append((name, path.suffix))
            return original(path, *arguments, **options)

        return call

    stray = tmp_path / f"{atomic._drafts_of(tmp_path / 'file')}0.tmp"
    stray.touch()
    for name in ("replace", "unlink"):
        monkeypatch.setattr(Path, name, watched(name))
    with atomic_path(tmp_path / "file") as draft:
        draft.write_text("whole")
    assert {("unlink", ".tmp"), ("replace", ".tmp"), ("unlink", ".lock")} <= set(done)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_lock_that_windows_holds_open_stays_until_its_owner_is_done(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "file") as draft:
        remove_strays(tmp_path / "file")
        assert draft.exists()
        assert draft.with_name(f"{draft.name}.lock").exists()
        draft.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_lock_without_a_draft_is_a_stray(tmp_path: Path) -> None:
    (tmp_path / f"{atomic._drafts_of(tmp_path / 'file')}0.tmp.lock").touch()
    remove_strays(tmp_path / "file")
    assert not [*tmp_path.iterdir()]


def test_files_are_read_as_bytes_where_the_system_has_text_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"a\r\n\x1a")
    asked: list[int] = []
    original = os.open
    monkeypatch.setattr(atomic, "_AS_BYTES", os.O_CLOEXEC)  # stands for O_BINARY

    def noted(path: Path, flags: int) -> int:
        asked.append(flags)
        return original(path, flags)

    monkeypatch.setattr(os, "open", noted)
    with open_regular(tmp_path / "file") as stream:
        assert stream.read() == b"a\r\n\x1a"
    assert asked == [os.O_RDONLY | os.O_CLOEXEC]


def test_a_folder_that_cannot_be_flushed_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = os.open

    def windows(path: Any, flags: int, *mode: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return original(path, flags, *mode)

    monkeypatch.setattr(os, "open", windows)
    with atomic_path(tmp_path / "file") as draft:
        draft.write_text("whole")
    assert (tmp_path / "file").read_text() == "whole"


@pytest.mark.parametrize("system", ["Windows", "macOS"])
def test_memory_is_told_without_proc(system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "Path", lambda path: SimpleNamespace(exists=lambda: False))
    told = SimpleNamespace(peak_wset=4096) if system == "Windows" else SimpleNamespace()
    monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(memory_info=lambda: told))
    if system == "Windows":
        monkeypatch.setitem(sys.modules, "resource", None)
        assert memory.peak_bytes() == 4096
    else:
        assert memory.peak_bytes() > 4096
    assert memory.available_bytes() > 0


def test_a_reader_that_is_gone_ends_quietly_on_windows_too(monkeypatch: pytest.MonkeyPatch) -> None:
    fault = OSError(errno.EINVAL, "Invalid argument")
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    for system, code in (("nt", standard_streams.READER_GONE), ("posix", standard_streams.UNWRITABLE)):
        monkeypatch.setattr(standard_streams, "os", SimpleNamespace(name=system))
        with pytest.raises(SystemExit) as ended:
            standard_streams._end(fault)
        assert ended.value.code == code
