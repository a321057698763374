"""The five network paths between generator and server, in the engine's terms."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from harness.deployment import NetworkPath
from harness.errors import DeploymentDied
from harness.planning.commands import CONTAINER_PORT

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkRoute:
    """How a companion reaches a server."""

    path: NetworkPath
    port: int = CONTAINER_PORT
    scheme: str = "http"
    own_network: str | None = None
    """The run's own network, for those paths that need one, and for all while there are services on it."""
    address: str | None = None
    """Of this machine, as other machines reach it."""
    services: Mapping[str, str] = field(default_factory=dict)
    """Addresses of services by name, for who is not on their network."""

    def server_options(self) -> dict[str, Any]:
        """Arguments for creating the server's container. Anything published is on 127.0.0.1."""
        match self.path:
            case "shared":
                # Without services loopback and nothing else: no other container, no host, no way out.
                return {"network": self.own_network} if self.own_network else {"network_mode": "none"}
            case "host":
                return {"network_mode": "host", "extra_hosts": dict(self.services)}
            case "bridge":
                return {"network": self.own_network}
            case "published" | "remote":
                binding = (self.address or LOOPBACK, None)
                return {"network": self.own_network, "ports": {f"{self.port}/tcp": binding}}

    def companion_mode(self, server_id: str) -> str:
        """The network mode of the companion's container."""
        match self.path:
            case "shared":
                return f"container:{server_id}"
            case "bridge":
                return str(self.own_network)
            case "published" | "host" | "remote":
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
            case "published" | "remote":
                # Read back: the engine chose a free one.
                for binding in settings["Ports"].get(f"{self.port}/tcp") or ():
                    return f"{self.scheme}://{self.address or LOOPBACK}:{binding['HostPort']}"
        raise DeploymentDied("the server ended as soon as it had started")


def needs_own_network(path: NetworkPath) -> bool:
    return path in ("bridge", "published", "remote")


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; a clash shows as a server that does not get ready."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [int(probe.getsockname()[1]) for probe in probes]
