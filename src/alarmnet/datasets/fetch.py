"""Finds a public data file: in the folder ``ALARMNET_DATA``, in the cache, or at its public address.

Wherever the file is found, it is used only if its SHA-256 is the expected one.
"""

import gzip
import hashlib
import http.client
import io
import os
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from alarmnet.errors import InputError

TIMEOUT_SECONDS = 60
_CHUNK_BYTES = 1 << 20
_DOWNLOAD_ERRORS = (OSError, http.client.HTTPException, EOFError, zlib.error, zipfile.BadZipFile, KeyError)


@dataclass(frozen=True)
class DataFile:
    """One form of a public file, fixed by its sha256.

    Attributes
    ----------
    path
        Where it lies under a data folder, with forward slashes.
    sha256, size
        Of the file as it lies there; the size is in bytes.
    url
        The address to download it from, where there is a stable one. A ``.gz`` there is unpacked when `path`
        does not end in ``.gz``.
    member
        Its name inside the zip archive at `url`, where that is one.

    Examples
    --------
    >>> file = DataFile("iris/iris.csv", sha256="6f60...", size=4551)
    >>> file.path, file.url
    ('iris/iris.csv', None)
    """

    path: str
    sha256: str
    size: int
    url: str | None = None
    member: str | None = None


def cache_folder() -> Path:
    """Where downloads are kept: ``ALARMNET_CACHE``, else ``alarmnet`` in the user's cache folder."""
    if chosen := os.environ.get("ALARMNET_CACHE"):
        return Path(chosen)
    if user_cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(user_cache) / "alarmnet"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "alarmnet" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "alarmnet"
    return Path.home() / ".cache" / "alarmnet"


def data_folders() -> list[Path]:
    """Where files are looked for: in ``ALARMNET_DATA`` where that is set, then in the cache."""
    supplied = os.environ.get("ALARMNET_DATA")
    return [*([Path(supplied)] if supplied else []), cache_folder()]


def find(*forms: DataFile, source: str) -> Path:
    """Path of a file that may lie in any of several forms, with its sha256 checked.

    Looks for each form in the folder ``ALARMNET_DATA``, then in the cache, and else downloads the form that
    has an address into the cache.

    Parameters
    ----------
    forms
        The same data in one or more forms, the preferred one first.
    source
        The page a person gets it from, for the errors.

    Raises
    ------
    InputError
        A file is there with another sha256 (code ``"data_file_checksum"``), or no form can be had (code
        ``"data_file_missing"``); the sentence says which file to put where.
    """
    for folder in data_folders():
        for form in forms:
            path = folder / form.path
            if path.is_file():
                _check(path, [other.sha256 for other in forms if other.path == form.path], source)
                return path
    how_to_supply = _how_to_supply(forms, source)
    for form in forms:
        if form.url is not None:
            return _download(form, form.url, how_to_supply)
    raise InputError(
        f"{forms[0].path} is not available and has no stable public address. {how_to_supply}",
        code="data_file_missing",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _check(path: Path, expected: list[str], source: str) -> None:
    found = _sha256(path)
    if found not in expected:
        raise InputError(
            f"{path} is not the published file: its sha256 is {found}, expected {' or '.join(expected)}. "
            f"Remove it, or replace it with the file from {source}.",
            code="data_file_checksum",
        )


def _how_to_supply(forms: tuple[DataFile, ...], source: str) -> str:
    wanted = ", or ".join(f"{form.path} (sha256 {form.sha256})" for form in forms)
    folder = os.environ.get("ALARMNET_DATA") or "not set"
    return (
        f"Get it from {source} and put it into the folder named by the environment variable "
        f"ALARMNET_DATA (now: {folder}) or into {cache_folder()} as {wanted}."
    )


def _download(form: DataFile, url: str, how_to_supply: str) -> Path:
    target = cache_folder() / form.path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            part = Path(folder) / target.name
            with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response, part.open("wb") as file:  # noqa: S310
                _copy(_unpacked(response, form, url), file, limit=form.size)
            size, found = part.stat().st_size, _sha256(part)
            if found == form.sha256:
                return part.replace(target)
    except _DOWNLOAD_ERRORS as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # the error holds the connection
        raise InputError(
            f"{form.path} could not be downloaded from {url} ({error}). {how_to_supply}",
            code="data_file_missing",
        ) from error
    raise InputError(
        f"{url} did not give the published {form.path}: {size:,} bytes with sha256 {found} were read, "
        f"expected {form.size:,} bytes with sha256 {form.sha256}. Nothing was kept. {how_to_supply}",
        code="data_file_checksum",
    )


def _unpacked(response: IO[bytes], form: DataFile, url: str) -> IO[bytes] | gzip.GzipFile:
    if form.member is not None:
        return zipfile.ZipFile(io.BytesIO(response.read())).open(form.member)
    if url.endswith(".gz") and not form.path.endswith(".gz"):
        return gzip.GzipFile(fileobj=response)
    return response


def _copy(source: IO[bytes] | gzip.GzipFile, target: IO[bytes], *, limit: int) -> None:
    while target.tell() <= limit and (chunk := source.read(_CHUNK_BYTES)):
        target.write(chunk)
