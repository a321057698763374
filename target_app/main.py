"""The application factory, and the `app` that servers import."""

from __future__ import annotations

from fastapi import FastAPI

from target_app import faults, health, routes, workloads
from target_app.lifespan import lifespan_of
from target_app.settings import Settings, settings_or_exit

VERSIONS = ("/v1", "/v2")


def create_app(settings: Settings) -> FastAPI:
    """An app on these settings. Nothing is opened or written before its lifespan starts."""
    app = FastAPI(title=f"target_app ({settings.stage})", lifespan=lifespan_of(settings))
    app.state.settings = settings
    app.state.started = False
    for module in (routes, workloads, health):
        app.include_router(module.router)
    serve_versions(app, mounted=settings.mounted)
    if settings.faults:
        app.state.release = faults.deployed_release(settings.runtime_dir)
        app.include_router(faults.router)
    return app


def serve_versions(app: FastAPI, *, mounted: bool) -> None:
    """The service routes once more under each version, last, so that no other route is slowed down."""
    for prefix in VERSIONS:
        if mounted:
            version = FastAPI(title=f"target_app{prefix}")
            version.include_router(routes.router)
            app.mount(prefix, version)
        else:
            app.include_router(routes.router, prefix=prefix)


app = create_app(settings_or_exit())
