"""Who may talk to the page: whoever has the token, from the page itself, in time.

Everything without the token is refused with 401, whatever it asks for. With the token, a request needs a Host that
is this server's, and, where the browser says it, an Origin of the same host, so that other sites cannot answer in a
reviewer's name.
"""

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Collection
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATIENCE = 10.0
"""Seconds that a client gets to send a request's body."""
LARGEST_BODY = 1 << 16
"""Bytes of a request's body, at most."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; style-src-attr "
    "'unsafe-inline'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def cookie_name(port: int) -> str:
    """Name the cookie; browsers do not tell the ports of a host apart, so the name does."""
    return f"alarmnet-triage-{port}"


class Guard:
    """Middleware that lets in whoever has the token, and adds the headers that keep browsers careful.

    Parameters
    ----------
    app
        What is guarded.
    token
        The secret of the printed address.
    hosts
        Names that the server may be called by, without port; with `any_address` also every IP address, which
        no foreign site can be named as.
    port
        Of the server.
    """

    def __init__(
        self, app: ASGIApp, *, token: str, hosts: Collection[str], port: int, any_address: bool = False
    ) -> None:
        self._app, self._token = app, token
        self._hosts, self._port, self._any_address = frozenset(hosts), port, any_address
        self._cookie = cookie_name(port)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        by_address = scope["path"] == "/" and scope["method"] == "GET" and self._is_token(given)
        refusal = self._refusal(scope["method"], headers, by_address=by_address)
        if refusal is None and by_address:
            refusal = RedirectResponse("/", status_code=303)
            refusal.set_cookie(self._cookie, self._token, httponly=True, samesite="strict", path="/")
        if refusal is not None:
            await refusal(scope, receive, _careful(send))
        else:
            await self._app(scope, _bounded(receive), _careful(send))

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode())

    def _refusal(self, method: str, headers: Headers, *, by_address: bool) -> Response | None:
        """Why a request is not answered; None where it is."""
        if not by_address and not self._is_token(_cookie(headers, self._cookie)):
            return PlainTextResponse(
                "The address that `alarmnet triage` printed has a token: open that one.\n", status_code=401
            )
        if not self._is_own(headers.get("host", "")):
            return PlainTextResponse("This server is not known by that name.\n", status_code=403)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        foreign = origin is not None and urlsplit(origin).netloc != headers.get("host")
        if foreign or (method not in ("GET", "HEAD") and site not in ("same-origin", "none")):
            return PlainTextResponse("Other sites cannot use this page.\n", status_code=403)
        return None

    def _is_own(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname or "", parts.port or 80
        except ValueError:
            return False
        return port == self._port and (name in self._hosts or (self._any_address and _is_address(name)))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _cookie(headers: Headers, name: str) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


def _careful(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(HEADERS)
        await send(message)

    return sending


def _bounded(receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Receive a body that is small and comes in time, else end as if the client had left."""
    left = LARGEST_BODY

    async def receiving() -> Message:
        nonlocal left
        try:
            async with asyncio.timeout(PATIENCE):
                message = await receive()
        except TimeoutError:
            return {"type": "http.disconnect"}
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return receiving
