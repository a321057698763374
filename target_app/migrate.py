"""The previous step, as `python -m target_app.migrate`: what has to happen once before the app serves.

It stands for a migration of a store, and leaves one line in the lifespan record for each time it ran.
"""

from __future__ import annotations

from target_app.lifespan import record
from target_app.settings import settings_or_exit


def main() -> None:
    settings = settings_or_exit()
    settings.runtime_dir.mkdir(parents=True, exist_ok=True)
    record(settings.runtime_dir, "migration")


if __name__ == "__main__":
    main()
