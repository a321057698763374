"""The four network paths between generator and server, in the engine's terms. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.deployment import NetworkPath
from harness.errors import DeploymentDied
from harness.planning.commands import CONTAINER_PORT

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How a companion reaches a server."""

    path: NetworkPath
    port: int = CONTAINER_PORT
    scheme: str = "http"
    own_network: str | None = None
    """The run's own network, for those paths that need one."""

    def server_options(self) -> dict[str, Any]:
        """Arguments for creating the server's container. Anything published is on 127.0.0.1."""
        match self.path:
            case "shared":
                # Loopback and nothing else: no other container, no host, no way out.
                return {"network_mode": "none"}
            case "host":
                return {"network_mode": "host"}
            case "bridge":
                return {"network": self.own_network}
            case "published":
                return {"network": self.own_network, "ports": {f"{self.port}/tcp": (LOOPBACK, None)}}

    def companion_mode(self, server_id: str) -> str:
        """The network mode of the companion's container."""
        match self.path:
            case "shared":
                return f"container:{server_id}"
            case "bridge":
                return str(self.own_network)
            case "published" | "host":
                return "host"

    def base_url(self, settings: Mapping[str, Any]) -> str:
        """Where the companion finds the server, by the NetworkSettings of the started container.

        Raises DeploymentDied when the container has already left its network.
        """
        match self.path:
            case "shared" | "host":
                return f"{self.scheme}://{LOOPBACK}:{self.port}"
            case "bridge":
                # By address: a look-up of the name would be measured with every new connection.
                if address := settings["Networks"][self.own_network]["IPAddress"]:
                    return f"{self.scheme}://{address}:{self.port}"
            case "published":
                # Read back: the engine chose a free one.
                for binding in settings["Ports"].get(f"{self.port}/tcp") or ():
                    return f"{self.scheme}://{LOOPBACK}:{binding['HostPort']}"
        raise DeploymentDied("the server ended as soon as it had started")


def needs_own_network(path: NetworkPath) -> bool:
    return path in ("bridge", "published")
