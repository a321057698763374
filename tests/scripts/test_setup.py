"""The other set-up scripts: environment, base image, and the one that calls them all."""

from __future__ import annotations

import os
import subprocess
import tarfile

import pytest

from tests.scripts.conftest import SCRIPTS, Machine

UV = """
case "$1" in
    venv) mkdir -p .venv/bin; printf '#!/bin/sh\\n' >.venv/bin/python; chmod +x .venv/bin/python ;;
    *) [ ! -e "$ROOT/broken" ] ;;
esac
"""
NO_IMAGE = """
case "$1" in
    import) cat >"$ROOT/image.tar" ;;
    *) exit 1 ;;
esac
"""


@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("*.sh")), ids=lambda path: path.name)
def test_the_syntax_holds(script: os.PathLike[str]) -> None:
    subprocess.run(["bash", "-n", script], check=True)


@pytest.fixture
def checkout(machine: Machine) -> Machine:
    (machine.project / "requirements").mkdir()
    (machine.project / "requirements/dev.txt").write_text("pytest==9\n")
    (machine.project / "pyproject.toml").touch()
    machine.has("uv", UV)
    return machine


def test_an_unchanged_environment_is_not_touched_again(checkout: Machine) -> None:
    assert checkout.run("setup-env.sh")[0] == 0
    calls = checkout.calls
    assert [call.split()[1] for call in calls] == ["venv", "pip", "pip"]
    assert "--require-hashes requirements/dev.txt" in calls[1]
    assert "--no-build-isolation" in calls[2], "or the build's own packages would come unlocked"
    assert checkout.run("setup-env.sh")[0] == 0
    assert checkout.calls == calls


def test_a_changed_lock_is_installed(checkout: Machine) -> None:
    checkout.run("setup-env.sh")
    (checkout.project / "requirements/dev.txt").write_text("pytest==10\n")
    assert checkout.run("setup-env.sh")[0] == 0
    assert [call.split()[1] for call in checkout.calls[3:]] == ["pip", "pip"]


def test_a_failed_installation_is_tried_again(checkout: Machine) -> None:
    (checkout.root / "broken").touch()
    assert checkout.run("setup-env.sh")[0] != 0
    (checkout.root / "broken").unlink()
    assert checkout.run("setup-env.sh")[0] == 0
    assert sum("--require-hashes" in call for call in checkout.calls) == 2


def test_without_uv_and_without_ensurepip_the_missing_package_is_named(checkout: Machine) -> None:
    (checkout.root / "bin/uv").unlink()
    checkout.has("python3", "exit 1")
    checkout.has("id", "echo 1000")
    code, said = checkout.run("setup-env.sh")
    assert code == 3
    assert "apt-get install python3-venv" in said


def test_a_base_image_that_is_there_is_kept(machine: Machine) -> None:
    machine.has("docker")
    assert machine.run("setup-base-image.sh")[0] == 0
    assert machine.calls == ["docker image inspect python:3.13-slim"]


def test_the_official_image_is_preferred(machine: Machine) -> None:
    machine.has("docker", '[ "$1" = pull ]')
    assert machine.run("setup-base-image.sh")[0] == 0
    assert machine.calls[-1] == "docker pull --quiet python:3.13-slim"


def test_without_a_registry_the_image_is_made_from_packages(machine: Machine) -> None:
    machine.has("docker", NO_IMAGE)
    machine.has("id", "echo 0")
    machine.has("apt-get")
    machine.has("debootstrap", 'mkdir -p "$4/usr/bin" "$4/etc/ssl/certs"; touch "$4/usr/bin/python3"')
    code, said = machine.run("setup-base-image.sh", HARNESS_BASE_TAG="harness-base:test")
    assert code == 0, said
    assert machine.calls[-1].endswith("- harness-base:test")
    with tarfile.open(machine.root / "image.tar") as image:
        assert image.getmember(".").mode == 0o755
        assert "./usr/bin/python3" in image.getnames()
    assert list((machine.root / "tmp").iterdir()) == []


def test_a_failed_debootstrap_leaves_nothing_and_says_where_to_read(machine: Machine) -> None:
    machine.has("docker", NO_IMAGE)
    machine.has("id", "echo 0")
    machine.has("apt-get")
    machine.has("debootstrap", 'touch "$4/half"; echo no such suite; exit 1')
    code, said = machine.run("setup-base-image.sh")
    assert code == 3
    assert ".harness/debootstrap.log" in said
    assert "no such suite" in (machine.project / ".harness/debootstrap.log").read_text()
    assert list((machine.root / "tmp").iterdir()) == []


def test_who_cannot_make_an_image_is_told(machine: Machine) -> None:
    machine.has("docker", NO_IMAGE)
    machine.has("id", "echo 1000")
    code, said = machine.run("setup-base-image.sh")
    assert code == 3
    assert "needs root" in said


@pytest.mark.parametrize(
    ("engine", "image", "required", "code", "words"),
    [
        (0, 0, "1", 0, ""),
        (3, 0, "0", 0, "the process engine will be used"),
        (3, 0, "1", 3, "REQUIRE_ENGINE=1 forbids"),
        (0, 3, "0", 0, "the process engine will be used"),
        (0, 100, "0", 0, "the process engine will be used"),
        (0, 3, "1", 3, "REQUIRE_ENGINE=1 forbids"),
        (0, 130, "0", 130, ""),
    ],
)
def test_set_up_goes_on_without_containers_only_where_it_may(
    machine: Machine, engine: int, image: int, required: str, code: int, words: str
) -> None:
    machine.has_script("setup-env.sh", "exit 0")
    machine.has_script("setup-engine.sh", f"exit {engine}")
    machine.has_script("setup-base-image.sh", f"exit {image}")
    found, said = machine.run("setup.sh", REQUIRE_ENGINE=required)
    assert found == code
    assert words in said
