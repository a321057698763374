"""Why a server did not start: from its log and state to a sentence with what, where and the fix. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import dirname

from harness.deployment import DeploymentState
from harness.target import Target

MAX_LINES, MAX_LENGTH = 5, 240
_CODES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|\x1b\].*?(?:\x07|\x1b\\\\|$)|[\x00-\x08\x0b-\x1f\x7f-\x9f]",
    re.MULTILINE,
)
_FRAME = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in \S+)?\n\s+(?P<code>[^\n]+)')
_BOXED_FRAME = re.compile(r"│ (?P<file>/\S+\.py):(?P<line>\d+) in ")
"""As `fastapi run` prints it."""
_NOT_THEIRS = ("site-packages", "/lib/python3", "<frozen", "<string>", "harness_probe")
_TELLING = re.compile(
    r"error|exception|fail|fatal|panic|denied|refused|not found|could not|cannot|no module|died|sigkill"
    r"|required|read-only|in use",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r'^\s*(?:File "|[~^]+\s*$|raise |For further information|During handling of|[│╭╰])|Traceback \(most'
)

Cause = Callable[[str, Target | None], str | None]


def explain(log: str, state: DeploymentState | None, target: Target | None) -> tuple[str, ...]:
    """The cause where it is known, and the last lines of the log that say something about it."""
    text = _CODES.sub("", log)
    found, lines = cause(text, state, target), last_lines(text)
    # Of a server that ran until it was stopped, the last lines are those of being stopped.
    if not lines and (state is None or not state.running):
        lines = last_lines(text, telling=False)
    if lines:
        quoted = f"its log ends in: {' | '.join(lines)}"
    else:
        quoted = "its log shows no error" if text.strip() else "it wrote no log"
    return (found, quoted) if found else (quoted,)


def cause(log: str, state: DeploymentState | None, target: Target | None) -> str | None:
    """One sentence with its remedy; None where the log matches nothing known."""
    text = _CODES.sub("", log)
    if state is not None and state.oom_killed:
        return "it was OOM-killed while it started. Fix: raise memory_mib, or lower workers."
    found = next(filter(None, (known(text, target) for known in _CAUSES)), None)
    if found is None and state is not None and state.running and _still_starting(text):
        return (
            "the app is still in its startup (lifespan). Fix: raise design.ready_timeout_s, or have the "
            "startup do less."
        )
    return found


def last_lines(text: str, *, telling: bool = True) -> tuple[str, ...]:
    """At most five lines that differ in more than numbers: of all, or of those that tell of a failure."""
    lines = [line.strip()[:MAX_LENGTH] for line in text.splitlines() if line.strip()]
    if telling:
        lines = [line for line in lines if _TELLING.search(line) and not _NOISE.match(line)]
    distinct = {re.sub(r"\d+", "0", line): line for line in lines}
    return tuple(distinct.values())[-MAX_LINES:]


def _still_starting(text: str) -> bool:
    return text.count("Waiting for application startup") > text.count("Application startup complete")


def _where(text: str) -> str:
    """The last line of their own code that a traceback names."""
    frames = [frame for frame in _FRAME.finditer(text) if _theirs(frame["file"])]
    boxed = [frame for frame in _BOXED_FRAME.finditer(text) if _theirs(frame["file"])]
    if boxed and not frames:
        return f" (raised at {boxed[-1]['file']}, line {boxed[-1]['line']})"
    if not frames:
        return ""
    last = frames[-1]
    return f" (raised at {last['file']}, line {last['line']}: {last['code'].strip()[:MAX_LENGTH]})"


def _theirs(file: str) -> bool:
    return not any(part in file for part in _NOT_THEIRS)


def _no_program(text: str, _: Target | None) -> str | None:
    found = re.search(r'exec: "([^"]+)": (?:executable file not found|stat |no such file)', text)
    if found:
        return f"there is no program {found[1]!r}. Fix: correct target.command, or add it to the image."
    if re.search(r"exec format error", text, re.IGNORECASE):
        return (
            "the image's program is not for this machine (exec format error). Fix: build the image for this "
            "machine's architecture, or give its start script a first line such as #!/bin/sh."
        )
    return None


def _no_module(text: str, target: Target | None) -> str | None:
    found = (
        re.search(r"No module named '([\w.]+)'", text)
        or re.search(r"Could not import (?:module )?[\"']([\w.]+)[\"']", text)
        or re.search(r"Cannot load application from '([\w.]+):[^']*', module not found", text)
    )
    if not found:
        return None
    module = found[1]
    app = (target.app or "").partition(":")[0] if target else ""
    same = module.partition(".")[0] == app.partition(".")[0]
    own = same if app else not _where(text)
    if own:
        return (
            f"the module {module!r} was not found{_where(text)}. Fix: correct target.app (now "
            f"{target.app if target else None!r}), or set target.app_dir to the directory that holds it."
        )
    return (
        f"the app imports {module!r}, which is not installed{_where(text)}. Fix: add the package to the "
        f"app's requirements (target.requirements), then run again."
    )


def _no_attribute(text: str, _: Target | None) -> str | None:
    for pattern in (
        r'Attribute "(?P<name>[^"]+)" not found in module "(?P<module>[^"]+)"',
        r"Failed to find attribute '(?P<name>[^']+)' in '(?P<module>[^']+)'",
        r"AttributeError: module '(?P<module>[^']+)' has no attribute '(?P<name>[^']+)'",
        r"Cannot load application from '(?P<module>[^':]+):(?P<name>[^']+)', application not found",
        r"Could not find app name (?P<name>\S+) in (?P<module>\S+)",
    ):
        if found := re.search(pattern, text):
            name, module = found["name"], found["module"]
            return (
                f'the module {module!r} has no {name!r}. Fix: set target.app to "{module}:NAME" with the '
                f'app\'s name there, or "{module}:NAME()" where a function makes it.'
            )
    return None


def _no_variable(text: str, _: Target | None) -> str | None:
    names: list[str] = re.findall(r"^([\w.]+)\n\s+Field required \[type=missing", text, re.MULTILINE)
    settings = re.search(r"validation errors? for (\w+)", text)
    if names and settings:
        listed = ", ".join(dict.fromkeys(names))
        return (
            f"its settings class {settings[1]} needs {listed}, which nothing sets{_where(text)}. Fix: add "
            f"them to target.env, or secret ones to the file of target.env_file."
        )
    found = re.search(r"^KeyError: '([A-Z][A-Z0-9_]*)'", text, re.MULTILINE)
    if not found:
        return None
    return (
        f"it needs the environment variable {found[1]}{_where(text)}. Fix: add it to target.env, or a secret "
        f"one to the file of target.env_file."
    )


def _port_in_use(text: str, _: Target | None) -> str | None:
    if not re.search(r"address (?:is )?already in use|EADDRINUSE|os error 98", text, re.IGNORECASE):
        return None
    return (
        "the port it wants to listen on is in use. Fix: have its command start one server only, set "
        'target.port to the port it listens on, and on network = "host" end what else listens there.'
    )


def _read_only(text: str, _: Target | None) -> str | None:
    found = re.search(r"Read-only file system(?:: [\"'](?P<path>/[^\"']*)[\"'])?", text)
    if not found:
        return None
    path = found["path"]
    if not path:
        return (
            f"it writes to the read-only root file system{_where(text)}. Fix: name the directory in "
            f"target.writable."
        )
    return (
        f"it writes to {path}, and the root file system is read-only{_where(text)}. Fix: add "
        f'target.writable = ["{_directory(path)}"].'
    )


def _no_database_file(text: str, _: Target | None) -> str | None:
    if not re.search(r"unable to open database file|attempt to write a readonly database", text):
        return None
    return (
        f"its database file cannot be written, and the root file system is read-only{_where(text)}. Fix: "
        f"have the app keep it in a directory of its own (by a setting in target.env), and name that in "
        f"target.writable."
    )


def _denied(text: str, target: Target | None) -> str | None:
    found = re.search(
        r"(?:PermissionError: \[Errno \d+\] [^:\n]+|Permission denied): [\"']?(/[^\s\"']+)", text
    )
    if not found:
        return None
    user = (target.user if target else None) or "the image's user, or 10001:10001 where that is root"
    return (
        f"it may not use {found[1]} as the user it runs as ({user}){_where(text)}. Fix: add "
        f'target.writable = ["{_directory(found[1])}"], or set target.user to the owner of that path.'
    )


def _no_capability(text: str, _: Target | None) -> str | None:
    found = re.search(
        r"(?:set(?:e?[ug]id|groups)|initgroups|chown|changing ownership|switching to|su-exec|gosu|setpriv)"
        r"[^\n]*Operation not permitted|^PermissionError: \[Errno 1\] Operation not permitted",
        text,
        re.IGNORECASE | re.MULTILINE,
    )
    if not found:
        return None
    return (
        f"it changes its user, or the owner of files, and containers have no capability to do so here"
        f"{_where(text)}. Fix: set target.user to the user that it is to run as in the end, or allow it with "
        f'target.user = "0:0" and target.capabilities = ["SETUID", "SETGID", "CHOWN"].'
    )


def _directory(path: str) -> str:
    return parent if (parent := dirname(path)) not in ("", "/") else path


def _no_thread(text: str, _: Target | None) -> str | None:
    if not re.search(r"can't start new thread|pthread_create failed|Resource temporarily unavailable", text):
        return None
    return (
        f"it could not start another thread or process{_where(text)}. Fix: lower workers or threads, or "
        f'limit native libraries with target.env = {{ OMP_NUM_THREADS = "1", OPENBLAS_NUM_THREADS = "1" }}.'
    )


def _no_service(text: str, _: Target | None) -> str | None:
    if not re.search(r"Connection ?[Rr]efused|Name or service not known|getaddrinfo", text):
        return None
    return (
        f"something it connects to does not answer{_where(text)}. Fix: add that service to the file as "
        f"[[target.services]], and set the app's address for it in target.env to the service's name."
    )


def _workers_die(text: str, _: Target | None) -> str | None:
    if not re.search(r"Child process \[\d+\] died|was sent SIGKILL|Unexpected exit from worker", text):
        return None
    if raised := _raised(text, None):
        return raised
    return (
        "its workers are killed as they start, as by a memory limit. Fix: raise memory_mib, or lower workers."
    )


def _raised(text: str, _: Target | None) -> str | None:
    """Whatever else their code raised."""
    where = _where(text)
    raised = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)\b.*$", text, re.MULTILINE)
    if not where or not raised:
        return None
    return f"the app failed as it started: {raised[-1][:MAX_LENGTH]}{where}. Fix: that line."


_CAUSES: tuple[Cause, ...] = (
    _no_program,
    _no_attribute,
    _no_module,
    _no_variable,
    _port_in_use,
    _read_only,
    _no_database_file,
    _denied,
    _no_capability,
    _no_thread,
    _no_service,
    _workers_die,
    _raised,
)
"""The first that matches is told."""
