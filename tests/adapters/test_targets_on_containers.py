"""Apps of a team on real containers: their image made in every way, recipes on it, a database next to it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from docker import DockerClient

from harness import pipeline
from harness.adapters.assets import assets
from harness.adapters.docker_build import base_image
from harness.adapters.docker_engine import DockerEngine
from harness.deployment import DeploymentSpec, NetworkPath
from harness.errors import AppImageFailed, BuildFailed, ServiceFailed, VariantError
from harness.model import OWN_COMMAND, Validity, Variant
from harness.planning.commands import processes
from harness.reporting import markdown
from harness.stored_report import report_data
from harness.target import Service, Target, Version, at_version
from tests.adapters.containers import by_role, companion, of_run
from tests.adapters.test_versions import git
from tests.execution.test_blocks import Listener

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

CPUS = tuple(sorted(os.sched_getaffinity(0)))
APP = """
import os
from pathlib import Path
from fastapi import FastAPI

app = FastAPI()

@app.get("/who")
def who():
    word = os.environ.get("WORD")
    return {"uid": os.getuid(), "cwd": os.getcwd(), "word": word, "git": Path(".git").exists()}

@app.get("/write")
def write(path: str):
    Path(path, "note").write_text("kept")
    return Path(path, "note").read_text()
"""
THEIRS = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
RUN useradd --uid 1234 --create-home web && python3 -m venv /srv/shop/.venv \\
 && /srv/shop/.venv/bin/pip install -q --no-cache-dir fastapi==0.115.0 uvicorn==0.40.0
WORKDIR /srv/shop
COPY code .
USER web
ENTRYPOINT ["/srv/shop/.venv/bin/uvicorn", "main:app", "--port", "9000"]
"""


OF_VERSIONS = """
name = "test-versions"
[target]
app = "main:app"
[factors]
recipe = ["uvicorn-standard"]
version = ["none", { name = "old", requirements = "old.txt" }, { name = "first", ref = "main" }]
[design]
blocks = 1
budget_s = 60
wrapper_cost = false
[[scenarios]]
name = "version"
load = { clients = 4 }
warmup_s = 0
measure_s = 0.5
[[scenarios.requests]]
path = "/version"
"""
PROJECT = """
[project]
name = "shop"
version = "1"
requires-python = ">=3.9"
dependencies = ["idna"]
"""
SAYS_VERSION = """
import http.server, importlib.metadata

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(importlib.metadata.version("idna").encode())

http.server.HTTPServer(("127.0.0.1", 8000), Handler).serve_forever()
"""
IDNA_SHA256 = "82fee1fc78add43492d3a1898bfa6d8a904cc97d8427f683ed8e798d07761aa0"
FILES_URL = "https://files.pythonhosted.org/packages"
LOCKS = {
    "poetry.lock": f"""
[[package]]
name = "idna"
version = "3.7"
optional = false
python-versions = ">=3.5"
groups = ["main"]
files = [{{file = "idna-3.7-py3-none-any.whl", hash = "sha256:{IDNA_SHA256}"}}]

[[package]]
name = "never-there"
version = "1"
optional = false
python-versions = ">=3.9"
groups = ["dev"]
files = []

[metadata]
lock-version = "2.1"
python-versions = ">=3.9"
content-hash = "0"
""",
    "Pipfile.lock": f"""
{{"_meta": {{"pipfile-spec": 6, "sources": [{{"name": "pypi", "url": "https://pypi.org/simple"}}]}},
  "default": {{"idna": {{"hashes": ["sha256:{IDNA_SHA256}"], "index": "pypi", "version": "==3.7"}}}},
  "develop": {{"never-there": {{"hashes": [], "version": "==1"}}}}}}
""",
    "uv.lock": f"""
version = 1
revision = 3
requires-python = ">=3.9"

[[package]]
name = "idna"
version = "3.7"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [
    {{ url = "{FILES_URL}/idna-3.7-py3-none-any.whl", hash = "sha256:{IDNA_SHA256}" }},
]

[[package]]
name = "shop"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "idna" }}]

[package.metadata]
requires-dist = [{{ name = "idna" }}]
""",
}


@pytest.fixture(scope="module")
def run() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture(scope="module")
def team_engine(run: str) -> Iterator[DockerEngine]:
    engine = DockerEngine(assets(), run)
    yield engine
    engine.close()


@pytest.fixture
def base(client: DockerClient) -> str:
    return base_image(client, None)[0]


def from_requirements(directory: Path, *lines: str, app: str = APP) -> Target:
    directory.mkdir(exist_ok=True)
    (directory / "main.py").write_text(app)
    (directory / "requirements.txt").write_text("\n".join(lines) + "\n")
    (directory / ".git").mkdir()
    (directory / ".git/HEAD").write_text("ref: refs/heads/main\n")
    return Target(
        name=f"Test {directory.name}", app="main:app", context=str(directory), requirements="requirements.txt"
    )


def from_dockerfile(directory: Path) -> Target:
    (directory / "code").mkdir(parents=True)
    (directory / "code/main.py").write_text(APP)
    (directory / "Dockerfile").write_text(THEIRS)
    return Target(name="test-theirs", app="main:app", context=str(directory), dockerfile="Dockerfile")


@contextmanager
def asked(engine: DockerEngine, base: str, spec: DeploymentSpec, path: str) -> Iterator[str]:
    """What the deployment answers to one request."""
    with engine.running(spec) as deployment, companion(engine, base, deployment) as channel:  # type: ignore[arg-type]
        assert channel.receive(20) == "hello"
        channel.send(f"get {deployment.base_url}{path}")
        yield channel.receive(30)


def spec_of(recipe: str, image: str, target: Target, **changes: object) -> DeploymentSpec:
    network: NetworkPath = changes.get("network", "shared")  # type: ignore[assignment]
    variant = Variant(recipe=recipe, workers=1, network=network)
    # A team's own search path must not hide the wrapper's.
    (process,) = processes(variant, target, {"WORD": "well met", "PYTHONPATH": "/nowhere"})
    spec = DeploymentSpec(
        name=variant.id, image=image, argv=process.argv, env=process.env, cpus=CPUS[-1:], network=network
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def test_versions_of_an_app_are_images_of_their_own(
    team_engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    """Two requirement sets of one context, and its first commit while the files lie changed."""
    says = "import importlib.metadata as m\nNOTE = {}\n"
    says += "@app.get('/version')\ndef version(): return [m.version('idna'), NOTE]\n"
    target = from_requirements(tmp_path / "versions", "fastapi", "idna==3.10", app=APP + says.format(1))
    context = tmp_path / "versions"
    (context / "old.txt").write_text("fastapi\nidna==3.7\n")
    (context / ".git/HEAD").unlink()
    git(context, "init", "--quiet")
    git(context, "add", ".")
    git(context, "commit", "--quiet", "-m", "one")
    (context / "main.py").write_text(APP + says.format(2))
    commit = git(context, "rev-parse", "HEAD")
    versions = {
        Version(name="new", requirements="requirements.txt"): ["3.10", 2],
        Version(name="old", requirements="old.txt"): ["3.7", 2],
        Version(name="first", ref="main", commit=commit): ["3.10", 1],
    }
    for version, answered in versions.items():
        there = at_version(target, version)
        image = team_engine.build("uvicorn-standard", there)
        with asked(team_engine, base, spec_of("uvicorn-standard", image, there), "/version") as answer:
            assert json.loads(answer) == answered
    report, images = run_of_versions(context)
    assert "requirements old.txt (sha256 " in report
    assert f"git main ({commit[:12]})" in report
    assert len({images[name] for name in images if name.startswith("uvicorn-standard")}) == 3
    assert "?? harness.toml" in git(context, "status", "--porcelain")


def run_of_versions(context: Path) -> tuple[str, dict[str, str]]:
    """The report of one short run, and its images by recipe and version."""
    path = context / "harness.toml"
    path.write_text(OF_VERSIONS)
    options = pipeline.RunOptions(results=context.parent / "results", engine="docker", wait=True)
    outcome = pipeline.run(pipeline.resolved(path), options, Listener())
    assert {record.validity for record in outcome.new_records} <= {Validity.VALID, Validity.NOISY}
    return markdown.report(report_data(outcome.store)), outcome.store.manifest()["images"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_is_what_is_installed(
    team_engine: DockerEngine, base: str, tmp_path: Path, lock: str
) -> None:
    (tmp_path / "main.py").write_text(SAYS_VERSION)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / lock).write_text(LOCKS[lock])
    target = Target(
        name=f"test-{lock}",
        app=None,
        context=str(tmp_path),
        requirements=lock,
        command=("python", "main.py"),
    )
    image = team_engine.build(OWN_COMMAND, target)
    (process,) = processes(Variant(recipe=OWN_COMMAND, workers=1), target, {})
    spec = DeploymentSpec(name=lock, image=image, argv=process.argv, env=process.env, cpus=CPUS[-1:])
    with asked(team_engine, base, spec, "/") as answer:
        assert answer == "3.7"


def test_an_app_with_requirements_alone_runs_under_a_recipe(
    team_engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    target = from_requirements(tmp_path / "plain", "fastapi")
    image = team_engine.build("uvicorn-standard", target)
    with asked(team_engine, base, spec_of("uvicorn-standard", image, target), "/who") as answer:
        assert json.loads(answer) == {"uid": 10001, "cwd": "/app", "word": "well met", "git": False}
    with asked(team_engine, base, spec_of("uvicorn-standard", image, target), "/write?path=/app") as answer:
        assert "500" in answer
    writable = spec_of("uvicorn-standard", image, target, writable=("/data",), user="20000:20000")
    with asked(team_engine, base, writable, "/write?path=/data") as answer:
        assert answer == '"kept"'


def test_recipes_change_nothing_in_a_team_s_image_and_keep_its_user_and_place(
    client: DockerClient, team_engine: DockerEngine, base: str, tmp_path: Path
) -> None:
    target = from_dockerfile(tmp_path)
    theirs = {"uid": 1234, "cwd": "/srv/shop", "word": "well met", "git": False}
    own = team_engine.build(OWN_COMMAND, target)
    with asked(team_engine, base, spec_of(OWN_COMMAND, own, target, port=9000), "/who") as answer:
        assert json.loads(answer) == theirs
    home = spec_of(OWN_COMMAND, own, target, port=9000, writable=("/home/web",))
    with asked(team_engine, base, home, "/write?path=/home/web") as answer:
        assert answer == '"kept"'
    layer = team_engine.build("gunicorn-uvicorn", target)
    with asked(team_engine, base, spec_of("gunicorn-uvicorn", layer, target), "/who") as answer:
        assert json.loads(answer) == theirs
    with asked(team_engine, base, spec_of("gunicorn-uvicorn", layer, target), "/.harness/probe") as answer:
        probe = json.loads(answer)
        assert probe["variant_id"] == "gunicorn-uvicorn.w1"
        assert probe["versions"]["uvicorn"] == "0.40.0"
        assert probe["uid"] == 1234
    listed = [
        client.containers.run(
            image, ["-m", "pip", "freeze"], entrypoint="/srv/shop/.venv/bin/python", remove=True
        ).decode()
        for image in (own, layer)
    ]
    assert set(listed[0].split()) < set(listed[1].split())

    by_reference = Target(
        name="test-image", app="main:app", context=str(tmp_path), image="harness/test-theirs"
    )
    assert team_engine.build(OWN_COMMAND, by_reference) == own


def test_what_cannot_be_resolved_is_one_failed_recipe_in_the_resolver_s_words(
    team_engine: DockerEngine, tmp_path: Path
) -> None:
    target = from_requirements(tmp_path / "pinned", "fastapi", "h11==0.7.0")
    with pytest.raises(BuildFailed) as caught:
        team_engine.build("uvicorn-standard", target)
    assert "recipe 'uvicorn-standard'" in str(caught.value)
    assert "target 'Test pinned'" in str(caught.value)
    assert "h11==0.7.0" in caught.value.log_tail
    assert "Dockerfile.variants" not in str(caught.value)
    team_engine.build("granian", target)


def test_an_image_without_python_is_a_black_box(team_engine: DockerEngine, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text('FROM scratch\nCOPY Dockerfile /program\nCMD ["/program"]\n')
    target = Target(name="test-bare", app=None, context=str(tmp_path), dockerfile="Dockerfile")
    assert team_engine.build(OWN_COMMAND, target).startswith("sha256:")
    with pytest.raises(VariantError, match=r"image harness/test-bare has no Python.*own-command"):
        team_engine.build("uvicorn-standard", target)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image": "harness-test/never-built:1"}, r"cannot be pulled: .*\nFix: "),
        ({"dockerfile": "Dockerfile"}, r"Dockerfile did not build.*\n(.*\n)*.*no-such-program"),
        ({"requirements": "requirements.txt"}, r"could not be installed.*\n(.*\n)*.*no-such-package"),
        ({"requirements": "missing.txt"}, r"'missing.txt' cannot be read.*\nFix: "),
        ({"dockerfile": "missing"}, r"missing is missing.\nFix: "),
        ({}, r"no image, no dockerfile and no requirements"),
    ],
)
def test_an_image_that_cannot_be_had_is_told_in_the_words_of_who_tried(
    team_engine: DockerEngine, base: str, tmp_path: Path, changes: dict[str, str], said: str
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN no-such-program\n")
    (tmp_path / "requirements.txt").write_text("./no-such-package\n")
    target = Target(name="test-broken", app="main:app", context=str(tmp_path), **changes)  # type: ignore[arg-type]
    with pytest.raises(AppImageFailed, match=said):
        team_engine.build(OWN_COMMAND, target)


DATABASE = Service(name="db", image="harness/postgres", ready="tcp:5432")
DATABASE_APP = """
import sys
import psycopg
from fastapi import FastAPI

WHERE = "postgresql://app@db:5432/app"
app = FastAPI()

@app.get("/count")
def count():
    with psycopg.connect(WHERE) as connection:
        return connection.execute("SELECT count(*) FROM orders").fetchone()[0]

if __name__ == "__main__":
    with psycopg.connect(WHERE) as connection:
        connection.execute(sys.argv[1])
"""


def test_an_app_queries_a_database_that_its_set_up_filled(
    client: DockerClient, team_engine: DockerEngine, run: str, base: str, tmp_path: Path
) -> None:
    plain = from_requirements(tmp_path / "orders", "fastapi", "psycopg[binary]", app=DATABASE_APP)
    table = "CREATE TABLE orders AS SELECT generate_series(1, 7)"
    database = Service(
        name="db",
        image="harness/postgres",
        ready="tcp:5432",
        setup=(("python", "main.py", table),),
        writable=("/var/lib/postgresql",),
    )
    target = Target(
        name=plain.name,
        app=plain.app,
        context=plain.context,
        requirements="requirements.txt",
        services=(database,),
    )
    own = team_engine.build(OWN_COMMAND, target)
    image = team_engine.build("uvicorn-standard", target)
    started = {"image": own, "env": {}, "cpus": CPUS[:1]}
    with (
        team_engine.services(target, life="block", **started),  # type: ignore[arg-type]
        team_engine.services(target, life="run", **started),  # type: ignore[arg-type]
    ):
        service = by_role(client, run, "service")
        assert service.attrs["HostConfig"]["CpusetCpus"] == str(CPUS[0])
        for network in ("shared", "bridge", "host"):
            with asked(
                team_engine, base, spec_of("uvicorn-standard", image, target, network=network), "/count"
            ) as answer:
                assert answer == "7", network
    left = [name for name in of_run(client, run) if not client.networks.list(names=[name])]
    assert left == []


def test_a_service_that_fails_is_told_with_its_last_words(
    client: DockerClient, team_engine: DockerEngine, run: str, base: str, tmp_path: Path
) -> None:
    def failing(**changes: object) -> str:
        service = Service(name="db", image=base, **changes)  # type: ignore[arg-type]
        target = Target(name="t", app=None, context=str(tmp_path), image=base, services=(service,))
        image = team_engine.build(OWN_COMMAND, target)
        with (
            pytest.raises(ServiceFailed) as caught,
            team_engine.services(target, image=image, env={"WORD": "so"}, cpus=CPUS[:1], life="run"),
        ):
            pass
        return str(caught.value)

    said = failing(command=("python3", "-c", "raise SystemExit('no disk')"), ready="tcp:5432")
    assert "db" in said
    assert "ended with exit code 1" in said
    assert "no disk" in said
    for ready in (("python3", "-c", ""), "tcp:5432"):
        said = failing(command=("python3", "-c", "raise SystemExit('no disk')"), ready=ready)
        assert "no disk" in said
    sleeps = ("python3", "-c", "import time; time.sleep(600)")
    said = failing(
        command=sleeps, setup=(("python3", "-c", "import os; raise SystemExit(os.environ['WORD'])"),)
    )
    assert "exit code 1" in said
    assert said.endswith("so\n")
    assert by_role_count(client, run) == 0


def by_role_count(client: DockerClient, run: str) -> int:
    return len(client.containers.list(all=True, filters={"label": f"harness.run={run}"}))
