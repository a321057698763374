"""What the harness tells the wrapper, from environment variables with the prefix HARNESS_."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Settings(NamedTuple):
    """Empty variables count as missing."""

    app: str
    """Import string of the app, "orders.main:app" or "orders.main:create_app()"."""
    app_dir: Path
    """Where that string starts from."""
    variant_id: str
    runtime_dir: Path
    """Worker counters and the record of lifespans. Deployments that share a file system need one each."""
    access_log: bool
    threads: int | None
    """How many threads anyio may use at once; None leaves it as it is."""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Settings:
        """Raises ValueError that names the variable."""

        def value(name: str, default: str) -> str:
            return environment.get(name) or default

        threads = value("HARNESS_THREADS", "")
        if threads and not (threads.isdecimal() and int(threads) > 0):
            raise ValueError(
                f"HARNESS_THREADS = {threads!r} is no number of threads.\nFix: a number from 1, or none."
            )
        return cls(
            app=value("HARNESS_APP", ""),
            app_dir=Path(value("HARNESS_APP_DIR", ".")),
            variant_id=value("HARNESS_VARIANT_ID", "unnamed"),
            runtime_dir=Path(value("HARNESS_RUNTIME_DIR", "/tmp/harness")),
            access_log=value("HARNESS_ACCESS_LOG", "true") != "false",
            threads=int(threads) if threads else None,
        )
