"""The previous step, as `python -m target_app.migrate`: what has to happen once before the app serves.

It stands for a migration of a store, and leaves one line in migrations.jsonl for each time it ran.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

from target_app.settings import settings_or_exit

RECORD = "migrations.jsonl"


def migrate(directory: Path) -> None:
    """Append one line to the record, whole even when several workers write at once."""
    directory.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"pid": os.getpid(), "time": datetime.now(UTC).isoformat()}) + "\n"
    descriptor = os.open(directory / RECORD, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line.encode())
    finally:
        os.close(descriptor)


if __name__ == "__main__":
    migrate(settings_or_exit().runtime_dir)
