"""The story of a comparison: turns, what is stored, what is never measured twice, how it reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from harness.adapters.build_context import BuildContext
from harness.errors import VariantError
from studies.images.image_experiment import ImageEquipment, task_of
from studies.images.measure import observe
from studies.images.pairs import PAIRS, Side
from studies.images.table import table
from studies.observations import Observation

BY_PROBE = {pair.probe: pair for pair in PAIRS}
CACHE, SLIM_BASE, STACKS, UNBUFFERED, USER = (
    BY_PROBE[probe] for probe in ("no-cache-dir", "slim-base", "plain-or-standard", "unbuffered", "user")
)


@dataclass(frozen=True)
class FakeBuilt:
    image: str
    took_s: float
    context_bytes: int = 20_000_000


class FakeBuilder:
    """Keeps the story; the nth build takes n seconds. `breaks` names a build that fails."""

    def __init__(self, breaks: str = "") -> None:
        self.story: list[str] = []
        self._breaks = breaks

    def build(
        self, name: str, dockerfile: str, context: BuildContext, *, cold: bool, base: str | None
    ) -> FakeBuilt:
        if name == self._breaks:
            raise VariantError(f"{name} did not build")
        source = (context.path / "main.py").read_text()
        on = f" on {base}" if base else ""
        self.story.append(f"{'cold' if cold else 'again'} {name} {source.count('# change')}{on}")
        return FakeBuilt(image=name, took_s=float(len(self.story)))

    def unpacked_bytes(self, image: str) -> int:
        return 500_000_000 if image.endswith("full") else 200_000_000

    def compressed_bytes(self, image: str) -> int:
        return self.unpacked_bytes(image) // 2

    def user_id(self, image: str) -> int:
        return 0 if image.endswith("-root") and "non" not in image else 10001

    def directory_bytes(self, image: str, path: str) -> int:
        return 7_000_000 if image.endswith("kept") else 0

    def start_s(self, image: str, env: Mapping[str, str], *, ready: str, within_s: float) -> float | None:
        assert env["TARGET_STAGE"]
        self.story.append(f"start {image}")
        return 0.5

    def print_delay_s(self, image: str, *, within_s: float) -> float | None:
        return None if image.endswith("-buffered") else 0.001


@dataclass(frozen=True)
class Directory(BuildContext):
    def change_source(self, number: int) -> None:
        with (self.path / "main.py").open("a") as file:
            file.write(f"# change {number}\n")


def directory(side: Side, path: Path) -> BuildContext:
    path.mkdir(parents=True)
    (path / "main.py").write_text("")
    return Directory(path)


def by_name(seen: tuple[Observation, ...]) -> dict[tuple[str, str], tuple[float | None, ...]]:
    return {(one.target, one.quantity): one.values for one in seen}


def test_both_sides_take_turns_and_rebuilds_follow_a_change(tmp_path: Path) -> None:
    builder = FakeBuilder()
    seen = by_name(observe(STACKS, builder, directory, tmp_path))
    plain, standard = "plain-or-standard-plain", "plain-or-standard-standard"
    assert builder.story == [
        *(f"cold {plain} 0", f"cold {standard} 0", f"cold {standard} 0", f"cold {plain} 0"),
        *(f"again {plain} 1", f"again {standard} 1", f"again {standard} 2", f"again {plain} 2"),
        *(f"again {plain} 3", f"again {standard} 3"),
    ]
    assert seen["plain", "build_s"] == (1.0, 4.0)
    assert seen["standard", "rebuild_s"] == (6.0, 7.0, 10.0)
    assert ("plain", "start_s") not in seen


def test_where_build_times_are_not_the_question_each_side_is_built_once(tmp_path: Path) -> None:
    builder = FakeBuilder()
    seen = by_name(observe(USER, builder, directory, tmp_path))
    assert builder.story == ["cold user-root 0", "cold user-non-root 0"]
    assert (seen["root", "user_id"], seen["non-root", "user_id"]) == ((0,), (10001,))
    assert ("root", "build_s") not in seen


def test_a_full_base_is_made_before_what_is_timed(tmp_path: Path) -> None:
    builder = FakeBuilder()
    observe(SLIM_BASE, builder, directory, tmp_path)
    assert builder.story[:3] == [
        "cold slim-base-base 0",
        "cold slim-base-slim 0",
        "cold slim-base-full 0 on slim-base-base",
    ]


def test_what_pip_kept_is_weighed_where_a_pair_asks_for_it(tmp_path: Path) -> None:
    seen = by_name(observe(CACHE, FakeBuilder(), directory, tmp_path))
    assert seen["no-cache-dir", "pip_cache_bytes"] == (0,)
    assert seen["cache-kept", "pip_cache_bytes"] == (7_000_000,)


def test_starts_and_delays_are_observed_where_a_pair_asks_for_them(tmp_path: Path) -> None:
    builder = FakeBuilder()
    started = by_name(observe(SLIM_BASE, builder, directory, tmp_path / "slim"))
    assert len(started["slim", "start_s"]) == len(started["full", "start_s"]) == 5
    starts = Counter(told for told in builder.story if told.startswith("start"))
    assert starts == {"start slim-base-slim": 5, "start slim-base-full": 5}
    printed = by_name(observe(UNBUFFERED, builder, directory, tmp_path / "printed"))
    assert printed["buffered", "log_delay_s"] == (None, None, None)
    assert printed["unbuffered", "log_delay_s"] == (0.001, 0.001, 0.001)


def test_a_pair_as_a_task_observes_all_that_it_promises(tmp_path: Path) -> None:
    for pair in (USER, STACKS):
        task = task_of(pair)
        seen = list(task.observe(ImageEquipment(FakeBuilder(), directory)))
        assert {(one.target, one.quantity) for one in seen} == task.quantities
    assert (task.name, task.words) == (
        "I4 plain-or-standard plain against standard",
        ("plain-or-standard", "I4"),
    )
    with pytest.raises(VariantError, match="slim-base-full did not build"):
        list(task_of(SLIM_BASE).observe(ImageEquipment(FakeBuilder(breaks="slim-base-full"), directory)))


def test_the_table_tells_difference_and_ratio_and_what_never_came(tmp_path: Path) -> None:
    builder = FakeBuilder()
    pairs = (SLIM_BASE, UNBUFFERED, USER)
    seen = [one for pair in pairs for one in observe(pair, builder, directory, tmp_path / pair.probe)]
    shown = StringIO()
    Console(file=shown, width=100).print(table(seen))
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert ["unpacked_bytes", "200.00", "MB", "500.00", "MB", "+300.00", "MB", "2.50x"] in lines
    assert ["log_delay_s", "0.0010", "s", "never"] in lines
    assert ["user_id", "0", "10001"] in lines
    assert not any("I6" in line for line in lines)
