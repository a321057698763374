"""What recipes need of a machine without containers: programs that are not Python's, and a certificate."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from harness.adapters.assets import workspace
from harness.errors import BuildFailed, VariantError
from harness.recipes import RECIPES

SYSTEM_PATH = f"{os.defpath}:/usr/local/sbin:/usr/sbin:/sbin"
OPENSSL_TIMEOUT_S = 60


def tls_directory(project: Path) -> Path:
    """Where cert.pem and key.pem are, once a recipe that needs them was built."""
    return workspace(project) / "tls"


def provide_programs(project: Path, recipe: str) -> None:
    """Find a recipe's programs and make its certificate.

    Raises VariantError naming the programs that are missing, BuildFailed when openssl fails.
    """
    needed = RECIPES[recipe].programs if recipe in RECIPES else ()
    missing = [program for program in needed if shutil.which(program, path=SYSTEM_PATH) is None]
    if missing:
        raise VariantError(
            f"{recipe}: the process engine finds no {' and no '.join(missing)} here. Install what is missing "
            f"(`sudo apt-get install {' '.join(missing)}`), or use the Docker engine: images bring it."
        )
    if "openssl" in needed:
        _make_certificate(project, recipe)


def _make_certificate(project: Path, recipe: str) -> None:
    """Unless it was made before: whoever trusts it keeps trusting it."""
    directory = tls_directory(project)
    if (directory / "cert.pem").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [project / "scripts" / "certificate.sh", directory],
        capture_output=True,
        text=True,
        timeout=OPENSSL_TIMEOUT_S,
        check=False,
    )
    if made.returncode != 0:
        raise BuildFailed(recipe, made.stderr)
