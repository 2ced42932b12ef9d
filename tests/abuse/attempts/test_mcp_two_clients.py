"""Two MCP clients answer one model call, answer calls of each other's runs, or resume one run at the same moment.

Outcome: prevented.
"""

import asyncio
from pathlib import Path

import pytest

from mlestar.errors import UserError
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.runs import Runs
from mlestar.llm.external import text_message
from mlestar.settings import Settings
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


async def test_two_servers_do_not_work_on_one_run(tmp_path: Path) -> None:
    settings = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local"})
    servers = [Runs(settings, ClientRules().with_roots((tmp_path,))) for _ in range(2)]
    run_id = await start(servers[0], make_task(tmp_path / "signs"))
    await wait_for_call(servers[0], run_id)
    await servers[1].resume(run_id, {}, {})
    task = servers[1].live(run_id).task
    assert task is not None
    with pytest.raises(Exception, match="is in use by process"):
        await task
    assert servers[0].is_running(run_id)
    for server in servers:
        await server.close()
