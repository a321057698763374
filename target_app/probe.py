"""What a measurement must know of a deployment, told from inside."""

from __future__ import annotations

import asyncio
import os

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.routing import Mount

from target_app.counters import Worker, live_workers
from target_app.cpus import CpuCounts, cpu_counts
from target_app.settings import Settings
from target_app.stack import class_path, serving_stack, versions

router = APIRouter(tags=["probe"])

FRONT_HEADER = "x-fronted-by"
"""Proxies of ours put their name and version here."""


class Caller(BaseModel):
    scheme: str
    client: str | None


class Probe(BaseModel):
    variant_id: str
    pid: int
    uid: int
    workers: list[Worker]
    server: str
    loop: str
    http: str
    access_log: bool
    keep_alive_s: float | None
    features: list[str]
    versions: dict[str, str]
    cpus: CpuCounts
    front: str | None
    scheme: str


@router.get("/probe")
async def probe(request: Request) -> Probe:
    settings: Settings = request.app.state.settings
    stack = serving_stack()
    mounted = ["mounted"] if any(isinstance(route, Mount) for route in request.app.routes) else []
    return Probe(
        variant_id=settings.variant_id,
        pid=os.getpid(),
        uid=os.getuid(),
        workers=live_workers(settings.runtime_dir),
        server=stack.server,
        loop=class_path(asyncio.get_running_loop()),
        http=stack.http,
        access_log=stack.access_log,
        keep_alive_s=stack.keep_alive_s,
        features=[*stack.features, *mounted],
        versions=versions(),
        cpus=cpu_counts(),
        front=request.headers.get(FRONT_HEADER),
        scheme=request.url.scheme,
    )


@router.get("/whoami")
async def whoami(request: Request) -> Caller:
    """Who calls, and how, as far as the app can tell: behind a proxy, what the server believes of it."""
    return Caller(scheme=request.url.scheme, client=request.client.host if request.client else None)
