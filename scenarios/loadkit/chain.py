"""The result the CPU endpoints must come to."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

SEED = b"target_app"


@cache
def sha256_chain(iterations: int) -> str:
    """Hex digest after hashing `iterations` times, each time the digest before, SEED first."""
    digest = SEED
    for _ in range(iterations):
        digest = sha256(digest).digest()
    return digest.hex()
