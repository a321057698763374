"""What is exported of every recipe and level: nothing is dropped without a word, and the schemas hold."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise
from typing import Any

import kubernetes_validate
import pytest
import yaml

from harness.adapters.assets import assets
from harness.model import OWN_COMMAND, Variant
from harness.planning.commands import impossible, in_containers
from harness.planning.lock_readers import Requirements
from harness.recipes import RECIPES
from harness.recipes.gunicorn import RECIPES as GUNICORNS
from harness.reporting.export import FORMATS, Deployable, deployable
from harness.reporting.export.deployable import lock_files
from harness.reporting.export.gunicorn_conf import SETTINGS
from harness.reporting.export.systemd import quoted
from harness.target import Service, Target
from tests.reporting.samples import GUNICORN_5, STANDARD_1, report_data

TARGET = Target(
    name="Orders API",
    app="orders.main:app",
    context="/src/orders",
    requirements="requirements.txt",
    ready="/health/ready",
    env={"LOG_LEVEL": "warning", "ODD": 'a "b" $c %d'},
    secret_env=("DATABASE_URL",),
    env_file=".env",
    writable=("/app/cache",),
    services=(
        Service(
            name="db",
            image="postgres:17",
            env={"POSTGRES_PASSWORD": "bench"},
            ready="tcp:5432",
            setup=(("alembic", "upgrade", "head"),),
        ),
    ),
)
IMAGE = replace(TARGET, requirements=None, image="registry/orders:1.4")
BLACK_BOX = Target(name="web", app=None, context="", image="nginx:1.29", port=8080)
LEVELS: dict[str, Any] = {
    "access_log": True,
    "keep_alive_s": 3,
    "cpu_quota": 0.5,
    "memory_mib": 384,
    "threads": 80,
    "preload": True,
    "max_requests": 12345,
    "backlog": 777,
    "limit_concurrency": 55,
}
SHOWN = {
    "keep_alive_s": ("3",),
    "cpu_quota": ("0.5", "500m", "50%"),
    "memory_mib": ("384m", "384Mi", "384M"),
    "threads": ("total_tokens = 80",),
    "max_requests": ("12345",),
    "backlog": ("777",),
    "limit_concurrency": ("55",),
}


def variants() -> list[Variant]:
    """Of every recipe the default, and each level that it can have."""
    found = []
    for recipe in RECIPES:
        base = Variant(recipe=recipe, workers=1 if recipe in (OWN_COMMAND, "uvicorn-reload") else 2)
        found.append(base)
        found += [
            changed
            for level, value in LEVELS.items()
            if impossible(changed := replace(base, **{level: value}), TARGET) is None
        ]
    return found


DATA = cache(report_data)


def exported(variant: Variant, target: Target = TARGET, **changes: Any) -> Deployable:
    locked, asked = (assets() / "requirements" / name for name in lock_files(variant.recipe))
    found = deployable(
        DATA(),
        variant,
        target,
        requirements=Requirements(lines=("fastapi==0.165.0",)),
        lock=locked.read_text() if locked.is_file() else "",
        wanted=asked.read_text() if asked.is_file() else "",
    )
    return replace(found, **changes)


def texts(given: Deployable, kind: str) -> tuple[dict[str, str], tuple[str, ...]]:
    found = FORMATS[kind](given)
    return dict(found.files), found.warnings


@pytest.mark.parametrize("variant", variants(), ids=lambda variant: variant.id)
@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "gunicorn"])
def test_a_level_is_in_the_files_or_in_a_warning(variant: Variant, kind: str) -> None:
    files, warnings = texts(exported(variant), kind)
    everything = "\n".join(files.values())
    for warning in warnings:
        assert warning in everything
    for level, words in SHOWN.items():
        value, default = getattr(variant, level), getattr(Variant(recipe="", workers=1), level)
        limits = level in ("cpu_quota", "memory_mib") and kind == "dockerfile"
        if value != default and not limits:
            assert any(word in everything for word in words), level
    if kind == "dockerfile":
        return
    for process in in_containers(replace(variant, threads=None), TARGET):
        if process.name != "nginx" and process.argv:
            # A unit's certificates lie next to the app.
            told = [word for word in process.argv if not (kind == "systemd" and "/opt/tls" in word)]
            assert all(word in everything for word in told)


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_manifests_are_valid_under_the_schema_of_kubernetes(recipe: str) -> None:
    for target in (TARGET, IMAGE, BLACK_BOX if recipe == OWN_COMMAND else TARGET):
        given = exported(Variant(recipe=recipe, workers=2 if recipe != OWN_COMMAND else 1), target)
        files, _ = texts(given, "k8s")
        documents = list(yaml.safe_load_all(files["kubernetes.yaml"]))
        for document in documents:
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
        kinds = [document["kind"] for document in documents]
        assert kinds[:4] == ["Deployment", "Service", "HorizontalPodAutoscaler", "PodDisruptionBudget"]
        pod = documents[0]["spec"]["template"]["spec"]
        app = next(c for c in pod["containers"] if c["name"] != "nginx")
        assert app["resources"]["requests"] == app["resources"]["limits"]
        assert pod["terminationGracePeriodSeconds"] > given.variant.graceful_timeout_s
        front = pod["containers"][0]
        assert {"startupProbe", "readinessProbe", "livenessProbe", "lifecycle"} <= front.keys()
        assert "tcpSocket" in front["livenessProbe"]


def test_compose_has_the_app_its_limits_and_the_services_it_needs() -> None:
    variant = Variant(recipe="gunicorn-uvicorn", workers=3, cpu_quota=0.5, memory_mib=384)
    files, warnings = texts(exported(variant, replicas=2, context="..", here="deploy"), "compose")
    services = yaml.safe_load(files["compose.yaml"])["services"]
    app = services["app"]
    assert app["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    assert (app["cpus"], app["mem_limit"], app["stop_grace_period"]) == ("0.5", "384m", "12s")
    assert app["ports"] == ["8000-8001:8000"]
    assert app["deploy"] == {"replicas": 2}
    assert app["command"][:2] == ["gunicorn", "orders.main:app"]
    assert app["environment"] == dict(TARGET.env)
    assert app["env_file"] == [".env"]
    assert app["tmpfs"] == ["/tmp", "/app/cache"]
    assert app["read_only"] is True
    assert app["depends_on"] == ["db"]
    assert "/health/ready" in app["healthcheck"]["test"][-1]
    assert services["db"]["image"] == "postgres:17"
    assert any("alembic upgrade head" in warning for warning in warnings)
    assert any("DATABASE_URL" in warning for warning in warnings)


def test_the_proxy_and_the_servers_behind_it_share_a_network_as_they_did() -> None:
    files, _ = texts(exported(Variant(recipe="nginx-replicas", workers=2)), "compose")
    services = yaml.safe_load(files["compose.yaml"])["services"]
    assert list(services)[:3] == ["nginx", "server-1", "server-2"]
    assert services["server-2"]["network_mode"] == "service:nginx"
    assert "ports" not in services["server-1"]
    assert "server 127.0.0.1:8002" in files["nginx.conf"]
    manifests = texts(exported(Variant(recipe="nginx-replicas", workers=2)), "k8s")[0]["kubernetes.yaml"]
    pod = next(yaml.safe_load_all(manifests))["spec"]["template"]["spec"]
    assert [container["name"] for container in pod["containers"]] == ["nginx", "server-1", "server-2"]


def test_the_dockerfile_has_two_stages_requirements_first_no_root_and_exec_form() -> None:
    files, _ = texts(exported(replace(STANDARD_1, workers=4)), "dockerfile")
    lines = files["Dockerfile"].splitlines()
    steps = [line for line in lines if line.partition(" ")[0].isupper()]
    assert [step for step in steps if step.startswith("FROM")] == [
        "FROM ${BASE_IMAGE} AS base",
        "FROM base AS build",
        "FROM base",
    ]
    assert steps.index("COPY requirements.txt requirements.txt") < steps.index("COPY . .")
    assert steps[-3] == "USER 10001:10001"
    assert steps[-1].startswith('CMD ["uvicorn", "orders.main:app"')
    assert '"4"' in steps[-1]
    # As it was seen inside the container, not as it was asked for.
    assert '    "uvicorn[standard]==' in files["Dockerfile"]
    assert "**/.env" not in files["Dockerfile"]


def test_of_an_image_only_a_layer_is_exported_and_of_a_black_box_nothing_is_installed() -> None:
    text = texts(exported(STANDARD_1, IMAGE), "dockerfile")[0]["Dockerfile"]
    assert "FROM registry/orders:1.4\nUSER root\nRUN python3 -m pip install" in text
    box = texts(exported(Variant(recipe=OWN_COMMAND, workers=1), BLACK_BOX), "compose")[0]
    assert list(box) == ["compose.yaml"]
    app = yaml.safe_load(box["compose.yaml"])["services"]["app"]
    assert app["image"] == "nginx:1.29"
    assert app["ports"] == ["8080:8080"]
    assert not {"build", "command", "healthcheck"} & app.keys()


@pytest.mark.parametrize("recipe", list(GUNICORNS))
def test_gunicorn_reads_the_same_from_the_file_as_from_the_command_line(recipe: str) -> None:
    variant = Variant(recipe=recipe, workers=3, preload=True, max_requests=500, access_log=True)
    text = texts(exported(variant), "gunicorn")[0]["gunicorn.conf.py"]
    found: dict[str, Any] = {}
    exec(text, found)
    _, app, *argv = in_containers(variant, TARGET)[0].argv
    assert found["wsgi_app"] == app
    assert (found["preload_app"], found["control_socket_disable"]) == (True, True)
    for option, value in pairwise(argv):
        if option in SETTINGS:
            assert str(found[SETTINGS[option]]) == value


def test_only_a_gunicorn_has_a_gunicorn_conf() -> None:
    with pytest.raises(ValueError, match="no gunicorn"):
        FORMATS["gunicorn"](exported(STANDARD_1))


def test_a_unit_quotes_as_systemd_reads() -> None:
    text = texts(exported(GUNICORN_5), "systemd")[0]["orders-api.service"]
    assert 'Environment="ODD=a \\"b\\" $c %%d"' in text
    assert "ExecStart=/srv/orders-api/.venv/bin/gunicorn orders.main:app" in text
    assert "MemoryMax=512M" in text
    assert "EnvironmentFile=/srv/orders-api/.env" in text
    assert quoted("a b") == '"a b"'
    assert quoted("50%") == "50%%"
    assert quoted("$HOME") == "$$HOME"
    assert quoted("") == '""'


def test_the_memory_limit_is_a_quarter_above_the_highest_working_set_unless_one_was_measured() -> None:
    data = DATA()
    peaks = [
        cell.metrics["working_set_peak_bytes"].hi
        for finding in data.analysis.findings
        for cell in finding.cells
        if cell.variant_id == STANDARD_1.id
    ]
    wanted = max(peak for peak in peaks if peak) / 2**20 * 1.25
    assert wanted <= (exported(STANDARD_1).memory_mib or 0) < wanted + 16
    assert exported(GUNICORN_5).memory_mib == 512


def test_every_file_says_which_run_it_is_from_and_with_which_figures() -> None:
    for kind in FORMATS:
        for name, text in texts(exported(GUNICORN_5), kind)[0].items():
            if name != "Dockerfile.dockerignore":
                assert text.startswith("# Written by harness "), name
                assert DATA().run_id in text
                assert "items (VALID): throughput" in text


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("compose", "cap_add:\n    - SETUID\n    - SETGID"),
        ("k8s", "add: [SETUID, SETGID]"),
        ("systemd", "CapabilityBoundingSet=CAP_SETUID CAP_SETGID\n"),
    ],
)
def test_capabilities_that_were_measured_are_exported_and_no_others(kind: str, says: str) -> None:
    variant = Variant(recipe="uvicorn-standard", workers=1)
    files, _ = texts(exported(variant, replace(TARGET, capabilities=("SETUID", "SETGID"))), kind)
    assert says in "".join(files.values())
    without, _ = texts(exported(variant), kind)
    assert "SETUID" not in "".join(without.values())
