"""Two MCP clients answer one model call, answer calls of each other's runs, or resume a run that is in progress.

Outcome: prevented.
"""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from mlestar.errors import StoreError, UserError
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.runs import Runs
from mlestar.llm.external import text_message
from mlestar.session.repair import repair_run
from mlestar.settings import Settings
from mlestar.store import RunFolder
from tests.unit.scenario import make_task


async def start(runs: Runs, folder: Path) -> str:
    return await runs.start(str(folder), {"profile": "quick", "model": "ask"})


async def wait_for_call(runs: Runs, run_id: str) -> str:
    live = runs.live(run_id)
    while not live.calls.all:
        assert live.is_running, live.task
        changed = live.changed
        await asyncio.wait_for(changed.wait(), 60)
    return live.calls.all[0].id


async def test_a_call_is_answered_once_and_in_its_own_run(tmp_path: Path) -> None:
    settings = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local"})
    runs = Runs(settings, ClientRules().with_roots((tmp_path,)))
    task = make_task(tmp_path / "signs")
    first, second = await start(runs, task), await start(runs, make_task(tmp_path / "others", rows=200))
    call = await wait_for_call(runs, first)
    await wait_for_call(runs, second)
    for identity in ("", "nothing", "../x", call.upper()):
        with pytest.raises(UserError, match="waits for an answer"):
            runs.live(first).calls.answer(identity, text_message("x"))
    if call not in [other.id for other in runs.live(second).calls.all]:
        with pytest.raises(UserError, match="waits for an answer"):
            runs.live(second).calls.answer(call, text_message("x"))
    runs.live(first).calls.answer(call, text_message("the first client's"))
    with pytest.raises(UserError, match="it was answered"):
        runs.live(first).calls.answer(call, text_message("the second client's"))
    for _ in range(2):
        with pytest.raises(UserError, match="is still running"):
            await runs.resume(first, {}, {})
    await runs.close()


async def test_nobody_else_works_on_the_run(tmp_path: Path) -> None:
    settings = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local"})
    runs = Runs(settings, ClientRules().with_roots((tmp_path,)))
    run_id = await start(runs, make_task(tmp_path / "signs"))
    await wait_for_call(runs, run_id)
    folder = RunFolder(tmp_path / "runs", run_id)
    for work in (folder.lock, partial(repair_run, folder)):
        with pytest.raises(StoreError, match="is in use by process"):
            await asyncio.to_thread(work)
    assert runs.is_running(run_id)
    await runs.close()
