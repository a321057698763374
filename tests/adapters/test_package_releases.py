"""Releases as pip finds them, in an index of our own."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from harness.adapters.package_releases import releases_between
from harness.errors import ConfigurationError

pytestmark = pytest.mark.process
KNOWN = ("1.0", "1.2", "1.10", "2.0rc1", "2.0")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    page = tmp_path / "orders-lib"
    page.mkdir()
    links = "".join(f'<a href="orders_lib-{one}-py3-none-any.whl">x</a>\n' for one in KNOWN)
    (page / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=tmp_path))
    thread = Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    yield
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.usefixtures("index")
def test_releases_come_in_the_order_of_their_versions_without_candidates() -> None:
    assert releases_between("orders-lib", "1.0", "2.0") == ("1.0", "1.2", "1.10", "2.0")
    assert releases_between("orders-lib", "1.2", "1.10") == ("1.2", "1.10")
    with pytest.raises(ConfigurationError, match=r"no release 1\.3; near it 1\.2 and 1\.10"):
        releases_between("orders-lib", "1.0", "1.3")
    with pytest.raises(ConfigurationError, match=r"pip finds no 'other-lib'.*No matching distribution"):
        releases_between("other-lib", "1.0", "1.3")


@pytest.mark.parametrize(
    ("package", "oldest", "newest", "message"),
    [
        ("orders-lib", "1.3", "1.3", "1.3 is not older than 1.3"),
        ("orders-lib", "new", "1.3", "'new' is no version"),
        ("--index-url=x", "1.0", "1.3", "no name of a package"),
    ],
)
def test_what_is_no_stretch_of_releases_is_refused_before_anything_is_asked(
    package: str, oldest: str, newest: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        releases_between(package, oldest, newest)
