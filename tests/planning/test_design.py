"""How a design lays out the cores of server and generator."""

from __future__ import annotations

import pytest

from harness.adapters.config_file import parse_matrix
from harness.analysis.warnings import sharing_warnings
from harness.errors import ConfigurationError
from harness.model import Matrix
from harness.planning.matrix import resolve

FILE = """
name = "m"
[factors]
recipe = ["uvicorn-standard"]
workers = ["affinity"]
[[scenarios]]
name = "items"
load = {{ clients = {clients} }}
[design]
{design}
"""


def matrix(design: str = "", clients: int = 4) -> Matrix:
    file = parse_matrix(FILE.format(design=design, clients=clients), where="m.toml", scenarios=("items",))
    return resolve(file, where="m.toml", host_cpus=2, server_cpus=(1,), generator_cpus=(0,))


def test_a_server_that_shares_the_cores_has_all_of_them_and_the_run_says_so() -> None:
    shared = matrix("share_cores = true")
    assert shared.server_cpus == (0, 1)
    assert [variant.workers for variant in shared.variants] == [2]
    [warning] = sharing_warnings(shared)
    assert "shares 1 of its 2 cores" in warning


def test_a_server_with_cores_of_its_own_shares_nothing() -> None:
    assert matrix().server_cpus == (1,)
    assert sharing_warnings(matrix()) == ()


def test_more_generators_on_a_cpu_can_be_more_clients() -> None:
    with pytest.raises(ConfigurationError, match=r"generators_per_cpu"):
        matrix(clients=1000)
    assert matrix("generators_per_cpu = 2", clients=1000).generator_cpus == (0, 0)
