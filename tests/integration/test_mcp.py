"""`mlestar mcp` over standard input and output, with the official client."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from mcp import Client, StdioServerParameters

from mlestar.data.examples import write_example

QUICK = {"profile": "quick", "outer_steps": 0, "retrieved_models": 1, "finalists": 1, "cpus": 1}
pytestmark = pytest.mark.slow


@pytest.fixture
def served(tmp_path: Path):
    options = ["-m", "mlestar", "mcp", "--model", "offline", "--runner", "local", "--runs-dir", str(tmp_path / "runs")]
    return StdioServerParameters(command=sys.executable, args=options)


async def ask(client, tool, **arguments: object):
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return answer.structured_content


async def working(client, run_id) -> None:
    for _ in range(600):
        if (await ask(client, "status", run_id=run_id))["last"]:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the run reported nothing")


async def ended(client, run_id):
    for _ in range(600):
        status = await ask(client, "status", run_id=run_id)
        if status["status"] != "running":
            return status
        await asyncio.sleep(0.2)
    pytest.fail("the run did not end")


async def test_a_client_runs_a_task_to_its_result(served: Any, tmp_path: Path) -> None:
    folder = await asyncio.to_thread(write_example, "wine", tmp_path / "wine")
    async with Client(served) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"run", "status", "result", "cancel"}
        started = await ask(client, "run", folder=str(folder), settings=QUICK)
        early = await client.call_tool("result", {"run_id": started["run_id"]})
        assert early.is_error
        assert "still running" in early.content[0].text
        status = await ended(client, started["run_id"])
        assert (status["status"], status["problem"]) == ("solved", "")
        submitted = await ask(client, "result", run_id=started["run_id"])
    assert submitted["fresh"] > 0.5
    assert len(pd.read_csv(submitted["submission"])) == 54


async def test_cancel_stops_a_run_and_its_state_is_saved(served: Any, tmp_path: Path) -> None:
    folder = await asyncio.to_thread(write_example, "wine", tmp_path / "wine")
    async with Client(served) as client:
        started = await ask(client, "run", folder=str(folder), settings=QUICK)
        await working(client, started["run_id"])
        status = await ask(client, "cancel", run_id=started["run_id"])
    assert status["status"] == "stopped"
    assert (tmp_path / "runs" / started["run_id"] / "result.json").is_file()


async def test_an_error_is_an_answer_with_its_reason(served: Any) -> None:
    refused = {
        "no such folder": ("run", {"folder": "/nowhere"}),
        "colour": ("run", {"folder": "/tmp", "settings": {"colour": "red"}}),
        "no run none": ("status", {"run_id": "none"}),
        "has not started": ("cancel", {"run_id": "none"}),
    }
    async with Client(served) as client:
        for reason, (tool, arguments) in refused.items():
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            assert reason in answer.content[0].text
