"""What the wrapper adds to a request, in instructions: `python benchmarks/wrapper_instructions.py`.

Valgrind counts what a server executes for 500 and for 1,500 requests to `/items/1`; the difference, divided
by 1,000, is one request without the start. It repeats on a busy machine, where throughput does not. The
wrapper's look at its event loop, 20 times a second, is left out: under valgrind a request takes so long that
it would count many times. About 6 minutes; exits 1 when the wrapper adds more than 2 %.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

ALLOWED = 0.02
FEW, MANY = 500, 1500
READY_S = 120.0
ROOT = Path(__file__).parent.parent
SERVED = "from harness_probe import vitals; vitals.PERIOD_S = 1e6; from uvicorn.main import main; main()"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def instructions(app: str, loop: str, requests: int) -> int:
    """Executed by a server from its start to its end, with so many requests on one connection between."""
    with tempfile.TemporaryDirectory() as directory:
        out, port = Path(directory, "callgrind.out"), free_port()
        server = (sys.executable, "-c", SERVED, app, "--port", str(port), "--loop", loop, "--no-access-log")
        process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *server, "--http", "httptools"],
            env={
                **os.environ,
                "PYTHONHASHSEED": "0",
                "PYTHONPATH": os.pathsep.join((str(ROOT / "probe"), str(ROOT))),
                "TARGET_STAGE": "benchmark",
                "HARNESS_APP": "target_app.main:app",
                "HARNESS_RUNTIME_DIR": directory,
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            ask(port, requests, process)
        finally:
            process.terminate()
            process.wait(READY_S)
        totals = re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)
        assert totals is not None
        return int(totals[1])


def ask(port: int, requests: int, process: subprocess.Popen[bytes]) -> None:
    deadline_s = time.monotonic() + READY_S
    while True:
        connection = HTTPConnection("127.0.0.1", port, timeout=READY_S)
        try:
            connection.connect()
            break
        except ConnectionRefusedError:
            assert process.poll() is None, "the server ended"
            assert time.monotonic() < deadline_s, "the server does not start"
            time.sleep(0.2)
    for number in range(requests):
        connection.request("GET", "/items/1", headers={"X-Harness-Id": str(number + 1)})
        assert connection.getresponse().read().startswith(b'{"item_id":1')
    connection.close()


def per_request(app: str, loop: str) -> float:
    return (instructions(app, loop, MANY) - instructions(app, loop, FEW)) / (MANY - FEW)


def main() -> int:
    if shutil.which("valgrind") is None:
        print("valgrind is not on the PATH; install it (`sudo apt-get install valgrind`)", file=sys.stderr)
        return 2
    worst = 0.0
    for loop in ("asyncio", "uvloop"):
        bare, wrapped = (per_request(app, loop) for app in ("target_app.main:app", "harness_probe.asgi:app"))
        added = wrapped / bare - 1
        worst = max(worst, added)
        print(
            f"{loop}: bare {bare:,.0f}, wrapped {wrapped:,.0f} instructions a request, {added:+.2%}",
            flush=True,
        )
    print(f"Python {sys.version.split()[0]}, httptools, one worker")
    return 1 if worst > ALLOWED else 0


if __name__ == "__main__":
    sys.exit(main())
