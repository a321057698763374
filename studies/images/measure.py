"""One pair at a time: both sides built in turns, changed, built again, weighed and started."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from harness.adapters.build_context import BuildContext
from harness.planning.example import EXAMPLE
from studies.images.pairs import ImagePair, Side, dockerfile, full_base_dockerfile
from studies.observations import Observation, Unit

EXPERIMENT = "images"
COLD_BUILDS, REBUILDS, STARTS, PRINTS = 2, 3, 5, 3
READY = "Uvicorn running on"
READY_WITHIN_S, PRINTED_WITHIN_S = 30.0, 3.0

PIP_CACHE = "/root/.cache/pip"

UNITS: Mapping[str, Unit] = {
    "unpacked_bytes": "bytes",
    "compressed_bytes": "bytes",
    "context_bytes": "bytes",
    "build_s": "s",
    "rebuild_s": "s",
    "user_id": "id",
    "pip_cache_bytes": "bytes",
    "start_s": "s",
    "log_delay_s": "s",
}
NOTES: Mapping[str, str] = {
    "unpacked_bytes": "all layers, the base included",
    "compressed_bytes": "each layer through gzip at level 6, the base included",
    "context_bytes": "the tar file sent to the engine",
    "build_s": "nothing from the layer cache; downloads of packages included",
    "rebuild_s": "after a line was added to the app, with the layer cache",
    "user_id": "seen inside a container",
    "pip_cache_bytes": f"of {PIP_CACHE} in the image",
    "start_s": f"from the container's start to the log line {READY!r}, in a fresh container",
    "log_delay_s": "from a print to its arrival in the engine's log, the process going on; "
    f"None: not within {PRINTED_WITHIN_S:g} s",
}


class Built(Protocol):
    @property
    def image(self) -> str: ...
    @property
    def took_s(self) -> float: ...
    @property
    def context_bytes(self) -> int: ...


class Builder(Protocol):
    """What a comparison needs of an engine."""

    def build(
        self, name: str, dockerfile: str, context: BuildContext, *, cold: bool, base: str | None
    ) -> Built: ...
    def unpacked_bytes(self, image: str) -> int: ...
    def compressed_bytes(self, image: str) -> int: ...
    def user_id(self, image: str) -> int: ...
    def directory_bytes(self, image: str, path: str) -> int: ...
    def start_s(self, image: str, env: Mapping[str, str], *, ready: str, within_s: float) -> float | None: ...
    def print_delay_s(self, image: str, *, within_s: float) -> float | None: ...


Contexts = Callable[[Side, Path], BuildContext]
"""Fills a new directory for a side."""
Seen = dict[tuple[str, str], list[float | None]]
"""Values by side and quantity."""


def quantities(pair: ImagePair) -> tuple[str, ...]:
    """What is observed of each side."""
    asked = {
        "build_s": pair.builds,
        "rebuild_s": pair.builds,
        "pip_cache_bytes": pair.caches,
        "start_s": pair.starts,
        "log_delay_s": pair.prints,
    }
    return tuple(name for name in UNITS if asked.get(name, True))


def observe(pair: ImagePair, builder: Builder, contexts: Contexts, scratch: Path) -> tuple[Observation, ...]:
    """Every quantity of both sides. What takes time is measured in turns, so that drift hits both alike."""
    seen: Seen = defaultdict(list)
    images = _built(pair, builder, {s.name: contexts(s, scratch / s.name) for s in pair.sides}, seen)
    for side in pair.sides:
        image = images[side.name]
        seen[side.name, "unpacked_bytes"].append(builder.unpacked_bytes(image))
        seen[side.name, "compressed_bytes"].append(builder.compressed_bytes(image))
        seen[side.name, "user_id"].append(builder.user_id(image))
        if pair.caches:
            seen[side.name, "pip_cache_bytes"].append(builder.directory_bytes(image, PIP_CACHE))
    for side in _in_turns(pair.sides, STARTS if pair.starts else 0):
        start_s = builder.start_s(images[side.name], dict(EXAMPLE.env), ready=READY, within_s=READY_WITHIN_S)
        seen[side.name, "start_s"].append(start_s)
    for side in _in_turns(pair.sides, PRINTS if pair.prints else 0):
        delay_s = builder.print_delay_s(images[side.name], within_s=PRINTED_WITHIN_S)
        seen[side.name, "log_delay_s"].append(delay_s)
    return tuple(_observations(pair, seen))


def _built(pair: ImagePair, builder: Builder, made: Mapping[str, BuildContext], seen: Seen) -> dict[str, str]:
    """The sides' images by name, built cold, and again after each of some changes to the app."""
    bases: dict[str, str | None] = {}
    for side in pair.sides:
        bases[side.name] = _full_base(pair, builder, made[side.name]) if side.full_base else None

    def build(side: Side, *, cold: bool) -> Built:
        name, context = f"{pair.probe}-{side.name}", made[side.name]
        return builder.build(name, dockerfile(side), context, cold=cold, base=bases[side.name])

    images: dict[str, str] = {}
    for side in _in_turns(pair.sides, COLD_BUILDS if pair.builds else 1):
        built = build(side, cold=True)
        images[side.name] = built.image
        seen[side.name, "build_s"].append(built.took_s)
        seen[side.name, "context_bytes"] = [built.context_bytes]
    for number, side in enumerate(_in_turns(pair.sides, REBUILDS if pair.builds else 0), start=1):
        made[side.name].change_source(number)
        seen[side.name, "rebuild_s"].append(build(side, cold=False).took_s)
    return images


def _full_base(pair: ImagePair, builder: Builder, context: BuildContext) -> str:
    return builder.build(f"{pair.probe}-base", full_base_dockerfile(), context, cold=True, base=None).image


def _in_turns(sides: Sequence[Side], rounds: int) -> Iterator[Side]:
    """Every other round the other way round: a, b, b, a, a, b."""
    for number in range(rounds):
        yield from sides if number % 2 == 0 else reversed(sides)


def _observations(
    pair: ImagePair, seen: Mapping[tuple[str, str], Sequence[float | None]]
) -> Iterator[Observation]:
    for quantity in quantities(pair):
        for side in pair.sides:
            yield Observation(
                experiment=EXPERIMENT,
                probe=pair.probe,
                target=side.name,
                quantity=quantity,
                unit=UNITS[quantity],
                values=tuple(seen[side.name, quantity]),
                note=f"{pair.note}; {NOTES[quantity]}",
            )
