"""What one load run shares between its driver and its users."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

from scenarios.loadkit.accepted import Checker
from scenarios.loadkit.recorder import Recorder
from scenarios.loadkit.template import Values
from scenarios.loadkit.user import LeanUser
from scenarios.loadkit.window import Timetable


@dataclass(slots=True)
class Session:
    """Slot i of the recorder carries the request id first_id + i."""

    recorder: Recorder
    timetable: Timetable
    first_id: int
    fault: Exception | None = None
    """A defect of the generator or the scenario (an expectation that raises), never of the server."""

    def attempt(self, user: LeanUser, slot: int) -> None:
        """Send the request of a slot that is marked as sent, and record how it ended."""
        try:
            status = user.attempt(self.first_id + slot)
        except Exception as fault:
            self.failed(fault)
            raise
        self.recorder.finish(slot, monotonic(), status)

    def due(self, user: LeanUser, slot: int) -> tuple[bytes, Values, Checker]:
        """The request of a slot."""
        try:
            return user.due(self.first_id + slot)
        except Exception as fault:
            self.failed(fault)
            raise

    def failed(self, fault: Exception) -> None:
        self.fault = fault
