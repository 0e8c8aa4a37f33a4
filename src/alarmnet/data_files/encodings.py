"""Text that is not UTF-8: which encoding it is likely to have, and the command that converts it."""

import codecs
import shlex
from pathlib import Path

import numpy as np

from alarmnet.errors import InputError

_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # before UTF-16, since this mark begins with that of UTF-16
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_ZEROS = {
    (False, True, True, True): "UTF-32LE",
    (True, True, True, False): "UTF-32BE",
    (False, True, False, True): "UTF-16LE",
    (True, False, True, False): "UTF-16BE",
}
"""Which of four bytes are mostly zero if the letters are mostly Latin."""
_LOOKED_AT = 4096


def _by_zeros(head: bytes) -> str | None:
    r"""Recognise UTF-16 and UTF-32 without a mark by the places of their zero bytes.

    >>> _by_zeros("a,b\n1,2\n".encode("utf-16-le")), _by_zeros(b"a,b\n1,2\n")
    ('UTF-16LE', None)
    """
    quads = np.frombuffer(head[: min(_LOOKED_AT, len(head) // 4 * 4)], np.uint8).reshape(-1, 4)
    if not len(quads):
        return None
    return _ZEROS.get(tuple(((quads == 0).mean(axis=0) > 0.5).tolist()))


def _command(path: Path, encoding: str) -> str:
    """Write the command, for any shell.

    >>> _command(Path("my flows.csv.gz"), "UTF-16")
    "gzip -dc 'my flows.csv.gz' | iconv -f UTF-16 -t UTF-8 > 'my flows.utf8.csv'"
    """
    unpacked = path.with_suffix("") if path.suffix.lower() == ".gz" else path
    source, output = str(path), str(unpacked.with_name(f"{unpacked.stem}.utf8{unpacked.suffix}"))
    convert = f"iconv -f {encoding} -t UTF-8"
    if path != unpacked:
        return f"gzip -dc {shlex.quote(source)} | {convert} > {shlex.quote(output)}"
    return f"{convert} {shlex.quote(source)} > {shlex.quote(output)}"


def refuse_wide(path: Path, head: bytes) -> None:
    """Refuse a file that begins as UTF-16 or UTF-32 text."""
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if encoding := marked or _by_zeros(head):
        told = "the mark at byte 0" if marked else "its zero bytes"
        raise InputError(
            f"{path} is {encoding} text, by {told}; convert it to UTF-8: {_command(path, encoding)}",
            code="bad_encoding",
        )


def not_utf8(path: Path, data: bytes, start: int, *, first_byte: int, ascii_before: bool) -> InputError:
    """Make the error for `data`, from `first_byte` of the file on, that stops being UTF-8 at `start`."""
    where = f"{path} is not UTF-8 at byte {first_byte + start} (0x{data[start]:02X})"
    if not (ascii_before and data[:start].isascii()):
        return InputError(
            f"{where}, but what comes before is: correct or remove that byte (was the file cut, or joined from "
            "files of two encodings?)",
            code="bad_encoding",
        )
    try:
        data.decode("cp1252")
    except UnicodeDecodeError:
        return InputError(
            f"{where}, nor Windows-1252 or Latin-1 text; find out its encoding and convert it to UTF-8: "
            f"{_command(path, 'ENCODING')}",
            code="bad_encoding",
        )
    which = "Windows-1252" if any(0x80 <= byte < 0xA0 for byte in set(data)) else "Windows-1252 or Latin-1"
    return InputError(
        f"{where}, and may be {which} text; convert it to UTF-8: {_command(path, 'WINDOWS-1252')}",
        code="bad_encoding",
    )
