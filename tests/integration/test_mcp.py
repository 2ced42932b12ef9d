"""`mlestar mcp` over standard input and output, with the official client."""

import asyncio
import sys
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from mcp import Client, StdioServerParameters
from mcp.types import TextContent

from mlestar.data.examples import write_example

QUICK = {"profile": "quick", "outer_steps": 0, "retrieved_models": 1, "finalists": 1, "cpus": 1}
pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> StdioServerParameters:
    options = ["-m", "mlestar", "mcp", "--model", "offline", "--runner", "local", "--runs-dir", str(tmp_path / "runs")]
    return StdioServerParameters(command=sys.executable, args=options)


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its structured result."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return cast(dict[str, Any], answer.structured_content)


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must refuse, and return the reason."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    (content, *_) = answer.content
    assert isinstance(content, TextContent)
    return content.text


async def wait_for_progress(client: Client, run_id: str) -> None:
    for _ in range(600):
        if (await ask(client, "status", run_id=run_id))["last"]:
            return
        await asyncio.sleep(0.1)
    pytest.fail("the run emitted no event")


async def wait_for_end(client: Client, run_id: str) -> dict[str, Any]:
    for _ in range(600):
        status = await ask(client, "status", run_id=run_id)
        if status["status"] != "running":
            return status
        await asyncio.sleep(0.2)
    pytest.fail("the run did not end")


async def test_a_client_runs_a_task_to_its_result(server: StdioServerParameters, tmp_path: Path) -> None:
    folder = await asyncio.to_thread(write_example, "wine", tmp_path / "wine")
    async with Client(server) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == {"run", "status", "result", "cancel"}
        started = await ask(client, "run", folder=str(folder), settings=QUICK)
        assert "still running" in await refusal(client, "result", run_id=started["run_id"])
        status = await wait_for_end(client, started["run_id"])
        assert (status["status"], status["problem"]) == ("solved", "")
        result = await ask(client, "result", run_id=started["run_id"])
    assert result["fresh"] > 0.5
    assert len(pd.read_csv(result["submission"])) == 54


async def test_cancel_stops_a_run_and_its_state_is_saved(server: StdioServerParameters, tmp_path: Path) -> None:
    folder = await asyncio.to_thread(write_example, "wine", tmp_path / "wine")
    async with Client(server) as client:
        started = await ask(client, "run", folder=str(folder), settings=QUICK)
        await wait_for_progress(client, started["run_id"])
        answer = await ask(client, "cancel", run_id=started["run_id"])
    assert answer["status"] == "stopped"
    assert (tmp_path / "runs" / started["run_id"] / "result.json").is_file()


async def test_a_call_that_cannot_be_done_is_refused_with_a_reason(server: StdioServerParameters) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "no such folder": ("run", {"folder": "/nowhere"}),
        "colour": ("run", {"folder": "/tmp", "settings": {"colour": "red"}}),
        "no run none": ("status", {"run_id": "none"}),
        "has not started": ("cancel", {"run_id": "none"}),
    }
    async with Client(server) as client:
        for reason, (tool, arguments) in calls.items():
            assert reason in await refusal(client, tool, **arguments)
