"""A client of the triage page, as a browser is one, without a browser."""

import http.client
import json
import re
import uuid
from typing import Any


class Client:
    """Has the token of an address, and keeps a connection and the cookies."""

    def __init__(self, address: str) -> None:
        found = re.search(r"http://([^:]+):(\d+)(/\S+)", address)
        if found is None:
            raise ValueError(f"{address!r} is no address of a triage page")
        self.host, self.port = found[1], int(found[2])
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        self._cookies: dict[str, str] = {}
        try:
            self.get(found[3])
        except BaseException:
            self.close()
            raise

    def get(self, path: str) -> str:
        """Fetch a page."""
        return self._request("GET", path)

    def post(self, path: str, body: Any, key: str | None = None) -> dict[str, str]:
        """Send an action."""
        head = {"Content-Type": "application/json", "Idempotency-Key": key or uuid.uuid4().hex}
        reply: dict[str, str] = json.loads(self._request("POST", path, json.dumps(body), head))
        return reply

    def cookies(self) -> Any:
        """The cookies, as a browser takes them."""
        address = f"http://{self.host}:{self.port}"
        return [{"name": name, "value": value, "url": address} for name, value in self._cookies.items()]

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def _request(self, method: str, path: str, body: str | None = None, head: Any = None) -> str:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in self._cookies.items())}
        self._connection.request(method, path, body, {**cookie, **(head or {})})
        reply = self._connection.getresponse()
        for line in reply.headers.get_all("Set-Cookie") or []:
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        text = reply.read().decode()
        if reply.status >= 400:
            raise ValueError(f"{path}: {reply.status} {text[:200]}")
        return text


def shown(html: str) -> str:
    """The key of the row in a row's HTML."""
    return html.partition('data-key="')[2].partition('"')[0]
