"""Every client library against a server that speaks its provider's protocol: answers, metering, faults, limits."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self

import pytest
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from mlestar.errors import ModelError
from mlestar.llm import Caller, ModelReply, ModelsLike, Prices, RetryPolicy, Transport, choose_models
from mlestar.llm.limits import DEFAULT_OUTPUT
from mlestar.llm.provider import PROVIDERS
from mlestar.prompts import SHARED_END
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger
from tests.integration.stub_anthropic import ANTHROPIC
from tests.integration.stub_gemini import GEMINI, MODEL
from tests.integration.stub_ollama import OLLAMA
from tests.integration.stub_openai import OPENAI
from tests.integration.stub_server import ErrorReply, Fault, Once, StubServer
from tests.integration.test_faults import ASKED_AGAIN, REFUSED, RETRIED

CLIENTS = {
    MODEL: (GEMINI, ""),
    "openai:gpt-stub": (OPENAI, "/v1"),
    "anthropic:claude-stub": (ANTHROPIC, ""),
    "ollama:llama-stub": (OLLAMA, ""),
}
KEYS = ("GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY")
SECRET = "sk-a-secret-that-is-never-shown"
PROMPT = "<role>planner</role> What next?"


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in KEYS:
        monkeypatch.setenv(name, SECRET)


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Connection:
    """A caller that is connected to one stub."""

    def __init__(
        self,
        folder: Path,
        name: str,
        fault: Callable[[str], Fault | ErrorReply | None] | None = None,
        passed: Callable[[str], ModelsLike] | None = None,
        policy: RetryPolicy | None = None,
        by_url: Callable[[str], dict[str, str]] | None = None,
        **settings: Any,
    ) -> None:
        protocol, path = CLIENTS[name]
        self.stub = StubServer(protocol, lambda role, prompt: f"a plan by {role}", fault or (lambda role: None))
        self.name, self.path, self.folder, self.passed, self.settings = name, path, folder, passed, settings
        self.policy = policy or RetryPolicy(attempt_seconds=20, attempts=3, backoff_seconds=0.01)
        self.by_url = by_url or (lambda url: {"base_url": url})
        """Returns the settings that lead a client to the stub."""
        self.lines: list[str] = []

    def __enter__(self) -> Self:
        self.stub.start()
        self.folder.mkdir(exist_ok=True)
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        url = self.stub.url + self.path
        settings = Settings(**{"model": self.name, **self.by_url(url), **self.settings})
        models = choose_models(settings, self.passed(url) if self.passed else None)
        transport = Transport(self.policy, self.lines.append)
        self.caller = Caller(models, self.ledger, Blobs(self.folder / "blobs"), transport=transport, prices=Prices())
        return self

    def __exit__(self, *_: object) -> None:
        self.ledger.close()
        self.stub.stop()

    async def ask(self, role: str = "planner", prompt: str = PROMPT) -> ModelReply:
        return await self.caller.call(role, prompt, (0, 0))


OpenConnection = Callable[..., Connection]


@pytest.fixture
def unlisted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> OpenConnection:
    """Return a function that opens a connection to a provider that LangChain knows and `PROVIDERS` does not list."""
    name = "azure_openai:gpt-stub"
    assert name.partition(":")[0] not in PROVIDERS
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    monkeypatch.setitem(CLIENTS, name, (OPENAI, ""))

    def by_url(url: str) -> dict[str, str]:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", url)
        return {}

    return lambda **options: Connection(tmp_path, name, by_url=by_url, **options)


async def test_a_provider_that_is_not_listed_is_asked_with_plain_arguments(unlisted: OpenConnection) -> None:
    with unlisted(max_output_tokens=1000, temperatures={"coder": 0.25}) as connection:
        reply = await connection.ask("coder", "<role>coder</role>")
        spend = connection.ledger.spend()
    body = connection.stub.requests[0].body
    assert (reply.text, spend.model_calls) == ("a plan by coder", 1)
    assert (body["temperature"], body.get("max_tokens") or body["max_completion_tokens"]) == (0.25, 1000)


async def test_the_retries_of_a_client_that_is_not_listed_are_accounted_for(unlisted: OpenConnection) -> None:
    policy = RetryPolicy(attempt_seconds=60, attempts=6, backoff_seconds=0.01)
    stopped = pytest.raises(ModelError, match="cannot be reached")
    with unlisted(fault=lambda role: "unavailable", policy=policy) as connection, stopped:
        await connection.ask()
    assert (len(connection.stub.requests), len(connection.lines)) == (6, 1)


async def test_a_provider_that_is_not_listed_refuses_in_one_line(unlisted: OpenConnection) -> None:
    refused = pytest.raises(ModelError, match="refused as planner: check the key")
    with unlisted(fault=lambda role: "unauthorized") as connection, refused as raised:
        await connection.ask()
    assert SECRET not in str(raised.value)


async def test_the_tokens_of_a_call_are_counted(client: str, tmp_path: Path) -> None:
    with Connection(tmp_path, client) as connection:
        reply = await connection.ask()
        spend = connection.ledger.spend()
    assert (reply.text, reply.problem) == ("a plan by planner", "")
    assert (spend.model_calls, len(connection.stub.requests)) == (1, 1)
    assert spend.input_tokens > 0
    assert spend.output_tokens > 0
    details = {"google_genai": (3, 7), "openai": (2, 5), "anthropic": (4, 0), "ollama": (0, 0)}
    assert (spend.cached_tokens, spend.reasoning_tokens) == details[client.partition(":")[0]]
    assert (spend.usd is None) == (client != MODEL)


async def test_the_temperature_of_a_role_is_sent(client: str, tmp_path: Path) -> None:
    with Connection(tmp_path, client, temperatures={"coder": 0.25}) as connection:
        for role in ("planner", "extractor", "coder"):
            await connection.ask(role, f"<role>{role}</role>")
    assert [temperature(request.body) for request in connection.stub.requests] == [1.0, 0.0, 0.25]


def temperature(body: dict[str, Any]) -> float:
    parts = (body, body.get("generationConfig", {}), body.get("options", {}))
    return next(float(part["temperature"]) for part in parts if "temperature" in part)


@pytest.mark.parametrize("fault", [fault for fault in RETRIED if fault != "timeout"])
async def test_a_transient_fault_is_retried_as_often_as_allowed_and_no_more(
    client: str,
    tmp_path: Path,
    fault: Fault,
) -> None:
    with Connection(tmp_path / "once", client, Once(fault)) as connection:
        assert (await connection.ask()).text == "a plan by planner"
    assert (len(connection.stub.requests), len(connection.lines)) == (2, 1)
    stopped = pytest.raises(ModelError, match=r"cannot be reached as planner: .* \(3 attempts\)")
    with Connection(tmp_path / "always", client, lambda role: fault) as connection, stopped:
        await connection.ask()
    assert (len(connection.stub.requests), len(connection.lines)) == (3, 2)
    assert connection.lines[0].startswith("planner: ")


async def test_a_call_has_a_time_limit(client: str, tmp_path: Path) -> None:
    policy = RetryPolicy(attempt_seconds=0.5, attempts=2, backoff_seconds=0.01)
    stopped = pytest.raises(ModelError, match=r"no answer within 1 s \(2 attempts\)")
    with Connection(tmp_path, client, lambda role: "timeout", policy=policy) as connection, stopped:
        await connection.ask()
    assert len(connection.stub.requests) == 2
    assert "no answer within 0.5 s; attempt 2 of 2" in connection.lines[0]


async def test_the_time_limit_follows_the_speed_of_a_slow_model(tmp_path: Path) -> None:
    policy = RetryPolicy(attempt_seconds=0.5, attempts=5, backoff_seconds=0.01)
    with Connection(tmp_path, "ollama:llama-stub", policy=policy) as connection:
        connection.stub.answer = slow_answer
        assert (await connection.ask(prompt=f"{PROMPT} 1")).text == slow_text
        requests = len(connection.stub.requests)
        assert requests > 1
        assert (await connection.ask(prompt=f"{PROMPT} 2")).text == slow_text
    assert len(connection.stub.requests) == requests + 1


slow_text = "a plan of many words. " * 60


def slow_answer(role: str, prompt: str) -> str:
    time.sleep(0.8)
    return slow_text


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_permanent_fault_is_not_retried_and_is_one_line(client: str, tmp_path: Path, fault: Fault) -> None:
    refused = pytest.raises(ModelError, match="refused as planner")
    with Connection(tmp_path, client, lambda role: fault) as connection, refused as raised:
        await connection.ask()
    assert (len(connection.stub.requests), connection.lines) == (1, [])
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("fault", ["unauthorized", "rate_limit"])
async def test_keys_prompts_and_replies_never_reach_the_log(
    client: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fault: Fault,
) -> None:
    caplog.set_level("DEBUG", logger="mlestar")
    with Connection(tmp_path, client, Once(fault)) as connection:
        if fault == "unauthorized":
            with pytest.raises(ModelError):
                await connection.ask()
        assert (await connection.ask()).text == "a plan by planner"
    log = "\n".join(caplog.messages)
    assert f"model {client}: it was asked for" in caplog.messages
    assert ("permanent fault: " if fault == "unauthorized" else f"limited fault of {client}: planner: ") in log
    assert not [word for word in (SECRET, PROMPT, "a plan by planner") if word in log]


@pytest.mark.parametrize("fault", [fault for fault in ASKED_AGAIN if fault != "malformed"])
async def test_an_answer_without_content_has_a_reason(client: str, tmp_path: Path, fault: Fault) -> None:
    with Connection(tmp_path, client, lambda role: fault) as connection:
        problem = (await connection.ask()).problem
        assert len(connection.stub.requests) == 1
        assert connection.ledger.spend().input_tokens > 0
    if fault == "max_tokens":
        assert "cut off at the token limit" in problem
    elif fault == "blocked" and not client.startswith("ollama"):
        assert "content filter" in problem
    else:
        assert "empty" in problem or "no candidate" in problem


async def test_a_dead_server_is_reported(client: str, tmp_path: Path) -> None:
    with Connection(tmp_path, client) as connection:
        connection.stub.stop()
        with pytest.raises(ModelError, match="cannot be reached as planner: the connection failed"):
            await connection.ask()
        connection.stub.start()
        assert (await connection.ask()).text == "a plan by planner"


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_retry_waits_as_long_as_the_provider_asks(client: str, tmp_path: Path, form: str) -> None:
    with Connection(tmp_path, client, Once("rate_limit")) as connection:
        soon = datetime.now(UTC) + timedelta(seconds=2)
        connection.stub.retry_after = "1" if form == "seconds" else format_datetime(soon, usegmt=True)
        await connection.ask()
    paused = float(connection.lines[0].split(" in ")[1].removesuffix(" s"))
    assert paused >= (1.0 if form == "seconds" else 0.1)


async def test_a_provider_that_asks_for_an_hour_stops_the_run(client: str, tmp_path: Path) -> None:
    with Connection(tmp_path, client, Once("rate_limit")) as connection:
        connection.stub.retry_after = "3600"
        with pytest.raises(ModelError, match="asks to wait 3600 s"):
            await connection.ask()
    assert len(connection.stub.requests) == 1


async def test_no_more_calls_are_running_than_allowed(client: str, tmp_path: Path) -> None:
    running, highest, lock = 0, 0, threading.Lock()

    def count_running(role: str) -> None:
        nonlocal running, highest
        with lock:
            running += 1
            highest = max(highest, running)

    def answer(role: str, prompt: str) -> str:
        nonlocal running
        time.sleep(0.05)  # so that calls overlap if they are allowed to
        with lock:
            running -= 1
        return "a plan"

    with Connection(
        tmp_path, client, count_running, policy=RetryPolicy(attempt_seconds=20, parallel_calls=2)
    ) as connection:
        connection.stub.answer = answer
        await asyncio.gather(*(connection.ask(prompt=f"{PROMPT} {number}") for number in range(8)))
    assert len(connection.stub.requests) == 8
    assert 1 <= highest <= 2


PASSED: dict[str, Callable[[str], ModelsLike]] = {
    MODEL: lambda url: ChatGoogleGenerativeAI(model="gemini-2.5-pro", base_url=url, api_key="k", max_retries=2),
    "openai:gpt-stub": lambda url: ChatOpenAI(model="gpt-stub", base_url=url, api_key="k", max_retries=1),
}
"""Models whose own client repeats a failed request once."""


@pytest.mark.parametrize("name", PASSED)
async def test_the_retries_of_a_client_that_was_passed_in_are_accounted_for(name: str, tmp_path: Path) -> None:
    policy = RetryPolicy(attempt_seconds=60, attempts=6, backoff_seconds=0.01)
    with Connection(tmp_path, name, lambda role: "unavailable", PASSED[name], policy) as connection:
        assert connection.caller.models.default.name == name
        with pytest.raises(ModelError, match="cannot be reached"):
            await connection.ask()
    assert (len(connection.stub.requests), len(connection.lines)) == (6, 2)


async def test_one_role_can_have_another_model(tmp_path: Path) -> None:
    with StubServer(OPENAI, lambda role, prompt: "other") as other:
        planner = ChatOpenAI(model="gpt-stub", base_url=f"{other.url}/v1", api_key="k")
        with Connection(tmp_path, MODEL, passed=lambda url: {"planners": planner}) as connection:
            planned, coded = await connection.ask("planner"), await connection.ask("coder", "<role>coder</role>")
    assert (planned.text, coded.text) == ("other", "a plan by coder")
    assert connection.caller.models.title == (
        "google_genai:gemini-2.5-pro; openai:gpt-stub as extractor, planner, ensemble_planner"
    )


async def test_a_reply_without_a_count_of_tokens_counts_as_long_as_the_request_allowed(tmp_path: Path) -> None:
    with Connection(tmp_path, "openai:gpt-stub") as connection:
        connection.stub.protocol = replace(
            OPENAI, normal=lambda text, body: {**OPENAI.normal(text, body), "usage": None}
        )
        await connection.ask()
        spend = connection.ledger.spend()
    assert spend.input_tokens >= len(PROMPT)
    assert spend.output_tokens == DEFAULT_OUTPUT


async def test_the_shared_beginning_of_a_prompt_is_marked_where_a_provider_caches_only_what_is_marked(
    client: str, tmp_path: Path
) -> None:
    shared = f"A long task.\n{SHARED_END}"
    with Connection(tmp_path, client) as connection:
        reply = await connection.ask(prompt=shared + PROMPT)
        again = await connection.ask(prompt=shared + PROMPT)
    assert reply.text == again.text == "a plan by planner"
    (request,) = connection.stub.requests
    assert connection.stub.protocol.prompt(request.body) == shared + PROMPT
    marked = client.startswith("anthropic")
    assert ("cache_control" in json.dumps(request.body)) == marked
    if marked:
        first, rest = request.body["messages"][-1]["content"]
        assert (first["text"], first["cache_control"], rest["text"]) == (shared, {"type": "ephemeral"}, PROMPT)
        assert "cache_control" not in rest


async def test_a_prompt_without_a_shared_beginning_is_sent_in_one_piece(client: str, tmp_path: Path) -> None:
    with Connection(tmp_path, client) as connection:
        await connection.ask()
    assert "cache_control" not in json.dumps(connection.stub.requests[0].body)
