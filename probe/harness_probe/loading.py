"""The app under test, from its import string."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

AsgiApp = Callable[[Any, Any, Any], Awaitable[Any]]


def loaded(import_string: str, directory: Path) -> AsgiApp:
    """The app that "module:attribute" names, or that "module:factory()" makes, sought from `directory` first.

    What its import raises passes through. Raises ValueError for a string of another form, TypeError for
    what is no ASGI 3 app.
    """
    place = str(directory.resolve())
    if sys.path[:1] != [place]:
        sys.path.insert(0, place)
    module, colon, attribute = import_string.partition(":")
    if not module or not colon or not attribute:
        raise ValueError(
            f"HARNESS_APP = {import_string!r} names no app.\n"
            f'Fix: "module:attribute", or "module:factory()" for what makes one.'
        )
    name, makes, _ = attribute.partition("()")
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    app: AsgiApp = found() if makes else found
    if not takes_scope_receive_send(app):
        raise TypeError(
            f"HARNESS_APP = {import_string!r} is no ASGI 3 app: it does not take (scope, receive, send).\n"
            f'Fix: add "()" if it makes an app; an ASGI 2 or WSGI app needs an adapter, such as asgiref\'s.'
        )
    return app


def takes_scope_receive_send(app: object) -> bool:
    """Also true where there is no telling, as for callables of C."""
    if not callable(app):
        return False
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):
        return True
    try:
        signature.bind(None, None, None)
    except TypeError:
        return False
    return True
