"""Finding scenarios by name."""

from __future__ import annotations

import importlib
from pathlib import Path

from scenarios.loadkit.errors import BadRequest
from scenarios.loadkit.user import LeanUser

FOLDER = Path(__file__).resolve().parents[1]


def scenario_names() -> tuple[str, ...]:
    """Stems of the Locust files in scenarios/."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"))


def load_scenario(name: object) -> type[LeanUser]:
    """The user class of a Locust file. Raises BadRequest for a name that is not one of ours."""
    if name not in scenario_names():
        raise BadRequest(f"no scenario {name!r}; there are {', '.join(scenario_names())}")
    module = importlib.import_module(f"scenarios.{name}")
    users = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, LeanUser) and item.requests
    ]
    if len(users) != 1:
        raise BadRequest(f"scenarios/{name}.py must define one LeanUser with requests, it has {len(users)}")
    return users[0]
