"""Files that an attacker would hand in as a model: most are well-formed, with sizes and digest right."""

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from alarmnet._shared.persistence import read_file, write_file
from benchmarks.golden_files import golden
from benchmarks.mutations import forged, parts

MARKER = "code-ran"
"""A file of this name appears next to a hostile file whose code was run."""

MANY = 10**12


class _Payload:
    """Makes the marker when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.marker = folder / MARKER

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch '{self.marker}'",)


def pickled(folder: Path) -> bytes:
    """A pickle that runs a command."""
    return pickle.dumps(_Payload(folder))


def tensors(header: Any, data: bytes = b"") -> bytes:
    """Arrays in the safetensors format with any header, given as JSON-ready values or as bytes."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def tensor(dtype: str, shape: list[int], start: int, end: int) -> dict[str, Any]:
    """What a safetensors header says of one array."""
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


def _zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def _object_array(folder: Path) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.array([_Payload(folder)], dtype=object), allow_pickle=True)
    return stream.getvalue()


def _sparse(path: Path) -> None:
    """A file of a terabyte that takes no room on the disk; its header gives its true sizes."""
    arrays = tensors({"a": tensor("U8", [MANY], 0, MANY)})
    with path.open("wb") as stream:
        stream.write(struct.pack("<8sIQQ", b"ALARMNET", 1, 2, len(arrays) + MANY) + b"{}" + arrays)
        stream.truncate(stream.tell() + MANY + 32)


def _encoder(path: Path, **state: Any) -> None:
    """A good file except for its encoder."""
    text, arrays = parts(golden("a3-format-1").path.read_bytes())
    manifest = json.loads(text)
    manifest["encoder"].update(state)
    path.write_bytes(forged(json.dumps(manifest).encode(), arrays))


def _recipe(path: Path, parameter: str, value: Any) -> None:
    """A good file except for one parameter, given as JSON-ready values."""
    manifest, arrays = read_file(golden("a3-format-1").path)
    manifest["parameters"][parameter] = value
    write_file(path, manifest, arrays)


def _huge_images(path: Path) -> None:
    manifest, arrays = read_file(golden("a3-images-format-1").path)
    manifest["encoder"]["shape"] = [3, 2**19, 2**19]
    write_file(path, manifest, arrays)


def _empty_rows(path: Path) -> None:
    """Terabytes of calibration rows that take no byte, since one of their sides is 0."""
    manifest, arrays = read_file(golden("a3-images-format-1").path)
    arrays["calibration.rows"] = np.zeros((0, 1, 2**20, 2**20), np.float32)
    arrays["calibration.scores"] = np.zeros(0)
    write_file(path, manifest, arrays)


def _paths_for_names(path: Path) -> None:
    manifest, arrays = read_file(golden("a3-format-1").path)
    manifest["method"] = f"../../{path.parent}/{MARKER}"
    write_file(path, manifest, {f"../../{name}": array for name, array in arrays.items()})


def _overflowing(path: Path) -> None:
    manifest, arrays = read_file(golden("a3-format-1").path)
    huge = {name: np.full_like(array, 3e38) for name, array in arrays.items() if name.endswith("weight")}
    write_file(path, manifest, arrays | huge)


def _another_kind(path: Path) -> None:
    write_file(path, {"kind": "checkpoint"}, {"weight": np.ones(3)})


def _million_tensors() -> bytes:
    each = b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
    return tensors(b"{" + b",".join(each % number for number in range(10**6)) + b"}")


NO_ARRAYS = tensors({})
DATE = {"kind": "datetime", "missing": False}
TEXTS = {"kind": "category", "missing": False, "rare": []}

BYTES: dict[str, Callable[[Path], bytes]] = {
    "a pickle": pickled,
    "a pickle in a zip, as PyTorch writes": lambda folder: _zipped("model/data.pkl", pickled(folder)),
    "a pickle for a manifest": lambda folder: forged(pickled(folder), NO_ARRAYS),
    "a pickle for arrays": lambda folder: forged(b"{}", pickled(folder)),
    "an npy array of pickled objects": _object_array,
    "an array of objects": lambda folder: forged(b"{}", tensors({"a": tensor("O", [1], 0, 8)}, b"x" * 8)),
    "a zip bomb": lambda _: _zipped("model", bytes(10**7)),
    "a gzip bomb": lambda _: gzip.compress(bytes(10**7)),
    "safetensors renamed": lambda _: safetensors.numpy.save({"a": np.ones(3)}),
    "a header that says terabytes": lambda _: struct.pack("<8sIQQ", b"ALARMNET", 1, MANY, MANY) + b"{}",
    "an array that says terabytes": lambda _: forged(
        b"{}", tensors({"a": tensor("F32", [MANY], 0, 4 * MANY)})
    ),
    "deep JSON": lambda _: forged(b"[" * 10**5, NO_ARRAYS),
    "millions of JSON lists": lambda _: forged(b"[" * 10**6, NO_ARRAYS),
    "deep JSON of another kind": lambda _: forged(b'{"kind":' + b"[" * 900 + b"]" * 900 + b"}", NO_ARRAYS),
    "deep JSON in the list of arrays": lambda _: forged(b"{}", tensors(b'{"a":' * 10**5)),
    "a million tensors": lambda _: forged(b"{}", _million_tensors()),
    "millions of JSON values": lambda _: forged(b'{"kind":[' + b"{}," * (2_700_000) + b"1]}", NO_ARRAYS),
    "millions of JSON texts": lambda _: forged(
        b'{"kind":[' + b",".join(b'"%x"' % i for i in range(900_000)) + b"]}", NO_ARRAYS
    ),
    "a newer format": lambda _: forged(b"{}", NO_ARRAYS, version=2**32 - 1),
}

WRITTEN: dict[str, Callable[[Path], Any]] = {
    "another kind of alarmnet file": _another_kind,
    "a sparse file of a terabyte": _sparse,
    "layers of terabytes": lambda path: _recipe(
        path, "alarm", {"recipe": "DenseAlarm", "hidden": [MANY, MANY], "dropout": 0.1}
    ),
    "images of terabytes": _huge_images,
    "calibration rows of terabytes": _empty_rows,
    "millions of columns": lambda path: _encoder(path, names=None, columns=[None] * 1_300_000 + [DATE]),
    "as many columns as may be": lambda path: _encoder(path, names=None, columns=[DATE] * 50_000),
    "as many categories as fit": lambda path: _encoder(
        path, names=["a"], columns=[TEXTS | {"kept": ["a"], "rare": [f"{i:06x}" for i in range(800_000)]}]
    ),
    "a long name times many categories": lambda path: _encoder(
        path, names=["n" * 10**6], columns=[TEXTS | {"kept": [f"{i:x}" for i in range(60_000)]}]
    ),
    "a recipe that is a command": lambda path: _recipe(
        path, "target", {"recipe": "os.system", "command": f"touch {path.parent / MARKER}"}
    ),
    "paths for names": _paths_for_names,
    "weights that overflow": _overflowing,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to a device without end": lambda path: path.symlink_to("/dev/zero"),
    "a pipe that nobody writes to": os.mkfifo,
    "a folder": Path.mkdir,
}

HOSTILE = (*BYTES, *WRITTEN)


def write_hostile(name: str, path: Path) -> None:
    """Make one of the files named in `HOSTILE`."""
    if name in BYTES:
        path.write_bytes(BYTES[name](path.parent))
    else:
        WRITTEN[name](path)
