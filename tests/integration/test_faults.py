"""Every fault of the wire at every stage: a run ends with a valid submission, or it stops and its resume finishes.

The model is a scripted engineer behind a stub of the Gemini API, asked through the real client; the sandbox is
scripted too. One run meets a fault at every stage; a stop is followed by a resume that meets the next one.
"""

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

import mlestar
from mlestar.cli import app
from mlestar.errors import ModelError
from mlestar.settings import Settings
from tests.integration.stub_gemini import GEMINI
from tests.integration.stub_server import Fault, Once, StubServer
from tests.unit.scenario import Play, by_card, count_rows, fence, make_task, script

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
SAID: dict[Fault, str] = {
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
    "bad_request": "the request was refused as it stands (400",
    "missing": "check the model's name and the address (404",
}
"""What a person, or the agent that asks again, is told of each fault."""
SETTINGS = {
    "model": "google_genai:gemini-2.5-pro",
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
def task(tmp_path_factory) -> Path:
    return count_rows(make_task(tmp_path_factory.mktemp("task") / "signs", rows=120))


@pytest.fixture(autouse=True)
def key(monkeypatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "a-key-that-nobody-sees")


def cast() -> Play:
    """A run in which every stage asks: one of the two candidates fails and is repaired."""
    broken, working = fence(script("broken", "A")), fence(script(0.7, "B"))
    return Play(initializer=by_card(A=broken, B=working), debugger=fence(script(0.65, "repaired")))


class Run:
    """One run against one stub, whose events are kept."""

    def __init__(self, task: Path, runs: Path, stub: StubServer, play: Play, **settings: object) -> None:
        self.task, self.runs, self.stub, self.play = task, runs, stub, play
        self.settings = Settings.resolve({**SETTINGS, "runs_dir": runs, "base_url": stub.url, **settings})
        self.events: list[mlestar.Event] = []

    async def start(self):
        return await mlestar.asolve(
            self.task, settings=self.settings, run_id="run", runner=self.play.runner(), on_event=self.events.append
        )

    async def resume(self):
        return await mlestar.aresume("run", runs_dir=self.runs, runner=self.play.runner(), on_event=self.events.append)

    async def to_the_end(self, before_resume: Callable[[], object] = lambda: None) -> list[tuple[str, str]]:
        """Start, and resume after every stop; return who asked at each stop and what was said."""
        stops: list[tuple[str, str]] = []
        step = self.start
        while True:
            try:
                assert valid(await step())
                return stops
            except ModelError as error:
                said = str(error)
                assert "\n" not in said
                assert "a-key-that-nobody-sees" not in said
                assert self.recorded()["status"] == "stopped"
                stops.append((re.findall(r" as (\w+): ", said)[0], said))
                assert len(stops) < 20
            before_resume()
            step = self.resume

    def told(self) -> list[str]:
        """Return the lines of progress about the model."""
        return [event.message for event in self.events if event.stage == "model"]

    def recorded(self) -> dict:
        return json.loads((self.runs / "run" / "result.json").read_text(encoding="utf-8"))


def valid(result) -> bool:
    return result.status == "solved" and Path(result.submission).is_file()


@pytest.mark.parametrize("fault", RETRIED)
async def test_a_fault_that_passes_is_retried_and_told_at_every_stage(task, tmp_path, fault):
    play = cast()
    slow = fault == "timeout"
    times, seconds = (1, 2) if slow else (2, SETTINGS["model_seconds"])
    with StubServer(GEMINI, play.answer, Once(fault, *ROLES, times=times)) as stub:
        run = Run(task, tmp_path, stub, play, model_seconds=seconds, model_attempts=6 if slow else 3)
        result = await run.start()
    assert valid(result)
    for role in ROLES:
        met = [request.fault for request in stub.requests if request.role == role]
        assert met.count(fault) == times, role
        assert None in met, role
        told = [line for line in run.told() if line.startswith(f"{role}: {SAID[fault]}")]
        assert len(told) >= times, role
        assert any("attempt 2 of " in line for line in told), role
    answered = sum(request.fault is None for request in stub.requests)
    assert result.spend.model_calls == answered or (slow and result.spend.model_calls < answered)


@pytest.mark.parametrize("fault", ASKED_AGAIN)
async def test_an_answer_that_cannot_be_used_is_asked_for_again_with_the_reason_at_every_stage(task, tmp_path, fault):
    play = cast()
    with StubServer(GEMINI, play.answer, Once(fault, *ROLES)) as stub:
        run = Run(task, tmp_path, stub, play)
        result = await run.start()
    assert valid(result)
    for role in ROLES:
        asked = [request for request in stub.requests if request.role == role]
        assert asked[0].fault == fault
        again = [prompt for request in asked if "<attempt>1</attempt>" in (prompt := GEMINI.prompt(request.body))]
        assert again, role
        assert SAID[fault] in again[0], role
    assert run.told() == []


@pytest.mark.parametrize("fault", REFUSED)
async def test_a_refusal_stops_the_run_at_every_stage_and_a_resume_goes_on(task, tmp_path, fault):
    play = cast()
    with StubServer(GEMINI, play.answer, Once(fault, *ROLES)) as stub:
        run = Run(task, tmp_path, stub, play)
        stops = await run.to_the_end()
        assert sorted(role for role, _ in stops) == sorted(ROLES)
        for role, said in stops:
            assert f"refused as {role}: {SAID[fault]}" in said
        assert run.told() == []
        assert stub.repeated() <= {"initializer"}  # a candidate beside the one that is refused is cancelled on its way


async def test_a_dead_server_stops_the_run_at_every_stage_and_a_resume_goes_on_once_it_is_back(task, tmp_path):
    play = cast()
    alive = set(ROLES)

    def die(role: str) -> Fault | None:
        if role not in alive:
            return None
        alive.discard(role)
        dying.append(threading.Thread(target=stub.stop))
        dying[-1].start()
        return "dropped"

    dying: list[threading.Thread] = []
    with StubServer(GEMINI, play.answer, die) as stub:
        run = Run(task, tmp_path, stub, play)
        stops = await run.to_the_end(before_resume=lambda: (dying[-1].join(), stub.start()))
        assert {role for role, _ in stops} >= set(ROLES) - {"initializer"}
        assert len(stops) == len(ROLES)
        for _, said in stops:
            assert "cannot be reached" in said
            assert "the connection failed" in said
            assert "(3 attempts)" in said
        assert stub.repeated() <= {"initializer"}


def test_every_fault_is_in_the_matrix():
    assert {*RETRIED, *ASKED_AGAIN, *REFUSED} == set(get_args(Fault)) == set(SAID)


def test_the_command_line_ends_in_one_line_that_says_how_to_go_on(task, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    monkeypatch.chdir(tmp_path)
    with StubServer(GEMINI, cast().answer, Once("unauthorized")) as stub:
        arguments = ["run", str(task), "--run-id", "r", "--profile", "quick", "--model", SETTINGS["model"]]
        done = CliRunner().invoke(app, [*arguments, "--runner", "local", "--set", f"base_url={stub.url}"])
    assert done.exit_code == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("mlestar: model google_genai:gemini-2.5-pro refused as analyst: check the key")
    assert last.endswith("what was reached is saved, go on with: mlestar resume r")
    assert "Traceback" not in done.output
