"""harness.toml: what a team may write, and every mistake in it found before anything is built."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from harness.adapters import workload_files
from harness.adapters.assets import assets
from harness.adapters.config_file import load_matrix, remarks
from harness.adapters.workload_files import read_files, read_secrets
from harness.errors import ConfigurationError
from harness.model import OWN_COMMAND, Matrix
from harness.records import matrix_from_json, matrix_to_json
from harness.target import Service
from harness.workload import Expectation, FilePart, RequestSpec

PROJECT = assets()
APP = "from fastapi import FastAPI\napp = FastAPI()\n"
SECRET = "s3cr3t-never-stored"

TARGET = """
name = "orders"
[target]
app = "orders.main:app"
requirements = "requirements.txt"
ready = "/health/ready"
env = { LOG_LEVEL = "warning" }
env_file = ".env"
writable = ["/var/lib/orders"]
[[target.services]]
name = "db"
image = "postgres:17"
env = { POSTGRES_PASSWORD = "bench" }
ready = "tcp:5432"
setup = ["alembic", "upgrade", "head"]
[factors]
recipe = ["uvicorn-standard", "granian"]
workers = [1, 2]
"""
SCENARIO = """
[[scenarios]]
name = "checkout"
load = { clients = 64 }
slo_ms = 100
"""
REQUEST = """
[[scenarios.requests]]
method = "POST"
path = "/orders/{order_id}"
headers = { authorization = "Bearer {token}" }
json = { sku = "{sku}", qty = 2, note = "{uuid}" }
expect = { status = 201, json = { state = "created" } }
weight = 3
data = "orders.csv"
"""
BEFORE = """
[[scenarios.before]]
method = "POST"
path = "/login"
form = { user = "bench", password = "{env:BENCH_PASSWORD}" }
keep = { token = "json:access_token" }
"""
WHOLE = TARGET + SCENARIO + REQUEST + BEFORE
BARE = 'name = "m"\n[factors]\nrecipe = ["uvicorn-plain"]\n' + SCENARIO


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's directory as it is before anybody measures."""
    (tmp_path / "requirements.txt").write_text("fastapi\n")
    (tmp_path / ".env").write_text(f"# ours\nexport DATABASE_URL='{SECRET}'\nBENCH_PASSWORD=pw-$HOME\n")
    (tmp_path / "orders.csv").write_text("order_id,sku\n1,a\n2,b\n")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    return tmp_path


def load(team: Path, text: str, environ: dict[str, str] | None = None) -> Matrix:
    path = team / "harness.toml"
    path.write_text(text)
    return load_matrix(path, project=PROJECT, server_cpus=(1,), generator_cpus=(0,), environ=environ or {})


def problems(team: Path, text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(team, text)
    return str(error.value)


def test_the_page_of_the_product_is_read_as_it_stands(team: Path) -> None:
    matrix = load(team, WHOLE)
    target = matrix.target
    assert target is not None
    assert (target.name, target.app, target.context) == ("orders", "orders.main:app", str(team))
    assert (target.requirements, target.ready) == ("requirements.txt", "/health/ready")
    assert target.secret_env == ("BENCH_PASSWORD", "DATABASE_URL")
    assert target.services == (
        Service(
            name="db",
            image="postgres:17",
            env={"POSTGRES_PASSWORD": "bench"},
            ready="tcp:5432",
            setup=(("alembic", "upgrade", "head"),),
        ),
    )
    (scenario,) = matrix.scenarios
    assert scenario.locustfile == ""
    assert scenario.requests == (
        RequestSpec(
            method="POST",
            path="/orders/{order_id}",
            headers={"authorization": "Bearer {token}"},
            json={"sku": "{sku}", "qty": 2, "note": "{uuid}"},
            expect=Expectation(status=201, json={"state": "created"}),
            weight=3,
            data="orders.csv",
        ),
    )
    assert scenario.before[0].keep == {"token": "json:access_token"}
    assert list(scenario.files_sha256) == ["orders.csv"]
    assert read_files(team / "harness.toml", matrix) == {"orders.csv": b"order_id,sku\n1,a\n2,b\n"}


@pytest.mark.promise(23)
def test_values_of_secrets_are_read_and_never_stored(team: Path) -> None:
    matrix = load(team, WHOLE, {"BENCH_PASSWORD": "from the environment"})
    secrets = read_secrets(team / "harness.toml", matrix, {"BENCH_PASSWORD": "other", "HOME": "/root"})
    # The file goes first, and nothing in it is expanded.
    assert secrets == {"BENCH_PASSWORD": "pw-$HOME", "DATABASE_URL": SECRET}
    stored = json.dumps(matrix_to_json(matrix))
    assert SECRET not in stored
    assert "pw-" not in stored
    assert "from the environment" not in stored
    assert matrix_from_json(json.loads(stored), where="run") == matrix


def test_a_secret_may_come_from_the_environment_alone(team: Path) -> None:
    (team / ".env").unlink()
    text = WHOLE.replace('env_file = ".env"\n', "")
    assert "environment variable BENCH_PASSWORD is not set. Fix: export BENCH_PASSWORD" in problems(
        team, text
    )
    matrix = load(team, text, {"BENCH_PASSWORD": "x"})
    assert read_secrets(team / "harness.toml", matrix, {"BENCH_PASSWORD": "x"}) == {"BENCH_PASSWORD": "x"}
    with pytest.raises(ConfigurationError, match="BENCH_PASSWORD is not set"):
        read_secrets(team / "harness.toml", matrix, {})


def test_a_file_that_changes_before_the_run_is_noticed(team: Path) -> None:
    matrix = load(team, WHOLE)
    (team / "orders.csv").write_text("order_id,sku\n9,z\n")
    with pytest.raises(ConfigurationError, match=r"orders.csv: changed while"):
        read_files(team / "harness.toml", matrix)


def test_every_body_and_file_has_its_place(team: Path) -> None:
    (team / "raw.bin").write_bytes(b"\0\1")
    (team / "rows.jsonl").write_text('{"id": 1}\n')
    text = (
        BARE
        + """
[[scenarios.requests]]
method = "PUT"
path = "/a"
body_file = "raw.bin"
[[scenarios.requests]]
method = "POST"
path = "/b?x={id}"
data = "rows.jsonl"
form = { kind = "photo" }
files = { one = "photo.jpg", two = { path = "photo.jpg", content_type = "image/jpeg" } }
[[scenarios.requests]]
method = "POST"
path = "/graphql"
body = "query { me { id } }"
expect = { text = "me", headers = { content-type = "application/json" } }
[[scenarios.requests]]
path = "/c"
expect = { schema = { type = "array" }, json_exact = [1, 2.5, true, "x"] }
"""
    )
    (scenario,) = load(team, text).scenarios
    assert [request.method for request in scenario.requests] == ["PUT", "POST", "POST", "GET"]
    assert scenario.requests[1].files == (
        FilePart(field_name="one", path="photo.jpg"),
        FilePart(field_name="two", path="photo.jpg", content_type="image/jpeg"),
    )
    assert scenario.requests[3].expect.json_schema == {"type": "array"}
    assert sorted(scenario.files_sha256) == ["photo.jpg", "raw.bin", "rows.jsonl"]


def test_a_locust_file_of_their_own_is_hashed_and_must_be_python(team: Path) -> None:
    (team / "locustfile.py").write_text("import locust\n")
    text = BARE + 'locustfile = "locustfile.py"\n'
    (scenario,) = load(team, text).scenarios
    assert (scenario.locustfile, list(scenario.files_sha256)) == ("locustfile.py", ["locustfile.py"])
    (team / "locustfile.py").write_text("x = 1\ndef (:\n")
    assert "scenarios.0.locustfile: locustfile.py, line 2: not valid Python" in problems(team, text)
    (team / "locustfile.py").write_text("class Stages(LoadTestShape): pass\n")
    assert "locustfile.py: line 1: Stages is a LoadTestShape" in problems(team, text)
    assert "locustfile: conflicts with requests" in problems(
        team, text + '[[scenarios.requests]]\npath = "/"\n'
    )
    assert "before: goes with requests" in problems(team, text + '[[scenarios.before]]\npath = "/"\n')


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("/orders/{order_id}", "orders"), "scenarios.0.requests.0.path: 'orders' does not start with \"/\""),
        (("/orders/{order_id}", "/a b"), "holds a space; write it as %20"),
        (("/orders/{order_id}", "/a\\u0001"), "control character '\\x01'"),
        (("/orders/{order_id}", "/a\\r\\nHost: x"), "holds a space"),
        (("/orders/{order_id}", "/a#b"), "write %23"),
        (("/orders/{order_id}", "/{oder_id}"), "nothing defines {oder_id}: orders.csv has order_id, sku"),
        (("/orders/{order_id}", "/{file:x}"), "nothing fills in {file:x}"),
        (("/orders/{order_id}", "/{env:a-b}"), "{env:a-b} names no environment variable"),
        (("Bearer {token}", "a\\r\\nx: y"), "headers.authorization: control character '\\r' in a header"),
        (("authorization =", '"x y" ='), "'x y' is no header name"),
        (("authorization =", "content-length ="), "content-length is written by the load generator"),
        (("Bearer {token}", "Bearer {tokn}"), "nothing defines {tokn}"),
        (('sku = "{sku}"', 'sku = "{skuu}"'), "requests.0.json.sku = '{skuu}': nothing defines {skuu}"),
        (('sku = "{sku}"', "sku = 2024-01-01"), "at sku: a date is no JSON value"),
        (('sku = "{sku}"', "sku = nan"), "at sku: nan is no JSON number"),
        (("json = {", 'body = "x"\njson = {'), "scenarios.0.requests.0: json and body stand together"),
        (("json = {", 'files = { a = "photo.jpg" }\njson = {'), "files: goes with form only, not with json"),
        (('method = "POST"\npath = "/orders', 'method = "post"\npath = "/orders'), "write 'POST'"),
        (('method = "POST"\npath = "/orders', 'method = "P T"\npath = "/orders'), "is no HTTP method"),
        (("status = 201", "status = 99"), "expect.status"),
        (
            ("status = 201", 'schema = { type = "nothing" }, status = 201'),
            "expect.schema.type: no valid JSON",
        ),
        (("status = 201", 'schema = { "$ref" = "http://x/y" }'), "is in another document"),
        (("expect = {", "expct = {"), "unknown key 'expct'; did you mean 'expect'?"),
        (("json = { sku", "jsno = { sku"), "unknown key 'jsno'; did you mean 'json'?"),
        (("weight = 3", "weight = 0"), "requests.0.weight"),
        (("orders.csv", "none.csv"), "requests.0.data = 'none.csv': "),
        (("orders.csv", "../orders.csv"), "leads out of"),
        (("orders.csv", "/etc/passwd"), "leads out of"),
        (("orders.csv", "."), "is no regular file"),
        (("orders.csv", "photo.jpg"), "requests.0.data: photo.jpg, line 1: not UTF-8"),
        (("json:access_token", "access_token"), "write json:PATH (json:user.id), header:NAME or cookie:NAME"),
        (("keep = { token", "keep = { uuid"), "keep.uuid: {uuid} is a new UUID each time"),
        (('"/login"', '"/login/{token}"'), "before.0.path = '/login/{token}': nothing defines {token}"),
        (("BENCH_PASSWORD}", "OTHER}"), "the environment variable OTHER is not set"),
        (('ready = "/health/ready"', 'ready = "health"'), "target.ready: 'health' does not start with \"/\""),
        (('"postgres:17"', '""'), "target.services.0.image"),
        (('name = "db"', 'name = "Db_1"'), "target.services.0.name: 'Db_1' is no host name"),
        (('name = "db"', 'name = "localhost"'), "is the app itself"),
        (('"tcp:5432"', '"tcp:99999"'), "names no port; write tcp:5432"),
        (
            ('{ LOG_LEVEL = "warning" }', "{ PORT = 80 }"),
            'target.env.PORT: not a text; write it in quotes: "80"',
        ),
        (('{ LOG_LEVEL = "warning" }', '{ "A B" = "x" }'), "'A B' is no variable name"),
        (('{ LOG_LEVEL = "warning" }', '{ HARNESS_APP = "x" }'), "names with HARNESS_ are the harness's own"),
        (('{ LOG_LEVEL = "warning" }', '{ DATABASE_URL = "x" }'), "DATABASE_URL stands in .env too"),
        (('["/var/lib/orders"]', '["/"]'), "belongs to the system"),
        (('["/var/lib/orders"]', '["/etc/x"]'), "belongs to the system"),
        (('["/var/lib/orders"]', '["data"]'), "'data' is not absolute"),
        (('["/var/lib/orders"]', '["/a/../etc"]'), "is not absolute"),
        (('"orders.main:app"', '"orders.main"'), "'orders.main' is no import string"),
        (('"orders.main:app"', '"orders.main:make(1)"'), "is no import string"),
        (('"requirements.txt"', '"other.txt"'), "target.requirements = 'other.txt'"),
        (('"requirements.txt"', '"../x.txt"'), "leads out of"),
        (('env_file = ".env"', 'env_file = "no.env"'), "target.env_file = 'no.env'"),
        (
            ('env_file = ".env"', 'image = "x"\nenv_file = ".env"'),
            "target.requirements: has no effect with image",
        ),
        (('env_file = ".env"', 'image = "x"\ndockerfile = "y"'), "target.dockerfile: conflicts with image"),
        (('env_file = ".env"', 'context = "nowhere"'), "is no directory to build from"),
        (('env_file = ".env"', "port = 70000"), "target.port"),
        (('env_file = ".env"', 'image = "--privileged x"\n port = "x"'), "target.port"),
        (("workers = [1, 2]", "cpu_quota = [4096.0]"), "factors.cpu_quota.0"),
        (("workers = [1, 2]", "cpu_quota = [1000.0]"), "factors.cpu_quota = 1000: this machine has"),
        (("workers = [1, 2]", "memory_mib = [1000000]"), "factors.memory_mib = 1000000: this machine has"),
        (('"granian"]', '"own-command"]'), '"own-command" needs an image with a command'),
        (("workers = [1, 2]", "workers = [1, 2]\nworkers = [3]"), "not valid TOML: Cannot overwrite"),
    ],
)
def test_one_mistake_is_named_with_its_key(team: Path, change: tuple[str, str], says: str) -> None:
    assert change[0] in WHOLE
    assert says in problems(team, WHOLE.replace(*change, 1))


def test_mistakes_of_all_kinds_are_reported_together(team: Path) -> None:
    text = WHOLE.replace("{order_id}", "{oder}").replace("requirements.txt", "none.txt")
    text = text.replace("BENCH_PASSWORD", "MISSING").replace("workers = [1, 2]", "cpu_quota = [999.0]")
    text = text.replace("clients = 64", "clients = 9999")
    said = problems(team, text)
    for expected in ("{oder}", "none.txt", "MISSING is not set", "cpu_quota = 999", "9999 are more than"):
        assert expected in said


@pytest.mark.promise(24)
def test_no_link_leads_out_of_the_directory(team: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside") / "orders.csv"
    outside.write_text("order_id,sku\n1,a\n")
    (team / "orders.csv").unlink()
    (team / "orders.csv").symlink_to(outside)
    assert "leads out of" in problems(team, WHOLE)
    (team / "orders.csv").unlink()
    (team / "orders.csv").symlink_to("orders.csv")
    assert "scenarios.0.requests.0.data" in problems(team, WHOLE)
    (team / "orders.csv").unlink()
    os.mkfifo(team / "orders.csv")
    assert "is no regular file" in problems(team, WHOLE)


@pytest.mark.promise(24)
def test_files_are_bounded(team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (team / "orders.csv").open("wb") as sparse:
        sparse.truncate(50_000_001)
    assert "is larger than 50 MB" in problems(team, WHOLE)
    monkeypatch.setattr(workload_files, "MAX_ALL_BYTES", 1)
    (team / "orders.csv").write_text("order_id,sku\n1,a\n")
    assert "in all" in problems(team, WHOLE)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("JUST_A_NAME\n", "line 1 is not KEY=VALUE"),
        (f"A=1\nB={SECRET} and 'more\n$$ {SECRET}\n", "line 3 is not KEY=VALUE"),
        (f"'odd name'={SECRET}\n", "line 1: the name is not made of"),
        (f"HARNESS_APP={SECRET}\n", "line 1: names with HARNESS_"),
    ],
)
@pytest.mark.promise(23)
def test_a_mistake_in_an_env_file_shows_no_value(team: Path, content: str, says: str) -> None:
    (team / ".env").write_text(content)
    said = problems(team, WHOLE)
    assert says in said
    assert SECRET not in said


def test_the_app_is_found_or_asked_for(team: Path) -> None:
    text = WHOLE.replace('app = "orders.main:app"\n', "")
    assert "target.app: uvicorn-standard, granian needs it, and none was found" in problems(team, text)
    (team / "src" / "orders").mkdir(parents=True)
    (team / "src" / "orders" / "__init__.py").touch()
    (team / "src" / "orders" / "web.py").write_text(APP)
    target = load(team, text).target
    assert target is not None
    assert (target.app, target.app_dir) == ("orders.web:app", "src")
    (team / "other.py").write_text(APP)
    said = problems(team, text)
    assert "2 apps were found. Fix: paste one below [target]:" in said
    assert '\n      app = "other:app"  # other.py: app = FastAPI(...)' in said


def test_requirements_are_found_lock_first(team: Path) -> None:
    text = WHOLE.replace('requirements = "requirements.txt"\n', "")
    (team / "uv.lock").touch()
    (team / "Dockerfile").touch()
    target = load(team, text).target
    assert target is not None
    assert target.requirements == "uv.lock"
    said = remarks(team / "harness.toml", project=PROJECT)
    assert "target.requirements is left out: uv.lock was taken, not requirements.txt" in said
    assert any("a Dockerfile is there and was not used" in line for line in said)
    for name in ("uv.lock", "requirements.txt"):
        (team / name).unlink()
    assert "target.requirements: none of uv.lock" in problems(team, text)


def test_a_black_box_needs_no_recipe_and_no_app(team: Path) -> None:
    box = '[target]\nimage = "nginx:1"\nport = 80\n'
    text = 'name = "m"\n' + box + SCENARIO + '[[scenarios.requests]]\npath = "/"\n'
    matrix = load(team, text)
    assert [variant.id for variant in matrix.variants] == [f"{OWN_COMMAND}.w1"]
    assert not matrix.variants[0].wrapped
    assert matrix.target is not None
    assert matrix.target.app is None
    wrapped = text.replace(SCENARIO, '[factors]\nrecipe = ["granian"]\n' + SCENARIO)
    assert "granian needs the import string of the app in nginx:1" in problems(team, wrapped)
    no_recipe = text.replace('image = "nginx:1"', 'app = "a:b"\nrequirements = "requirements.txt"')
    assert "factors.recipe: Field required" in problems(team, no_recipe)


def test_without_a_target_nothing_is_different(team: Path) -> None:
    text = BARE.replace('"checkout"', '"items"')
    assert load(team, text).target is None
    assert remarks(team / "harness.toml", project=PROJECT) == ()
    assert "needs a [target]" in problems(team, text.replace("uvicorn-plain", OWN_COMMAND))
    assert "factors.recipe: Field required" in problems(team, text.replace('recipe = ["uvicorn-plain"]', ""))
    assert "Fix: add [[scenarios.requests]]" in problems(team, BARE)


def test_what_is_odd_is_said_and_allowed(team: Path) -> None:
    text = BARE.replace("slo_ms = 100", "slo_ms = 9000.0\nmeasure_s = 2.0")
    text += '[[scenarios.requests]]\npath = "/"\njson = { a = 1 }\n'
    load(team, text)
    said = "\n".join(remarks(team / "harness.toml", project=PROJECT))
    assert "scenarios.0.requests.0: GET with a body" in said
    assert "scenarios.0.measure_s = 2: shorter than slo_ms" in said


@pytest.mark.promise(24)
def test_deep_json_is_refused_in_a_sentence(team: Path) -> None:
    text = BARE + f'[[scenarios.requests]]\npath = "/"\nmethod = "POST"\njson = {"[" * 70}{"]" * 70}\n'
    assert "nested deeper than 64 levels" in problems(team, text)
