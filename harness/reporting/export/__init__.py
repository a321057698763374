"""A measured variant as files that a team reviews and deploys, as texts. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from harness.reporting.export import compose, dockerfile, gunicorn_conf, kubernetes, systemd
from harness.reporting.export.deployable import Deployable, Exported, deployable

FORMATS: Mapping[str, Callable[[Deployable], Exported]] = MappingProxyType(
    {
        "dockerfile": dockerfile.render,
        "compose": compose.render,
        "k8s": kubernetes.render,
        "gunicorn": gunicorn_conf.render,
        "systemd": systemd.render,
    }
)

__all__ = ["FORMATS", "Deployable", "Exported", "deployable"]
