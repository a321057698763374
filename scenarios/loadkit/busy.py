"""Breaking off code that computes on and on, where no other greenlet gets to run."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

RINGS_EVERY_S = 0.1


class TakesTooLong(BaseException):
    """No Exception, so that a file's own `except Exception` does not swallow it."""


@contextmanager
def broken_off(after_s: float, *, here: Callable[[], bool]) -> Iterator[None]:
    """Raises TakesTooLong in what runs after that time, wherever `here()` says that it may.

    A gevent.Timeout reaches only code that waits. A signal reaches the main thread between two bytecodes.
    """

    def ring(*_: object) -> None:
        if here():
            raise TakesTooLong

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, after_s, RINGS_EVERY_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
