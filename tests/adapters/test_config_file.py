from pathlib import Path

import pytest

from harness.adapters.assets import assets
from harness.adapters.config_file import load_matrix, parse_matrix, remarks, scenario_names
from harness.adapters.host import split_cpus
from harness.errors import ConfigurationError, ExitCode
from harness.model import Matrix

PROJECT = assets()
SCENARIOS = ("items", "async_io")

GOOD = """
name = "good"
[factors]
recipe = ["uvicorn-plain", "uvicorn-standard"]
workers = [1, "2 * host + 1", { name = "per core", count = "affinity" }]
[[scenarios]]
name = "items"
load = { clients = 4 }
[[scenarios]]
name = "steady"
locustfile = "async_io"
load = { rate_per_s = 50.0 }
"""


def load(text: str, tmp_path: Path, host_cpus: int = 2) -> Matrix:
    path = tmp_path / "m.toml"
    path.write_text(text)
    return load_matrix(path, project=PROJECT, server_cpus=(1,), generator_cpus=(0,))


def problems(text: str) -> str:
    with pytest.raises(ConfigurationError) as error:
        parse_matrix(text, where="m.toml", scenarios=SCENARIOS)
    assert error.value.exit_code == ExitCode.CONFIGURATION
    return str(error.value)


@pytest.mark.parametrize("path", sorted((PROJECT / "matrices").glob("*.toml")), ids=lambda p: p.stem)
def test_every_matrix_of_the_project_is_ready_to_run(path: Path) -> None:
    matrix = load_matrix(path, project=PROJECT, server_cpus=(1,), generator_cpus=(0,))
    assert matrix.name == path.stem
    assert matrix.variants


@pytest.mark.parametrize("cpus", [1, 2, 4, 16, 64, 128, 192])
def test_every_matrix_has_a_plan_on_machines_of_every_size(
    cpus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cpus)
    server, generator = split_cpus(range(cpus))
    refused = {}
    for path in sorted((PROJECT / "matrices").glob("*.toml")):
        try:
            matrix = load_matrix(path, project=PROJECT, server_cpus=server, generator_cpus=generator)
        except ConfigurationError as error:
            refused[path.stem] = str(error)
        else:
            rules = {rule: variant.workers for variant in matrix.variants for rule in variant.rules}
            assert rules.get("W1 2n+1, n = CPUs of the host", 2 * cpus + 1) == 2 * cpus + 1
    # Two CPUs' worth of time is more than one CPU has.
    assert list(refused) == (["workers-quota-2"] if cpus == 1 else [])


def test_equal_counts_are_one_variant_named_by_all_its_rules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    matrix = load(GOOD, tmp_path)
    assert {v.id: v.rules for v in matrix.variants} == {
        "uvicorn-plain.w1": ("1", "per core"),
        "uvicorn-plain.w5": ("2 * host + 1",),
        "uvicorn-standard.w1": ("1", "per core"),
        "uvicorn-standard.w5": ("2 * host + 1",),
    }
    assert matrix.baseline_id == "uvicorn-plain.w1"


def test_exclude_drops_and_include_adds(tmp_path: Path) -> None:
    text = GOOD.replace(
        "[[scenarios]]",
        '[[exclude]]\nrecipe = "uvicorn-plain"\n[[include]]\nrecipe = "fastapi-run"\n[[scenarios]]',
        1,
    )
    recipes = [v.recipe for v in load(text, tmp_path).variants]
    assert "uvicorn-plain" not in recipes
    assert recipes.count("fastapi-run") == 1


def test_a_quota_is_what_the_container_is_allowed(tmp_path: Path) -> None:
    text = GOOD.replace("[[scenarios]]", "cpu_quota = [0.5]\n[[scenarios]]", 1).replace(
        '"2 * host + 1"', '"2 * int(ceil(quota)) + 1"'
    )
    assert {v.id for v in load(text, tmp_path).variants} >= {"uvicorn-plain.w3.cpu0.5"}


def test_all_mistakes_are_reported_at_once() -> None:
    text = """
name = "Bad Name"
surprise = 1
[factors]
recipe = ["uvicorn"]
workers = ["2 * cpu + 1", 0]
acess_log = [true]
[[scenarios]]
name = "itms"
load = { clients = "many" }
[design]
blocks = 1.5
"""
    said = problems(text)
    for expected in (
        "name: ",
        "unknown key 'surprise'",
        "unknown recipe 'uvicorn'",
        "unknown count 'cpu'; did you mean 'cpus'?",
        "factors.workers.1",
        "unknown key 'acess_log'; did you mean 'access_log'?",
        "unknown Locust file 'itms'; did you mean 'items'?",
        "scenarios.0.load",
        "design.blocks",
    ):
        assert expected in said
    assert "m.toml" in said


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("workers = [1,", "workers = [1, 1,"), None),
        (("[[scenarios]]", "[[scenarios"), "not valid TOML"),
        (('name = "items"', 'name = "steady"\nlocustfile = "items"'), "stands more than once"),
        (("[factors]", "volumes = ['/:/host']\n[factors]"), "unknown key 'volumes'"),
        (("clients = 4", "clients = 4, rate_per_s = 3.0"), "unknown key"),
        (("[[scenarios]]", "base-line = 1\n[[scenarios]]"), "unknown key 'base-line'"),
        (("[factors]", "base-line = 1\n[factors]"), "base-line: unknown key 'base-line'"),
        (
            ("clients = 4 }", "clients = 4 }\nwarmup-s = 1"),
            "scenarios.0.warmup-s: unknown key 'warmup-s'; did you mean 'warmup_s'?",
        ),
        (("clients = 4", "clients = 4, Closed = 1"), "scenarios.0.load.Closed: unknown key 'Closed'"),
        (("clients = 4", 'clients = 4, "a[b]" = 1'), "scenarios.0.load.a[b]: unknown key"),
        (
            ("clients = 4", "client = 4"),
            "scenarios.0.load.client: unknown key 'client'; did you mean 'clients'?",
        ),
        (("rate_per_s = 50.0", "rate = 50.0"), "unknown key 'rate'; did you mean 'rate_per_s'?"),
        (("count = ", "int = 3, count = "), "factors.workers.2.int: unknown key 'int'"),
        (('count = "affinity"', 'count = "afinity"'), "factors.workers.2.count: 'afinity': unknown count"),
        ((', count = "affinity"', ""), "factors.workers.2.count: Field required"),
        (("[factors]", f"deep = {'[' * 2000}{']' * 2000}\n[factors]"), "nested too deeply"),
        (("[factors]", f"{'a.' * 2_000}a = 1\n[factors]"), "a: unknown key 'a'"),
        (("[factors]", f"long = {'1' * 5000}\n[factors]"), "not valid TOML"),
    ],
)
def test_single_mistakes(change: tuple[str, str], says: str | None) -> None:
    text = GOOD.replace(*change, 1)
    if says is None:
        parse_matrix(text, where="m.toml", scenarios=SCENARIOS)
    else:
        assert says in problems(text)


@pytest.mark.parametrize(
    ("addition", "says"),
    [
        ('[design]\nbaseline = "uvicorn-plian.w1"', "did you mean 'uvicorn-plain.w1'?"),
        ("[[exclude]]\naccess_log = false", "every variant is excluded"),
        ('[[include]]\nrecipe = "fastapi-run"\nkeep_alive_s = 30', "fastapi-run.w1.ka30"),
        ('[[include]]\nrecipe = "fastapi-run"\nworkers = "host - 64"', "between 1 and 1024"),
    ],
)
def test_impossible_points_are_named(addition: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        load(GOOD + addition, tmp_path)
    assert says in str(error.value)


def test_only_the_form_that_was_meant_is_spoken_of() -> None:
    assert problems(GOOD.replace("[1,", "[0,")).splitlines()[1:] == [
        "  - factors.workers.0: Input should be greater than or equal to 1 (got 0)"
    ]
    assert problems(GOOD.replace('"affinity"', '"afinity"')).splitlines()[1:] == [
        "  - factors.workers.2.count: 'afinity': unknown count 'afinity'; did you mean 'affinity'?"
    ]
    assert "valid integer" in problems(GOOD.replace("[1,", "[1.5,"))
    several = problems(GOOD.replace("workers = [1,", 'cpu_quota = ["half", -1]\nworkers = [1,')).splitlines()
    assert several[1].startswith("  - factors.cpu_quota.0: Input should be a valid number")
    assert several[1].endswith("Input should be 'none' (got 'half')")
    assert several[2:] == ["  - factors.cpu_quota.1: Input should be greater than or equal to 0.01 (got -1)"]


def test_too_many_variants_are_refused_before_they_are_made(tmp_path: Path) -> None:
    levels = ", ".join(map(str, range(1, 61)))
    text = GOOD.replace("[1,", f"[{levels},", 1).replace(
        "[[scenarios]]", "access_log = [true, false]\n[[scenarios]]", 1
    )
    text = text.replace("[[scenarios]]", "keep_alive_s = [1, 2, 3]\n[[scenarios]]", 1)
    with pytest.raises(ConfigurationError, match="more than 256"):
        load(text, tmp_path)


def test_a_missing_or_huge_file_is_an_error_that_helps(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text(GOOD)
    with pytest.raises(ConfigurationError, match=r"other\.toml"):
        load_matrix(tmp_path / "m.toml", project=PROJECT, server_cpus=(1,), generator_cpus=(0,))
    (tmp_path / "huge.toml").write_bytes(b"#" * 50_000_000)
    with pytest.raises(ConfigurationError, match="larger than"):
        load_matrix(tmp_path / "huge.toml", project=PROJECT, server_cpus=(1,), generator_cpus=(0,))


def test_scenarios_are_the_locust_files() -> None:
    assert {"root", "items", "async_io", "cpu_bound", "mixed"} <= set(scenario_names(PROJECT))


def test_an_included_point_that_is_excluded_too_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    more = '[[include]]\nrecipe = "uvicorn-plain"\nworkers = 4\n[[exclude]]\nrecipe = "uvicorn-plain"\n'
    path.write_text(GOOD.replace("[[scenarios]]", more + "[[scenarios]]", 1))
    said = remarks(path, project=PROJECT)
    assert said == ("include.0 is measured although exclude.0 names it: include comes last",)
    path.write_text(GOOD)
    assert remarks(path, project=PROJECT) == ()


@pytest.mark.parametrize(
    ("load", "said"),
    [
        ("{ clients = -3 }", ["clients: Input should be greater than or equal to 1 (got -3)"]),
        ("{ rate_per_s = 0.0 }", ["rate_per_s: Input should be greater than 0 (got 0.0)"]),
        (
            "{ rate = 5.0, arivals = 3 }",
            ["rate_per_s: Field required", "arivals: unknown key", "rate: unknown key"],
        ),
        ("{ capacity = true }", ["clients: Field required: As many as keep the server busy"]),
        ("{}", ["clients: Field required: Users, each sending its next request"]),
    ],
)
def test_a_load_is_spoken_of_in_the_keys_of_the_one_that_was_meant(load: str, said: list[str]) -> None:
    lines = problems(GOOD.replace("{ clients = 4 }", load)).splitlines()[1:]
    assert len(lines) == len(said)
    for line, start in zip(sorted(lines), sorted(said), strict=True):
        assert line.startswith(f"  - scenarios.0.load.{start}")
