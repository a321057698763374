"""Endpoints whose cost is known: waits in milliseconds, CPU work in iterations, payloads in bytes."""

from __future__ import annotations

import asyncio
import functools
import time
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

router = APIRouter(tags=["workloads"])

SEED = b"target_app"
FAN_OUT = 5

Milliseconds = Annotated[int, Query(alias="ms", ge=0, le=60_000)]
Iterations = Annotated[int, Query(ge=1, le=10_000_000)]
Size = Annotated[int, Query(alias="bytes", ge=0, le=64 * 1024 * 1024)]


class Waited(BaseModel):
    waits: int
    waited_ms: int


class Digest(BaseModel):
    digest: str


def sha256_chain(iterations: int) -> str:
    """Hex digest after hashing `iterations` times, each time the digest before (first SEED).

    Counted work, not timed work: it costs the same CPU however busy the machine is. Inputs this
    short keep the GIL, as ordinary Python code does.
    """
    digest = SEED
    for _ in range(iterations):
        digest = sha256(digest).digest()
    return digest.hex()


@router.get("/io/async")
async def io_async(milliseconds: Milliseconds = 20) -> Waited:
    await asyncio.sleep(milliseconds / 1000)
    return Waited(waits=1, waited_ms=milliseconds)


@router.get("/io/sync")
def io_sync(milliseconds: Milliseconds = 20) -> Waited:
    time.sleep(milliseconds / 1000)
    return Waited(waits=1, waited_ms=milliseconds)


@router.get("/io/fanout")
async def io_fanout(milliseconds: Milliseconds = 20) -> Waited:
    await asyncio.gather(*(asyncio.sleep(milliseconds / 1000) for _ in range(FAN_OUT)))
    return Waited(waits=FAN_OUT, waited_ms=milliseconds)


@router.get("/cpu/sync")
def cpu_sync(iterations: Iterations = 1000) -> Digest:
    return Digest(digest=sha256_chain(iterations))


@router.get("/cpu/async")
async def cpu_async(iterations: Iterations = 1000) -> Digest:
    """Blocks the event loop on purpose: the mistake whose price is to be measured."""
    return Digest(digest=sha256_chain(iterations))


@router.get("/cpu/pool")
async def cpu_pool(iterations: Iterations = 1000) -> Digest:
    """The same work in a process of its own: neither the loop nor the interpreter's lock is held."""
    loop = asyncio.get_running_loop()
    return Digest(digest=await loop.run_in_executor(_pool(), sha256_chain, iterations))


@functools.cache
def _pool() -> ProcessPoolExecutor:
    """One process for each worker, started when first needed. Not forked: threads are about already."""
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))


@router.get("/payload")
async def payload(size: Size = 1024) -> Response:
    return Response(b"x" * size, media_type="application/octet-stream")
