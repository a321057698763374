"""Configuration from the environment, prefix TARGET_."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TARGET_"
STARTUP_FAILURE = 3
"""uvicorn and gunicorn both take this exit code of a worker as final: they stop instead of respawning it."""


class Settings(BaseSettings):
    """What the app needs to know. Immutable once the process runs."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True)

    stage: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
    """Where this is deployed, such as "production": in the title of its documentation."""
    runtime_dir: Path = Path("/tmp/target")
    """The record of migrations, and what faults are told by. Deployments that share it are one."""
    mounted: bool = False
    """Serve /v1 and /v2 as mounted sub-applications instead of routes of the one app."""
    dependency: Annotated[str, StringConstraints(pattern=r"^(redis://)?[^\s:/]+:\d{1,5}$")] | None = None
    """host:port that must accept connections for the app to be ready, redis://host:port answer a PING too."""
    migrate_in_lifespan: bool = False
    """Whether every worker runs the migration as it starts, instead of one step before the server."""
    faults: bool = False
    """Serve the endpoints of target_app/faults.py, which do harm on request."""


def settings_or_exit() -> Settings:
    """The settings, or the end of this process with every mistake named on stderr."""
    try:
        return Settings()  # type: ignore[call-arg]  # the environment supplies the fields
    except ValidationError as error:
        problems = (
            f"  {PREFIX}{'_'.join(map(str, detail['loc'])).upper()}: {detail['msg']}"
            for detail in error.errors(include_url=False, include_input=False)
        )
        sys.stderr.write(
            "target_app cannot start. Correct these in its environment:\n" + "\n".join(problems) + "\n"
        )
        raise SystemExit(STARTUP_FAILURE) from None
