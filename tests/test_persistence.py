"""Model files: what goes in comes out, and nothing damaged or hostile is believed."""

import errno
import os
import random
import resource
import stat
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.hostile_files import tensor, tensors
from benchmarks.mutations import forged

from alarmnet._shared.atomic import atomic_path
from alarmnet._shared.persistence import FORMAT_VERSION, read_file, write_file
from alarmnet.errors import InputError, ModelFileError

HEADER_BYTES = 28
MANIFEST = {"kind": "A3", "categories": ["é", "\n", "<b>"], "rate": 0.01, "nested": {"layers": [1, 2]}}


def model_file(folder: Path) -> Path:
    path = folder / "model.alarmnet"
    write_file(path, MANIFEST, {"weight": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.ones(3)})
    return path


def reason(path: Path) -> str:
    with pytest.raises(ModelFileError) as caught:
        read_file(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_manifest_and_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(10, dtype=np.int64)[::-2],
        "big endian": np.arange(3, dtype=">f4"),
        "scalar": np.array(2.5),
        "empty": np.zeros((0, 4), dtype=np.float16),
        "mask": np.array([True, False]),
        "ünï": np.array([255], dtype=np.uint8),
    }
    path = tmp_path / "model"
    write_file(path, MANIFEST, arrays)
    manifest, read = read_file(str(path))
    assert manifest == MANIFEST
    assert set(read) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
        assert read[name].shape == array.shape
        assert read[name].dtype == array.dtype.newbyteorder("=")
        assert read[name].flags.writeable


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    assert model_file(tmp_path).read_bytes() == model_file(tmp_path).read_bytes()


@pytest.mark.parametrize(
    ("manifest", "arrays"),
    [
        ({"loss": float("nan")}, {}),
        ({"loss": float("inf")}, {}),
        ({"loss": np.float32(1)}, {}),
        ({}, {"names": np.array(["a"])}),
        ({}, {"objects": np.array([{}], dtype=object)}),
    ],
)
def test_what_cannot_be_stored_is_refused_before_anything_is_written(
    tmp_path: Path, manifest: dict[str, Any], arrays: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="cannot be stored"):
        write_file(tmp_path / "model", manifest, arrays)
    assert list(tmp_path.iterdir()) == []


def test_too_long_a_manifest_is_refused_when_writing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="too long to be stored"):
        write_file(tmp_path / "model", {"text": "x" * (1 << 23)}, {})


def mutated(data: bytes, rng: random.Random) -> bytes:
    # the header is hit as often as everything after it
    place = rng.randrange(HEADER_BYTES) if rng.random() < 0.5 else rng.randrange(HEADER_BYTES, len(data))
    length = rng.randint(1, 9)
    before, here, after = data[:place], data[place : place + length], data[place + length :]
    return rng.choice(
        [
            before + bytes([here[0] ^ 1 << rng.randrange(8)]) + here[1:] + after,
            before,
            before + rng.randbytes(length) + here + after,
            before + bytes(len(here)) + after,
            before + after,
            before + rng.randbytes(len(here)) + after,
        ]
    )


def test_300_random_mutations_are_all_found(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    original = path.read_bytes()
    rng = random.Random(20240131)
    tried = 0
    while tried < 300:
        data = mutated(original, rng)
        if data == original:
            continue
        path.write_bytes(data)
        reason(path)
        tried += 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda data: b"", "it is empty"),
        (lambda data: b"PK\x03\x04" + data, "begins with other bytes"),
        (lambda data: data[:20], "it is cut short: it ends after 20 bytes"),
        (lambda data: data[:-1], "it is cut short or damaged"),
        (lambda data: data + b"x", "it is too long or damaged"),
        (lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:], "digest does not match"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "digest does not match"),
        (lambda data: forged(b"{}", tensors({}), version=0), "format 0, which never was"),
        (
            lambda data: forged(b"{}", tensors({}), version=FORMAT_VERSION + 1)[:30],
            f"written by a newer alarmnet (format {FORMAT_VERSION + 1}, this one reads up to "
            f"{FORMAT_VERSION}): upgrade alarmnet",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, change: Callable[[bytes], bytes], expected: str) -> None:
    path = model_file(tmp_path)
    path.write_bytes(change(path.read_bytes()))
    assert expected in reason(path)


HOSTILE: dict[str, tuple[bytes, bytes, str]] = {
    "deep JSON": (b"[" * 100_000, tensors({}), "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000, tensors({}), "nested too deeply"),
    "long JSON": (b'{"a":[' + b"{}," * 3_000_000 + b"1]}", tensors({}), "manifest is too long"),
    "many lists": (b'{"a":[' + b"[]," * 300_000 + b"1]}", tensors({}), "manifest holds too many values"),
    "long integer": (b'{"a":' + b"9" * 100_000 + b"}", tensors({}), "not valid JSON"),
    "NaN": (b'{"a":NaN}', tensors({}), "NaN is not allowed"),
    "no JSON": (b"{]", tensors({}), "not valid JSON"),
    "no UTF-8": (b"\xff", tensors({}), "not valid JSON"),
    "a list": (b"[]", tensors({}), "a JSON list, not an object"),
    "no arrays": (b"{}", b"", "arrays cannot be read"),
    "a million arrays": (
        b"{}",
        tensors({str(i): tensor("U8", [0], 0, 0) for i in range(1_000_000)}),
        "list of arrays is too long",
    ),
    "header beyond the end": (b"{}", struct.pack("<Q", 1 << 19) + b"{}", "arrays cannot be read"),
    "terabytes": (b"{}", tensors({"a": tensor("F32", [1 << 40], 0, 1 << 42)}), "arrays cannot be read"),
    "overflow": (b"{}", tensors({"a": tensor("F32", [1 << 62, 4], 0, 0)}), "arrays cannot be read"),
    "empty but huge": (b"{}", tensors({"a": tensor("F32", [0, 1 << 62], 0, 0)}), "arrays cannot be read"),
    "negative": (b"{}", tensors({"a": tensor("F32", [-1], 0, 0)}), "arrays cannot be read"),
    "too many axes": (b"{}", tensors({"a": tensor("U8", [1] * 100, 0, 1)}, b"x"), "arrays cannot be read"),
    "objects": (b"{}", tensors({"a": tensor("O", [1], 0, 8)}, b"x" * 8), "arrays cannot be read"),
    "type of torch only": (b"{}", tensors({"a": tensor("BF16", [1], 0, 2)}, b"xx"), "unknown type 'BF16'"),
    "overlap": (
        b"{}",
        tensors({"a": tensor("U8", [4], 0, 4), "b": tensor("U8", [4], 0, 4)}, b"xxxx"),
        "arrays cannot be read",
    ),
    "hole": (b"{}", tensors({"a": tensor("U8", [2], 2, 4)}, b"xxxx"), "arrays cannot be read"),
    "bytes left over": (b"{}", tensors({"a": tensor("U8", [2], 0, 2)}, b"xxxx"), "arrays cannot be read"),
    "other size": (b"{}", tensors({"a": tensor("U8", [3], 0, 4)}, b"xxxx"), "arrays cannot be read"),
    "deep header": (b"{}", tensors(b'{"a":' * 100_000), "arrays cannot be read"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_with_a_right_digest_is_refused_at_once(tmp_path: Path, name: str) -> None:
    manifest, arrays, expected = HOSTILE[name]
    path = tmp_path / "model"
    path.write_bytes(forged(manifest, arrays))
    memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    assert expected in reason(path)
    assert time.process_time() - start < 1
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before) * 1024
    assert grown < 4 * path.stat().st_size + (16 << 20)


def test_a_forged_size_of_terabytes_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(struct.pack("<8sIQQ", b"ALARMNET", 1, 1 << 42, 1 << 63) + b"x" * 100)
    assert "cut short or damaged" in reason(path)


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    start = time.monotonic()
    assert "is a folder" in reason(tmp_path)
    assert "is a pipe" in reason(tmp_path / "pipe")
    assert "is a device" in reason(Path("/dev/zero"))
    assert "cannot be read: Too many levels of symbolic links" in reason(tmp_path / "loop")
    assert "there is no such file" in reason(tmp_path / "nothing")
    assert time.monotonic() - start < 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    path.chmod(0)
    assert "cannot be read: Permission denied" in reason(path)


# --- atomic writing ---


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        path = model_file(tmp_path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def fail() -> None:
        with atomic_path(path) as draft:
            draft.write_text("new, unfinished")
            raise error

    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        fail()
    if isinstance(error, OSError):
        assert str(caught.value) == f"{path} could not be written: No space left on device"
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "old"


def test_a_disk_that_is_full_while_writing_a_model(tmp_path: Path) -> None:
    path = model_file(tmp_path)
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(InputError, match="could not be written: File too large"):
            write_file(path, {}, {"weight": np.ones(10_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == old


def test_what_cannot_be_replaced_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, expected in [
        (tmp_path, "is a folder; give the path of a regular file"),
        (tmp_path / "pipe", "is a pipe"),
        (Path("/dev/null"), "is a device"),
        (tmp_path / "missing" / "model", f"there is no folder {tmp_path / 'missing'}; create it first"),
    ]:
        with pytest.raises(InputError) as caught, atomic_path(path):
            pass
        assert expected in str(caught.value)
    assert [file.name for file in tmp_path.iterdir()] == ["pipe"]


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "releases").mkdir()
    target = tmp_path / "releases" / "1"
    target.write_text("old")
    link = tmp_path / "current"
    link.symlink_to(target)
    with atomic_path(link) as draft:
        draft.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
