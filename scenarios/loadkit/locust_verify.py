"""One user of each class of a Locust file: before and after a load, never during."""

from __future__ import annotations

from time import monotonic
from typing import Any

import gevent
import locust
from locust import User

from scenarios.loadkit.answer import RIGHT
from scenarios.loadkit.busy import broken_off
from scenarios.loadkit.errors import WrongResponse
from scenarios.loadkit.locust_events import outcome
from scenarios.loadkit.locust_file import shortened
from scenarios.loadkit.locust_users import Crowd
from wire.workloads import LocustWorkload

MAX_PROBLEMS = 5


def verify_users(crowd: Crowd, file: LocustWorkload, *, timeout_s: float) -> int:
    """Until each has had a right answer in its tasks, and to the end of that iteration.

    How many requests were answered as the file wants. These carry no id. Raises WrongResponse quoting
    every request that failed and every task that raised.
    """
    deadline_s = monotonic() + timeout_s
    seen = _Seen(crowd, file)
    locust.events.request.add_listener(seen.on_request)
    locust.events.user_error.add_listener(seen.on_user_error)
    crowd.wait_until_up(timeout_s)
    if crowd.problem is None:
        with broken_off(timeout_s, here=crowd.runs):
            crowd.open(monotonic())
            seen.wait(deadline_s)
            crowd.leave(deadline_s)
    crowd.cut_off()
    seen.check(timeout_s)
    return seen.right


class _Seen:
    """What the users have met so far."""

    def __init__(self, crowd: Crowd, file: LocustWorkload) -> None:
        self._crowd, self._file = crowd, file
        self._waiting = {user.greenlet: type(user).__name__ for user in crowd.users}
        self._problems: dict[str, None] = {}
        self.right = 0

    def on_request(
        self,
        request_type: str = "",
        name: str = "",
        exception: BaseException | None = None,
        response: object = None,
        **_: object,
    ) -> None:
        """A listener of events.request."""
        status = outcome(exception, response)
        if status == RIGHT:
            self.right += 1
            greenlet: Any = gevent.getcurrent()
            if (getattr(greenlet, "args", ()) or (None,))[0] in self._crowd.up:
                self._waiting.pop(greenlet, None)
        else:
            got = getattr(response, "status_code", None) or "no answer"
            self._problems[f"{request_type} {name}: {got}: {str(exception)[:300]}"] = None
        self._crowd.changed.set()

    def on_user_error(self, user_instance: object, exception: BaseException, **_: object) -> None:
        """A listener of events.user_error; of an on_start that raises, the crowd tells."""
        if not isinstance(user_instance, User):
            self._problems[f"a task raised {shortened(exception, self._file)}"] = None
            self._crowd.changed.set()

    def wait(self, deadline_s: float) -> None:
        """Until each has had its answer, or one of them a problem, or the time is over."""
        changed = self._crowd.changed
        while self._waiting and not self._problems and self._crowd.problem is None:
            changed.clear()
            if not changed.wait(max(0.0, deadline_s - monotonic())):
                break

    def check(self, timeout_s: float) -> None:
        """Raises WrongResponse."""
        problems = list(self._problems)[:MAX_PROBLEMS]
        if self._crowd.problem:
            problems.append(self._crowd.problem)
        elif not problems:
            problems = [
                f"{name}: wrong or missing response within {timeout_s:g} s" for name in self._waiting.values()
            ]
        if problems:
            raise WrongResponse(f"{self._file.name}: {'; '.join(problems)}")
