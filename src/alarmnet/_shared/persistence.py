"""One file for a model or a checkpoint: a JSON manifest, named arrays, and a digest over every byte.

Layout, integers little-endian::

    8 bytes   magic, b"ALARMNET"
    4 bytes   format version
    8 bytes   length of the manifest
    8 bytes   length of the arrays
    ...       manifest, JSON in UTF-8
    ...       arrays, safetensors
    32 bytes  SHA-256 of every byte before it

The digest finds damage, not malice: anyone can write a file with a valid digest. So nothing in a file is ever
run or imported, and reading a file takes a small multiple of its size. ``FORMAT_VERSION`` goes up with each change
to the layout, or to a detector's manifest or arrays, that an older alarmnet could not read.
"""

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy

from alarmnet._shared.atomic import atomic_path, open_regular
from alarmnet.errors import InputError, ModelFileError

FORMAT_VERSION = 17
"""The format this version writes, and the newest that it reads.

Since format 2, detectors keep quantiles as arrays. Since format 3, the threshold is not stored, but follows from
the calibration scores; since format 4, also from their weights. Since format 5, there may be a forest on rotated
columns, few neighbours, or the oriented gradients of images. Since format 6, there may be alarms on peaks of
activations; since format 7, a joint forest; since format 8, tails of the columns. Since format 9, symmetric trees
are kept level by level; since format 10, tables have one alarm on inputs. Since format 11, two forests may
read categories in order. Since format 12, a column may have the order of its type or times without a day of the
week, and the layers of the user's own target are named. Since format 13, there may be known anomalies to
compare rows with, and a bound of what alarms add; since format 14, a kernel alarm, columns that count on
their own, and odds that depend on the number of stored rows; since format 15, a quadratic alarm. Since format 16,
the default score for tables also reads with known anomalies how much a row surprises the target. Since format 17,
a target may predict masked columns.
"""

_MAGIC = b"ALARMNET"
_HEADER = struct.Struct("<8sIQQ")
_DIGEST_BYTES = hashlib.sha256().digest_size
# Parsed JSON takes many times its size in memory, lists and dicts the most, so it is bounded.
_MOST_MANIFEST_BYTES = 1 << 23
_MOST_CONTAINERS = 1 << 18
_MOST_ARRAY_INDEX_BYTES = 1 << 20


def _is_too_much_to_parse(text: bytes) -> bool:
    return len(text) > _MOST_MANIFEST_BYTES or text.count(b"[") + text.count(b"{") > _MOST_CONTAINERS


def _array_index_bytes(payload: bytes) -> int:
    return int.from_bytes(payload[:8], "little")


def write_file(
    path: str | os.PathLike[str], manifest: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> None:
    """Write a manifest and arrays to one file, all of it or nothing.

    Parameters
    ----------
    path
        An existing file is replaced once the new one is complete; a link's target is replaced, not the link.
    manifest
        JSON-ready values, without NaN or infinity.
    arrays
        Arrays of numbers or booleans, of any shape and memory order.

    Raises
    ------
    InputError
        Where the file cannot be written, or where the manifest or the arrays cannot be stored.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "model.alarmnet"
    >>> write_file(path, {"kind": "A3"}, {"weight": np.eye(2)})
    >>> manifest, arrays = read_file(path)
    >>> manifest, arrays["weight"].shape
    ({'kind': 'A3'}, (2, 2))
    """
    try:
        text = json.dumps(manifest, allow_nan=False).encode()
        # safetensors copies raw memory, so it needs C order; np.ascontiguousarray would turn () into (1,)
        payload = safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in arrays.items()})
    except (ValueError, TypeError, safetensors.SafetensorError) as error:
        raise InputError(f"{path}: this cannot be stored: {error}", code="unstorable") from error
    if _is_too_much_to_parse(text) or _array_index_bytes(payload) > _MOST_ARRAY_INDEX_BYTES:
        raise InputError(
            f"{path}: the manifest or the list of arrays is too long to be stored", code="too_large"
        )
    header = _HEADER.pack(_MAGIC, FORMAT_VERSION, len(text), len(payload))
    digest = hashlib.sha256()
    with atomic_path(path) as draft, draft.open("wb") as stream:
        for part in (header, text, payload):
            digest.update(part)
            stream.write(part)
        stream.write(digest.digest())


def _reject_constant(constant: str) -> None:
    raise ValueError(f"{constant} is not allowed")


def _parse_manifest(text: bytes) -> dict[str, Any]:
    if _is_too_much_to_parse(text):
        raise ModelFileError("its manifest holds too many values")
    try:
        manifest = json.loads(text.decode(), parse_constant=_reject_constant)
    except RecursionError as error:
        raise ModelFileError("its manifest is nested too deeply") from error
    except ValueError as error:
        raise ModelFileError(f"its manifest is not valid JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise ModelFileError(f"its manifest is a JSON {type(manifest).__name__}, not an object")
    return manifest


def _parse_arrays(payload: bytes) -> dict[str, np.ndarray]:
    try:
        arrays = safetensors.numpy.load(payload)
    except KeyError as error:
        raise ModelFileError(f"its arrays have the unknown type {error}") from error
    except (ValueError, TypeError, OverflowError, safetensors.SafetensorError) as error:
        raise ModelFileError(f"its arrays cannot be read: {error}") from error
    return {name: array.copy() for name, array in arrays.items()}  # loaded arrays are read-only


def _split(stream: BinaryIO) -> tuple[bytes, bytes]:
    """Check the sizes first, then the digest, and give the manifest and the arrays."""
    size = os.fstat(stream.fileno()).st_size
    if size == 0:
        raise ModelFileError("it is empty")
    header = stream.read(_HEADER.size)
    if header[: len(_MAGIC)] != _MAGIC[: len(header)]:
        raise ModelFileError("it is not an alarmnet file, since it begins with other bytes")
    if len(header) < _HEADER.size:
        raise ModelFileError(f"it is cut short: it ends after {size} bytes")
    _, version, manifest_bytes, array_bytes = _HEADER.unpack(header)
    if version > FORMAT_VERSION:
        raise ModelFileError(
            f"it was written by a newer alarmnet (format {version}, this one reads up to {FORMAT_VERSION}): "
            "upgrade alarmnet"
        )
    if version < 1:
        raise ModelFileError(f"it says format {version}, which never was")
    expected = _HEADER.size + manifest_bytes + array_bytes + _DIGEST_BYTES
    if size != expected:
        problem = "cut short" if size < expected else "too long"
        raise ModelFileError(f"it is {problem} or damaged: {size} bytes where its header says {expected}")
    if manifest_bytes > _MOST_MANIFEST_BYTES:
        raise ModelFileError("its manifest is too long")
    manifest = stream.read(manifest_bytes)
    if _array_index_bytes(stream.read(min(8, array_bytes))) > _MOST_ARRAY_INDEX_BYTES:
        raise ModelFileError("its list of arrays is too long")
    stream.seek(_HEADER.size + manifest_bytes)
    payload = stream.read(array_bytes)
    digest = hashlib.sha256(header)
    digest.update(manifest)
    digest.update(payload)
    if digest.digest() != stream.read():
        raise ModelFileError("it was changed or damaged after it was written: its digest does not match")
    return manifest, payload


def read_file(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read what `write_file` wrote: the manifest and the arrays, which are new and writable.

    Nothing that the file holds is run or imported. Values are not judged: a caller checks the shapes it needs
    and whether numbers are finite.

    Raises
    ------
    ModelFileError
        Naming the file and the reason: not a readable regular file, another kind of file, cut short, changed,
        of a newer format, or hostile.
    """
    try:
        with open_regular(Path(path)) as stream:
            manifest, payload = _split(stream)
        return _parse_manifest(manifest), _parse_arrays(payload)
    except InputError as error:
        raise ModelFileError(str(error)) from error
    except ModelFileError as error:
        raise ModelFileError(f"{path} cannot be read as a model: {error}") from error
    except (OSError, MemoryError) as error:
        raise ModelFileError(f"{path} cannot be read: {str(error) or 'it does not fit in memory'}") from error
