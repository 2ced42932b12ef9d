"""What a provider may bill never passes the cap, even if its answers get lost, are not counted or are too long."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from mlestar.errors import ModelError
from mlestar.llm import Caller, Prices, RetryPolicy, Transport, choose_models
from mlestar.llm.prices import Price
from mlestar.runtime.budget import Budget, Refusal
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger
from tests.integration.stub_openai import OPENAI
from tests.integration.stub_server import ErrorReply, Fault, Protocol, StubServer

CAP = 1.0
OUTPUT = 5000
PRICES = '["openai:stub"]\ninput = 10\noutput = 30\noutput_limit = 5000\n'
PRICE = Price(input=10, output=30)
PROMPT = "<role>planner</role> What next?"
SESSIONS = 6
KILLS = 7
"""More than the cap allows requests."""
GATEWAY = ErrorReply(504, {"error": {"message": "upstream timed out", "type": "gateway", "param": None, "code": None}})


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a-key")


class Session:
    """One session of a run with a cap of one dollar, against a stub."""

    def __init__(self, folder: Path, url: str, *, seconds: float = 20) -> None:
        (folder / "prices.toml").write_text(PRICES)
        settings = Settings.resolve({"model": "openai:stub", "base_url": url, "max_usd": CAP})
        self.ledger = Ledger(folder / "ledger.sqlite")
        self.ledger.count_unknown()
        transport = Transport(RetryPolicy(attempt_seconds=seconds, attempts=6, backoff_seconds=0.01))
        blobs, prices = Blobs(folder / "blobs"), Prices(folder / "prices.toml")
        self.caller = Caller(choose_models(settings), self.ledger, blobs, transport=transport, prices=prices)
        self.budget = Budget(settings, self.ledger, self.caller.sizes)

    async def ask_until_the_end(self, name: str) -> None:
        """Ask new questions until the provider or the budget ends it."""
        for number in range(100):
            try:
                await self.caller.call(
                    "planner", f"{PROMPT} {name}.{number}", (0, 0), lambda measure: self.budget.call("planner", measure)
                )
            except (ModelError, Refusal):
                return


def worst_bill(requests: list[dict[str, Any]]) -> float:
    """Return what a provider may bill for requests: every byte of the prompt a token, and the longest reply."""
    contents = [sum(len(message["content"].encode()) for message in body["messages"]) for body in requests]
    limits = [body["max_completion_tokens"] for body in requests]
    return sum(PRICE.worst(read, written) for read, written in zip(contents, limits, strict=True))


@pytest.mark.parametrize("fault", ["dropped", "cut_body", "garbage", GATEWAY, "timeout"])
async def test_requests_without_an_answer_are_counted_over_all_attempts_and_sessions(
    tmp_path: Path, fault: Fault | ErrorReply
) -> None:
    slow = fault == "timeout"
    with StubServer(OPENAI, lambda role, prompt: "a plan", lambda role: fault) as stub:
        for number in range(SESSIONS):
            session = Session(tmp_path, stub.url, seconds=0.3 if slow else 20)
            await session.ask_until_the_end(str(number))
            spent = session.ledger.spend().usd or 0.0
            session.ledger.close()
    bodies = [request.body for request in stub.requests]
    assert bodies
    assert worst_bill(bodies) <= spent <= CAP


@pytest.mark.parametrize("fault", ["server_error", "unavailable", "unauthorized", "rate_limit"])
async def test_refused_requests_cost_nothing(tmp_path: Path, fault: Fault) -> None:
    with StubServer(OPENAI, lambda role, prompt: "a plan", lambda role: fault) as stub:
        session = Session(tmp_path, stub.url)
        await session.ask_until_the_end("0")
    assert stub.requests
    assert session.ledger.spend().usd == 0
    assert session.ledger.count_unknown() == 0
    session.ledger.close()


def without_usage(text: str, body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in OPENAI.normal(text, body).items() if key != "usage"}


def no_reply_tokens(text: str, body: dict[str, Any]) -> dict[str, Any]:
    usage = {"prompt_tokens": 10, "completion_tokens": 0, "total_tokens": 10}
    return {**OPENAI.normal(text, body), "usage": usage}


@pytest.mark.parametrize("normal", [without_usage, no_reply_tokens])
async def test_replies_that_are_not_counted_may_contain_reasoning(tmp_path: Path, normal: Any) -> None:
    protocol = Protocol(OPENAI.prompt, normal, OPENAI.ends, OPENAI.error)
    with StubServer(protocol, lambda role, prompt: "a plan") as stub:
        session = Session(tmp_path, stub.url)
        await session.ask_until_the_end("0")
    assert worst_bill([request.body for request in stub.requests]) <= (session.ledger.spend().usd or 0) <= CAP
    session.ledger.close()


async def test_a_provider_that_ignores_the_limit_of_replies_does_so_once_at_most(
    tmp_path: Path,
) -> None:
    def long(text: str, body: dict[str, Any]) -> dict[str, Any]:
        written = body["max_completion_tokens"] * 3 // 2
        usage = {"prompt_tokens": 10, "completion_tokens": written, "total_tokens": written + 10}
        return {**OPENAI.normal(text, body), "usage": usage}

    protocol = Protocol(OPENAI.prompt, long, OPENAI.ends, OPENAI.error)
    with StubServer(protocol, lambda role, prompt: "a plan") as stub:
        for number in range(SESSIONS):
            session = Session(tmp_path, stub.url)
            await session.ask_until_the_end(str(number))
            spent = session.ledger.spend().usd or 0.0
            session.ledger.close()
    assert len(stub.requests) > 1
    assert spent <= CAP


async def test_a_request_that_is_cancelled_is_counted(tmp_path: Path) -> None:
    with StubServer(OPENAI, lambda role, prompt: "a plan", lambda role: "timeout") as stub:
        session = Session(tmp_path, stub.url)
        asking = asyncio.create_task(session.ask_until_the_end("0"))
        for _ in range(500):
            await asyncio.sleep(0.02)
            if stub.requests:
                break
        asking.cancel()
        await asyncio.wait([asking])
    assert worst_bill([request.body for request in stub.requests]) <= (session.ledger.spend().usd or 0) <= CAP
    session.ledger.close()


KILLED = """
import asyncio, sys
from pathlib import Path
from tests.integration.test_billing import Session
session = Session(Path(sys.argv[1]), sys.argv[2])
asyncio.run(session.ask_until_the_end(sys.argv[3]))
"""


def test_requests_of_killed_processes_are_counted(tmp_path: Path) -> None:
    with StubServer(OPENAI, lambda role, prompt: "a plan", lambda role: "timeout") as stub:
        for number in range(KILLS):
            before = len(stub.requests)
            arguments = [sys.executable, "-c", KILLED, str(tmp_path), stub.url, str(number)]
            process = subprocess.Popen(arguments, cwd=Path(__file__).parents[2])
            while process.poll() is None and len(stub.requests) == before:
                time.sleep(0.02)
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.wait()
    session = Session(tmp_path, "http://127.0.0.1:9")
    spent = session.ledger.spend().usd or 0.0
    session.ledger.close()
    assert 1 < len(stub.requests) < KILLS
    assert worst_bill([request.body for request in stub.requests]) <= spent <= CAP
