from hypothesis import given
from hypothesis import strategies as st

from harness.measurement.smaps import memory_snapshot

ROLLUP = """\
00400000-7ffd47483000 ---p 00000000 00:00 0                              [rollup]
Rss:                {rss} kB
Pss:                {pss} kB
Pss_Dirty:          9999 kB
Shared_Clean:       9999 kB
Private_Clean:      {clean} kB
Private_Dirty:      {dirty} kB
Private_Hugetlb:       0 kB
"""
kilobytes = st.integers(0, 2**40)


def test_two_workers_are_summed_in_bytes() -> None:
    texts = [
        ROLLUP.format(rss=100, pss=60, clean=10, dirty=20),
        ROLLUP.format(rss=50, pss=40, clean=1, dirty=2),
    ]
    snapshot = memory_snapshot(texts)
    assert (snapshot.processes, snapshot.rss_bytes) == (2, 150 * 1024)
    assert (snapshot.pss_bytes, snapshot.uss_bytes) == (100 * 1024, 33 * 1024)


def test_a_process_that_has_just_ended_holds_nothing_and_is_not_counted() -> None:
    assert memory_snapshot(["", ROLLUP.format(rss=1, pss=1, clean=0, dirty=1)]).processes == 1


@given(st.lists(st.tuples(kilobytes, kilobytes, kilobytes, kilobytes)))
def test_every_process_counts_once(processes: list[tuple[int, int, int, int]]) -> None:
    snapshot = memory_snapshot([ROLLUP.format(rss=r, pss=p, clean=c, dirty=d) for r, p, c, d in processes])
    assert snapshot.processes == len(processes)
    assert snapshot.rss_bytes == 1024 * sum(rss for rss, *_ in processes)
    assert snapshot.uss_bytes == 1024 * sum(clean + dirty for *_, clean, dirty in processes)
