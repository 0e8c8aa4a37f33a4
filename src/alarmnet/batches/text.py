"""Text files, gzipped or not, as streams of bytes that are checked to be UTF-8."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from alarmnet._atomic import open_regular
from alarmnet.errors import InputError


@contextmanager
def decompressing(path: Path) -> Iterator[None]:
    """Refuse a file whose bytes cannot be read or unpacked in the block."""
    try:
        yield
    except EOFError as error:
        raise InputError(
            f"{path} is cut short: its compressed data does not end; copy it again", code="truncated_file"
        ) from error
    except (OSError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}", code="unreadable") from error


@contextmanager
def open_text(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacked if its first bytes are those of gzip."""
    with open_regular(path) as stream:
        with decompressing(path):
            is_gzip = stream.read(2) == b"\x1f\x8b"
            stream.seek(0)
        if not is_gzip:
            yield stream
            return
        with gzip.GzipFile(fileobj=stream) as unpacked:
            yield cast(BinaryIO, unpacked)


class CheckedText:
    """A stream for pyarrow that refuses what is not UTF-8 text and adds ``end_row`` after the last byte."""

    closed = False  # pyarrow asks for it, and for close() and readable()

    def __init__(self, path: Path, stream: BinaryIO, *, end_row: bytes) -> None:
        self._path = path
        self._stream = stream
        self._end_row = end_row
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._bytes = 0
        self.quotes = 0

    def read(self, size: int) -> bytes:
        """Give up to ``size`` bytes, none at the end."""
        with decompressing(self._path):
            chunk = self._stream.read(size)
        self._check(chunk)
        self._bytes += len(chunk)
        self.quotes += chunk.count(b'"')
        if not chunk:
            chunk, self._end_row = self._end_row, b""
        return chunk

    def _check(self, chunk: bytes) -> None:
        nul = chunk.find(b"\0")
        if nul >= 0:
            raise InputError(
                f"{self._path} holds a NUL byte at byte {self._bytes + nul}, so it is not UTF-8 text; "
                "convert it to UTF-8",
                code="nul_byte",
            )
        before = len(self._decoder.getstate()[0])
        try:
            self._decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            raise InputError(
                f"{self._path} is not UTF-8 at byte {self._bytes - before + error.start} "
                f"(0x{error.object[error.start]:02X}); convert it to UTF-8, "
                "for example with: iconv -f LATIN1 -t UTF-8",
                code="bad_encoding",
            ) from error

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def close(self) -> None:
        """Say that nobody reads on."""
        self.closed = True
