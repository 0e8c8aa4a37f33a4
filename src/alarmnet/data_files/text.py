"""Text files, gzipped or not, as streams of bytes that are checked to be UTF-8."""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from alarmnet._shared.atomic import open_regular
from alarmnet.data_files.encodings import not_utf8
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
        if not chunk:
            chunk, self._end_row = self._end_row, b""
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
