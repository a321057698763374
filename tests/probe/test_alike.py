"""An app answers alike, byte for byte, with the wrapper around it and without."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.probe.odd_requests import CLOSE, cases, request, spoken
from tests.probe.test_served import ROOT, WAIT_S, free_port, until

pytestmark = pytest.mark.process

HERE = Path(__file__).parent
WRAPPED = "harness_probe.asgi:app"
PARSERS = {"h11": "asyncio", "httptools": "uvloop"}
"""With the event loop that each is served on."""
NAMES = tuple(cases(numbered=True))


Running = tuple[subprocess.Popen[bytes], Path, int]
"""The process, its log and its port."""


@contextmanager
def server(directory: Path, app: str, *flags: str, wrapped: bool, places: Path) -> Iterator[Running]:
    """A uvicorn of `app`, an import string from `places`; started, not waited for, ended on the way out."""
    directory.mkdir()
    port, log = free_port(), directory / "log"
    named = WRAPPED if wrapped else app.removesuffix("()")
    factory = ("--factory",) if app.endswith("()") and not wrapped else ()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", named, *factory, "--port", str(port), *flags],
            env={
                **os.environ,
                "PYTHONHASHSEED": "0",  # The methods of a 405 stand in the order of a set.
                "HARNESS_APP": app,
                "HARNESS_APP_DIR": str(places),
                "HARNESS_RUNTIME_DIR": str(directory / "run"),
                "PYTHONPATH": os.pathsep.join((str(ROOT / "probe"), str(places))),
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield process, log, port
    finally:
        process.terminate()
        process.wait(WAIT_S)


@contextmanager
def both(directory: Path, app: str, *flags: str, places: Path = HERE) -> Iterator[tuple[int, int]]:
    """The ports of the bare app and of the wrapped one."""
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                server(directory / name, app, *flags, wrapped=name == "wrapped", places=places)
            )
            for name in ("bare", "wrapped")
        ]
        for process, log, _ in started:
            until(lambda log=log: b"running on" in log.read_bytes(), process, log)
        yield started[0][2], started[1][2]


@pytest.fixture(scope="module", params=PARSERS)
def ports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, int]]:
    flags = ("--http", request.param, "--loop", PARSERS[request.param])
    with both(tmp_path_factory.mktemp("alike"), "odd_app:app", *flags) as found:
        yield found


@pytest.mark.parametrize("numbered", [True, False], ids=["numbered", "not numbered"])
@pytest.mark.parametrize("name", NAMES)
def test_an_odd_request_is_answered_alike(ports: tuple[int, int], name: str, numbered: bool) -> None:
    say = cases(numbered=numbered)[name]
    with ThreadPoolExecutor(2) as pool:
        bare, wrapped = pool.map(say, ports)
    assert wrapped == bare
    assert bare  # both saying nothing would be alike too


def test_the_suite_exercises_what_it_names(ports: tuple[int, int]) -> None:
    """Equal failures are equal as well: these answers are known."""
    heard = {name: say(ports[1]) for name, say in cases(numbered=True).items()}
    assert b'"made_at_start": "shared"' in heard["GET /raw/scope_dump/a/b?x=1&x=2&empty= HTTP/1.1"]
    assert heard["HEAD /teapot HTTP/1.1"].startswith(b"HTTP/1.1 418 ")
    assert heard["gone before the answer"].endswith(b'["waiting", "http.disconnect"]')
    assert heard["gone in the middle of its body"].endswith(b'["reading", "client went away"]')
    assert heard["gone from a stream"].endswith(b'"stream left"]')
    assert heard["a task after the answer"].endswith(b'["answering", "task ran"]')
    assert heard["a socket whose client vanishes"].endswith((b'["gone 1005"]', b'["gone 1006"]'))
    assert heard["echo in a socket"].endswith(b'["closed 1000"]')
    assert "GR\xdcSS".encode() in heard["echo in a socket"]
    assert bytes(reversed(range(200))) in heard["echo in a socket"]
    assert heard["pipelined"].count(b"HTTP/1.1 200 OK") == 3
    assert b"500 Internal Server Error" in heard["GET /raw/raises_at_once/ HTTP/1.1"]
    assert heard["GET /raw/raises_late/ HTTP/1.1"].count(b"half") == 1


@pytest.mark.parametrize("app", ["odd_app:create_app()", "odd_app:Holder.inner"])
def test_a_factory_and_a_dotted_name_are_served_alike(tmp_path: Path, app: str) -> None:
    dump = request("GET /raw/scope_dump/ HTTP/1.1", CLOSE, numbered=True)
    with both(tmp_path, app) as ports:
        bare, wrapped = (spoken(port, dump) for port in ports)
    assert wrapped == bare
    assert b'"made_at_start": "shared"' in bare


NO_LIFESPAN = """
async def app(scope, receive, send):
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
"""
BY_CLASS = """
class App:
    async def __call__(self, scope, receive, send):
        raise KeyError(scope["type"])
app = App()
"""
OF_LIFESPAN = """
from contextlib import asynccontextmanager
from starlette.applications import Starlette
@asynccontextmanager
async def lifespan(app):
    {}
app = Starlette(lifespan=lifespan)
"""
START_RAISES = OF_LIFESPAN.format("raise RuntimeError('raised in the lifespan'); yield")
END_RAISES = OF_LIFESPAN.format("yield; raise RuntimeError('raised in the lifespan')")


@pytest.mark.parametrize("text", [NO_LIFESPAN, BY_CLASS], ids=["no lifespan", "raises always"])
def test_an_app_without_a_lifespan_is_served_alike(tmp_path: Path, text: str) -> None:
    (tmp_path / "small.py").write_text(text)
    sent = request("GET / HTTP/1.1", CLOSE, numbered=True)
    with both(tmp_path, "small:app", places=tmp_path) as ports:
        bare, wrapped = (spoken(port, sent) for port in ports)
    assert wrapped == bare != b""


@pytest.mark.parametrize(
    ("text", "starts"), [(START_RAISES, False), (END_RAISES, True)], ids=["start", "end"]
)
def test_a_lifespan_that_raises_ends_the_server_alike(tmp_path: Path, text: str, starts: bool) -> None:
    (tmp_path / "small.py").write_text(text)
    endings = []
    for wrapped in (False, True):
        directory = tmp_path / f"wrapped-{wrapped}"
        with server(directory, "small:app", wrapped=wrapped, places=tmp_path) as (process, log, _):
            if starts:
                until(lambda: b"running on" in log.read_bytes(), process, log)
                process.terminate()
            endings.append((process.wait(WAIT_S), log.read_text().count("raised in the lifespan")))
    assert endings[0] == endings[1]
    assert endings[0][1] > 0
