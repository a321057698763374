from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.adapters import system_programs
from harness.adapters.system_programs import provide_programs, tls_directory
from harness.errors import BuildFailed, VariantError

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "certificate.sh").symlink_to(PROJECT / "scripts" / "certificate.sh")
    return tmp_path


def test_missing_programs_are_named_with_a_way_out(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_programs, "SYSTEM_PATH", str(project))
    with pytest.raises(VariantError, match=r"no nginx and no openssl.*apt-get install nginx openssl"):
        provide_programs(project, "nginx-tls")
    assert not tls_directory(project).exists()


@pytest.mark.parametrize("recipe", ["uvicorn-standard", "generator", "unheard-of"])
def test_what_needs_no_program_gets_none(project: Path, recipe: str) -> None:
    provide_programs(project, recipe)
    assert not tls_directory(project).exists()


def test_the_certificate_is_for_localhost_and_made_once(project: Path) -> None:
    provide_programs(project, "uvicorn-tls")
    certificate = tls_directory(project) / "cert.pem"
    made = certificate.read_bytes()
    provide_programs(project, "uvicorn-tls")
    assert certificate.read_bytes() == made
    shown = subprocess.run(
        ["openssl", "x509", "-in", certificate, "-noout", "-text"], capture_output=True, text=True, check=True
    ).stdout
    assert "DNS:localhost, IP Address:127.0.0.1" in shown
    assert "P-256" in shown
    assert (tls_directory(project) / "key.pem").stat().st_mode & 0o077 == 0


def test_a_certificate_that_cannot_be_made_is_a_failed_build(project: Path) -> None:
    broken = project / "scripts" / "certificate.sh"
    broken.unlink()
    broken.write_text("#!/bin/sh\necho out of entropy >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(BuildFailed, match="out of entropy"):
        provide_programs(project, "uvicorn-tls")
