"""Who may talk to the triage page."""

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from tests.triage import Client

from alarmnet.errors import InputError
from alarmnet.loop.page import security, server
from alarmnet.loop.page.security import Guard, cookie_name

TOKEN, PORT = "a-token-of-tests", 8123
HOST = f"127.0.0.1:{PORT}"


async def echo(request: Request) -> PlainTextResponse:
    return PlainTextResponse((await request.body()).decode() or "hello")


INNER = Starlette(routes=[Route("/{rest:path}", echo, methods=["GET", "POST"])])


def client(*, token: str | None = TOKEN, **options: Any) -> TestClient:
    guard = Guard(INNER, token=TOKEN, hosts={"127.0.0.1", "localhost"}, port=PORT, **options)
    made = TestClient(guard, base_url=f"http://{HOST}", follow_redirects=False)
    if token is not None:
        made.cookies.set(cookie_name(PORT), token)
    return made


@pytest.mark.parametrize(
    "path", ["/", "/answer", "/static/page.js", "/export/answers.csv", "/nothing", "/?token=x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN.upper(), "\u00e9"])
def test_without_the_token_everything_is_refused(path: str, method: str, token: str | None) -> None:
    reply = client(token=None).request(
        method, path, headers={b"Cookie": f"{cookie_name(PORT)}={token}".encode()}
    )
    assert reply.status_code == 401
    assert "hello" not in reply.text


def test_the_printed_address_becomes_a_cookie_that_scripts_and_other_sites_cannot_use() -> None:
    made = client(token=None)
    reply = made.get(f"/?token={TOKEN}")
    assert (reply.status_code, reply.headers["location"]) == (303, "/")
    cookie = reply.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert made.get("/").text == "hello"


def test_the_token_is_taken_from_the_address_of_the_page_alone() -> None:
    assert client(token=None).get(f"/export/answers.csv?token={TOKEN}").status_code == 401
    assert client(token=None).post(f"/?token={TOKEN}").status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", "127.0.0.1:1", "", "[::", "192.0.2.1"]
)
def test_a_foreign_host_is_refused(host: str) -> None:
    assert client().get("/", headers={"Host": host}).status_code == 403


def test_every_address_but_no_foreign_name_is_a_host_where_all_are_listened_at() -> None:
    assert client(any_address=True).get("/", headers={"Host": f"192.0.2.1:{PORT}"}).status_code == 200
    assert client(any_address=True).get("/", headers={"Host": f"evil.example:{PORT}"}).status_code == 403


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", f"http://localhost:{PORT + 1}", "http://127.0.0.1"]
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert client().post("/answer", headers={"Origin": origin}).status_code == 403
    assert client().get("/", headers={"Origin": origin}).status_code == 403


def test_the_page_itself_may_answer() -> None:
    own = {"Origin": f"http://{HOST}", "Sec-Fetch-Site": "same-origin"}
    assert client().post("/answer", headers=own, content="yes").text == "yes"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_requests_of_other_sites_cannot_answer(site: str) -> None:
    assert client().post("/answer", headers={"Sec-Fetch-Site": site}).status_code == 403


@pytest.mark.parametrize("path", ["/", "/missing"])
def test_replies_keep_browsers_careful(path: str) -> None:
    for made in (client(), client(token=None)):
        headers = made.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


def test_a_body_has_a_limit() -> None:
    from starlette.requests import ClientDisconnect

    with pytest.raises(ClientDisconnect):
        client().post("/answer", content=b"x" * (security.LARGEST_BODY + 1))


def test_an_action_has_to_be_json_with_an_id(app: Any) -> None:
    http = Client(app, "e").http
    known = {"Idempotency-Key": "0123456789"}
    assert http.post("/answer", data={"key": "r-0", "verdict": "normal"}, headers=known).status_code == 415
    plain = {"Content-Type": "text/plain", **known}
    assert http.post("/answer", content='{"key": "r-0"}', headers=plain).status_code == 415
    assert http.post("/answer", json={"key": "r-0", "verdict": "normal"}).status_code == 400
    assert http.post("/answer", json=[], headers=known).status_code == 400
    deep = "[" * 60_000
    assert (
        http.post("/answer", content=deep, headers={"Content-Type": "application/json", **known}).status_code
        == 400
    )


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "/etc/passwd", "page.css/../app.py", "app.py", "%00"],
)
def test_no_path_is_taken_from_a_request(app: Any, name: str) -> None:
    http = Client(app, "p").http
    assert http.get(f"/static/{name}").status_code == 404
    assert http.get(f"/export/{name}").status_code == 404


@pytest.mark.parametrize("key", ["../../etc/passwd", "r-99999", "", "x" * 1_000])
def test_a_row_that_is_not_there_is_refused(app: Any, key: str) -> None:
    made = Client(app, "q")
    assert made.post("/answer", {"key": key, "verdict": "normal"}).status_code == 400
    assert made.post("/alike", {"key": key}).status_code == 400
    assert made.post("/change", {"key": key, "verdict": "normal"}).status_code == 400


@pytest.mark.parametrize("host", ["192.0.2.1", "no such name"])
def test_an_address_of_another_machine_is_refused_as_such(host: str) -> None:
    with pytest.raises(InputError, match=rf"'{host}' is no address of this machine") as caught:
        server.listen(host, 0)
    assert caught.value.code == "address"
    assert "port" not in str(caught.value)


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with little patience, and its port."""
    monkeypatch.setattr(server, "PATIENCE", 1.0)
    taken = server.listen("127.0.0.1", 0)
    port: int = taken.getsockname()[1]
    guard = Guard(INNER, token=TOKEN, hosts={"127.0.0.1"}, port=port)
    made = server.server_of(guard)
    thread = threading.Thread(target=made.run, kwargs={"sockets": [taken]}, daemon=True)
    thread.start()
    yield port
    made.should_exit = True
    thread.join(10)


def talk(port: int) -> tuple[int, float]:
    """The status of a whole request, and how long it took."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port), timeout=5) as caller:
        head = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie_name(port)}={TOKEN}\r\n"
        caller.sendall(f"{head}Connection: close\r\n\r\n".encode())
        reply = caller.makefile("rb").read()
    return int(reply.split()[1]), time.perf_counter() - began


def test_slow_clients_hold_nobody_up_and_are_hung_up_on(running: int) -> None:
    begun = [
        b"",
        b"GET / HTTP/1.1\r\nHost: 127",
        b"POST /answer HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{",
    ]
    slow = []
    for number in range(150):
        caller = socket.create_connection(("127.0.0.1", running), timeout=10)
        caller.sendall(begun[number % 3])
        slow.append(caller)
    replies = [talk(running) for _ in range(20)]
    assert {status for status, _ in replies} == {200}
    assert max(seconds for _, seconds in replies) < 0.5
    for caller in slow:
        try:
            while caller.recv(4096):
                pass
        except ConnectionResetError:
            pass
        caller.close()


def test_a_connection_that_is_kept_open_between_requests_has_time(running: int) -> None:
    with socket.create_connection(("127.0.0.1", running), timeout=5) as caller:
        head = (
            f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{running}\r\nCookie: {cookie_name(running)}={TOKEN}\r\n\r\n"
        )
        for pause in (0.0, 1.5):
            time.sleep(pause)
            caller.sendall(head.encode())
            reply = b""
            while not reply.endswith(b"hello"):
                reply += caller.recv(4096)
            assert reply.startswith(b"HTTP/1.1 200")
