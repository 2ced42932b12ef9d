"""How long tools of the MCP server wait, and what a client may send: a client in this process whose model is slow."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.context import ClientRequestContext
from mcp.types import CreateMessageRequestParams, CreateMessageResult, TextContent

from mlestar.integrations import following, open_calls
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.mcp import make_server
from mlestar.offline import OfflineEngineer
from mlestar.settings import Settings
from tests.unit.mcp_client import ask, refusal
from tests.unit.scenario import make_task

ASK = {"profile": "quick", "model": "ask"}


class SlowModel:
    """The model of a client: it takes a time to reply."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.prompts: list[str] = []
        self.asked = asyncio.Event()

    async def sample(self, context: ClientRequestContext, params: CreateMessageRequestParams) -> CreateMessageResult:
        (message,) = params.messages
        assert isinstance(message.content, TextContent)
        self.prompts.append(message.content.text)
        self.asked.set()
        await asyncio.sleep(self.seconds)
        reply = await OfflineEngineer().ainvoke([("system", params.system_prompt or ""), ("user", self.prompts[-1])])
        content = TextContent(type="text", text=reply.text)
        return CreateMessageResult(role="assistant", content=content, model="engineer", stop_reason="endTurn")


@asynccontextmanager
async def connect(folder: Path, model: SlowModel | None = None) -> AsyncIterator[tuple[Client, str]]:
    """Yield a client, and the id of a run that its model answers."""
    task = await asyncio.to_thread(make_task, folder / "task")
    server = make_server(
        Settings.resolve({"runs_dir": str(folder / "runs"), "runner": "local"}), ClientRules().with_roots((folder,))
    )
    async with Client(server, mode="legacy", sampling_callback=model.sample if model else None) as client:
        status = await ask(client, "run", folder=str(task), settings=ASK)
        yield client, status["run_id"]
        await ask(client, "cancel", run_id=status["run_id"])


async def test_wait_returns_soon_after_its_time_and_the_call_is_sampled_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GRACE", 0.2)
    model = SlowModel(1000)
    async with asyncio.timeout(30), connect(tmp_path, model) as (client, run_id):
        await ask(client, "next_model_call", run_id=run_id)
        for count in (1, 2):
            status = await ask(client, "wait", run_id=run_id, seconds=0.2)
            assert (status["status"], status["open_calls"], len(model.prompts)) == ("running", 1, count)


async def test_a_reply_shortly_after_the_time_of_wait_is_used(tmp_path: Path) -> None:
    model = SlowModel(1)
    async with asyncio.timeout(30), connect(tmp_path, model) as (client, run_id):
        await ask(client, "next_model_call", run_id=run_id)
        await ask(client, "wait", run_id=run_id, seconds=0.5)
        assert len(model.prompts) == 1
        await ask(client, "wait", run_id=run_id, seconds=0.5)
    assert len(model.prompts) == len(set(model.prompts)) >= 2


async def test_two_requests_sample_a_call_once_and_end_with_the_run(tmp_path: Path) -> None:
    model = SlowModel(1000)
    async with asyncio.timeout(30), connect(tmp_path, model) as (client, run_id):
        waiting = [asyncio.create_task(ask(client, "wait", run_id=run_id, seconds=1000)) for _ in range(2)]
        await model.asked.wait()
        await asyncio.sleep(0.5)
        assert len(model.prompts) == 1
        await ask(client, "cancel", run_id=run_id)
        assert [status["status"] for status in await asyncio.gather(*waiting)] == ["stopped"] * 2


async def test_a_call_that_one_request_has_given_up_is_sampled_by_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "GRACE", 0.1)
    model = SlowModel(1000)
    async with asyncio.timeout(30), connect(tmp_path, model) as (client, run_id):
        await ask(client, "next_model_call", run_id=run_id)
        short = asyncio.create_task(ask(client, "wait", run_id=run_id, seconds=0.5))
        await model.asked.wait()
        model.asked.clear()
        long = asyncio.create_task(ask(client, "wait", run_id=run_id, seconds=2))
        await short
        await model.asked.wait()
        assert not long.done()
        assert len(model.prompts) == 2
        await long


@pytest.mark.parametrize("seconds", ["nan", "inf", -1])
async def test_a_time_that_is_no_time_is_refused(tmp_path: Path, seconds: object) -> None:
    async with asyncio.timeout(30), connect(tmp_path) as (client, run_id):
        for tool in ("wait", "next_model_call"):
            assert "seconds" in await refusal(client, tool, run_id=run_id, seconds=seconds)


async def test_a_reply_that_is_too_long_is_refused_in_one_line_and_the_call_stays_open(tmp_path: Path) -> None:
    async with asyncio.timeout(30), connect(tmp_path) as (client, run_id):
        call = (await ask(client, "next_model_call", run_id=run_id))["call"]
        text = "x" * (open_calls.MAX_REPLY + 1)
        reason = await refusal(client, "answer_model_call", run_id=run_id, call_id=call["id"], text=text)
        assert "has 2,000,001 characters, more than 2,000,000" in reason
        assert len(reason.splitlines()) == 1
        assert (await ask(client, "next_model_call", run_id=run_id))["call"] == call
