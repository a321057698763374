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
        reason = await why_unreachable(settings.dependency)
    if reason is None:
        return Health(status="ok")
    response.status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    return Health(status="unavailable", reason=reason)


async def why_unreachable(address: str) -> str | None:
    """Dial host:port once. None when it accepts within DIAL_TIMEOUT_S, otherwise the reason."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            _, writer = await asyncio.open_connection(host, int(port))
    except TimeoutError:
        return f"dependency {address} did not answer within {DIAL_TIMEOUT_S:g} s"
    except (OSError, OverflowError) as error:
        return f"dependency {address}: {error}"
    writer.close()
    return None
