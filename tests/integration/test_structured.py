"""Native structured output through the real clients: where the profile has it, and the fenced form elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from mlestar.agents.extractor import EXTRACTOR
from tests.integration.provider_errors import ANTHROPIC as UNPROFILED_ANTHROPIC
from tests.integration.provider_errors import OLLAMA, openai_error
from tests.integration.provider_errors import OPENAI as UNPROFILED_OPENAI
from tests.integration.refused_parameters import sends
from tests.integration.stub_anthropic import ANTHROPIC
from tests.integration.stub_gemini import MODEL
from tests.integration.stub_openai import OPENAI
from tests.integration.stub_server import ErrorReply
from tests.integration.test_transport import CLIENTS, Connection, keys

__all__ = ["keys"]

SCHEMA_PATHS = {
    MODEL: ("generationConfig", "responseJsonSchema"),
    "openai:gpt-4o": ("response_format", "json_schema", "schema"),
    "anthropic:claude-opus-4-7": ("output_config", "format", "schema"),
}
"""Where a request has the schema, by models whose profile has structured output."""
ANSWER = {"block": "def load():\n    return 1", "plan": "Read the file in a way that keeps its types."}
PROMPT = "<role>extractor</role> Which block?"


@pytest.fixture(autouse=True)
def profiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLIENTS, "openai:gpt-4o", (OPENAI, "/v1"))
    monkeypatch.setitem(CLIENTS, "anthropic:claude-opus-4-7", (ANTHROPIC, ""))


def properties(body: dict[str, Any], name: str) -> set[str]:
    schema = sends(body, *SCHEMA_PATHS[name])
    return set(schema["properties"]) if isinstance(schema, dict) else set()


@pytest.mark.parametrize("name", SCHEMA_PATHS)
async def test_a_role_of_json_sends_its_schema_and_others_send_none(name: str, tmp_path: Path) -> None:
    with Connection(tmp_path, name) as connection:
        connection.stub.answer = lambda role, prompt: json.dumps(ANSWER)
        reply = await connection.ask("extractor", PROMPT)
        await connection.ask("planner", "<role>planner</role> What next?")
    extractor, planner = (request.body for request in connection.stub.requests)
    assert properties(extractor, name) == {"block", "plan"}
    assert properties(planner, name) == set()
    assert EXTRACTOR.parse(reply.text).model_dump() == ANSWER


@pytest.mark.parametrize("name", [*SCHEMA_PATHS, OLLAMA, UNPROFILED_OPENAI, UNPROFILED_ANTHROPIC])
async def test_the_fenced_form_is_read_by_the_same_parser(name: str, tmp_path: Path) -> None:
    with Connection(tmp_path, name) as connection:
        connection.stub.answer = lambda role, prompt: f"Here it is.\n```json\n{json.dumps(ANSWER)}\n```"
        reply = await connection.ask("extractor", PROMPT)
    assert EXTRACTOR.parse(reply.text).model_dump() == ANSWER
    if name not in SCHEMA_PATHS:
        assert "json_schema" not in json.dumps(connection.stub.requests[0].body)


@pytest.mark.parametrize("name", SCHEMA_PATHS)
async def test_a_structured_reply_that_is_cut_off_has_its_reason(name: str, tmp_path: Path) -> None:
    with Connection(tmp_path, name, lambda role: "max_tokens") as connection:
        assert "cut off at the token limit" in (await connection.ask("extractor", PROMPT)).problem


REFUSED = {
    "openai:gpt-4o": openai_error(  # https://github.com/AgnostiqHQ/multi-agent-llm/issues/2
        "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model.",
        "invalid_request_error",
        None,
        "",
    ),
    MODEL: {
        "error": {
            "code": 400,
            "message": "Invalid JSON payload received. Unknown name \"responseJsonSchema\" at 'generation_config'",
            "status": "INVALID_ARGUMENT",
        }
    },
}


@pytest.mark.parametrize("name", REFUSED)
async def test_a_model_that_refuses_a_schema_is_asked_without_one(name: str, tmp_path: Path) -> None:
    def refuse(body: dict[str, Any]) -> ErrorReply | None:
        return ErrorReply(400, REFUSED[name]) if properties(body, name) else None

    with Connection(tmp_path, name) as connection:
        connection.stub.refuse = refuse
        for number in range(2):
            assert (await connection.ask("extractor", f"{PROMPT} {number}")).text == "a plan by extractor"
    assert len(connection.stub.requests) == 3
    assert "refuses the parameter structured output" in connection.lines[0]
