"""Environments of compose files: what is copied, what stands in for a missing value, what is a secret."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.planning.starter import Setting

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
VARIABLE = re.compile(
    r"\$\$|\$\{(?P<braced>[A-Za-z_]\w*)(?:(?P<operator>:?[-?+])(?P<rest>[^{}]*))?\}|\$(?P<bare>[A-Za-z_]\w*)"
)
SECRET_NAME = re.compile(r"PASS(WORD|WD)?|SECRET|TOKEN|CREDENTIAL|PRIVATE|SALT|DSN$|_KEY$|^KEY$|APIKEY", re.I)
SECRET_IN_URL = re.compile(r"://[^/\s:@]*:(?P<password>[^@\s/]+)@")
LOOKS_RANDOM = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9+_=-]{32,}")
HARMLESS = re.compile(r"\d{1,6}|true|false|yes|no|on|off|", re.I)
REPLACEABLE = re.compile(r"PASS|SECRET|TOKEN|USER|DB|DATABASE|NAME", re.I)
"""Names of variables that a service made for the run may be given any value for."""
STAND_IN = "harness"


@dataclass(slots=True)
class ComposeValues:
    """What variables of the file stand for, and what was found to be without a value."""

    stand_ins: set[str] = field(default_factory=set)
    """Variables that STAND_IN is used for, in every place."""
    throwaway: set[str] = field(default_factory=set)
    """Passwords of services that are made for the run: known to the whole file, and no secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A text with its variables filled in."""

    text: str
    missing: tuple[str, ...] = ()
    """Variables without a value."""
    defaults: tuple[str, ...] = ()
    """Variables that the file gives a default for."""
    stood_in: bool = False


def filled(text: str, stand_ins: Collection[str] = ()) -> Filled:
    """As compose would with an empty environment: ${A:-b} is b, $$ is $, and ${A} has no value."""
    missing: dict[str, None] = {}
    defaults: dict[str, None] = {}
    used = False

    def value(match: re.Match[str]) -> str:
        nonlocal used
        name = match["braced"] or match["bare"]
        if name is None:
            return "$"
        operator = (match["operator"] or "").lstrip(":")
        if operator == "-":
            defaults[name] = None
            return match["rest"]
        if operator == "+":
            return ""
        if name in stand_ins:
            used = True
            return STAND_IN
        missing[name] = None
        return match[0]

    done = VARIABLE.sub(value, text)
    if "${" in VARIABLE.sub("", text):
        missing["..."] = None
    return Filled(text=done, missing=tuple(missing), defaults=tuple(defaults), stood_in=used)


def entries(table: Any) -> Iterator[tuple[str, str | None]] | None:
    """Names and values of an environment, a list or a table; None where it is neither."""
    if isinstance(table, Mapping):
        if all(isinstance(value, str | None) for value in table.values()):
            return ((str(name), value) for name, value in table.items())
    elif isinstance(table, list) and all(isinstance(line, str) for line in table):
        pairs = (line.partition("=") for line in table)
        return ((name, value if equals else None) for name, equals, value in pairs)
    return None


def is_secret(name: str, value: str) -> bool:
    """Whether a value looks like one that is to be kept to oneself."""
    if HARMLESS.fullmatch(value):
        return False
    return bool(SECRET_NAME.search(name) or SECRET_IN_URL.search(value) or LOOKS_RANDOM.fullmatch(value))


def service_env(
    service: str, table: Any, values: ComposeValues, left_out: list[str], *, file: str
) -> tuple[Setting, ...]:
    """The environment of a service that is made for the run: all of it is copied, passwords too."""
    settings = []
    for name, value in _known(service, table, left_out):
        first = filled(value or "", values.stand_ins)
        values.stand_ins |= {
            variable for variable in first.missing if REPLACEABLE.search(f"{name} {variable}")
        }
        text = filled(value or "", values.stand_ins)
        if value is None or text.missing:
            left_out.append(_without_value(service, name, value, f"write its value into [env] of {service}"))
            continue
        why = _why(text)
        if is_secret(name, text.text):
            values.throwaway.add(text.text)
            why = why or f"as in {file}: {service} is made for the run, and removed after it"
        settings.append(Setting(key=name, value=text.text, why=why))
    return tuple(settings)


def app_env(
    service: str, table: Any, values: ComposeValues, left_out: list[str]
) -> tuple[tuple[Setting, ...], dict[str, str]]:
    """The environment of the app, and what its env_file must say: secrets stay where they are."""
    settings: list[Setting] = []
    unset: dict[str, str] = {}
    for name, value in _known(service, table, left_out):
        text = filled(value or "", values.stand_ins)
        if value is None or text.missing:
            unset[name] = _without_value(service, name, value, _to_env_file(name))
        elif not is_secret(name, text.text) or text.stood_in:
            settings.append(Setting(key=name, value=text.text, why=_why(text)))
        elif _known_password(text.text) in values.throwaway:
            why = "its password is that of a service that is made for the run, and removed after it"
            settings.append(Setting(key=name, value=text.text, why=why))
        else:
            unset[name] = (
                f"environment {name} of {service}: its value looks like a secret and is not copied. "
                f"Fix: {_to_env_file(name)}"
            )
    return tuple(settings), unset


def _known(service: str, table: Any, left_out: list[str]) -> Iterator[tuple[str, str | None]]:
    if table is None:
        return
    found = entries(table)
    if found is None:
        left_out.append(f"environment of {service}: neither a list of NAME=value nor a table of texts")
        return
    for name, value in found:
        if NAME.fullmatch(name) and not name.startswith("HARNESS_") and "\0" not in (value or ""):
            yield name, value
        else:
            left_out.append(f"environment {name[:60]!r} of {service}: no name that a variable may have")


def _known_password(value: str) -> str:
    found = SECRET_IN_URL.search(value)
    return found["password"] if found else value


def _without_value(service: str, name: str, value: str | None, fix: str) -> str:
    taken = f"its value {value} comes" if value else "its value comes"
    return f"environment {name} of {service}: {taken} from the shell or .env. Fix: {fix}"


def _to_env_file(name: str) -> str:
    return f"write {name}=... into a file, and name that file as env_file below [target]"


def _why(text: Filled) -> str:
    if text.stood_in:
        return f"{STAND_IN!r} stands for a value from the shell or .env that only services of the run need"
    return f"the default of ${{{', '.join(text.defaults)}}}" if text.defaults else ""
