import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlestar.errors import SettingsError, StoreError, UserError
from mlestar.store import Blobs, Ledger, Record, RunFolder, key_of, list_runs


def test_a_blob_is_kept_once_under_its_hash(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    assert blobs.put("text") == blobs.put(b"text")
    assert blobs.text(blobs.put("text")) == "text"


def test_a_lone_surrogate_does_not_break_a_blob(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    assert blobs.text(blobs.put("a\ud800b")) == "a?b"


def test_a_file_is_moved_in(tmp_path: Path) -> None:
    blobs = Blobs(tmp_path / "blobs")
    source = tmp_path / "submission.csv"
    source.write_text("id,y\n", encoding="utf-8")
    assert blobs.text(blobs.put_file(source)) == "id,y\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    yield ledger
    ledger.close()


async def test_finished_work_is_never_repeated(ledger: Ledger) -> None:
    done = []

    async def work() -> Record:
        done.append(1)
        return Record(result={"score": 1}, seconds=2, input_tokens=3, output_tokens=4)

    first = await ledger.once("key", "model_call", "planner", work)
    second = await ledger.once("key", "model_call", "planner", work)
    assert (first, second) == (({"score": 1}, False), ({"score": 1}, True))
    assert len(done) == 1


async def test_equal_work_at_the_same_time_is_done_once(ledger: Ledger) -> None:
    done = []

    async def work() -> Record:
        done.append(1)
        await asyncio.sleep(0.01)
        return Record(result={})

    await asyncio.gather(*(ledger.once("key", "execution", "t0.c1", work) for _ in range(5)))
    assert len(done) == 1


async def test_failed_work_is_not_recorded(ledger: Ledger) -> None:
    async def fail() -> Record:
        msg = "disk full"
        raise OSError(msg)

    async def work() -> Record:
        return Record(result={"ok": True})

    with pytest.raises(OSError, match="disk full"):
        await ledger.once("key", "execution", "t0.c1", fail)
    assert (await ledger.once("key", "execution", "t0.c1", work))[0] == {"ok": True}


async def test_spend_survives_a_restart(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")

    async def work() -> Record:
        return Record(result={}, input_tokens=3, output_tokens=4, usd=0.5)

    await ledger.once("a", "model_call", "planner", work)
    ledger.clock(10)
    ledger.close()
    again = Ledger(tmp_path / "ledger.sqlite")
    again.clock(5)
    spend = again.spend()
    again.close()
    assert (spend.model_calls, spend.tokens, spend.usd, spend.seconds) == (1, 7, 0.5, 15)


async def test_an_unknown_price_is_not_zero(ledger: Ledger) -> None:
    async def work() -> Record:
        return Record(result={}, usd=None)

    await ledger.once("a", "model_call", "planner", work)
    assert ledger.spend().usd is None


def test_a_file_that_is_not_a_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_bytes(b"not a database" * 100)
    with pytest.raises(StoreError, match="cannot open the ledger"):
        Ledger(path)


def test_different_work_has_different_keys() -> None:
    assert key_of("execution", "a", "b") != key_of("execution", "ab", "")


def test_a_run_has_one_owner_at_a_time(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    folder.create()
    lock = folder.lock()
    with pytest.raises(StoreError, match="in use by process"):
        folder.lock()
    lock.close()
    folder.lock().close()


def test_a_run_is_free_although_a_process_that_is_being_started_has_a_copy_of_the_lock(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "run")
    folder.create()
    lock = folder.lock()
    path = folder.path / ".lock"
    (held,) = [int(link.name) for link in Path("/dev/fd").iterdir() if link.exists() and link.samefile(path)]
    copy = os.dup(held)
    try:
        lock.close()
        folder.lock().close()
    finally:
        os.close(copy)


@pytest.mark.parametrize("run_id", ["../x", "", "a/b", ".hidden", "a b"])
def test_a_run_id_cannot_be_a_path(tmp_path: Path, run_id: str) -> None:
    with pytest.raises(SettingsError, match="run id"):
        RunFolder(tmp_path, run_id)


def test_an_unknown_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no run ghost"):
        RunFolder(tmp_path, "ghost").read_settings()


def test_no_runs_folder_means_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []
