"""The endpoints of an ordinary small service."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel

router = APIRouter(tags=["service"])


class Message(BaseModel):
    message: str


class Item(BaseModel):
    item_id: int
    name: str
    price: float
    q: str | None = None


class Caller(BaseModel):
    scheme: str
    client: str | None


@router.get("/")
async def hello() -> Message:
    return Message(message="hello")


@router.get("/items/{item_id}")
async def read_item(item_id: int, q: str | None = None) -> Item:
    return Item(item_id=item_id, name=f"item {item_id}", price=item_id * 1.5, q=q)


@router.get("/whoami")
async def whoami(request: Request) -> Caller:
    """Who calls, and how, as far as the app can tell: behind a proxy, what the server believes of it."""
    return Caller(scheme=request.url.scheme, client=request.client.host if request.client else None)
