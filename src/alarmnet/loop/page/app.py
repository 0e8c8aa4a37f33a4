"""The page's addresses: each reads a request, asks the desk and gives HTML or a file."""

import json
import secrets
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from alarmnet.errors import InputError
from alarmnet.loop.answers import LONGEST, is_storable
from alarmnet.loop.page.desk import Desk, Seat
from alarmnet.loop.page.export import Exports
from alarmnet.loop.page.views import Views

SEAT = "alarmnet-triage-seat"
REFUSALS = {"store_busy": 503, "store_unavailable": 503, "unlearned": 503}
"""Statuses of refusals; others are 400."""

Handler = Callable[[Request], Awaitable[Response]]


def _assets() -> dict[str, tuple[str, str]]:
    """Style and script, by name; nothing else is ever served as a file."""
    static = files("alarmnet.loop.page") / "static"
    pieces = (files("alarmnet.report") / "templates" / "pieces.css").read_text()
    return {
        "page.css": (pieces + (static / "page.css").read_text(), "text/css"),
        "page.js": ((static / "page.js").read_text(), "text/javascript"),
    }


async def _body(request: Request) -> dict[str, Any]:
    """A request's JSON object; sending it as JSON is what other sites cannot do unasked."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise HTTPException(415, "A JSON object is expected.")
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError, ClientDisconnect) as error:
        raise HTTPException(400, "The request is not a JSON object.") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "A JSON object is expected.")
    return body


def _text(body: dict[str, Any], name: str, *, longest: int = 2_000) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise HTTPException(400, f"{name} must be a text of at most {longest:,} characters.")
    if not is_storable(value):
        raise HTTPException(400, f"{name} has a NUL character or half of a surrogate pair; remove it.")
    return value


def _request_id(request: Request) -> str:
    given = request.headers.get("idempotency-key", "")
    if not 8 <= len(given) <= 64 or not given.isalnum():
        raise HTTPException(400, "An Idempotency-Key of 8 to 64 letters and digits is expected.")
    return given


async def _refused(request: Request, error: Exception) -> Response:
    status = REFUSALS.get(error.code, 400) if isinstance(error, InputError) else 500
    return PlainTextResponse(f"{error}\n", status_code=status)


class App:
    """The addresses of one desk."""

    def __init__(self, desk: Desk, views: Views, exports: Exports) -> None:
        self._desk, self._views, self._exports, self._static = desk, views, exports, _assets()

    def starlette(self) -> Starlette:
        """Give the application, which `Guard` has to guard."""
        gets: dict[str, Handler] = {
            "/": self.rows,
            "/state": self.state,
            "/history": self.history,
            "/export": self.export,
            "/learned": self.learned,
            "/export/{name}": self.download,
            "/static/{name}": self.static,
        }
        posts: dict[str, Handler] = {
            "/answer": self.answer,
            "/undo": self.undo,
            "/move": self.move,
            "/alike": self.alike,
            "/change": self.change,
            "/refit": self.refit,
            "/reviewer": self.reviewer,
        }
        routes = [Route(path, handler, methods=["GET"]) for path, handler in gets.items()]
        routes += [Route(path, handler, methods=["POST"]) for path, handler in posts.items()]
        return Starlette(routes=routes, exception_handlers={InputError: _refused})

    # Pages

    async def rows(self, request: Request) -> Response:
        """Give the page with the row to look at, or the row that is asked for."""
        seat, key = self._seat(request), request.query_params.get("row")

        def render() -> str:
            with seat.lock:
                if key is not None:
                    self._desk.look(seat, key)
                return self._views.rows(seat)

        return self._with_seat(HTMLResponse(await run_in_threadpool(render)), seat)

    async def history(self, request: Request) -> Response:
        """Give the page of all answers."""
        seat = self._seat(request)
        page = await run_in_threadpool(self._views.history, seat, dict(request.query_params))
        return self._with_seat(HTMLResponse(page), seat)

    async def export(self, request: Request) -> Response:
        """Give the page of what can be taken away."""
        seat = self._seat(request)

        def render() -> str:
            self._desk.worker.learn_all(0)  # so that the model is ready when somebody asks for it
            return self._views.export(seat, self._exports.facts())

        return self._with_seat(HTMLResponse(await run_in_threadpool(render)), seat)

    async def learned(self, request: Request) -> Response:
        """Give how many answers the model has learned."""
        return JSONResponse({"html": await run_in_threadpool(self._views.learned)})

    async def download(self, request: Request) -> Response:
        """Give a file, made for this request."""
        return await run_in_threadpool(self._exports.response, request.path_params["name"])

    async def static(self, request: Request) -> Response:
        """Give style or script."""
        found = self._static.get(request.path_params["name"])
        return Response(found[0], media_type=found[1]) if found else PlainTextResponse("", status_code=404)

    async def state(self, request: Request) -> Response:
        """Give how far the looking has come, and hold on to the row that is shown."""
        seat = self._seat(request)

        def render() -> dict[str, str]:
            with seat.lock:
                self._desk.renew(seat)
                row = {"row": self._views.row(seat)} if request.query_params.get("row") else {}
            return {"side": self._views.side(), **row}

        return JSONResponse(await run_in_threadpool(render))

    # Actions

    async def answer(self, request: Request) -> Response:
        """Store an answer; the reply comes once it is on disk."""
        body = await _body(request)
        verdict, group = _text(body, "verdict"), body.get("group") is True
        words = {"reason": _text(body, "reason", longest=LONGEST), "note": _text(body, "note")}
        key, known = _text(body, "key"), _request_id(request)

        def act(seat: Seat) -> str:
            count = self._desk.answer(seat, key, verdict, group=group, request=known, **words)  # type: ignore[arg-type]
            return f"{count:,} {self._desk.pool.noun}s: {verdict}" if count > 1 else f"Saved: {verdict}"

        return await self._acted(request, act)

    async def undo(self, request: Request) -> Response:
        """Take the last answer back."""

        def act(seat: Seat) -> str:
            count = self._desk.undo(seat)
            return f"Undone: {count:,} answer{'s' if count > 1 else ''}" if count else "Nothing to undo"

        return await self._acted(request, act)

    async def move(self, request: Request) -> Response:
        """Show another row."""
        by: Literal[-1, 1] = -1 if (await _body(request)).get("by") == -1 else 1
        return await self._acted(request, lambda seat: self._desk.move(seat, by))

    async def refit(self, request: Request) -> Response:
        """Learn now."""

        def act(seat: Seat) -> str:
            self._desk.worker.refit()
            return "Learning…"

        return await self._acted(request, act)

    async def alike(self, request: Request) -> Response:
        """Give the rows that are like a row."""
        key = _text(await _body(request), "key")
        seat = self._seat(request)

        def render() -> str:
            with seat.lock:
                return self._views.alike(seat, key)

        return JSONResponse({"html": await run_in_threadpool(render)})

    async def change(self, request: Request) -> Response:
        """Change an answer of the history."""
        body = await _body(request)
        key, verdict, known = _text(body, "key"), _text(body, "verdict"), _request_id(request)
        seat = self._seat(request)

        def act() -> None:
            with self._desk.once(seat, known) as fresh:
                if fresh:
                    self._desk.change(seat, key, verdict, request=known)  # type: ignore[arg-type]

        await run_in_threadpool(act)
        return JSONResponse({"said": "Changed"})

    async def reviewer(self, request: Request) -> Response:
        """Say who answers in this browser."""
        name = " ".join(_text(await _body(request), "reviewer", longest=LONGEST).split())
        seat = self._seat(request)
        seat.reviewer = name or self._desk.reviewer
        return JSONResponse({"said": f"Answering as {seat.reviewer}"})

    # How it is done

    def _seat(self, request: Request) -> Seat:
        name = request.cookies.get(SEAT, "")
        return self._desk.seat(name if len(name) == 32 and name.isalnum() else secrets.token_hex(16))

    def _with_seat(self, response: Response, seat: Seat) -> Response:
        response.set_cookie(SEAT, seat.name, httponly=True, samesite="strict", path="/")
        return response

    async def _acted(self, request: Request, act: Callable[[Seat], str | None]) -> Response:
        """Do something once, however often it is sent, and give the row and the progress after it."""
        known, seat = _request_id(request), self._seat(request)

        def acting() -> dict[str, str]:
            with self._desk.once(seat, known) as fresh:
                said = act(seat) if fresh else "Done"
                row = self._views.row(seat)
            return {"row": row, "side": self._views.side(), "said": said or ""}

        return JSONResponse(await run_in_threadpool(acting))
