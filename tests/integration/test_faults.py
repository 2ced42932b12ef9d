"""Every fault of a model call at every stage: a run ends with a valid submission, or it stops and its resume finishes.

The model is a scripted engineer behind a stub of the Gemini API, called through the real client; the sandbox is
scripted too. One run has a fault at every stage; a stop is followed by a resume, in which the next fault occurs.
"""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

import mlestar
from mlestar.cli import app
from mlestar.errors import ModelError
from mlestar.report import Result
from mlestar.settings import Settings
from tests.integration.stub_gemini import GEMINI, MODEL
from tests.integration.stub_server import Fault, Once, StubServer
from tests.unit.scenario import Scenario, by_card, count_rows, fence, make_task, script

STAGES = {
    "retrieve": "retriever",
    "init": "initializer",
    "ablate": "ablator",
    "extract": "extractor",
    "plan": "planner",
    "code": "coder",
    "debug": "debugger",
}
"""Stages of a run, and the role that asks the model in each."""
ROLES = tuple(STAGES.values())
RETRIED: tuple[Fault, ...] = (
    "rate_limit",
    "server_error",
    "unavailable",
    "timeout",
    "dropped",
    "cut_body",
    "garbage",
)
ASKED_AGAIN: tuple[Fault, ...] = ("blocked", "max_tokens", "no_candidates", "malformed")
REFUSED: tuple[Fault, ...] = ("unauthorized", "forbidden", "bad_request", "missing")
MESSAGES: dict[Fault, str] = {
    "rate_limit": "rate limit (429)",
    "server_error": "server error (500)",
    "unavailable": "server error (503)",
    "timeout": "no answer within",
    "dropped": "the connection failed",
    "cut_body": "the connection failed",
    "garbage": "the answer was not the provider's protocol",
    "blocked": "blocked by the provider's content filter (PROHIBITED_CONTENT)",
    "max_tokens": "cut off at the token limit",
    "no_candidates": "returned no candidate",
    "malformed": "",
    "unauthorized": "check the key in GOOGLE_API_KEY or GEMINI_API_KEY (401",
    "forbidden": "the key may not use this model (403",
    "bad_request": "the request is invalid (400",
    "missing": "check the model's name and the address (404",
}
"""Message of each fault, for a person or for the agent that asks again."""
SETTINGS: dict[str, Any] = {
    "model": MODEL,
    "profile": "quick",
    "retrieval": "none",
    "retrieved_models": 2,
    "finalists": 1,
    "fresh_splits": 0,
    "model_backoff": 0.01,
    "model_attempts": 3,
    "model_seconds": 30,
}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return count_rows(make_task(tmp_path_factory.mktemp("task") / "signs", rows=120))


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-that-nobody-sees")


def make_scenario() -> Scenario:
    """A run in which every stage asks: one of the two candidates fails and is repaired."""
    broken, working = fence(script("broken", "A")), fence(script(0.7, "B"))
    return Scenario(initializer=by_card(A=broken, B=working), debugger=fence(script(0.65, "repaired")))


class Run:
    """One run against one stub, with its progress events."""

    def __init__(self, task: Path, runs: Path, stub: StubServer, scenario: Scenario, **settings: object) -> None:
        self.task, self.runs, self.stub, self.scenario = task, runs, stub, scenario
        self.settings = Settings.resolve({**SETTINGS, "runs_dir": runs, "base_url": stub.url, **settings})
        self.events: list[mlestar.Event] = []

    async def start(self) -> Result:
        return await mlestar.asolve(
            self.task, settings=self.settings, run_id="run", runner=self.scenario.runner(), on_event=self.events.append
        )

    async def resume(self) -> Result:
        return await mlestar.aresume(
            "run", runs_dir=self.runs, runner=self.scenario.runner(), on_event=self.events.append
        )

    async def run_to_end(self, before_resume: Callable[[], None] = lambda: None) -> list[tuple[str, str]]:
        """Start, and resume after every stop; return the role and the message of each stop."""
        stops: list[tuple[str, str]] = []
        step = self.start
        while True:
            try:
                assert is_valid(await step())
                return stops
            except ModelError as error:
                message = str(error)
                assert "\n" not in message
                assert "a-key-that-nobody-sees" not in message
                assert self.recorded_status() == "stopped"
                stops.append((re.findall(r" as (\w+): ", message)[0], message))
                assert len(stops) < 20
            before_resume()
            step = self.resume

    def model_messages(self) -> list[str]:
        """Return the messages of the progress events about the model."""
        return [event.message for event in self.events if event.stage == "model"]

    def recorded_status(self) -> str:
        return str(json.loads((self.runs / "run" / "result.json").read_text(encoding="utf-8"))["status"])


def is_valid(result: Result) -> bool:
    return result.status == "solved" and Path(result.submission or "").is_file()


@pytest.mark.parametrize("fault", RETRIED)
async def test_a_transient_fault_is_retried_and_reported_at_every_stage(
    task: Path, tmp_path: Path, fault: Fault
) -> None:
    scenario = make_scenario()
    slow = fault == "timeout"
    times, seconds = (1, 2) if slow else (2, SETTINGS["model_seconds"])
    with StubServer(GEMINI, scenario.answer, Once(fault, *ROLES, times=times)) as stub:
        run = Run(task, tmp_path, stub, scenario, model_seconds=seconds, model_attempts=6 if slow else 3)
        result = await run.start()
    assert is_valid(result)
    for role in ROLES:
        faults = [request.fault for request in stub.requests if request.role == role]
        assert faults.count(fault) == times, role
        assert None in faults, role
        lines = [line for line in run.model_messages() if line.startswith(f"{role}: {MESSAGES[fault]}")]
        assert len(lines) >= times, role
        assert any("attempt 2 of " in line for line in lines), role
    answered = sum(request.fault is None for request in stub.requests)
    assert result.spend.model_calls == answered or (slow and result.spend.model_calls < answered)


@pytest.mark.parametrize("fault", ASKED_AGAIN)
async def test_an_unusable_answer_is_asked_for_again_with_the_reason_at_every_stage(
    task: Path,
    tmp_path: Path,
    fault: Fault,
) -> None:
    scenario = make_scenario()
    with StubServer(GEMINI, scenario.answer, Once(fault, *ROLES)) as stub:
        run = Run(task, tmp_path, stub, scenario)
        result = await run.start()
    assert is_valid(result)
    for role in ROLES:
        requests = [request for request in stub.requests if request.role == role]
        assert requests[0].fault == fault
        again = [prompt for request in requests if "<attempt>1</attempt>" in (prompt := GEMINI.prompt(request.body))]
        assert again, role
        assert MESSAGES[fault] in again[0], role
    assert run.model_messages() == []


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_stops_the_run_at_every_stage_and_a_resume_continues(
    task: Path,
    tmp_path: Path,
    fault: Fault,
) -> None:
    scenario = make_scenario()
    with StubServer(GEMINI, scenario.answer, Once(fault, *ROLES)) as stub:
        run = Run(task, tmp_path, stub, scenario)
        stops = await run.run_to_end()
        assert sorted(role for role, _ in stops) == sorted(ROLES)
        for role, message in stops:
            assert f"refused as {role}: {MESSAGES[fault]}" in message
        assert run.model_messages() == []
        assert stub.repeated_roles() <= {"initializer"}  # a refusal cancels the other candidate's call


async def test_a_dead_server_stops_the_run_at_every_stage_and_a_resume_continues_once_it_is_back(
    task: Path,
    tmp_path: Path,
) -> None:
    scenario = make_scenario()
    pending = set(ROLES)

    def stop_once(role: str) -> Fault | None:
        if role not in pending:
            return None
        pending.discard(role)
        stops_of_server.append(threading.Thread(target=stub.stop))
        stops_of_server[-1].start()
        return "dropped"

    def restart() -> None:
        stops_of_server[-1].join()
        stub.start()

    stops_of_server: list[threading.Thread] = []
    with StubServer(GEMINI, scenario.answer, stop_once) as stub:
        run = Run(task, tmp_path, stub, scenario)
        stops = await run.run_to_end(before_resume=restart)
        assert {role for role, _ in stops} >= set(ROLES) - {"initializer"}
        assert len(stops) == len(ROLES)
        for _, message in stops:
            assert "cannot be reached" in message
            assert "the connection failed" in message
            assert "(3 attempts)" in message
        assert stub.repeated_roles() <= {"initializer"}


def test_every_fault_is_tested() -> None:
    assert {*RETRIED, *ASKED_AGAIN, *REFUSED} == set(get_args(Fault)) == set(MESSAGES)


def test_the_last_line_of_the_command_line_describes_how_to_resume(
    task: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    with StubServer(GEMINI, make_scenario().answer, Once("unauthorized")) as stub:
        arguments = ["run", str(task), "--run-id", "r", "--profile", "quick", "--model", MODEL]
        done = CliRunner().invoke(app, [*arguments, "--runner", "local", "--set", f"base_url={stub.url}"])
    assert done.exit_code == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mlestar: model google_genai:gemini-2.5-pro refused as analyst: check the key")
    assert last.endswith("what was reached is saved; continue with: mlestar resume r")
    assert "Traceback" not in done.output
