"""Text files, gzipped, zipped or not, as streams of bytes that are checked to be UTF-8."""

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from alarmnet._shared.atomic import open_regular
from alarmnet.data_files.encodings import not_utf8
from alarmnet.errors import InputError

LONGEST_LINE = 8 << 20
_GZIP, ZIP = b"\x1f\x8b", b"PK\x03\x04"
_ASIDE = ("__MACOSX/", ".")


@contextmanager
def decompressing(path: Path) -> Iterator[None]:
    """Refuse a file whose bytes cannot be read or unpacked in the block."""
    try:
        yield
    except EOFError as error:
        raise InputError(
            f"{path} is cut short: its compressed data does not end; copy it again", code="truncated_file"
        ) from error
    except zipfile.BadZipFile as error:
        raise InputError(
            f"{path} is not a complete zip archive ({error}); copy it again", code="truncated_file"
        ) from error
    except (
        OSError,
        zlib.error,
        RuntimeError,
        NotImplementedError,
    ) as error:  # encrypted archives raise the last two
        raise InputError(f"{path} cannot be read: {error}", code="unreadable") from error


def _only_member(path: Path, archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """Give the only file in a zip archive, apart from folders and files that systems add."""
    members = [
        item
        for item in archive.infolist()
        if not (item.is_dir() or item.filename.startswith(_ASIDE) or "/." in item.filename)
    ]
    names = [item.filename for item in members]
    if "[Content_Types].xml" in names:
        raise InputError(
            f"{path} is an Excel workbook or another office document; save it as CSV", code="unknown_format"
        )
    if len(members) != 1:
        found = f"{len(members)} files ({', '.join(names[:5])})" if members else "no file"
        raise InputError(
            f"{path} holds {found}; a zip archive is read where it holds one table: unpack it, and give the files",
            code="archive",
        )
    return members[0]


@contextmanager
def open_text(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if its first bytes are those of gzip or of a zip archive with one file in it."""
    with open_regular(path) as stream:
        with decompressing(path):
            start = stream.read(4)
            stream.seek(0)
        if start.startswith(_GZIP):
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield cast(BinaryIO, unpacked)
        elif start == ZIP:
            with decompressing(path):
                archive = zipfile.ZipFile(stream)
                member = archive.open(_only_member(path, archive))
            with member:
                yield cast(BinaryIO, member)
        else:
            yield stream


class CheckedText:
    """A stream that refuses what is not UTF-8 text and adds ``end_row`` after the last byte."""

    def __init__(self, path: Path, stream: BinaryIO, *, end_row: bytes) -> None:
        self._path = path
        self._stream = stream
        self._end_row = end_row
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self._is_ascii = True
        self.quotes = 0

    def read(self, size: int) -> bytes:
        """Give up to ``size`` bytes, none at the end."""
        with decompressing(self._path):
            chunk = self._stream.read(size)
        self._check(chunk)
        self._bytes += len(chunk)
        self.quotes += chunk.count(b'"')
        if not chunk or (len(chunk) < size and b"\n" not in chunk):  # one line that nothing ends
            chunk, self._end_row = chunk + self._end_row, b""
        return chunk

    def _check(self, chunk: bytes) -> None:
        nul = chunk.find(b"\0")
        if nul >= 0:
            raise InputError(
                f"{self._path} holds a NUL byte at byte {self._bytes + nul}, so it is not UTF-8 text; "
                "convert it to UTF-8, or remove the NUL bytes",
                code="nul_byte",
            )
        before = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise not_utf8(
                self._path,
                error.object,
                error.start,
                first_byte=self._bytes - before,
                ascii_before=self._is_ascii,
            ) from error
        self._is_ascii &= chunk.isascii()


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Give the lines of a file that are not blank, without their ends, and their numbers, counted from 1."""
    number, rest = 0, b""
    with open_text(path) as stream:
        text = CheckedText(path, stream, end_row=b"\n")
        while chunk := text.read(1 << 20):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > LONGEST_LINE:
                raise InputError(
                    f"{path}: line {number + len(lines) + 1} is longer than 8 MiB; correct the file",
                    code="long_line",
                )
            for line in lines:
                number += 1
                if decoded := line.decode("utf-8-sig" if number == 1 else "utf-8").strip("\r"):
                    yield number, decoded
