"""The users of a Locust file: up all at once, held until the start, asked to leave, then cut off."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

import gevent
from gevent.event import Event
from locust import TaskSet, User
from locust.exception import StopTest, StopUser
from locust.runners import WorkerNode
from locust.user.task import LOCUST_STATE_STOPPING

from scenarios.loadkit.busy import TakesTooLong, broken_off
from scenarios.loadkit.errors import BadRequest, WrongResponse
from scenarios.loadkit.locust_file import shortened
from wire.workloads import LocustWorkload

KILL_S = 1.0
"""For the `on_stop` of users that are cut off."""


def shares(environment: Any, clients: int) -> Mapping[str, int]:
    """How many users of each class, as Locust's own dispatcher shares them out by weight and fixed_count.

    Raises BadRequest where there are fewer than that.
    """
    dispatcher = environment.dispatcher_class(
        worker_nodes=[WorkerNode(id="local")], user_classes=environment.user_classes
    )
    dispatcher.new_dispatch(clients, clients)
    counts: Mapping[str, int] = next(dispatcher)["local"]
    if sum(counts.values()) < clients:
        raise BadRequest(
            f"{environment.locustfile}: fixed_count of all classes comes to {sum(counts.values())} users, "
            f"the scenario has clients = {clients}.\nFix: lower clients, or give a class a weight instead"
        )
    return counts


class Crowd:
    """All users of one run. What goes wrong with them is told in `problem`, the first thing only."""

    def __init__(self, environment: Any, file: LocustWorkload) -> None:
        self._environment, self._file = environment, file
        self._group = environment.runner.user_greenlets
        self._gate, self._leaving, self.changed = Event(), Event(), Event()
        self._start_s = 0.0
        self.users: list[User] = []
        self.up: set[User] = set()
        """Done with their on_start."""
        self.problem: str | None = None

    def spawn(self, counts: Mapping[str, int]) -> None:
        """Each begins its on_start."""
        for name, count in counts.items():
            for _ in range(count):
                user: Any = self._environment.user_classes_by_name[name](self._environment)
                user.harness_leaving = self._leaving
                user.on_start = partial(self._begin, user, user.on_start)
                user.run = partial(self._run, user, user.run)
                user.start(self._group)
                self.users.append(user)

    def wait_until_up(self, bound_s: float) -> None:
        """Or until one has a problem; that not all are in time is one as well."""
        deadline_s = monotonic() + bound_s
        with broken_off(bound_s, here=self.runs):
            while len(self.up) < len(self.users) and self.problem is None:
                self.changed.clear()
                if not self.changed.wait(max(0.0, deadline_s - monotonic())):
                    break
        if self.problem is None and len(self.up) < len(self.users):
            self.problem = (
                f"{len(self.users) - len(self.up)} of {len(self.users)} users were not done with on_start "
                f"after {bound_s:g} s: raise request_timeout_s, of which it may take three, or lower clients"
            )

    def open(self, start_s: float) -> None:
        """Their tasks begin at that time."""
        self._start_s = start_s
        self._gate.set()

    def check(self) -> None:
        """Raises WrongResponse where a user has told of a problem."""
        if self.problem is not None:
            raise WrongResponse(f"{self._file.name}: {self.problem}")

    def check_all_stayed(self) -> None:
        """Raises WrongResponse when users have left by themselves: the load was not the same all along."""
        left = sum(user.greenlet.ready() for user in self.users)
        if left and self.problem is None:
            self.problem = (
                f"{left} of {len(self.users)} users left before the end of the window (StopUser, StopTest, "
                f"runner.quit() or an exit): clients must be the same from start to end"
            )
        self.check()

    def leave(self, deadline_s: float) -> None:
        """Each finishes the iteration of its task, and its on_stop. Returns then, or at the deadline."""
        for user in self.users:
            user._state = LOCUST_STATE_STOPPING
        # Not user.stop(), which kills a user that waits: that user may send its next request by then.
        self._leaving.set()
        self._group.join(timeout=max(0.0, deadline_s - monotonic()))

    def cut_off(self) -> None:
        """Twice, because the first time starts an on_stop that may hang as well."""
        for _ in range(2):
            self._group.kill(block=True, timeout=KILL_S)

    def runs(self) -> bool:
        """Whether this very moment belongs to one of them."""
        return gevent.getcurrent() in self._group

    def _begin(self, user: User, on_start: Callable[[], None]) -> None:
        """In place of its on_start."""
        try:
            on_start()
        except (StopUser, StopTest) as error:
            self._tell(user, "on_start stopped its user", error)
            raise
        except Exception as error:
            self._tell(user, "on_start failed", error)
            raise
        self.up.add(user)
        self.changed.set()
        self._gate.wait()
        gevent.sleep(max(0.0, self._start_s - monotonic()))

    def _run(self, user: User, run: Callable[[], None]) -> None:
        """In place of its run: what would end the whole process ends this user."""
        try:
            run()
        except SystemExit as error:
            self._tell(user, "ended the process", error)
        except TakesTooLong as error:
            self._tell(user, "computes without an end, and lets no other user run", error)

    def _tell(self, user: User, what: str, error: BaseException) -> None:
        told = f"{type(user).__name__}: {what}: {shortened(error, self._file)}"
        self.problem = self.problem or told
        self.changed.set()


def _sleep(self: Any, seconds: float) -> None:
    """A TaskSet's wait, which the end of the load ends."""
    leaving = getattr(self.user, "harness_leaving", None)
    if seconds > 0 and leaving is not None:
        leaving.wait(seconds)
    else:
        gevent.sleep(seconds)


TaskSet._sleep = _sleep  # type: ignore[method-assign]
