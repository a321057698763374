"""Images built to be weighed, on a real engine, and that none of them stays behind."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from docker import DockerClient

from harness.adapters import ownership
from harness.adapters.build_context import BuildContext
from harness.adapters.docker_images import EXPERIMENT, IMAGES, DockerImages, gzip_bytes, with_labels
from harness.errors import DeploymentDied, VariantError
from tests.adapters.containers import of_run

DOCKERFILE = """\
ARG BASE_IMAGE
FROM ${{BASE_IMAGE}} AS made
RUN head -c 3000000 /dev/urandom > /noise
FROM ${{BASE_IMAGE}}
ENV PYTHONUNBUFFERED={unbuffered}
COPY --from=made /noise /noise
COPY . /app
USER 4321
CMD ["python3", "-c", "import os, time; print('up', os.environ['WORD']); time.sleep(60)"]
"""


def test_every_stage_begins_with_the_labels() -> None:
    labelled = with_labels("ARG A\nFROM a AS b\nRUN true\nfrom b\n", {"x": "1", "y": 'a "b" c'})
    label = 'LABEL x="1" y="a \\"b\\" c" harness.stage'
    assert labelled == f"ARG A\nFROM a AS b\n{label}=1\nRUN true\nfrom b\n{label}=2\n"


def test_bytes_of_a_gzip_file_are_those_that_gzip_writes() -> None:
    content = random.Random(1).randbytes(3_000_000) + bytes(3_000_000)
    header = 10  # mtime and system differ, the length does not
    assert abs(gzip_bytes(io.BytesIO(content)) - len(gzip.compress(content, compresslevel=6))) <= header


def images_of(client: DockerClient, run_id: str) -> list[str]:
    filters = {"label": f"{ownership.RUN}={run_id}"}
    return [image["Id"] for image in client.api.images(all=True, filters=filters)]


@pytest.fixture
def context(tmp_path: Path) -> BuildContext:
    path = tmp_path / "context"
    (path / "target_app").mkdir(parents=True)
    (path / "target_app" / "main.py").write_text("")
    (path / "clutter").write_bytes(bytes(2_000_000))
    return BuildContext(path)


@pytest.fixture
def builder(tmp_path: Path, run_id: str) -> Iterator[DockerImages]:
    with closing(DockerImages(tmp_path, run_id)) as builder:
        yield builder


@pytest.mark.engine
def test_an_image_is_built_weighed_started_and_removed(
    builder: DockerImages, context: BuildContext, client: DockerClient, run_id: str
) -> None:
    before = {image["Id"] for image in client.api.images(all=True)}
    plain = DOCKERFILE.format(unbuffered="1")
    cold = builder.build("tiny", plain, context, cold=True)
    again = builder.build("tiny", plain, context, cold=False)
    assert again.image == cold.image, "nothing changed, so the cache had it"
    newer = builder.build("tiny", plain, context, cold=True)
    assert newer.image != cold.image
    builder.build("alike", plain, context, cold=True)
    assert builder.build("tiny", plain, context, cold=False).image == newer.image, (
        "its own cache, not the other's"
    )
    assert cold.context_bytes > 2_000_000
    (context.path / ".dockerignore").write_text("clutter\n")
    assert builder.build("tiny", plain, context, cold=False).context_bytes < 100_000

    base = client.images.get(str(builder.describe()["base_image_id"])).attrs["Size"]
    assert 5_000_000 <= builder.unpacked_bytes(cold.image) - base <= 5_100_000
    compressed = builder.compressed_bytes(cold.image)
    assert 3_000_000 < compressed < builder.unpacked_bytes(cold.image)
    assert builder.user_id(cold.image) == 4321
    assert builder.directory_bytes(cold.image, "/app/clutter") == 2_000_000
    assert builder.directory_bytes(cold.image, "/nowhere") == 0
    child = builder.build(
        "child", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", context, cold=True, base=cold.image
    )
    assert builder.directory_bytes(child.image, "/app/clutter") == 2_000_000

    start_s = builder.start_s(cold.image, {"WORD": "now"}, ready="up now", within_s=20)
    assert start_s is not None
    assert 0 <= start_s < 20
    with pytest.raises(DeploymentDied, match="KeyError: 'WORD'"):
        builder.start_s(cold.image, {}, ready="up now", within_s=20)
    delay_s = builder.print_delay_s(cold.image, within_s=20)
    assert delay_s is not None
    buffered = builder.build("tiny", DOCKERFILE.format(unbuffered=""), context, cold=False)
    assert builder.print_delay_s(buffered.image, within_s=1.0) is None

    assert of_run(client, run_id) == []
    assert images_of(client, run_id)
    builder.close()
    assert images_of(client, run_id) == []
    assert before <= {image["Id"] for image in client.api.images(all=True)}


@pytest.mark.engine
def test_a_build_that_fails_shows_its_last_lines_and_leaves_nothing(
    builder: DockerImages, context: BuildContext, client: DockerClient, run_id: str
) -> None:
    dockerfile = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nRUN touch /made\nRUN echo well then; false\n"
    with pytest.raises(VariantError, match=r"(?s)image tiny did not build.*well then"):
        builder.build("tiny", dockerfile, context, cold=True)
    assert images_of(client, run_id)
    builder.close()
    assert images_of(client, run_id) == []


@pytest.mark.engine
def test_images_of_a_dead_run_are_removed_by_the_next_and_those_of_others_stay(
    builder: DockerImages, context: BuildContext, client: DockerClient, tmp_path: Path, run_id: str
) -> None:
    base = str(builder.describe()["base_image_id"])
    dead = {**ownership.labels("dead-run"), ownership.START: "1", EXPERIMENT: IMAGES}
    abroad = {**dead, ownership.HOST: "another-machine", ownership.RUN: "run-abroad"}
    made = [
        client.images.build(
            fileobj=io.BytesIO(with_labels(f"FROM {base}\n", labels).encode()), rm=True, forcerm=True
        )[0].id
        for labels in (dead, abroad)
    ]
    alive = builder.build("tiny", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n", context, cold=True).image
    try:
        DockerImages(tmp_path, f"{run_id}-next").close()
        assert images_of(client, "dead-run") == []
        assert images_of(client, "run-abroad") == [made[1]]
        assert images_of(client, run_id) == [alive]
    finally:
        client.images.remove(str(made[1]))
