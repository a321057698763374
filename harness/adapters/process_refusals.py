"""What only containers can give a deployment or a target, refused where there are none."""

from __future__ import annotations

from harness.adapters.assets import engine_remedy
from harness.deployment import DeploymentSpec
from harness.errors import VariantError
from harness.target import Target


def refuse_what_needs_containers(spec: DeploymentSpec) -> None:
    """Raises VariantError naming every level that a plain process cannot be held to."""
    levels = {
        f"cpu_quota = {spec.cpu_quota}": spec.cpu_quota is not None,
        f"memory_mib = {spec.memory_mib}": spec.memory_mib is not None,
        f"network = {spec.network!r}": spec.network not in ("shared", "host"),
    }
    refused = [level for level, needs_container in levels.items() if needs_container]
    if refused:
        raise VariantError(
            f"{spec.name}: the process engine cannot enforce {' nor '.join(refused)}; the Docker engine can."
            f"\nFix: get one ({engine_remedy()}), or leave these levels out of the matrix."
        )


def refuse_what_needs_an_image(target: Target) -> None:
    """Raises VariantError naming what of a target plain processes cannot have."""
    wanted = {
        "target.image": target.image,
        "a version by its git ref": target.commit,
        "target.dockerfile": target.dockerfile,
        "target.base_image": target.base_image,
        "target.services": target.services,
        "target.writable": target.writable,
        "target.user": target.user,
        "target.capabilities": target.capabilities,
    }
    refused = [name for name, value in wanted.items() if value]
    if refused:
        raise VariantError(
            f"{target.name}: the process engine has no containers for {' and '.join(refused)}.\n"
            f"Fix: use --engine docker, or name only target.requirements."
        )
