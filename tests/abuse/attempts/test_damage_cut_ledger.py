"""The ledger of a run is cut off after every page, as by a full disk, and then read.

Outcome: prevented.
"""

import asyncio
import shutil
from pathlib import Path

import pytest

from mlestar.errors import StoreError, UserError
from mlestar.session.repair import repair_run
from mlestar.store import Ledger, RunFolder
from tests.unit.scenario import Scenario, solve

PAGE = 4096


def test_no_cut_is_taken_for_a_whole_ledger(tmp_path: Path) -> None:
    asyncio.run(solve(tmp_path, Scenario()))
    base = tmp_path / "runs" / "run"
    whole = (base / "ledger.sqlite").read_bytes()
    (base / "checkpoints.sqlite").unlink()
    spent = _executions(base)
    assert len(whole) > 4 * PAGE
    assert spent
    for number, size in enumerate([*range(0, len(whole), PAGE), 100, 5000]):
        run = base.with_name(f"run{number}")
        shutil.copytree(base, run)
        (run / "ledger.sqlite").write_bytes(whole[:size])
        findings = [finding for finding in repair_run(RunFolder(run.parent, run.name)) if "ledger" in finding.file]
        assert findings, size
        if findings[0].repair:
            assert 0 < _executions(run) <= spent
        else:
            with pytest.raises((StoreError, UserError)):
                _open(run)


def _open(run: Path) -> None:
    RunFolder(run.parent, run.name).check_ledger()
    Ledger(run / "ledger.sqlite").close()


def _executions(run: Path) -> int:
    ledger = Ledger(run / "ledger.sqlite")
    try:
        return ledger.spend().executions
    finally:
        ledger.close()
