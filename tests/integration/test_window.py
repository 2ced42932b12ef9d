"""The window of an Ollama model: it holds prompt and reply, as far as the model can read."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from langchain_ollama import ChatOllama

from mlestar.errors import ModelError
from tests.integration.provider_errors import OLLAMA as MODEL
from tests.integration.stub_ollama import OLLAMA, description
from tests.integration.test_transport import Connection, keys

__all__ = ["keys"]


def prompt_of(tokens: int) -> str:
    return f"<role>planner</role> <task>{'abc' * tokens}</task> What next?"


def with_length(connection: Connection, context_length: int) -> None:
    connection.stub.protocol = replace(OLLAMA, pages=description(context_length))


def options(connection: Connection) -> list[dict[str, Any]]:
    return [request.body["options"] for request in connection.stub.requests]


async def test_the_window_holds_prompt_and_reply_and_never_shrinks(tmp_path: Path) -> None:
    with Connection(tmp_path, MODEL, max_output_tokens=4000) as connection:
        for tokens in (1000, 20_000, 500):
            await connection.ask(prompt=prompt_of(tokens))
    windows = [sent["num_ctx"] for sent in options(connection)]
    assert [sent["num_predict"] for sent in options(connection)] == [4000] * 3
    assert windows[0] >= 1000 + 4000
    assert windows[1] >= 20_000 + 4000
    assert windows[2] == windows[1]


async def test_the_window_is_no_longer_than_the_model_can_read(tmp_path: Path) -> None:
    with Connection(tmp_path, MODEL, max_output_tokens=32_000) as connection:
        with_length(connection, 16_384)
        await connection.ask(prompt=prompt_of(6000))
    sent = options(connection)[0]
    assert sent["num_ctx"] == 16_384
    assert 6000 + sent["num_predict"] <= 16_384


async def test_a_prompt_that_no_window_holds_is_shortened(tmp_path: Path) -> None:
    with Connection(tmp_path, MODEL) as connection:
        with_length(connection, 16_384)
        assert (await connection.ask(prompt=prompt_of(40_000))).text == "a plan by planner"
    sent = OLLAMA.prompt(connection.stub.requests[0].body)
    assert len(connection.stub.requests) == 1
    assert "characters cut" in sent
    assert len(sent) // 3 < 16_384
    assert "the model can read" in connection.lines[0]


async def test_a_model_whose_window_is_too_short_stops_the_run_before_it_is_asked(tmp_path: Path) -> None:
    stopped = pytest.raises(ModelError, match=r"model ollama:llama-stub can read 2048 tokens; .* need 8192")
    with Connection(tmp_path, MODEL) as connection, stopped:
        with_length(connection, 2048)
        await connection.ask()
    assert connection.stub.requests == []


async def test_a_server_that_describes_no_model_gets_a_window_all_the_same(tmp_path: Path) -> None:
    with Connection(tmp_path, MODEL, max_output_tokens=4000) as connection:
        connection.stub.protocol = replace(OLLAMA, pages={"/api/show": {"model_info": {}}})
        await asyncio.gather(*(connection.ask(prompt=prompt_of(tokens)) for tokens in (100, 9000)))
    assert max(sent["num_ctx"] for sent in options(connection)) >= 9000 + 4000


async def test_a_window_that_was_passed_in_is_kept(tmp_path: Path) -> None:
    def passed(url: str) -> ChatOllama:
        return ChatOllama(model="llama-stub", base_url=url, num_ctx=2048)

    with Connection(tmp_path, MODEL, passed=passed) as connection:
        await connection.ask()
    assert options(connection)[0]["num_ctx"] == 2048
