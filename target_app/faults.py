"""Endpoints that do harm on request: only where TARGET_FAULTS is true, in no measured variant."""

from __future__ import annotations

import asyncio
import ctypes
import time
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

router = APIRouter(prefix="/faults", tags=["faults"])

Milliseconds = Annotated[int, Query(alias="ms", ge=0, le=60_000)]


RELEASE_FILE = "release"
"""In the runtime directory: what stands for the code there is to load."""
HANG_FILE = "hang"
"""In the runtime directory: the first worker to find it never finishes its start."""


class Done(BaseModel):
    done: str


class Release(BaseModel):
    release: str


def deployed_release(directory: Path) -> str:
    file = directory / RELEASE_FILE
    return file.read_text() if file.exists() else ""


async def hang_if_told(directory: Path) -> None:
    """As a start does that waits for a store which never answers."""
    try:
        (directory / HANG_FILE).unlink()
    except FileNotFoundError:
        return
    await asyncio.Event().wait()


@router.post("/wait")
async def wait(milliseconds: Milliseconds) -> Done:
    """A request that takes its time, and that no client may send again: it is no GET."""
    await asyncio.sleep(milliseconds / 1000)
    return Done(done="waited")


@router.post("/block-loop")
async def block_loop(milliseconds: Milliseconds) -> Done:
    """A blocking call in a coroutine: the worker serves nobody else, though its other threads run."""
    time.sleep(milliseconds / 1000)
    return Done(done="blocked the event loop")


@router.post("/hold-gil")
async def hold_gil(milliseconds: Milliseconds) -> Done:
    """A C function that keeps the GIL, as a careless extension does: no thread of the worker runs.

    Functions of a PyDLL are called with the GIL held.
    """
    ctypes.PyDLL(None).usleep(milliseconds * 1000)
    return Done(done="held the GIL")


@router.get("/release")
async def release(request: Request) -> Release:
    """The release that was deployed when this worker loaded the app."""
    return Release(release=request.app.state.release)
