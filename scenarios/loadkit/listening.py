"""Where something listens, as this network namespace's own tables say."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

TABLES = tuple(Path(f"/proc/net/{name}") for name in ("tcp", "tcp6"))
LISTEN = "0A"
ENGINE_DNS = IPv4Address("127.0.0.11")
"""Container engines answer names here, inside the container's own network."""
SHOWN = 5

Address = tuple[IPv4Address | IPv6Address, int]


def refused_hint(base_url: str, tables: Iterable[Path] = TABLES) -> str:
    """Why nothing answers at an address, as far as the sockets that listen here tell; or empty."""
    url = urlsplit(base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    if not _loopback(url.hostname or ""):
        return f"have the server listen on 0.0.0.0:{port}, not on 127.0.0.1, which other hosts do not reach"
    there = sorted({address for table in tables for address in listening(_text(table))}, key=str)
    shown = ", ".join(map(_shown, there[:SHOWN])) + (", ..." if len(there) > SHOWN else "")
    if any(number == port for _, number in there):
        return f"port {port} is listened on at another address ({shown}): have the server listen on 0.0.0.0"
    if not there:
        return f"nothing listens on port {port}, nor on any other"
    return (
        f"nothing listens on port {port}; the server listens on {shown}: set target.port, or --port in its "
        f"command"
    )


def listening(table: str) -> Iterator[Address]:
    """The sockets that listen, of a table like /proc/net/tcp."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == LISTEN:
            address, _, port = fields[1].partition(":")
            host = _host(address)
            if host != ENGINE_DNS:
                yield host, int(port, 16)


def _host(digits: str) -> IPv4Address | IPv6Address:
    """The kernel writes addresses as words of four bytes in the machine's own order."""
    words = [bytes.fromhex(digits[start : start + 8]) for start in range(0, len(digits), 8)]
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    return ip_address(ordered)


def _shown(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if isinstance(host, IPv6Address) else f"{host}:{port}"


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _text(table: Path) -> str:
    try:
        return table.read_text()
    except OSError:
        return ""
