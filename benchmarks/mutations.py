"""Model files spoiled at random: plainly, or with a digest that is right again, as anyone can make it."""

import copy
import hashlib
import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import safetensors.numpy

from alarmnet._shared.persistence import FORMAT_VERSION

_HEADER = struct.Struct("<8sIQQ")
_DIGEST_BYTES = hashlib.sha256().digest_size


def forged(manifest: bytes, arrays: bytes, *, version: int = FORMAT_VERSION) -> bytes:
    """A file whose sizes and digest are right, whatever it holds."""
    body = _HEADER.pack(b"ALARMNET", version, len(manifest), len(arrays)) + manifest + arrays
    return body + hashlib.sha256(body).digest()


def parts(data: bytes) -> tuple[bytes, bytes]:
    """Manifest and arrays of a file."""
    middle = _HEADER.size + _HEADER.unpack(data[: _HEADER.size])[2]
    return data[_HEADER.size : middle], data[middle:-_DIGEST_BYTES]


# Bytes

Change = Callable[[bytes, int, int, random.Random], bytes]
"""Makes another file from a file, a place in it, a number of bytes and a random generator."""

CHANGES: dict[str, Change] = {
    "flip": lambda data, at, _, chance: (
        data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
    ),
    "truncate": lambda data, at, *_: data[:at],
    "insert": lambda data, at, count, chance: data[:at] + chance.randbytes(count) + data[at:],
    "zero": lambda data, at, count, _: data[:at] + bytes(len(data[at : at + count])) + data[at + count :],
    "delete": lambda data, at, count, _: data[:at] + data[at + count :],
    "overwrite": lambda data, at, count, chance: (
        data[:at] + chance.randbytes(len(data[at : at + count])) + data[at + count :]
    ),
}


def mutated(data: bytes, seed: int) -> bytes:
    """Change a file in one place: in its header, manifest, arrays or digest, each equally often."""
    chance = random.Random(seed)
    change = list(CHANGES.values())[seed % len(CHANGES)]
    manifest, arrays = parts(data)
    ends = np.cumsum([0, _HEADER.size, len(manifest), len(arrays), _DIGEST_BYTES]).tolist()
    spoiled = data
    while spoiled == data:
        part = chance.randrange(4)
        place = chance.randrange(ends[part], ends[part + 1])
        spoiled = change(data, place, chance.choice((1, 2, 8, 64, 512)), chance)
    return spoiled


# Behind the digest


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


ODD_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, -1, 2**31, 10**12, 10**30, 0.0, 0.5, -1.0, 1e-320, 1e300, -1e300),
    *(math.inf, math.nan, "", "x" * 10_000, "\0", "\ud800", "../../x", "os.system", "auto", "meta", "cuda"),
    *([], {}, [[]], [1, 1], [10**9] * 3, [1] * 64, {"given": "x"}, {"recipe": "Schedule"}, _nested(300)),
)


def _slot(manifest: dict[str, Any], chance: random.Random) -> tuple[Any, Any]:
    """A container in the manifest, and the key or index of one of its values: shallow as often as deep."""
    holder: Any = manifest
    while True:
        key = chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if not isinstance(holder[key], dict | list) or not holder[key] or chance.random() < 0.15:
            return holder, key
        holder = holder[key]


def _change_value(manifest: dict[str, Any], chance: random.Random) -> None:
    holder, key = _slot(manifest, chance)
    change = chance.choice(("replace", "replace", "replace", "scale", "drop", "repeat", "copy"))
    number = isinstance(holder[key], int | float)
    if change == "drop":
        del holder[key]
    elif change == "repeat" and isinstance(holder, list):
        holder.insert(key, holder[key])
    elif change == "scale" and number:
        holder[key] *= chance.choice((-1, 2, 1e-30, 1e30, 10**15))
    elif change == "copy":
        source, other = _slot(manifest, chance)
        holder[key] = copy.deepcopy(source[other])
    else:
        holder[key] = copy.deepcopy(chance.choice(ODD_VALUES))


def with_other_values(data: bytes, seed: int) -> bytes:
    """Change one to three values of the manifest; the digest is right."""
    chance = random.Random(seed)
    text, arrays = parts(data)
    manifest = json.loads(text)
    for _ in range(chance.randint(1, 3)):
        if manifest:
            _change_value(manifest, chance)
    return forged(json.dumps(manifest).encode(), arrays)


ARRAY_CHANGES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda array: array * 0,
    lambda array: 0 - array,
    lambda array: array * array.dtype.type(3e4),
    lambda array: np.full_like(array, 1e38 if array.dtype.kind == "f" else 1),
    lambda array: np.full_like(array, np.nan if array.dtype.kind == "f" else 0),
    lambda array: np.full_like(array, 1e-40),
    lambda array: array.astype(np.float64 if array.dtype == np.float32 else np.float32),
    lambda array: array.astype(np.float16),
    lambda array: array.astype(np.int64),
    lambda array: array.astype(np.uint8),
    lambda array: array.astype(bool),
    lambda array: array.astype(np.complex64),
    lambda array: array.ravel(),
    lambda array: array.T,
    lambda array: array[None],
    lambda array: np.repeat(np.atleast_1d(array), 3, axis=-1),
    lambda array: np.atleast_1d(array)[..., :-1],
    lambda array: np.atleast_1d(array)[:-1],
    lambda array: np.atleast_1d(array)[:0],
    lambda array: np.atleast_1d(array)[::-1],
)


def with_other_arrays(data: bytes, seed: int) -> bytes:
    """Change, drop, rename or exchange one to three arrays; the digest is right."""
    chance = random.Random(seed)
    text, payload = parts(data)
    arrays = safetensors.numpy.load(payload)
    for _ in range(chance.randint(1, 3)):
        name, other = chance.choices(sorted(arrays), k=2)
        change = chance.choice(("drop", "rename", "exchange", *["values"] * 7))
        if change == "drop":
            del arrays[name]
        elif change == "rename":
            arrays[chance.choice(("", "../../x", f"{name}.more", "target.extra"))] = arrays.pop(name)
        elif change == "exchange":
            arrays[name], arrays[other] = arrays[other], arrays[name]
        else:
            with np.errstate(all="ignore"):
                arrays[name] = chance.choice(ARRAY_CHANGES)(arrays[name])
    payload = safetensors.numpy.save({name: np.asarray(a, order="C") for name, a in arrays.items()})
    return forged(text, payload)


def with_other_bytes(data: bytes, seed: int) -> bytes:
    """Change the bytes of the manifest or of the arrays in one place; sizes and digest are right."""
    chance = random.Random(seed)
    pieces = list(parts(data))
    piece = chance.randrange(2)
    place = chance.randrange(len(pieces[piece]))
    if piece and chance.random() < 0.5:  # the list of arrays, not their numbers
        place = chance.randrange(8 + int.from_bytes(pieces[1][:8], "little"))
    change = chance.choice(list(CHANGES.values()))
    pieces[piece] = change(pieces[piece], place, chance.choice((1, 2, 4)), chance)
    return forged(*pieces)


WAYS: dict[str, Callable[[bytes, int], bytes]] = {
    "any byte": mutated,
    "values of the manifest": with_other_values,
    "arrays": with_other_arrays,
    "bytes behind the digest": with_other_bytes,
}
"""Makes a different file from a file and a seed; all ways but the first give a right digest."""
