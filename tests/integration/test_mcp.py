"""`mlestar mcp` over standard input and output, with the official client."""

import asyncio
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pandas as pd
import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.context import ClientRequestContext
from mcp.types import CreateMessageRequestParams, CreateMessageResult, ErrorData, TextContent, TextResourceContents
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from mlestar.data.examples import write_example
from mlestar.offline import OfflineEngineer
from tests.unit.mcp_client import ask, refusal

QUICK = {"profile": "quick", "outer_steps": 0, "retrieved_models": 1, "finalists": 1, "cpus": 1}
TOOLS = {
    *("check", "run", "resume", "list", "status", "wait", "result", "cancel"),
    *("next_model_call", "answer_model_call"),
}
ASK = {**QUICK, "model": "ask"}
pytestmark = pytest.mark.slow


@pytest.fixture
def server(tmp_path: Path) -> StdioServerParameters:
    options = ["-m", "mlestar", "mcp", "--model", "offline", "--runner", "local", "--runs-dir", str(tmp_path / "runs")]
    return StdioServerParameters(command=sys.executable, args=[*options, "--root", str(tmp_path)])


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
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS
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


async def test_a_call_that_cannot_be_done_is_refused_with_a_reason(
    server: StdioServerParameters, tmp_path: Path
) -> None:
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "no such folder": ("run", {"folder": str(tmp_path / "nowhere")}),
        "not in a folder that this server opens": ("run", {"folder": "/nowhere"}),
        "may not set runner": ("run", {"folder": str(tmp_path), "settings": {"runner": "local"}}),
        "colour": ("run", {"folder": "/tmp", "settings": {"colour": "red"}}),
        "no run none": ("status", {"run_id": "none"}),
        "has not started": ("cancel", {"run_id": "none"}),
    }
    async with Client(server) as client:
        for reason, (tool, arguments) in calls.items():
            assert reason in await refusal(client, tool, **arguments)


@pytest.fixture
def wine(tmp_path: Path) -> str:
    return str(write_example("wine", tmp_path / "wine"))


def recorded_calls(tmp_path: Path, run_id: str) -> list[dict[str, Any]]:
    """Return the model calls in the ledger of a run."""
    with closing(sqlite3.connect(tmp_path / "runs" / run_id / "ledger.sqlite")) as ledger:
        rows = ledger.execute("SELECT result FROM entries WHERE kind = 'model_call'").fetchall()
    return [json.loads(result) for (result,) in rows]


async def answer_calls(client: Client, run_id: str, *, at_most: int | None = None) -> list[str]:
    """Answer the model calls of a run with the offline engineer until it ends; return the ids of the calls."""
    engineer, answered = OfflineEngineer(), list[str]()
    while at_most is None or len(answered) < at_most:
        following = await ask(client, "next_model_call", run_id=run_id)
        call = following["call"]
        if call is None and following["run"]["status"] != "running":
            break
        if call is not None:
            reply = await engineer.ainvoke([("system", call["system"]), ("user", call["prompt"])])
            await ask(client, "answer_model_call", run_id=run_id, call_id=call["id"], text=reply.text)
            answered.append(call["id"])
    return answered


async def test_a_client_is_the_model_of_a_whole_run_by_two_tools(
    server: StdioServerParameters, tmp_path: Path, wine: str
) -> None:
    async with Client(server) as client:
        run_id = (await ask(client, "run", folder=wine, settings=ASK))["run_id"]
        answered = await answer_calls(client, run_id)
        status = await ask(client, "status", run_id=run_id)
        result = await ask(client, "result", run_id=run_id)
    assert (status["status"], status["open_calls"]) == ("solved", 0)
    assert result["fresh"] > 0.5
    calls = recorded_calls(tmp_path, run_id)
    assert {call["model"] for call in calls} == {"ask"}
    assert len(calls) == len(answered) == len(set(answered))


async def test_a_client_that_refuses_to_sample_is_told_the_two_tools(server: StdioServerParameters, wine: str) -> None:
    async def refuse(context: ClientRequestContext, params: CreateMessageRequestParams) -> ErrorData:
        return ErrorData(code=-1, message="the person said no")

    async with Client(server, mode="legacy", sampling_callback=refuse) as client:
        run_id = (await ask(client, "run", folder=wine, settings=ASK))["run_id"]
        reason = await refusal(client, "wait", run_id=run_id)
        assert "the person said no" in reason
        assert "`next_model_call` and `answer_model_call`" in reason
        assert (await ask(client, "next_model_call", run_id=run_id))["call"]["role"] == "analyst"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_client_is_the_model_of_a_whole_run_by_sampling(
    server: StdioServerParameters, tmp_path: Path, wine: str, mode: str
) -> None:
    """Both ways of the protocol: requests of the server, and requests that a tool returns."""
    engineer, prompts, lines, numbers = OfflineEngineer(), list[str](), list[str](), list[float]()

    async def sample(context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
        (message,) = params.messages
        assert isinstance(message.content, TextContent)
        prompts.append(message.content.text)
        reply = await engineer.ainvoke([("system", params.system_prompt or ""), ("user", prompts[-1])])
        content = TextContent(type="text", text=reply.text)
        return CreateMessageResult(role="assistant", content=content, model="engineer", stop_reason="endTurn")

    async def keep(progress: float, total: float | None, message: str | None) -> None:
        numbers.append(progress)
        lines.append(message or "")

    async with Client(server, mode=mode, sampling_callback=sample) as client:
        assert (client.protocol_version in MODERN_PROTOCOL_VERSIONS) == (mode == "auto")
        run_id = (await ask(client, "run", folder=wine, settings=ASK))["run_id"]
        status = {"status": "running"}
        while status["status"] == "running":
            answer = await client.call_tool("wait", {"run_id": run_id}, progress_callback=keep)
            assert not answer.is_error, answer.content
            status = cast(dict[str, Any], answer.structured_content)
    assert status["status"] == "solved"
    assert len(recorded_calls(tmp_path, run_id)) == len(prompts) == len(set(prompts))
    assert any("valid submission" in line for line in lines)
    assert numbers == list(range(1, len(lines) + 1))


async def test_a_call_that_was_open_when_the_server_ended_is_asked_again(
    server: StdioServerParameters, tmp_path: Path, wine: str
) -> None:
    async with Client(server) as client:
        run_id = (await ask(client, "run", folder=wine, settings=ASK))["run_id"]
        first = await answer_calls(client, run_id, at_most=2)
        asked = (await ask(client, "next_model_call", run_id=run_id))["call"]
    async with Client(server) as client:
        assert [row["run_id"] for row in (await ask(client, "list"))["result"]] == [run_id]
        await ask(client, "resume", run_id=run_id)
        second = await answer_calls(client, run_id)
        assert (await ask(client, "status", run_id=run_id))["status"] == "solved"
    assert asked["id"] in second
    assert set(first).isdisjoint(second)


async def test_a_person_answers_a_run_that_has_paused(server: StdioServerParameters, wine: str) -> None:
    async with Client(server) as client:
        run_id = (await ask(client, "run", folder=wine, settings={**QUICK, "review": ["models", "submission"]}))[
            "run_id"
        ]
        points = []
        for _ in range(3):
            status = await wait_for_end(client, run_id)
            if status["status"] != "paused":
                break
            (question,) = status["questions"]
            points.append(question["point"])
            assert "does not ask" in await refusal(client, "resume", run_id=run_id, answers={"plan:x": {}})
            await ask(client, "resume", run_id=run_id, answers={question["id"]: {"action": "approve"}})
    assert (status["status"], points) == ("solved", ["models", "submission"])


async def test_a_folder_is_checked_and_the_files_of_a_run_are_resources(
    server: StdioServerParameters, wine: str
) -> None:
    async with Client(server) as client:
        facts = await ask(client, "check", folder=wine)
        assert (facts["spec"]["train"], facts["split"]["kind"]) == ("train.csv", "stratified")
        run_id = (await ask(client, "run", folder=wine, settings=QUICK))["run_id"]
        with pytest.raises(MCPError, match="still running"):
            await client.read_resource(f"mlestar://runs/{run_id}/report")
        await wait_for_end(client, run_id)
        starts = {"report": "<!doctype html>", "submission": "bottle,grower", "script": ""}
        for name, start in starts.items():
            (content,) = (await client.read_resource(f"mlestar://runs/{run_id}/{name}")).contents
            assert isinstance(content, TextResourceContents)
            assert content.text.lower().startswith(start)
            assert len(content.text) > 100
        with pytest.raises(MCPError, match="no run none"):
            await client.read_resource("mlestar://runs/none/report")
