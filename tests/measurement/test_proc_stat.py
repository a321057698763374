import pytest

from harness.errors import EnvironmentProblem
from harness.measurement.proc_stat import busy_s, listen_overflows, steal_s

STAT = """\
cpu  7212 0 2900 179165 509 0 102 160 0 0
cpu0 2780 0 1288 90768 98 0 21 40 0 0
cpu1 4431 0 1611 88397 410 0 80 120 5 6
cpu10 1 0 1 1 1 0 1 7 0 0
intr 484085 0
"""


def test_steal_is_the_mean_over_the_cores_in_use() -> None:
    assert steal_s(STAT, (1,), ticks_per_s=100) == 1.2
    assert steal_s(STAT, (0, 1), ticks_per_s=100) == 0.8
    assert steal_s(STAT, (0, 1, 1), ticks_per_s=100) == 0.8


def test_busy_is_the_sum_over_cores_of_all_but_idle_and_stolen_time() -> None:
    assert busy_s(STAT, (1,), ticks_per_s=100) == pytest.approx(44.31 + 16.11 + 0.80)
    assert busy_s(STAT, (0, 1, 1), ticks_per_s=100) == pytest.approx(61.22 + 27.80 + 12.88 + 0.21)


def test_a_core_that_is_off_line_is_named() -> None:
    with pytest.raises(EnvironmentProblem, match="CPU 5"):
        steal_s(STAT, (1, 5), ticks_per_s=100)


def test_overflows_stand_under_their_name_whatever_stands_before_them() -> None:
    netstat = (
        "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 3 17 19\n"
        "IpExt: InNoRoutes InOctets\nIpExt: 0 99\n"
    )
    assert listen_overflows(netstat) == 17
