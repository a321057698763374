"""Locust itself around the users of a file: its environment, its runner and its events, without its clock."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import locust
from locust import FastHttpUser, User
from locust.argument_parser import get_parser
from locust.env import Environment

from scenarios.loadkit.exchanges import requests_bounded
from scenarios.loadkit.locust_file import said_by
from scenarios.loadkit.locust_users import Crowd, shares
from wire.workloads import LocustWorkload

LISTENERS_S = 5.0
"""For the listeners of a test's start, and for those of its end."""

LOGGED = 20


@contextmanager
def started(
    file: LocustWorkload, users: tuple[type[User], ...], *, base_url: str, timeout_s: float
) -> Iterator[Any]:
    """An environment as Locust's command line makes it, arguments at their defaults; the host is ours.

    A time-out that the file gives stays; where it gives none, `timeout_s` holds for each request, and the
    certificates that are trusted are the lean user's. Raises BadRequest for what the file's listeners do.
    """
    own_timeout_s, FastHttpUser.network_timeout = FastHttpUser.network_timeout, timeout_s
    with said_by(file, within_s=LISTENERS_S):
        environment = _environment(file, users, base_url)
    try:
        with requests_bounded(timeout_s), _few_tracebacks():
            yield environment
    finally:
        FastHttpUser.network_timeout = own_timeout_s
        with said_by(file, within_s=LISTENERS_S):
            environment.runner.quit()
            environment.events.quitting.fire(environment=environment, reverse=True)


@contextmanager
def _few_tracebacks() -> Iterator[None]:
    """Locust logs one for each task and each listener that raises: thousands, of which a few tell."""
    left = count(LOGGED, -1)
    loggers = [logging.getLogger(name) for name in ("locust.user.task", None)]

    def first_ones(_: logging.LogRecord) -> bool:
        return next(left) > 0

    for logger in loggers:
        logger.addFilter(first_ones)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(first_ones)


def _environment(file: LocustWorkload, users: tuple[type[User], ...], base_url: str) -> Any:
    for user in users:
        user.host = base_url
    options = get_parser(default_config_files=[]).parse_args([])
    options.host = base_url
    environment = Environment(
        user_classes=list(users),
        locustfile=file.name,
        events=locust.events,
        host=base_url,
        parsed_options=options,
    )
    runner = environment.create_local_runner()
    environment.events.init.fire(environment=environment, runner=runner, web_ui=None)
    environment.events.test_start.fire(environment=environment)
    return environment


def one_of_each(environment: Any) -> Mapping[str, int]:
    """A user of each class."""
    return {user.__name__: 1 for user in environment.user_classes}


@contextmanager
def crowded(environment: Any, file: LocustWorkload, users: int | Mapping[str, int]) -> Iterator[Crowd]:
    """So many users in all, or of each class; none of them outlives the block."""
    crowd = Crowd(environment, file)
    try:
        with said_by(file):
            crowd.spawn(shares(environment, users) if isinstance(users, int) else users)
        yield crowd
    finally:
        crowd.cut_off()
