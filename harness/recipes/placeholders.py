"""What stands in commands and environments for what only the engine knows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

PORT = "{port}"
"""Where the load goes."""
TLS_DIRECTORY = "{tls}"
"""Holds cert.pem and key.pem."""


def port(number: int) -> str:
    """Stands for the port of the nth process next to the first one."""
    return f"{{port{number}}}" if number else PORT


def filled(text: str, *, ports: Sequence[int | str], tls: str) -> str:
    """An argument or an environment value as the process gets it. `ports[0]` is where the load goes."""
    for number, value in enumerate(ports):
        text = text.replace(port(number), str(value))
    return text.replace(TLS_DIRECTORY, tls)
