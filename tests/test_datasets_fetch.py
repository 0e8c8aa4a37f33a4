"""The finder of data files, against folders and a server on this machine."""

import gzip
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from alarmnet.datasets import DataFile, find
from alarmnet.datasets.fetch import cache_folder, data_folders
from alarmnet.errors import InputError

CONTENT = b"a,b\n1,2\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = b"something else"


def _zip(member: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__MACOSX/table.csv", OTHER)
        archive.writestr(member, CONTENT)
    return packed.getvalue()


SOURCE = "https://example.org/set"
ANSWERS = {
    "/table.csv": CONTENT,
    "/wrong.csv": CONTENT[:-1] + b"!",
    "/longer.csv": CONTENT * 200,
    "/truncated.csv": CONTENT[:-500],
    "/table.csv.gz": gzip.compress(CONTENT),
    "/broken.csv.gz": gzip.compress(CONTENT)[:-20],
    "/table.zip": _zip("folder/table.csv"),
    "/empty.zip": _zip("folder/other.csv"),
}


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path not in ANSWERS:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header(
            "Content-Length", str(len(CONTENT if "truncated" in self.path else ANSWERS[self.path]))
        )
        self.end_headers()
        self.wfile.write(ANSWERS[self.path])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ALARMNET_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("ALARMNET_CACHE", str(tmp_path / "cache"))
    return tmp_path / "data"


def _form(path: str = "set/table.csv", *, url: str | None = None, member: str | None = None) -> DataFile:
    return DataFile(path, SHA256, len(CONTENT), url=url, member=member)


def _put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_data_folder_comes_before_cache_and_download(data: Path, server: str) -> None:
    supplied = _put(data / "set/table.csv")
    _put(cache_folder() / "set/table.csv")
    assert find(_form(url=f"{server}/table.csv"), source=SOURCE) == supplied


def test_cache_is_used_without_the_network(data: Path) -> None:
    cached = _put(cache_folder() / "set/table.csv")
    assert find(_form(url="http://127.0.0.1:9/unreachable.csv"), source=SOURCE) == cached


def test_any_form_is_accepted_and_the_first_preferred(data: Path) -> None:
    second = _put(data / "set/table.txt")
    forms = (_form(), _form("set/table.txt"))
    assert find(*forms, source=SOURCE) == second
    assert find(*forms[::-1], source=SOURCE) == second
    first = _put(data / "set/table.csv")
    assert find(*forms, source=SOURCE) == first


def test_one_path_may_hold_either_of_two_contents(data: Path) -> None:
    path = _put(data / "set/table.csv", OTHER)
    other = DataFile("set/table.csv", hashlib.sha256(OTHER).hexdigest(), len(OTHER))
    assert find(_form(), other, source=SOURCE) == path


@pytest.mark.parametrize("place", ["data", "cache"])
def test_wrong_content_is_refused_with_both_sums(data: Path, place: str) -> None:
    path = _put(data.parent / place / "set/table.csv", OTHER)
    with pytest.raises(InputError) as caught:
        find(_form(), source=SOURCE)
    assert caught.value.code == "data_file_checksum"
    assert str(caught.value) == (
        f"{path} is not the published file: its sha256 is {hashlib.sha256(OTHER).hexdigest()}, "
        f"expected {SHA256}. Remove it, or replace it with the file from https://example.org/set."
    )


def test_missing_file_without_address_says_what_to_put_where(data: Path) -> None:
    with pytest.raises(InputError) as caught:
        find(_form(), _form("set/table.txt"), source=SOURCE)
    assert caught.value.code == "data_file_missing"
    assert str(caught.value) == (
        "set/table.csv is not available and has no stable public address. Get it from "
        f"https://example.org/set and put it into the folder named by the environment "
        f"variable ALARMNET_DATA (now: {data}) or into {cache_folder()} as "
        f"set/table.csv (sha256 {SHA256}), or set/table.txt (sha256 {SHA256})."
    )


@pytest.mark.parametrize(
    ("name", "member"), [("table.csv", None), ("table.csv.gz", None), ("table.zip", "folder/table.csv")]
)
def test_download_is_unpacked_checked_and_kept(
    data: Path, server: str, name: str, member: str | None
) -> None:
    form = _form(url=f"{server}/{name}", member=member)
    path = find(_form("set/none.csv"), form, source=SOURCE)
    assert path == cache_folder() / "set/table.csv"
    assert path.read_bytes() == CONTENT
    assert [entry.name for entry in path.parent.iterdir()] == ["table.csv"]
    assert find(_form(url="http://127.0.0.1:9/unreachable.csv"), source=SOURCE) == path


@pytest.mark.parametrize("name", ["wrong.csv", "longer.csv", "truncated.csv"])
def test_download_of_other_bytes_is_refused_and_not_kept(data: Path, server: str, name: str) -> None:
    with pytest.raises(InputError, match="did not give the published set") as caught:
        find(_form(url=f"{server}/{name}"), source=SOURCE)
    message = str(caught.value)
    assert f"expected 8,000 bytes with sha256 {SHA256}. Nothing was kept. Get it from" in message
    assert hashlib.sha256(ANSWERS[f"/{name}"]).hexdigest() in message or name == "longer.csv"
    assert caught.value.code == "data_file_checksum"
    assert list((cache_folder() / "set").iterdir()) == []


def test_download_stops_reading_beyond_the_expected_size(data: Path, server: str) -> None:
    with pytest.raises(InputError, match="1,048,576 bytes with sha256"):
        find(_form(url=f"{server}/longer.csv"), source=SOURCE)


@pytest.mark.parametrize(
    ("name", "member", "reason"),
    [
        ("absent.csv", None, "HTTP Error 404"),
        ("broken.csv.gz", None, "end-of-stream"),
        ("table.csv", "folder/table.csv", "not a zip file"),
        ("empty.zip", "folder/table.csv", "no item named"),
    ],
)
def test_failed_download_says_why_and_what_to_put_where(
    data: Path, server: str, name: str, member: str | None, reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        find(_form(url=f"{server}/{name}", member=member), source=SOURCE)
    assert caught.value.code == "data_file_missing"
    assert f"as set/table.csv (sha256 {SHA256})." in str(caught.value)
    assert list((cache_folder() / "set").iterdir()) == []


def test_unreachable_server_is_an_input_error(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALARMNET_DATA")
    with pytest.raises(InputError, match=r"could not be downloaded from http.* \(now: not set\)"):
        find(_form(url="http://127.0.0.1:9/table.csv"), source=SOURCE)


def test_cache_folder_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("ALARMNET_CACHE", "/chosen")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/chosen")
    monkeypatch.delenv("ALARMNET_CACHE")
    assert cache_folder() == Path("/xdg/alarmnet")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "alarmnet"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "alarmnet"


def test_data_folders_are_the_chosen_one_and_the_cache(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert data_folders() == [data, cache_folder()]
    monkeypatch.setenv("ALARMNET_DATA", "")
    assert data_folders() == [cache_folder()]
