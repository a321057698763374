"""A Locust file that came over the wire: written, imported by Locust's own loader, and left behind clean."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import gevent
import locust
from locust import User
from locust.util.load_locustfile import load_locustfile

from scenarios.loadkit.busy import TakesTooLong, broken_off
from scenarios.loadkit.errors import BadRequest
from wire.workloads import LocustWorkload

IMPORT_S = 20.0
HELP = "the generator has locust, requests, geventhttpclient and numpy; put helpers into the file"
FRAMES = 3


def module_of(file: LocustWorkload) -> str:
    """A name of its own, so that a `json.py` does not take the place of the standard library's."""
    stem = PurePosixPath(file.name).stem
    taken = stem in sys.stdlib_module_names or stem in _MODULES_BEFORE or not stem.isidentifier()
    return "locustfile" if taken else stem


@contextmanager
def imported(file: LocustWorkload) -> Iterator[tuple[type[User], ...]]:
    """Its user classes, as if Locust had just been started: each run imports anew.

    So nothing that one run used up (a list of accounts, a counter) is missing in the next. Raises
    BadRequest where it does not import, has no user class or brings a load shape.
    """
    modules, path, env = set(sys.modules), list(sys.path), dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="locustfile-") as folder, _listeners_put_back():
        os.environ.update(file.env)
        written = Path(folder, f"{module_of(file)}.py")
        written.write_text(file.source, encoding="utf-8")
        try:
            users = _load(file, written)
            if not users:
                raise BadRequest(
                    f"{file.name}: no user class.\n"
                    f"Fix: subclass HttpUser or FastHttpUser, without abstract = True"
                )
            yield users
        finally:
            os.environ.clear()
            os.environ.update(env)
            sys.path[:] = path
            for name in set(sys.modules) - modules:
                if _comes_from(sys.modules[name], folder):
                    del sys.modules[name]


def _load(file: LocustWorkload, written: Path) -> tuple[type[User], ...]:
    with said_by(file):
        users, shapes = load_locustfile(str(written))
    if shapes:
        raise BadRequest(
            f"{file.name}: {type(shapes[0]).__name__} is a LoadTestShape, but the load comes from the "
            f"scenario.\nFix: take the class out, and give clients, warmup_s and measure_s in the scenario"
        )
    return tuple(users.values())


@contextmanager
def said_by(file: LocustWorkload, *, within_s: float = IMPORT_S) -> Iterator[None]:
    """Whatever code of the file raises, or how it never ends, becomes a BadRequest in a sentence."""
    me = gevent.getcurrent()
    try:
        with gevent.Timeout(within_s), broken_off(within_s, here=lambda: gevent.getcurrent() is me):
            yield
    except BadRequest:
        raise
    except ModuleNotFoundError as error:
        raise BadRequest(f"{file.name}: {shortened(error, file)}.\nFix: {HELP}") from error
    except SystemExit as error:
        raise BadRequest(
            f"{file.name}: it ends the process ({shortened(error, file)}).\n"
            f"Fix: take the exit out, or give the variables it asks for in env; arguments have their defaults"
        ) from error
    except (TakesTooLong, gevent.Timeout) as error:
        raise BadRequest(
            f"{file.name}: not done after {within_s:g} s, outside of all users{_where(error, file)}.\n"
            f"Fix: do what takes long in on_start, or not at all"
        ) from error
    except Exception as error:
        raise BadRequest(
            f"{file.name}: {shortened(error, file)}.\nFix: it must run under `locust -f {file.name}`"
        ) from error


def shortened(error: BaseException, file: LocustWorkload) -> str:
    """What was raised, and where in the file; the frames of libraries tell its author nothing."""
    told = f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, SyntaxError):
        return f"{told}: {(error.text or '').strip()}"
    return f"{told}{_where(error, file)}"


def _where(error: BaseException, file: LocustWorkload) -> str:
    ending = f"/{module_of(file)}.py"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(ending)]
    told = "; ".join(f"line {frame.lineno}, in {frame.name}: {frame.line}" for frame in frames[-FRAMES:])
    return f" ({told})" if told else ""


@contextmanager
def _listeners_put_back() -> Iterator[None]:
    """A file adds its listeners to Locust's one and only set of events."""
    hooks = {name: list(hook._handlers) for name, hook in vars(locust.events).items()}
    try:
        yield
    finally:
        for name in list(vars(locust.events)):
            if name in hooks:
                getattr(locust.events, name)._handlers = hooks[name]
            else:
                delattr(locust.events, name)


def _comes_from(module: object, folder: str) -> bool:
    return str(getattr(module, "__file__", None) or "").startswith(folder)


_MODULES_BEFORE = frozenset(name.partition(".")[0] for name in sys.modules)
