"""The small server and companion that the contract is tried with, and how the fake plays the companion."""

from __future__ import annotations

from collections.abc import Iterable

from tests.fakes import EndedError, FakeDeployment

SERVER = r"""
import http.server, os, signal, sys, time

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/die":
            os._exit(3)
        if self.path == "/burn":
            until = time.process_time() + 0.2
            while time.process_time() < until: pass
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["ANSWER"].encode())
    def log_message(self, *arguments): pass

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server = http.server.HTTPServer((os.environ.get("HOST", "127.0.0.1"), int(sys.argv[1])), Handler)
print("listening on", os.environ["LISTEN"], flush=True)
server.serve_forever()
"""

COMPANION = r"""
import http.client, sys, time, urllib.request

def get(url):
    deadline = time.monotonic() + 20
    while True:
        try:
            return urllib.request.urlopen(url, timeout=5).read().decode()
        except http.client.HTTPException as error:
            return "no answer"
        except OSError as error:
            if time.monotonic() > deadline: return repr(error)
            time.sleep(0.02)

print("hello", flush=True)
for line in sys.stdin:
    word, _, rest = line.rstrip("\n").partition(" ")
    if word == "echo": print(rest, flush=True)
    elif word == "large": print("x" * int(rest), flush=True)
    elif word == "get": print(get(rest), flush=True)
    elif word == "end":
        print("I was told to", rest, file=sys.stderr, flush=True)
        sys.exit(7)
"""
"""Lines in: echo TEXT, large LENGTH, get URL, end TEXT. Any other line has no answer."""


def fake_companion(deployment: FakeDeployment, line: str) -> Iterable[str]:
    """COMPANION and SERVER as one function."""
    word, _, rest = line.partition(" ")
    match word:
        case "echo":
            return (rest,)
        case "large":
            return ("x" * int(rest),)
        case "end":
            raise EndedError
        case "get" if rest.endswith("/die"):
            deployment.die(3)
            return ("no answer",)
        case "get":
            deployment._clock.sleep(0.2)
            return (deployment.spec.env["ANSWER"],)
    return ()
