"""On logs of real servers that could not start: `start_logs` holds what broken apps made them write."""

from pathlib import Path

import pytest

from harness.deployment import DeploymentState
from harness.measurement.start_failure import cause, explain, last_lines
from harness.target import Target

LOGS = Path(__file__).parent / "start_logs"
EXITED = DeploymentState(running=False, exit_code=1)


def target(app: str = "orders.main:app") -> Target:
    return Target(name="orders", app=app, context="/app")


def log(name: str) -> str:
    return (LOGS / f"{name}.log").read_text()


@pytest.mark.parametrize("server", ["uvicorn", "uvicorn2", "granian", "fastapi"])
def test_a_missing_package_is_named_with_the_line_that_imports_it(server: str) -> None:
    said = cause(log(f"nomod.{server}"), EXITED, target("nomod:app"))
    assert said is not None
    assert said.startswith(
        "the app imports 'stripe_sdk_not_here', which is not installed (raised at /app/nomod.py"
    )
    assert "line 2" in said
    assert "target.requirements" in said


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "granian", "hypercorn"])
def test_a_module_that_is_the_app_itself_is_a_mistake_in_the_target(server: str) -> None:
    said = cause(log(f"nofile.{server}"), EXITED, target("nofile:app"))
    assert said == (
        "the module 'nofile' was not found. Fix: correct target.app (now 'nofile:app'), or set "
        "target.app_dir to the directory that holds it."
    )


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "granian", "hypercorn", "fastapi"])
def test_a_missing_name_in_the_module_is_named(server: str) -> None:
    said = cause(log(f"noattr.{server}"), EXITED, target("noattr:app"))
    assert said is not None
    assert said.startswith("the module 'noattr' has no 'app'. Fix: set target.app to \"noattr:NAME\"")


@pytest.mark.parametrize(
    ("name", "begins", "fix"),
    [
        ("orders.main.uvicorn", "it needs the environment variable DATABASE_URL (raised at "
         '/app/orders/db.py, line 2: URL = os.environ["DATABASE_URL"])', "target.env_file"),
        ("orders.main.gunicorn", "it needs the environment variable DATABASE_URL", "target.env"),
        ("pydmiss.uvicorn", "its settings class Settings needs database_url, secret_key", "target.env_file"),
        ("pydmiss.gunicorn", "its settings class Settings needs database_url, secret_key", "target.env"),
        ("port.uvicorn", "the port it wants to listen on is in use", "target.port"),
        ("port.gunicorn", "the port it wants to listen on is in use", "target.port"),
        ("port.granian", "the port it wants to listen on is in use", "target.port"),
        ("port.hypercorn", "the port it wants to listen on is in use", "target.port"),
        ("readonly.python", "it writes to /var/cache/x, and the root file system is read-only",
         'target.writable = ["/var/cache"]'),
        ("nofile.sqlite", "its database file cannot be written, and the root file system is read-only "
         "(raised at /app/main.py, line 2", "target.writable"),
        ("denied.python", "it may not use /var/lib/app.db as the user it runs as", "target.user"),
        ("threads.uvicorn", "it could not start another thread or process", "OMP_NUM_THREADS"),
        ("dbdown.uvicorn", "something it connects to does not answer (raised at /app/dbdown.py",
         "[[target.services]]"),
        ("kill.uvicorn2", "its workers are killed as they start", "memory_mib"),
        ("kill.gunicorn", "its workers are killed as they start", "memory_mib"),
        ("kill.granian", "its workers are killed as they start", "memory_mib"),
        ("noprogram.docker", "there is no program 'nodee'", "target.command"),
        ("syntax.uvicorn", "the app failed as it started: SyntaxError: '(' was never closed (raised at "
         "/app/syntax.py, line 2", "that line"),
    ],
)  # fmt: skip
def test_each_bad_start_is_a_sentence_with_a_remedy(name: str, begins: str, fix: str) -> None:
    said = cause(log(name), EXITED, target())
    assert said is not None
    assert said.startswith(begins)
    assert fix in said.partition("Fix: ")[2]


def test_a_slow_start_is_no_failure_of_the_app() -> None:
    text = log("slow.uvicorn")
    said = cause(text, DeploymentState(running=True), target())
    assert said is not None
    assert "design.ready_timeout_s" in said
    assert cause(text, EXITED, target()) is None
    assert (
        cause(text + "INFO: Application startup complete.\n", DeploymentState(running=True), target()) is None
    )


def test_an_oom_kill_comes_before_all_that_the_log_says() -> None:
    state = DeploymentState(running=False, exit_code=137, oom_killed=True)
    assert (cause(log("nomod.uvicorn"), state, None) or "").startswith("it was OOM-killed while it started")


def test_the_last_telling_lines_are_quoted_once_each_and_without_control_codes() -> None:
    text = "\x1b[31mERROR: one\x1b[0m\n" + "".join(f"worker {n} died\n" for n in range(9)) + "bye\n"
    assert explain(text, None, None) == ("its log ends in: ERROR: one | worker 8 died",)
    assert len(last_lines("\n".join(f"Error {'x' * n}" for n in range(9)))) == 5
    assert explain("", None, None) == ("it wrote no log",)
    assert explain("one\ntwo\n", None, None) == ("its log ends in: one | two",)


def test_the_words_of_a_server_that_was_only_stopped_are_not_quoted() -> None:
    stopped = "INFO: Uvicorn running\nINFO: Shutting down\n"
    assert explain(stopped, DeploymentState(running=True), None) == ("its log shows no error",)
    assert explain(stopped, EXITED, None) == ("its log ends in: INFO: Uvicorn running | INFO: Shutting down",)


@pytest.mark.parametrize(
    "line",
    [
        "chown: changing ownership of '/data': Operation not permitted",
        "2026/11/30 10:00:00 [emerg] 7#7: setgid(101) failed (1: Operation not permitted)",
        'error: failed switching to "app": operation not permitted',
        "su-exec: setgroups: Operation not permitted",
        "PermissionError: [Errno 1] Operation not permitted",
    ],
)
def test_a_program_that_needs_a_capability_is_told_to_start_as_its_user(line: str) -> None:
    found = cause(f"starting\n{line}\n", None, None)
    assert found is not None
    assert found.startswith("it changes its user, or the owner of files")
    assert 'target.capabilities = ["SETUID", "SETGID", "CHOWN"]' in found
