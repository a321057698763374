"""The services of a target around what needs them: a run, or one block of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from harness.errors import AppImageFailed, ServiceFailed
from harness.execution.equipment import Equipment
from harness.model import OWN_COMMAND
from harness.redaction import without_secrets
from harness.target import ServiceLife


@contextmanager
def target_services(
    equipment: Equipment, life: ServiceLife, *, cpus: tuple[int, ...], say: Callable[[str], None]
) -> Iterator[None]:
    """Those of one life, ready and set up, pinned to `cpus`. Raises ServiceFailed, AppImageFailed."""
    wanted = [service.name for service in equipment.target.services if service.life == life]
    if not wanted:
        yield
        return
    say(f"starting {', '.join(wanted)} for this {life}")
    image = equipment.engine.build(OWN_COMMAND, equipment.target)
    env = {**equipment.target.env, **equipment.secrets}
    services = equipment.engine.services(
        equipment.target, image=image, env=env, cpus=tuple(sorted(set(cpus))), life=life
    )
    with ExitStack() as stack:
        try:
            stack.enter_context(services)
        except (ServiceFailed, AppImageFailed) as error:
            # Its last words may hold what it was started with.
            raise type(error)(without_secrets(str(error), equipment.hidden)) from None
        yield
