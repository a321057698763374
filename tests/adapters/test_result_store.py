import json
import os
import subprocess
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from harness.adapters.result_store import JOURNAL, MANIFEST, RunStore, find_run, runs_in
from harness.errors import ConfigurationError, ExitCode, RunAborted
from harness.model import TrialRecord, Validity
from harness.records import trial_to_json
from tests.samples import a_load, a_matrix, a_record, some_readings


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore.create(tmp_path / "results", "20261121-090000-m", {"engine": "fake"}, a_matrix())


def test_a_run_comes_back_as_it_was_stored(store: RunStore) -> None:
    records = (a_record(), a_record(block=2, validity=Validity.INVALID, metrics=None, facts=None))
    for record in records:
        store.append(record)
    again = RunStore(store.path)
    assert again.matrix() == a_matrix()
    assert again.records() == records
    assert again.manifest()["engine"] == "fake"


def two_records(store: RunStore) -> tuple[tuple[TrialRecord, ...], Path]:
    """Kept in the journal, and the journal's file."""
    records = tuple(a_record(block=block) for block in (1, 2))
    for record in records:
        store.append(record)
    return records, store.path / JOURNAL


@pytest.mark.promise(4)
def test_the_journal_survives_a_cut_at_every_byte(store: RunStore) -> None:
    records, journal = two_records(store)
    whole = journal.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        journal.write_bytes(whole[:cut])
        complete = sum(end <= cut for end in ends)
        assert store.records() == records[:complete]
        store.append(records[complete % 2])
        assert store.records() == (*records[:complete], records[complete % 2])


@pytest.mark.promise(4)
def test_a_changed_byte_is_damage_wherever_it_is(store: RunStore) -> None:
    records, journal = two_records(store)
    whole = journal.read_bytes()
    told_on = 0
    for place in range(len(whole)):
        for bit in (0x01, 0x80):
            journal.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
            try:
                # Only the last line break may go unnoticed: then the record was cut short.
                assert store.records() in (records, records[:1])
                assert store.records() == records or store.torn_tail()
            except ConfigurationError:
                told_on += 1
    assert told_on > 1.9 * len(whole)


def test_a_journal_of_an_earlier_version_has_no_checksums_and_goes_on_with_them(store: RunStore) -> None:
    records = tuple(a_record(block=block) for block in (1, 2))
    journal = store.path / JOURNAL
    journal.write_bytes(trial_to_json(records[0]) + b"\n")
    assert store.records() == records[:1]
    store.append(records[1])
    assert store.records() == records
    first, second, _ = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join([second, first, b""]))
    with pytest.raises(ConfigurationError, match="line 2 is damaged"):
        store.records()


@pytest.mark.promise(4)
def test_garbage_at_the_end_is_dropped_and_damage_in_the_middle_is_an_error(store: RunStore) -> None:
    store.append(a_record())
    journal = store.path / JOURNAL
    good = journal.read_bytes()
    journal.write_bytes(good + b"\x00\xff{garbage")
    assert store.torn_tail()
    assert store.records() == (a_record(),)
    journal.write_bytes(good[:50] + b"\n" + good)
    with pytest.raises(ConfigurationError, match="line 1 is damaged"):
        store.records()


@pytest.mark.promise(4)
def test_what_a_new_file_is_called_survives_a_power_cut_too(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    directory = store.path.stat().st_ino
    store.append(a_record())
    assert synced[-1] == directory
    store.append(a_record())
    assert synced.count(directory) == 1
    store.write_file("report/report.md", b"text")
    assert synced[-1] == (store.path / "report").stat().st_ino


@pytest.mark.promise(5)
def test_the_manifest_is_whole_or_as_before(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (store.path / MANIFEST).read_bytes()

    def no_space(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(RunAborted, match=r"manifest\.json: No space left") as error:
        store.update_manifest(end="complete")
    assert error.value.exit_code == ExitCode.ENVIRONMENT
    assert (store.path / MANIFEST).read_bytes() == before
    assert [p.name for p in store.path.iterdir()] == [MANIFEST]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.promise(6)
def test_a_full_disk_names_the_file_and_keeps_what_there_is(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], check=True)
    try:
        store = RunStore.create(disk, "run", {}, a_matrix())
        with pytest.raises(RunAborted, match=r"journal\.jsonl: No space left.*--resume"):
            _append_for_ever(store)
        kept = store.records()
        assert kept == tuple(a_record(block=block) for block in range(1, len(kept) + 1))
        assert kept
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_raw_material_comes_back_whole(store: RunStore) -> None:
    load = replace(a_load(requests=10), id_sum=2**64 - 1)
    load.finished_s[4] = np.nan
    store.save_trial("t", load, some_readings(), "log text")
    trial = store.trial("t")
    assert trial is not None
    for name, value in asdict(load).items():
        np.testing.assert_array_equal(getattr(trial.load, name), value)
    assert trial.load.id_sum == load.id_sum
    assert trial.readings == some_readings()
    assert (store.path / "trials" / "t" / "server.log").read_text() == "log text"


def test_counts_of_exchanges_are_kept_where_they_are_told(store: RunStore) -> None:
    for trial_id, load in (("t", a_load()), ("u", replace(a_load(), exchanges=8, exchanges_sent=9))):
        store.save_trial(trial_id, load, (), "")
        trial = store.trial(trial_id)
        assert trial is not None
        kept = (trial.load.exchanges, trial.load.exchanges_sent)
        assert kept == (load.exchanges, load.exchanges_sent)


def test_a_trial_without_load_keeps_its_log(store: RunStore) -> None:
    store.save_trial("t", None, (), "Traceback")
    assert store.trial("t") is None
    assert (store.path / "trials" / "t" / "server.log").read_text() == "Traceback"


def test_runs_are_found_by_name_path_or_age(store: RunStore) -> None:
    results = store.path.parent
    newer = RunStore.create(results, "20261122-090000-m", {}, a_matrix())
    assert [run.path for run in runs_in(results)] == [store.path, newer.path]
    assert find_run(results, None).path == newer.path
    assert find_run(results, store.path.name).path == store.path
    assert find_run(Path("elsewhere"), str(store.path)).path == store.path
    with pytest.raises(ConfigurationError, match="no such run"):
        find_run(results, "nonsense")
    with pytest.raises(ConfigurationError, match="no run yet"):
        find_run(results / "empty", None)


def test_a_manifest_of_another_schema_is_refused(store: RunStore) -> None:
    manifest = {**store.manifest(), "schema": 99}
    (store.path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError, match="schema 99"):
        store.manifest()
    (store.path / MANIFEST).write_text("{")
    with pytest.raises(ConfigurationError, match="not valid JSON"):
        store.manifest()


def _append_for_ever(store: RunStore) -> None:
    for block in range(1, 1000):
        store.append(a_record(block=block))
