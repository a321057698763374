"""Starts nginx on the configuration in NGINX_CONFIG: `python -m front.nginx`.

nginx reads files only, and a container's root is read-only, so the text goes into a new temporary
directory, which also holds whatever nginx itself writes. This process then becomes nginx: signals reach it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

VARIABLE = "NGINX_CONFIG"


def main() -> None:
    """Does not return. Raises SystemExit without a configuration, FileNotFoundError without nginx."""
    config = os.environ.get(VARIABLE)
    if not config:
        raise SystemExit(f"{VARIABLE} holds no configuration: `harness plan` shows the one of each variant.")
    prefix = Path(tempfile.mkdtemp(prefix="nginx-"))
    (prefix / "nginx.conf").write_text(config, encoding="utf-8")
    os.execvp("nginx", ["nginx", "-p", f"{prefix}/", "-c", "nginx.conf", "-e", "stderr"])


if __name__ == "__main__":
    main()
