"""Every client library against a server that speaks its provider's protocol: answers, metering, faults, limits."""

import asyncio
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from mlestar.errors import ModelError
from mlestar.llm import Caller, Prices, RetryPolicy, Transport, choose_models
from mlestar.llm.provider import PROVIDERS
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger
from tests.integration.stub_anthropic import ANTHROPIC
from tests.integration.stub_gemini import GEMINI
from tests.integration.stub_ollama import OLLAMA
from tests.integration.stub_openai import OPENAI
from tests.integration.stub_server import Fault, Once, StubServer
from tests.integration.test_faults import ASKED_AGAIN, REFUSED, RETRIED

CLIENTS = {
    "google_genai:gemini-2.5-pro": (GEMINI, ""),
    "openai:gpt-stub": (OPENAI, "/v1"),
    "anthropic:claude-stub": (ANTHROPIC, ""),
    "ollama:llama-stub": (OLLAMA, ""),
}
KEYS = ("GOOGLE_API_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY")
SECRET = "sk-a-secret-that-is-never-told"
PROMPT = "<role>planner</role> What next?"


@pytest.fixture(autouse=True)
def keys(monkeypatch):
    for name in KEYS:
        monkeypatch.setenv(name, SECRET)


@pytest.fixture(params=CLIENTS)
def client(request):
    return request.param


class Line:
    """A caller on its way to one stub."""

    def __init__(self, folder: Path, name: str, fault=None, passed=None, limits=None, by_url=None, **settings) -> None:
        protocol, path = CLIENTS[name]
        self.stub = StubServer(protocol, lambda role, prompt: f"a plan by {role}", fault or (lambda role: None))
        self.name, self.path, self.folder, self.passed, self.settings = name, path, folder, passed, settings
        self.limits = limits or RetryPolicy(attempt_seconds=20, attempts=3, backoff_seconds=0.01)
        self.by_url = by_url or (lambda url: {"base_url": url})
        """Returns the settings that lead a client to the stub."""
        self.told: list[str] = []

    def __enter__(self):
        self.stub.start()
        self.folder.mkdir(exist_ok=True)
        self.ledger = Ledger(self.folder / "ledger.sqlite")
        url = self.stub.url + self.path
        settings = Settings(**{"model": self.name, **self.by_url(url), **self.settings})
        models = choose_models(settings, self.passed(url) if self.passed else None)
        transport = Transport(self.limits, self.told.append)
        self.caller = Caller(models, self.ledger, Blobs(self.folder / "blobs"), transport=transport, prices=Prices())
        return self

    def __exit__(self, *_):
        self.ledger.close()
        self.stub.stop()

    async def ask(self, role="planner", prompt=PROMPT):
        return await self.caller.call(role, prompt, (0, 0))


@pytest.fixture
def unlisted(monkeypatch, tmp_path):
    """Return a function that opens a line to a provider that LangChain knows and `PROVIDERS` does not list."""
    name = "azure_openai:gpt-stub"
    assert name.partition(":")[0] not in PROVIDERS
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    monkeypatch.setitem(CLIENTS, name, (OPENAI, ""))

    def by_url(url: str) -> dict[str, str]:
        monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", url)
        return {}

    return lambda **options: Line(tmp_path, name, by_url=by_url, **options)


async def test_a_provider_that_is_not_listed_is_asked_with_plain_arguments(unlisted):
    with unlisted(max_output_tokens=1000, temperatures={"coder": 0.25}) as line:
        reply = await line.ask("coder", "<role>coder</role>")
        spend = line.ledger.spend()
    body = line.stub.requests[0].body
    assert (reply.text, spend.model_calls) == ("a plan by coder", 1)
    assert (body["temperature"], body.get("max_tokens") or body["max_completion_tokens"]) == (0.25, 1000)


async def test_the_retries_of_a_client_that_is_not_listed_are_accounted_for(unlisted):
    policy = RetryPolicy(attempt_seconds=60, attempts=6, backoff_seconds=0.01)
    stopped = pytest.raises(ModelError, match="cannot be reached")
    with unlisted(fault=lambda role: "unavailable", limits=policy) as line, stopped:
        await line.ask()
    assert (len(line.stub.requests), len(line.told)) == (6, 1)


async def test_a_provider_that_is_not_listed_refuses_in_one_line(unlisted):
    refused = pytest.raises(ModelError, match="refused as planner: check the key")
    with unlisted(fault=lambda role: "unauthorized") as line, refused as raised:
        await line.ask()
    assert SECRET not in str(raised.value)


async def test_a_role_asks_and_its_tokens_are_counted(client, tmp_path):
    with Line(tmp_path, client) as line:
        reply = await line.ask()
        spend = line.ledger.spend()
    assert (reply.text, reply.problem) == ("a plan by planner", "")
    assert (spend.model_calls, len(line.stub.requests)) == (1, 1)
    assert spend.input_tokens > 0
    assert spend.output_tokens > 0
    apart = {"google_genai": (3, 7), "openai": (2, 5), "anthropic": (4, 0), "ollama": (0, 0)}
    assert (spend.cached_tokens, spend.reasoning_tokens) == apart[client.partition(":")[0]]
    assert (spend.usd is None) == (client != "google_genai:gemini-2.5-pro")


async def test_the_temperature_of_a_role_goes_over_the_wire(client, tmp_path):
    with Line(tmp_path, client, temperatures={"coder": 0.25}) as line:
        for role in ("planner", "extractor", "coder"):
            await line.ask(role, f"<role>{role}</role>")
    assert [temperature(request.body) for request in line.stub.requests] == [1.0, 0.0, 0.25]


def temperature(body):
    places = (body, body.get("generationConfig", {}), body.get("options", {}))
    return next(place["temperature"] for place in places if "temperature" in place)


@pytest.mark.parametrize("fault", [fault for fault in RETRIED if fault != "timeout"])
async def test_what_may_pass_is_sent_again_as_often_as_allowed_and_no_more(client, tmp_path, fault: Fault):
    with Line(tmp_path / "once", client, Once(fault)) as line:
        assert (await line.ask()).text == "a plan by planner"
    assert (len(line.stub.requests), len(line.told)) == (2, 1)
    stopped = pytest.raises(ModelError, match=r"cannot be reached as planner: .* \(3 attempts\)")
    with Line(tmp_path / "always", client, lambda role: fault) as line, stopped:
        await line.ask()
    assert (len(line.stub.requests), len(line.told)) == (3, 2)
    assert line.told[0].startswith("planner: ")


async def test_a_call_has_a_time_limit(client, tmp_path):
    limits = RetryPolicy(attempt_seconds=0.5, attempts=2, backoff_seconds=0.01)
    stopped = pytest.raises(ModelError, match=r"no answer within 0\.5 s \(2 attempts\)")
    with Line(tmp_path, client, lambda role: "timeout", limits=limits) as line, stopped:
        await line.ask()
    assert len(line.stub.requests) == 2


@pytest.mark.parametrize("fault", REFUSED)
async def test_what_will_not_pass_is_sent_once_and_is_one_line(client, tmp_path, fault: Fault):
    refused = pytest.raises(ModelError, match="refused as planner")
    with Line(tmp_path, client, lambda role: fault) as line, refused as raised:
        await line.ask()
    assert (len(line.stub.requests), line.told) == (1, [])
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize("fault", ["unauthorized", "rate_limit"])
async def test_keys_prompts_and_replies_never_reach_the_log(client, tmp_path, caplog, fault: Fault):
    caplog.set_level("DEBUG", logger="mlestar")
    with Line(tmp_path, client, Once(fault)) as line:
        if fault == "unauthorized":
            with pytest.raises(ModelError):
                await line.ask()
        assert (await line.ask()).text == "a plan by planner"
    said = "\n".join(caplog.messages)
    assert f"model {client}: it was asked for" in caplog.messages
    assert ("permanent fault: " if fault == "unauthorized" else f"transient fault of {client}: planner: ") in said
    assert not [word for word in (SECRET, PROMPT, "a plan by planner") if word in said]


@pytest.mark.parametrize("fault", [fault for fault in ASKED_AGAIN if fault != "malformed"])
async def test_an_answer_without_content_is_named(client, tmp_path, fault: Fault):
    with Line(tmp_path, client, lambda role: fault) as line:
        problem = (await line.ask()).problem
        assert len(line.stub.requests) == 1
        assert line.ledger.spend().input_tokens > 0
    if fault == "max_tokens":
        assert "cut off at the token limit" in problem
    elif fault == "blocked" and not client.startswith("ollama"):
        assert "content filter" in problem
    else:
        assert "empty" in problem or "no candidate" in problem


async def test_a_dead_server_is_named(client, tmp_path):
    with Line(tmp_path, client) as line:
        line.stub.stop()
        with pytest.raises(ModelError, match="cannot be reached as planner: the connection failed"):
            await line.ask()
        line.stub.start()
        assert (await line.ask()).text == "a plan by planner"


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_provider_is_waited_for_as_long_as_it_asks(client, tmp_path, form):
    with Line(tmp_path, client, Once("rate_limit")) as line:
        soon = datetime.now(UTC) + timedelta(seconds=2)
        line.stub.retry_after = "1" if form == "seconds" else format_datetime(soon, usegmt=True)
        await line.ask()
    paused = float(line.told[0].split(" in ")[1].removesuffix(" s"))
    assert paused >= (1.0 if form == "seconds" else 0.1)


async def test_a_provider_that_asks_for_an_hour_stops_the_run(client, tmp_path):
    with Line(tmp_path, client, Once("rate_limit")) as line:
        line.stub.retry_after = "3600"
        with pytest.raises(ModelError, match="asks to wait 3600 s"):
            await line.ask()
    assert len(line.stub.requests) == 1


async def test_no_more_calls_are_under_way_than_allowed(client, tmp_path):
    under_way, most, lock = 0, 0, threading.Lock()

    def slowly(role: str) -> None:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)

    def answer(role: str, prompt: str) -> str:
        nonlocal under_way
        time.sleep(0.05)  # as a model does, so that calls overlap where they may
        with lock:
            under_way -= 1
        return "a plan"

    with Line(tmp_path, client, slowly, limits=RetryPolicy(attempt_seconds=20, parallel_calls=2)) as line:
        line.stub.answer = answer
        await asyncio.gather(*(line.ask(prompt=f"{PROMPT} {number}") for number in range(8)))
    assert len(line.stub.requests) == 8
    assert 1 <= most <= 2


PASSED = {
    "google_genai:gemini-2.5-pro": lambda url: ChatGoogleGenerativeAI(
        model="gemini-2.5-pro", base_url=url, api_key="k", max_retries=2
    ),
    "openai:gpt-stub": lambda url: ChatOpenAI(model="gpt-stub", base_url=url, api_key="k", max_retries=1),
}
"""Models whose own client sends a failed request once more."""


@pytest.mark.parametrize("name", PASSED)
async def test_the_retries_of_a_client_that_was_passed_in_are_accounted_for(name, tmp_path):
    limits = RetryPolicy(attempt_seconds=60, attempts=6, backoff_seconds=0.01)
    with Line(tmp_path, name, lambda role: "unavailable", PASSED[name], limits) as line:
        assert line.caller.models.default.name == name
        with pytest.raises(ModelError, match="cannot be reached"):
            await line.ask()
    assert (len(line.stub.requests), len(line.told)) == (6, 2)


async def test_one_role_can_be_played_by_another_model(tmp_path):
    with StubServer(OPENAI, lambda role, prompt: "other") as other:
        passed = lambda url: {"planners": ChatOpenAI(model="gpt-stub", base_url=f"{other.url}/v1", api_key="k")}  # noqa: E731
        with Line(tmp_path, "google_genai:gemini-2.5-pro", passed=passed) as line:
            planned, coded = await line.ask("planner"), await line.ask("coder", "<role>coder</role>")
    assert (planned.text, coded.text) == ("other", "a plan by coder")
    assert line.caller.models.title == (
        "google_genai:gemini-2.5-pro; openai:gpt-stub as extractor, planner, ensemble_planner"
    )


async def test_a_server_that_counts_no_tokens_is_counted_by_length(tmp_path):
    with Line(tmp_path, "openai:gpt-stub") as line:
        says = line.stub.protocol.says
        line.stub.protocol = type(line.stub.protocol)(
            **{**vars(line.stub.protocol), "says": lambda text, body: {**says(text, body), "usage": None}}
        )
        await line.ask()
        spend = line.ledger.spend()
    assert spend.input_tokens >= len(PROMPT) // 4
    assert spend.output_tokens == len("a plan by planner") // 4
