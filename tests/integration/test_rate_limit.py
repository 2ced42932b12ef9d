"""A limit of five requests in a window, with eight callers and the text of Gemini that mentions billing.

The window stands for a minute; it is shorter, and so are the delays that the stub announces.
"""

import asyncio
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

import mlestar
from mlestar.llm import RetryPolicy
from mlestar.settings import Settings
from tests.integration.provider_errors import google_quota
from tests.integration.stub_gemini import GEMINI, MODEL
from tests.integration.stub_server import ErrorReply, StubServer
from tests.integration.test_faults import SETTINGS
from tests.integration.test_transport import Connection, keys
from tests.unit.scenario import Scenario, by_card, count_rows, fence, make_task, script

__all__ = ["keys"]

LIMIT, CALLERS = 5, 8
QUOTA = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"


class Window:
    """Refuses what exceeds the limit in any window, and says when the next request is taken."""

    def __init__(self, seconds: float, limit: int = LIMIT) -> None:
        self.seconds, self.limit = seconds, limit
        self.accepted: deque[float] = deque()
        self.refused = 0
        self.lock = threading.Lock()

    def __call__(self, role: str) -> ErrorReply | None:
        with self.lock:
            now = time.monotonic()
            while self.accepted and now - self.accepted[0] >= self.seconds:
                self.accepted.popleft()
            if len(self.accepted) < self.limit:
                self.accepted.append(now)
                return None
            self.refused += 1
            delay = self.accepted[0] + self.seconds - now
            return ErrorReply(429, google_quota(QUOTA, delay=f"{delay:.3f}s"))


@pytest.mark.parametrize("callers", [CALLERS])
async def test_no_call_is_lost_and_the_rate_is_learned(tmp_path: Path, callers: int) -> None:
    window, calls = Window(seconds=0.8), 24
    policy = RetryPolicy(attempt_seconds=20, attempts=1, backoff_seconds=0.01, parallel_calls=callers)
    with Connection(tmp_path, MODEL, window, policy=policy) as connection:
        prompts = [f"<role>planner</role> question {number}" for number in range(calls)]
        replies = await asyncio.gather(*(connection.ask(prompt=prompt) for prompt in prompts))
    assert [reply.text for reply in replies] == ["a plan by planner"] * calls
    assert window.refused == len(connection.lines)
    assert window.refused <= 2 * callers  # of the first window, which teaches nothing, and of the second
    assert len(connection.stub.requests) == calls + window.refused


CARDS = "ABCDEFGH"
RUN: dict[str, Any] = {**SETTINGS, "retrieved_models": CALLERS, "model_parallel": CALLERS, "model_attempts": 1}


async def solve(task: Path, runs: Path, fault: Window | None) -> tuple[mlestar.Result, StubServer, list[str]]:
    """Run eight candidates at once; return the result, the stub and the lines about the model."""
    scenario = Scenario(initializer=by_card(**{card: fence(script(0.7, card)) for card in CARDS}))
    events: list[mlestar.Event] = []
    with StubServer(GEMINI, scenario.answer, fault or (lambda role: None)) as stub:
        settings = Settings.resolve({**RUN, "runs_dir": runs, "base_url": stub.url})
        result = await mlestar.asolve(
            task, settings=settings, run_id="run", runner=scenario.runner(), on_event=events.append
        )
    return result, stub, [event.message for event in events if event.stage == "model"]


async def test_a_run_of_eight_candidates_under_a_limit_of_five_ends_with_nothing_lost(tmp_path: Path) -> None:
    task = count_rows(make_task(tmp_path / "signs", rows=120))
    unlimited, free, _ = await solve(task, tmp_path / "free", None)
    window = Window(seconds=1.0)
    limited, stub, lines = await solve(task, tmp_path / "limited", window)
    assert window.refused > 0
    assert len(lines) == window.refused
    assert limited.status == unlimited.status == "solved"
    assert answered(stub) == answered(free)
    assert limited.spend.model_calls == unlimited.spend.model_calls


def answered(stub: StubServer) -> list[str]:
    """Return the role of each question that was answered, sorted."""
    return sorted(request.role for request in stub.requests if request.fault is None)
