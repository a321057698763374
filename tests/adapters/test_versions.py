"""Versions of an app as levels: other requirements, another git ref, another image."""

from __future__ import annotations

import os
import re
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.adapters.config_file import load_matrix, remarks
from harness.adapters.git_versions import laid_out
from harness.adapters.version_argument import version_level
from harness.errors import ConfigurationError
from harness.model import Matrix
from harness.planning.schema_factors import VersionTable
from harness.planning.versions import in_versions
from harness.records import matrix_from_json, matrix_to_json
from harness.reporting.wording import made_from
from harness.target import Version, at_version

TEXT = """
name = "orders"
[target]
app = "main:app"
{target}
[factors]
recipe = ["uvicorn-standard"]
version = [{versions}]
[[scenarios]]
name = "all"
load = {{ clients = 4 }}
[[scenarios.requests]]
path = "/"
"""
OLD, NEW = '{ name = "old", requirements = "old.txt" }', '{ name = "new", requirements = "new.txt" }'


def git(directory: Path, *arguments: str) -> str:
    names = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    command = ["git", "-c", "init.defaultBranch=main", *arguments]
    done = subprocess.run(
        command, cwd=directory, env={**os.environ, **names}, check=True, capture_output=True
    )
    return done.stdout.decode().strip()


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A repository with the app in a directory of its own, changed since tag v1, and dirty."""
    service = tmp_path / "service"
    service.mkdir()
    for name in ("old.txt", "new.txt", "requirements.txt"):
        (service / name).write_text("fastapi\n")
    (service / "main.py").write_text("version = 1\n")
    (tmp_path / "elsewhere.txt").write_text("not of the app\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    git(tmp_path, "tag", "v1")
    (service / "main.py").write_text("version = 2\n")
    git(tmp_path, "commit", "--quiet", "-a", "-m", "two")
    (service / "main.py").write_text("version = 3, not committed\n")
    return service


def load(team: Path, *versions: str, target: str = "") -> Matrix:
    path = team / "harness.toml"
    path.write_text(TEXT.format(versions=", ".join(versions), target=target))
    return load_matrix(path, project=assets(), server_cpus=(1,), generator_cpus=(0,), environ={})


def test_two_requirement_sets_are_two_variants_of_one_recipe(team: Path) -> None:
    matrix = load(team, '"none"', OLD, NEW)
    assert [variant.id for variant in matrix.variants] == [
        "uvicorn-standard.w1",
        "uvicorn-standard.w1.v-old",
        "uvicorn-standard.w1.v-new",
    ]
    assert [variant.build for variant in matrix.variants[1:]] == [
        "uvicorn-standard.v-old",
        "uvicorn-standard.v-new",
    ]
    digest = sha256((team / "old.txt").read_bytes()).hexdigest()
    assert matrix.versions[0] == Version(name="old", requirements="old.txt", sha256=digest)
    assert matrix_from_json(matrix_to_json(matrix), where="here") == matrix


def test_a_git_ref_is_resolved_and_its_files_are_laid_out_without_touching_the_work_tree(team: Path) -> None:
    matrix = load(team, '{ name = "before", ref = "v1" }', '{ name = "after", ref = "HEAD" }')
    before, after = matrix.versions
    assert before.commit == git(team, "rev-parse", "v1")
    assert after.commit == git(team, "rev-parse", "HEAD")
    status = git(team, "status", "--porcelain")
    assert before.commit
    with laid_out(team, before.commit) as files:
        assert (files / "main.py").read_text() == "version = 1\n"
        assert not (files / "elsewhere.txt").exists()
        assert not (files / ".git").exists()
    assert not files.exists()
    assert git(team, "status", "--porcelain") == status
    assert (team / "main.py").read_text() == "version = 3, not committed\n"


def test_a_ref_that_moved_is_another_matrix(team: Path) -> None:
    """So that a run is not resumed."""
    first = load(team, '{ name = "tip", ref = "main" }')
    git(team, "commit", "--quiet", "-a", "-m", "three")
    assert load(team, '{ name = "tip", ref = "main" }') != first


def test_requirements_that_changed_are_another_matrix(team: Path) -> None:
    first = load(team, OLD)
    (team / "old.txt").write_text("fastapi==0.115.0\n")
    assert load(team, OLD) != first


def test_a_plan_says_what_each_version_is_and_what_is_not_committed(team: Path) -> None:
    matrix = load(team, OLD, '{ name = "before", ref = "v1" }')
    old, before = (made_from(version) for version in matrix.versions)
    assert re.fullmatch(r"requirements old\.txt \(sha256 [0-9a-f]{12}\)", old)
    assert before == f"git v1 ({git(team, 'rev-parse', 'v1')[:12]})"
    note = "has changes that are not committed: the versions of v1 are without them"
    said = remarks(team / "harness.toml", project=assets())
    assert [line for line in said if line.endswith(note)]
    git(team, "add", ".")
    git(team, "commit", "--quiet", "-m", "all")
    assert not [line for line in remarks(team / "harness.toml", project=assets()) if line.endswith(note)]


def test_images_need_no_requirements(team: Path) -> None:
    images = '{ name = "a", image = "orders:1" }', '{ name = "b", image = "orders:2" }'
    load(team, *images)
    assert not [line for line in remarks(team / "harness.toml", project=assets()) if "requirements" in line]
    (team / "requirements.txt").unlink()
    matrix = load(team, *images)
    assert [version.image for version in matrix.versions] == ["orders:1", "orders:2"]


@pytest.mark.parametrize(
    ("versions", "target", "says"),
    [
        ('{ name = "a", ref = "v9" }', "", "factors.version.0 = 'v9': is no branch, tag or commit in"),
        ('{ name = "a", requirements = "x.txt" }', "", "factors.version.0 = 'x.txt'"),
        ('{ name = "a" }', "", "factors.version.0: name one of requirements, ref, image and packages"),
        ('{ name = "a", ref = "v1", image = "b" }', "", "name one of requirements, ref, image and packages"),
        ('{ name = "a", ref = "--output=x" }', "", "factors.version.0.ref"),
        ('{ name = "none", ref = "v1" }', "", "stands for no level"),
        (f"{OLD}, {OLD}", "", "version: the name old stands for more than one level"),
        (OLD, 'image = "orders:1"', "factors.version.0.requirements: has no effect with target.image"),
        ('{ name = "a", ref = "v1" }', 'image = "orders:1"', "factors.version.0.ref: has no effect"),
    ],
)
def test_a_version_that_cannot_be_is_refused(team: Path, versions: str, target: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(team, versions, target=target)
    assert says in str(error.value)


def test_a_ref_needs_a_repository_and_no_submodules(
    team: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("plain")
    (other / "requirements.txt").write_text("fastapi\n")
    with pytest.raises(ConfigurationError, match="lies in no git repository"):
        load(other, '{ name = "a", ref = "v1" }')
    commit = git(team, "rev-parse", "HEAD")
    git(team, "update-index", "--add", "--cacheinfo", f"160000,{commit},service/vendored")
    git(team, "commit", "--quiet", "-m", "a submodule")
    with pytest.raises(ConfigurationError, match=r"holds submodules \(vendored\)"):
        load(team, '{ name = "a", ref = "HEAD" }')


def test_a_version_on_the_command_line_is_a_file_a_ref_or_an_image(team: Path) -> None:
    assert version_level(".", team) == "none"
    assert version_level("old.txt", team) == VersionTable(name="old-txt", requirements="old.txt")
    assert version_level("v1", team) == VersionTable(name="v1", ref="v1")
    assert version_level("HEAD", team) == VersionTable(name="head", ref="HEAD")
    assert version_level("orders:1.4", team) == VersionTable(name="orders-1-4", image="orders:1.4")
    assert version_level("ref:nowhere", team) == VersionTable(name="nowhere", ref="nowhere")
    assert version_level("image:v1", team, taken="v1") == VersionTable(name="v1-2", image="v1")


def test_a_package_at_a_version_is_a_version_of_the_app(team: Path) -> None:
    level = version_level("fastapi==0.115.0", team)
    assert level == VersionTable(name="fastapi-0-115-0", packages=["fastapi==0.115.0"])
    assert version_level("packages:a>=1,b<2", team).packages == ["a>=1", "b<2"]  # type: ignore[union-attr]
    matrix = load(team, '"none"', '{ name = "old", packages = ["fastapi==0.115.0", "anyio<4"] }')
    version = matrix.variants[1].version
    assert version == Version(name="old", packages=("fastapi==0.115.0", "anyio<4"))
    assert made_from(version) == "packages fastapi==0.115.0, anyio<4"
    assert matrix.target is not None
    assert at_version(matrix.target, version).packages == ("fastapi==0.115.0", "anyio<4")
    assert matrix_from_json(matrix_to_json(matrix), where="run") == matrix


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("packages:fastapi", 'names no version. Fix: write it such as "fastapi==1.2.3"'),
        ("packages:x @ file:///etc", "names no version"),
        ("a==1;rm", "is no requirement"),
        ("--index-url==x", "is no requirement"),
    ],
)
def test_what_is_no_package_at_a_version_is_refused(team: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        version_level(text, team)


def test_packages_need_an_image_that_is_made_here(team: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"packages: has no effect with target\.image"):
        load(team, '"none"', '{ name = "old", packages = ["a==1"] }', target='image = "x"')


def test_a_comparison_measures_one_variant_in_two_versions_and_nothing_else(team: Path) -> None:
    path = team / "harness.toml"
    path.write_text(TEXT.format(versions=f'"none", {OLD}', target=""))
    whole = load_matrix(path, project=assets(), server_cpus=(1,), generator_cpus=(0,), environ={})
    two = load_matrix(
        path,
        project=assets(),
        server_cpus=(1,),
        generator_cpus=(0,),
        environ={},
        change=lambda file: in_versions(
            file, whole.baseline, (version_level("v1", team), version_level(".", team))
        ),
    )
    assert [variant.id for variant in two.variants] == ["uvicorn-standard.w1.v-v1", "uvicorn-standard.w1"]
    assert two.baseline_id == "uvicorn-standard.w1.v-v1"
    assert two.scenarios == whole.scenarios
