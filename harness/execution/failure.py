"""What to say of a trial that came to no figures: how its server ended, and what its log tells."""

from __future__ import annotations

from collections.abc import Mapping

from harness.deployment import DeploymentState
from harness.errors import DeploymentDied, HarnessError, WrongResponse
from harness.measurement.start_failure import cause, explain
from harness.ports import Deployment
from harness.target import Target


def reasons_of(
    error: HarnessError,
    *,
    deployment: Deployment | None,
    state: DeploymentState | None,
    phases_s: Mapping[str, float],
    oom_killed: bool,
    target: Target | None,
) -> tuple[str, ...]:
    """In the words of the error, the engine and the server."""
    happened = _what_happened(error, state, phases_s, oom_killed=oom_killed)
    return (*happened, *_explained(error, deployment, state, phases_s, target))


def killed_for_memory(deployment: Deployment) -> bool:
    """A process of it, while the first one lives on."""
    try:
        return deployment.reading().oom_kills > 0
    except DeploymentDied:
        return False


def _explained(
    error: HarnessError,
    deployment: Deployment | None,
    state: DeploymentState | None,
    phases_s: Mapping[str, float],
    target: Target | None,
) -> tuple[str, ...]:
    """Why the server never served, or ended, in the words of its own log."""
    if deployment is None:
        # The engine could not start it: only its own words say why.
        return tuple(filter(None, [cause(str(error), state, target)]))
    served = "ready" in phases_s or isinstance(error, WrongResponse)
    if served and not isinstance(error, DeploymentDied):
        return ()
    return explain(deployment.log(), state, target)


def _what_happened(
    error: HarnessError, state: DeploymentState | None, phases_s: Mapping[str, float], *, oom_killed: bool
) -> tuple[str, ...]:
    """How the server ended, where it did, and what else that does not say."""
    ready = "ready" in phases_s
    when = "during the trial" if ready else "before it was ready"
    ended = _cause_of_death(state, when, oom_killed=oom_killed)
    told = ended and (not ready or isinstance(error, DeploymentDied))
    return ended if told else (*ended, str(error))


def _cause_of_death(state: DeploymentState | None, when: str, *, oom_killed: bool) -> tuple[str, ...]:
    """Why a deployment that failed its trial is gone, when it is; an OOM kill makes a variant infeasible."""
    if oom_killed:
        return ("I7: infeasible, the kernel killed it for memory; raise memory_mib or lower workers",)
    if state is None or state.running:
        return ()
    return (f"I7: the server exited with code {state.exit_code} {when}",)
