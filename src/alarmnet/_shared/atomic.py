"""Opens and replaces files so that nothing blocks and no reader ever sees half a file."""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock

from alarmnet.errors import InputError

SECONDS_FOR_LOCK = 10
"""The lock of a new draft is free, unless another process looks for strays at this moment."""
_AS_BYTES = getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
"""Without these flags Windows changes line ends, and other systems wait when they open a pipe."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a loop of links",
}


def _refuse_irregular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "something else")
        raise InputError(f"{path} is {kind}; give the path of a regular file", code="not_a_file")


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no such file", code="missing_file") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", code="unreadable") from error
    except ValueError as error:  # the path holds a zero byte
        raise InputError(f"{str(path)!r} cannot be read: {error}", code="unreadable") from error


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading, and refuse everything else without ever waiting for it.

    Raises
    ------
    InputError
        Where there is no file, where it may not be read, or where it is a folder, pipe, device or link loop.
    """
    with _reading(path):
        mode = path.stat().st_mode
    _refuse_irregular(path, mode)  # before opening, since opening a device can have effects
    with _reading(path):
        stream = os.fdopen(os.open(path, os.O_RDONLY | _AS_BYTES), "rb")
    _refuse_irregular(path, os.fstat(stream.fileno()).st_mode)  # the file may have been replaced in between
    return stream


def _flush_to_disk(path: Path, *, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def target_of(path: Path) -> Path:
    """Give what a path stands for once links are followed, and refuse what cannot be replaced by a file.

    Raises
    ------
    InputError
        Where the folder is missing, or where there is a folder, pipe, device or link loop.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise InputError(
            f"{path}: there is no folder {target.parent}; create it first", code="missing_folder"
        )
    with suppress(FileNotFoundError):
        _refuse_irregular(path, target.lstat().st_mode)
    return target


def _drafts_of(target: Path) -> str:
    """How the drafts of one target begin: short, however long its name is."""
    return f".alarmnet-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}-"


def _lock_of(draft: Path) -> Path:
    """The lock file of a draft: a separate file, since Windows neither writes nor renames a locked file."""
    return draft.with_name(f"{draft.name}.lock")


def remove_strays(path: str | os.PathLike[str]) -> None:
    """Remove drafts that killed writers of ``path`` left next to it; a draft in use is locked, and stays."""
    target = target_of(Path(path))
    found = target.parent.glob(f"{_drafts_of(target)}*.tmp*")
    for draft in {file.with_name(file.name.removesuffix(".lock")) for file in found}:
        with suppress(OSError, NotImplementedError):
            with FileLock(_lock_of(draft), blocking=False):
                draft.unlink(missing_ok=True)
            _lock_of(draft).unlink(missing_ok=True)


@contextmanager
def _locked(draft: Path) -> Iterator[None]:
    """Lock a draft that does not exist yet; the lock ends with this process, however the process ends."""
    lock = FileLock(_lock_of(draft), timeout=SECONDS_FOR_LOCK, thread_local=False)
    with suppress(OSError, NotImplementedError):  # if a file system has no locks, no file counts as a stray
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            _lock_of(draft).unlink(missing_ok=True)


@contextmanager
def _new_draft(target: Path) -> Iterator[Path]:
    """Make a new empty file next to ``target``, and remove it at the end unless it was renamed."""
    draft = target.with_name(f"{_drafts_of(target)}{secrets.token_hex(8)}.tmp")
    with _locked(draft):
        draft.touch(exist_ok=False)
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new empty file next to ``path`` to write to, and rename it to ``path`` when the block ends well.

    When the block fails, by whatever error or interruption, the new file is removed and what stood at
    ``path`` stays as it was; where the process is killed, the next one that writes ``path`` removes it. A link
    is followed: what it points to is replaced. Permissions follow the umask.

    Raises
    ------
    InputError
        Where the folder is missing, where ``path`` is a folder, pipe or device, or where writing fails.

    Examples
    --------
    >>> import tempfile
    >>> final = Path(tempfile.mkdtemp()) / "scores.csv"
    >>> with atomic_path(final) as draft:
    ...     _ = draft.write_text("score")
    ...     final.exists()
    False
    >>> final.read_text()
    'score'
    """
    final = Path(path)
    target = target_of(final)
    remove_strays(target)
    try:
        with _new_draft(target) as draft:
            yield draft
            _flush_to_disk(draft, flags=os.O_RDWR)  # Windows flushes only files that are open for writing
            draft.replace(target)
    except OSError as error:
        raise InputError(
            f"{final} could not be written: {error.strerror or error}", code="unwritable"
        ) from error
    with suppress(OSError):  # the file is in place; Windows and some file systems cannot flush a folder
        _flush_to_disk(target.parent, flags=os.O_RDONLY)
