"""The whole comparison of images, as an experiment. No image is left behind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.adapters.assets import assets
from harness.adapters.build_context import BuildContext
from harness.adapters.docker_images import DockerImages
from harness.adapters.provenance import made_with
from studies.experiment import Experiment, ObservationTask, Say
from studies.images.measure import EXPERIMENT, Builder, Contexts, observe, quantities
from studies.images.pairs import PAIRS, ImagePair, Side
from studies.observations import Observation


@dataclass(frozen=True, slots=True)
class ImageEquipment:
    """What builds, and what fills a directory to build from."""

    builder: Builder
    contexts: Contexts


def task_of(pair: ImagePair) -> ObservationTask[ImageEquipment]:
    def observed(equipment: ImageEquipment) -> Iterator[Observation]:
        with tempfile.TemporaryDirectory(prefix="harness-images-") as scratch:
            yield from observe(pair, equipment.builder, equipment.contexts, Path(scratch))

    return ObservationTask(
        probe=pair.probe,
        claim=pair.claim,
        title=" against ".join(side.name for side in pair.sides),
        quantities=frozenset((side.name, name) for side in pair.sides for name in quantities(pair)),
        expected_s=pair.about_s,
        observe=observed,
    )


@contextmanager
def _equipment(run_id: str, _: Say) -> Iterator[ImageEquipment]:
    project = assets()

    def context(side: Side, path: Path) -> BuildContext:
        return BuildContext.create(path, project, recipe=side.recipe, dockerignore=side.dockerignore)

    with closing(DockerImages(project, run_id)) as builder:
        yield ImageEquipment(builder, context)


def _facts(equipment: ImageEquipment, into: Path) -> Mapping[str, Any]:
    assert isinstance(equipment.builder, DockerImages)
    return made_with(equipment.builder, into)


IMAGES = Experiment(name=EXPERIMENT, tasks=tuple(map(task_of, PAIRS)), equipment=_equipment, facts=_facts)
