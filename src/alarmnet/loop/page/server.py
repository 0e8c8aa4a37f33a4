"""The page behind a port: a server that slow or silent clients cannot hold up."""

import asyncio
import contextlib
import errno
import socket

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from alarmnet.errors import InputError
from alarmnet.loop.page.security import PATIENCE

MOST_CONNECTIONS = 1_000
"""Connections at once; what comes beyond gets 503."""


class ImpatientProtocol(H11Protocol):
    """HTTP that hangs up on whoever does not finish a request in time."""

    _hang_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._hang_up = self.loop.call_later(PATIENCE, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Wait on while a request is incomplete, and no longer once it is complete."""
        super().data_received(data)
        incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if not incomplete and self._hang_up is not None:
            self._hang_up.cancel()
            self._hang_up = None
        elif incomplete and self._hang_up is None:
            self._hang_up = self.loop.call_later(PATIENCE, self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to wait."""
        if self._hang_up is not None:
            self._hang_up.cancel()
        super().connection_lost(exc)


def listen(host: str, port: int) -> socket.socket:
    """Take a port of this machine; 0 takes a free one.

    Raises
    ------
    InputError
        The address is not this machine's, or the port is in use.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with contextlib.ExitStack() as refusal:
            # the protocol is named, since asyncio sends small replies at once only where it is
            taken = refusal.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            taken.bind((host, port))
            taken.listen(MOST_CONNECTIONS)
            refusal.pop_all()
    except OSError as error:
        refused = f"port {port} of {host} cannot be taken ({error.strerror}); give another --port or --host"
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            refused = (
                f"{host!r} is no address of this machine ({error.strerror}); give --host one that it has, 0.0.0.0 "
                "for all that it has, or leave --host out, so that no other machine reaches the page"
            )
        raise InputError(refused, code="address") from error
    return taken


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Give the server for an application."""
    config = uvicorn.Config(
        app,
        http=ImpatientProtocol,
        ws="none",
        loop="asyncio",
        lifespan="off",
        access_log=False,
        log_level="error",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=2,
    )
    return uvicorn.Server(config)


def serve(app: ASGIApp, taken: socket.socket) -> None:
    """Serve until a signal ends it."""
    with contextlib.suppress(KeyboardInterrupt):
        server_of(app).run(sockets=[taken])
