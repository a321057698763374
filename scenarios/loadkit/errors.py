"""What the agent can answer instead of a result."""

from __future__ import annotations


class AgentError(Exception):
    """Root of the failures that have a name in the protocol."""

    kind = "Internal"


class BadRequest(AgentError):
    """The message asks for something that cannot be done."""

    kind = "BadRequest"


class TooLate(AgentError):
    """The time at which the load was to begin has passed."""

    kind = "TooLate"


class NotReady(AgentError):
    """The server did not become ready with all its workers in time."""

    kind = "NotReady"


class CannotServe(AgentError):
    """The server answers, and with nothing but an internal error."""

    kind = "CannotServe"


class WrongResponse(AgentError):
    """The server answered, but not what the scenario expects."""

    kind = "WrongResponse"

    def __init__(self, message: str, *, status: int = 0) -> None:
        """`status` is that of the answer, as in `Answer`; 0 where no answer is to blame."""
        super().__init__(message)
        self.status = status


class Untrusted(WrongResponse):
    """The server's certificate is not one of those trusted; waiting does not help."""
