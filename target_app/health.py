"""Liveness says that the process answers; readiness says that it can do its work."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request, Response, status
from pydantic import BaseModel

from target_app.settings import Settings

router = APIRouter(prefix="/health", tags=["health"])

DIAL_TIMEOUT_S = 1.0


class Health(BaseModel):
    status: str
    reason: str | None = None


@router.get("")
@router.get("/live")
async def live() -> Health:
    return Health(status="ok")


@router.get("/ready")
async def ready(request: Request, response: Response) -> Health:
    settings: Settings = request.app.state.settings
    reason = None if request.app.state.started else "the lifespan has not started, or has ended"
    if reason is None and settings.dependency is not None:
        reason = await why_unavailable(settings.dependency)
    if reason is None:
        return Health(status="ok")
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Health(status="unavailable", reason=reason)


async def why_unavailable(address: str) -> str | None:
    """Dial a dependency once. None when it answers within DIAL_TIMEOUT_S, otherwise the reason.

    To accept is enough for host:port. A redis:// one must answer a PING as well: the kernel goes on
    accepting for a process that hangs.
    """
    scheme, _, place = address.rpartition("//")
    host, _, port = place.rpartition(":")
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, int(port))
            try:
                return await why_no_pong(reader, writer) if scheme == "redis:" else None
            finally:
                writer.close()
    except TimeoutError:
        return f"dependency {address} did not answer within {DIAL_TIMEOUT_S:g} s"
    except (OSError, OverflowError, ValueError) as error:
        return f"dependency {address}: {error}"


async def why_no_pong(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str | None:
    """PING as an inline command of Redis' protocol. A server that still loads its data answers an error."""
    writer.write(b"PING\r\n")
    answer = await reader.readline()
    return None if answer == b"+PONG\r\n" else f"the dependency answered {answer!r} to a PING"
