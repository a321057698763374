"""The whole comparison: every pair that the store does not hold yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from harness.adapters.assets import assets
from harness.adapters.build_context import BuildContext
from harness.adapters.docker_images import DockerImages
from harness.adapters.provenance import made_with
from harness.adapters.run_lock import run_lock
from harness.errors import ConfigurationError
from harness.progress import duration
from studies.images.measure import EXPERIMENT, Builder, Contexts, observe, quantities
from studies.images.pairs import PAIRS, ImagePair, Side
from studies.observation_store import ExperimentStore
from studies.observations import Observation


def compare_images(
    into: Path, *, only: Sequence[str], wait: bool, say: Callable[[str], None]
) -> ExperimentStore:
    """Measure the wanted pairs that are not in the directory `into` yet. No image is left behind."""
    project, wanted = assets(), pairs_named(only)
    store = ExperimentStore(into)
    missing = unmeasured(wanted, store.observations())
    if not missing:
        say(f"{into} holds every pair asked for: nothing to do")
        return store
    about = duration(sum(pair.about_s for pair in missing))
    say(f"{len(missing)} pairs, about {about} where packages download quickly; results go to {into}")
    began = datetime.now(UTC)
    run_id = f"images-{began:%Y%m%d-%H%M%S}"
    with run_lock(run_id, wait=wait, say=say), closing(DockerImages(project, run_id)) as builder:
        facts = {
            "experiment": EXPERIMENT,
            "started_at": began.isoformat(timespec="seconds"),
            **made_with(builder, into),
        }
        store = ExperimentStore.open(into, facts)
        measure(missing, store, builder, contexts_of(project), say)
    return store


def pairs_named(names: Sequence[str]) -> tuple[ImagePair, ...]:
    """The pairs of these probes; all without a name. Raises ConfigurationError."""
    known = {pair.probe: pair for pair in PAIRS}
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError("--only", [f"{name!r} is not one of {', '.join(known)}" for name in unknown])
    return tuple(known[name] for name in names) if names else PAIRS


def unmeasured(pairs: Iterable[ImagePair], stored: Iterable[Observation]) -> tuple[ImagePair, ...]:
    """Those of which some quantity is not stored yet."""
    have = {(seen.probe, seen.subject, seen.quantity) for seen in stored if seen.experiment == EXPERIMENT}
    return tuple(
        pair
        for pair in pairs
        if any(
            (pair.probe, side.name, quantity) not in have
            for side in pair.sides
            for quantity in quantities(pair)
        )
    )


def measure(
    pairs: Sequence[ImagePair],
    store: ExperimentStore,
    builder: Builder,
    contexts: Contexts,
    say: Callable[[str], None],
) -> None:
    """A pair is stored as soon as it is measured, so that an interruption costs one pair."""
    for number, pair in enumerate(pairs, start=1):
        say(f"[{number}/{len(pairs)}] {pair.claim}: {' against '.join(side.name for side in pair.sides)}")
        with tempfile.TemporaryDirectory(prefix="harness-images-") as scratch:
            for seen in observe(pair, builder, contexts, Path(scratch)):
                store.append(seen)


def contexts_of(project: Path) -> Contexts:
    def context(side: Side, path: Path) -> BuildContext:
        return BuildContext.create(path, project, recipe=side.recipe, dockerignore=side.dockerignore)

    return context
