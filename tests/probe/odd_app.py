"""An app of odd endpoints, to be served with and without the wrapper. Needs Starlette alone; one worker.

What a client cannot see, such as a disconnect or a task after the answer, it keeps under a key that the
client chose, and tells under /seen.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections import defaultdict
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocketDisconnect

SEEN = defaultdict(list)
STARTED = contextvars.ContextVar("STARTED", default="no")
LONG_S = 20.0
"""Longer than any client here stays."""


class Passing:
    """Middleware that sets a context variable, and raises where it is asked to."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        STARTED.set("in the middleware")
        if scope["type"] == "http" and scope["path"] == "/middleware-raises":
            raise RuntimeError("raised in the middleware")
        await self.app(scope, receive, send)


@asynccontextmanager
async def lifespan(_app):
    SEEN["lifespan"].append("startup")
    yield {"made_at_start": "shared"}


def plain(value):
    """As JSON can hold it, without what differs from one server process to the next."""
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(one) for one in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else type(value).__qualname__


async def scope_dump(scope, receive, send):
    """The scope as a raw ASGI app sees it, its keys in their order; ports are not the app's to compare."""
    shown = {**scope, "server": (scope["server"] or ("",))[0], "client": (scope["client"] or ("",))[0]}
    kinds = [type(one).__qualname__ for one in (scope, receive, send)]
    body = json.dumps(
        {"scope": plain(shown), "state": plain(scope.get("state")), "kinds": kinds[:1]}
    ).encode()
    await start(send, [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))])
    await send({"type": "http.response.body", "body": body})


async def start(send, headers=(), status=200, **more):
    await send({"type": "http.response.start", "status": status, "headers": list(headers), **more})


async def odd_chunks(scope, receive, send):
    """Empty, small and large pieces, and headers that occur twice, in mixed case of their values."""
    await start(send, [(b"set-cookie", b"a=1"), (b"x-odd", b"One"), (b"set-cookie", b"b=2")])
    for piece in (b"", b"a", b"b" * 70_000, b"", b"c"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


async def trailing(scope, receive, send):
    """Trailers, where the server says that it takes them."""
    takes = "http.response.trailers" in (scope.get("extensions") or {})
    await start(
        send,
        [(b"content-type", b"text/plain"), (b"trailer", b"x-end")],
        **({"trailers": True} if takes else {}),
    )
    await send({"type": "http.response.body", "body": b"takes trailers" if takes else b"takes none"})
    if takes:
        await send(
            {"type": "http.response.trailers", "headers": [(b"x-end", b"yes")], "more_trailers": False}
        )


async def early_hint(scope, receive, send):
    if "http.response.early_hint" in (scope.get("extensions") or {}):
        await send({"type": "http.response.early_hint", "links": [b"</a.css>; rel=preload"]})
    await start(send, [(b"content-length", b"4")])
    await send({"type": "http.response.body", "body": b"hint"})


async def raises_at_once(scope, receive, send):
    raise RuntimeError("raised before the answer")


async def raises_late(scope, receive, send):
    await start(send)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("raised in the middle of the answer")


async def answers_nothing(scope, receive, send):
    return None


async def too_short(scope, receive, send):
    """Promises more than it sends."""
    await start(send, [(b"content-length", b"10")])
    await send({"type": "http.response.body", "body": b"short"})


async def after_the_end(scope, receive, send):
    """Reads and sends once more after its answer, and keeps what came of it."""
    key = scope["query_string"].decode()
    await start(send, [(b"content-length", b"2")])
    await send({"type": "http.response.body", "body": b"ok"})
    message = await receive()
    SEEN[key].append(f"then received {message['type']}")


async def receives(scope, receive, send):
    """Every message of the body as it comes; pieces depend on the network, the whole does not."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    answer = b"%d bytes, %d" % (len(body), sum(body) % 1000)
    await start(send, [(b"content-length", b"%d" % len(answer))])
    await send({"type": "http.response.body", "body": answer})


async def leaves_body_unread(_request):
    return PlainTextResponse("did not read it")


async def echo(request: Request):
    return Response(
        await request.body(), media_type="application/octet-stream", headers={"x-method": request.method}
    )


async def form(request: Request):
    async with request.form() as fields:
        return JSONResponse(
            {name: plain(getattr(value, "filename", value)) for name, value in fields.multi_items()}
        )


async def seen(request: Request):
    return JSONResponse(SEEN[request.query_params["key"]])


async def stream(_request):
    async def pieces():
        for number in range(5):
            yield f"piece {number}\n"
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


def sync_stream(_request):
    return StreamingResponse((f"{number}," for number in range(5)), media_type="text/plain")


async def events(_request):
    async def told():
        for number in range(3):
            yield f"id: {number}\nevent: tick\ndata: {number}\n\n"

    return StreamingResponse(told(), media_type="text/event-stream", headers={"cache-control": "no-cache"})


async def endless(request: Request):
    """Streams until the client goes, and keeps that it ended.

    Whether the cancellation meets the stream or the server's `send` is a matter of chance.
    """
    key = request.query_params["key"]

    async def pieces():
        try:
            while True:
                yield b"x" * 1000
                await asyncio.sleep(0.005)
        finally:
            SEEN[key].append("stream left")

    return StreamingResponse(pieces(), media_type="text/plain")


async def waits_for_disconnect(scope, receive, send):
    """A raw app that takes messages until there is nobody any more."""
    key = scope["query_string"].decode()
    SEEN[key].append("waiting")
    while (message := await asyncio.wait_for(receive(), LONG_S))["type"] != "http.disconnect":
        pass
    SEEN[key].append(message["type"])


async def upload_cut(request: Request):
    key = request.query_params["key"]
    SEEN[key].append("reading")
    try:
        await request.body()
    except ClientDisconnect:
        SEEN[key].append("client went away")
        raise
    return PlainTextResponse("whole")


async def background(request: Request):
    key = request.query_params["key"]

    async def later():
        await asyncio.sleep(0)
        SEEN[key].append("task ran")

    SEEN[key].append("answering")
    return PlainTextResponse("answered", background=BackgroundTask(later))


async def background_raises(_request):
    def broken():
        raise RuntimeError("raised after the answer")

    return PlainTextResponse("answered", background=BackgroundTask(broken))


async def state(request: Request):
    request.state.once = "of this request"
    return JSONResponse(
        {"shared": request.state.made_at_start, "own": request.state.once, "context": STARTED.get()}
    )


def in_a_thread(_request):
    return JSONResponse(
        {"context": STARTED.get(), "main": threading.current_thread() is threading.main_thread()}
    )


async def app_attributes(request: Request):
    return JSONResponse({"state": request.app.state.made, "routes": len(request.app.router.routes)})


async def teapot(_request):
    raise HTTPException(418, "short and stout", headers={"x-pot": "tea"})


async def handler_raises(_request):
    raise ValueError("raised in a handler")


async def nothing(_request):
    return Response(status_code=204)


async def not_modified(_request):
    return Response(status_code=304, headers={"etag": '"one"'})


async def redirect(_request):
    return RedirectResponse("/elsewhere?a=b c", status_code=307)


async def large(_request):
    return PlainTextResponse("harness " * 4000)


async def socket_echo(websocket):
    await websocket.accept(
        subprotocol=next(iter(websocket.scope["subprotocols"]), None), headers=[(b"x-own", b"1")]
    )
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            SEEN[websocket.query_params["key"]].append(f"closed {message.get('code')}")
            return
        if message.get("text") == "close":
            await websocket.close(4001, "as asked")
        elif message.get("text") == "raise":
            raise RuntimeError("raised in a socket")
        elif message.get("text") is not None:
            await websocket.send_text(message["text"].upper())
        else:
            await websocket.send_bytes(message["bytes"][::-1])


async def socket_refused(websocket):
    await websocket.close(4003)


async def socket_denied(websocket):
    try:
        await websocket.send_denial_response(PlainTextResponse("no sockets today", status_code=402))
    except RuntimeError:  # a server without that extension
        await websocket.close()


async def socket_stream(websocket):
    await websocket.accept()
    try:
        for number in range(3):
            await websocket.send_json({"number": number, "shared": websocket.state.made_at_start})
        await websocket.receive_text()
    except WebSocketDisconnect as gone:
        SEEN[websocket.query_params["key"]].append(f"gone {gone.code}")


METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"]
starlette = Starlette(
    routes=[
        *(
            Mount(f"/raw/{one.__name__}", one)
            for one in (scope_dump, odd_chunks, trailing, early_hint, receives)
        ),
        *(
            Mount(f"/raw/{one.__name__}", one)
            for one in (raises_at_once, raises_late, answers_nothing, too_short)
        ),
        *(Mount(f"/raw/{one.__name__}", one) for one in (after_the_end, waits_for_disconnect)),
        *(
            Route(f"/{one.__name__}", one)
            for one in (stream, sync_stream, events, endless, background, state)
        ),
        *(Route(f"/{one.__name__}", one) for one in (background_raises, in_a_thread, app_attributes, teapot)),
        *(Route(f"/{one.__name__}", one) for one in (handler_raises, nothing, not_modified, redirect, seen)),
        *(Route(f"/{one.__name__}", one, methods=["POST"]) for one in (form, upload_cut, leaves_body_unread)),
        *(
            WebSocketRoute(f"/{s.__name__}", s)
            for s in (socket_echo, socket_refused, socket_denied, socket_stream)
        ),
        Route("/echo", echo, methods=METHODS),
        Route("/folder/", teapot),
        Mount("/path", scope_dump),
        Mount("/zipped", Starlette(routes=[Route("/large", large)], middleware=[Middleware(GZipMiddleware)])),
        Mount("/below", Starlette(routes=[Route("/state", state), Mount("/deeper", scope_dump)])),
    ],
    middleware=[Middleware(Passing)],
    lifespan=lifespan,
)
starlette.state.made = "by hand"
app = starlette


def create_app():
    return starlette


class Holder:
    """For an import string with a dotted name."""

    inner = starlette
